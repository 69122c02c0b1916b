//! Files that are sent: any order of asking, little memory, sources that change.

use std::fs::OpenOptions;

use gannet_protocol::{Source, Unread};
use proptest::prelude::*;

use super::*;
use crate::transfer::sending::MIN_SPAN;

impl Rig {
    /// Asks once, every other time first for what need not be copied, and checks what comes.
    fn ask(&mut self, of: BodyId, content: &[u8], at: usize, len: usize) -> bool {
        self.asked += 1;
        if self.asked.is_multiple_of(2) {
            let is_right = |bytes: &[u8]| bytes == &content[at..at + len];
            if let Some(is_right) = self.transfers.lend(of, at as u64, len, is_right) {
                assert!(is_right, "at {at}");
                return true;
            }
        }
        let mut buf = vec![0; len];
        let read = self.transfers.read(of, at as u64, &mut buf);
        let used = self.transfers.senders.memory_used();
        assert!(used <= self.transfers.senders.memory_cap());
        match read {
            Ok(()) => {
                assert!(buf == content[at..at + len], "at {at}");
                true
            }
            Err(Unread::Pending) => false,
            Err(Unread::Failed(status)) => panic!("{status}"),
        }
    }

    /// Asks until it comes.
    fn fetch(&mut self, of: BodyId, content: &[u8], at: usize, len: usize) {
        for _ in 0..1000 {
            if self.ask(of, content, at, len) {
                return;
            }
            self.run_one();
        }
        panic!("{at} never comes");
    }
}

/// Checks that groups and end are told as they are.
fn check_notes(rig: &Rig, of: BodyId, content: &[u8]) {
    let mut notes = rig.notes(of);
    let end = notes.pop();
    assert!(
        matches!(end, Some(Note::End(End { len, stable: true, .. })) if len == content.len() as u64)
    );
    let index = |note: &Note| match note {
        Note::Group { index, .. } => *index,
        Note::Hole { .. } | Note::End(_) => panic!("no group"),
    };
    notes.sort_by_key(index);
    assert_eq!(notes, group_notes(content, BodyLen::Known(content.len() as u64)));
    let is_read = |output: &Output| matches!(output, Output::Read { body, hash } if *body == of && *hash == hash_of(content));
    assert!(rig.outputs.iter().any(is_read));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_is_asked_comes(
        len in prop_oneof![0_usize..3000, 60_000_usize..70_000, 1_000_000_usize..5_000_000],
        step in 1000_usize..60_000,
        is_tight: bool,
        seed: u64,
    ) {
        let limits = if is_tight { TIGHT } else { Limits::default() };
        let mut rig = Rig::new(&limits, seed);
        let content = content(len, seed);
        let source = rig.source("file", &content);
        rig.transfers.send_file(body(1), source, false);
        let (mut at, mut released) = (0, 0);
        while at < len {
            let piece = step.min(len - at);
            rig.fetch(body(1), &content, at, piece);
            at += piece;
            if rig.random(4) == 0 {
                let again = released + rig.random(at - released);
                let more = rig.random(step.min(at - again)) + 1;
                rig.fetch(body(1), &content, again, more);
            }
            if rig.random(8) == 0 {
                released += rig.random(at - released + 1);
                rig.transfers.release(body(1), released as u64);
                let both = (released as u64, released as u64);
                prop_assert_eq!(rig.progress(body(1)), Some(both));
            }
        }
        rig.run_all();
        check_notes(&rig, body(1), &content);
        rig.finish([body(1)]);
    }
}

/// Many more files than spans of memory, asked for turn by turn, some by peers that never answer.
#[test]
fn every_transfer_goes_on_when_memory_is_short() {
    const FILES: u32 = 30;
    for seed in 0..5 {
        let mut rig = Rig::new(&TIGHT, seed);
        let contents: Vec<_> = (0..FILES).map(|i| content(300_000, i.into())).collect();
        for i in 0..FILES {
            let source = rig.source(&format!("file{i}"), &contents[i as usize]);
            rig.transfers.send_file(body(i), source, false);
        }
        let mut at = [0_usize; FILES as usize];
        let mut turns = 0;
        while at.iter().any(|at| *at < 300_000) {
            for i in 0..FILES {
                let start = at[i as usize];
                let len = 50_000.min(300_000 - start);
                if len > 0 && rig.ask(body(i), &contents[i as usize], start, len) {
                    at[i as usize] += len;
                    // Every other peer never acknowledges.
                    if i % 2 == 0 {
                        rig.transfers.release(body(i), (start + len) as u64);
                    }
                }
            }
            for _ in 0..3 {
                rig.run_one();
            }
            turns += 1;
            assert!(turns < 5000, "they go on: {at:?}");
        }
        rig.run_all();
        for i in 0..FILES {
            check_notes(&rig, body(i), &contents[i as usize]);
        }
        rig.finish((0..FILES).map(body));
    }
}

/// Connections that died after they had asked for bytes: what was read for them gives way.
#[test]
fn bytes_for_the_dead_do_not_keep_out_the_living() {
    let mut rig = Rig::new(&TIGHT, 1);
    let content = content(200_000, 1);
    for i in 0..20 {
        let source = rig.source(&format!("file{i}"), &content);
        rig.transfers.send_file(body(i), source, false);
    }
    for i in 0..19 {
        rig.ask(body(i), &content, 0, 1000);
    }
    rig.run_all();
    for at in (0..200_000).step_by(50_000) {
        rig.fetch(body(19), &content, at, 50_000);
    }
    rig.run_all();
    check_notes(&rig, body(19), &content);
    rig.finish((0..20).map(body));
}

#[test]
fn it_is_told_when_bytes_are_there_and_only_then() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let content = content(3 << 20, 1);
    let source = rig.source("file", &content);
    rig.transfers.send_file(body(1), source, false);
    rig.drain();
    assert_eq!(rig.jobs.len(), 3, "it reads ahead before anyone asks");
    rig.run_one();
    assert!(rig.readable.is_empty());
    assert!(!(0..3).all(|block| rig.ask(body(1), &content, block << 20, 1400)));
    rig.run_all();
    assert!(!rig.readable.is_empty());
    assert!((0..3).all(|block| rig.ask(body(1), &content, block << 20, 1400)));
}

/// At its end the file is what it was or not; either is told, and no reading goes on after a failure.
#[test]
fn a_source_that_changes_is_told() {
    let content = content(2 << 20, 1);
    let mut rig = Rig::new(&Limits::default(), 1);
    let source = rig.source("touched", &content);
    let modified = fs::metadata(rig.path("touched")).unwrap().modified().unwrap();
    rig.transfers.send_file(body(1), source, false);
    rig.drain();
    let touched = OpenOptions::new().write(true).open(rig.path("touched")).unwrap();
    touched.set_modified(modified - std::time::Duration::from_secs(1)).unwrap();
    rig.run_all();
    let end = rig.notes(body(1)).pop();
    assert!(matches!(end, Some(Note::End(End { stable: false, .. }))));

    let source = rig.source("cut", &content);
    rig.transfers.send_file(body(2), source, false);
    OpenOptions::new().write(true).open(rig.path("cut")).unwrap().set_len(10).unwrap();
    rig.run_all();
    assert_eq!(rig.failure(body(2)), Some(Status::Changed));
    let read = rig.transfers.read(body(2), 0, &mut [0; 10]);
    assert_eq!(read, Err(Unread::Failed(Status::Changed)));
    assert!(rig.notes(body(2)).is_empty());
    rig.finish([body(1), body(2)]);
}

/// What has to be read again must still be what was hashed.
#[test]
fn a_source_that_changes_after_its_end_is_not_read_again() {
    let content = content(2 << 20, 1);
    let mut rig = Rig::new(&TIGHT, 1);
    let source = rig.source("file", &content);
    let modified = fs::metadata(rig.path("file")).unwrap().modified().unwrap();
    rig.transfers.send_file(body(1), source, false);
    for at in (0..2 << 20).step_by(MIN_SPAN as usize) {
        rig.fetch(body(1), &content, at, MIN_SPAN as usize);
    }
    rig.run_all();
    check_notes(&rig, body(1), &content);
    let touched = OpenOptions::new().write(true).open(rig.path("file")).unwrap();
    touched.set_modified(modified - std::time::Duration::from_secs(1)).unwrap();
    assert!(!rig.ask(body(1), &content, 0, 1000));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Changed));
    rig.finish([body(1)]);
}

#[test]
fn an_unknown_body_gives_nothing() {
    let mut rig = Rig::new(&TIGHT, 1);
    assert!(matches!(rig.transfers.read(body(9), 0, &mut [0; 1]), Err(Unread::Failed(_))));
    rig.transfers.release(body(9), 10);
    rig.transfers.forget(body(9));
    assert_eq!(rig.transfers.progress(body(9)), None);
}

impl Rig {
    fn skipped(&self) -> Vec<u64> {
        let skipped = self.outputs.iter().filter_map(|output| match output {
            Output::Skip { range, .. } => Some(range.start / BLOCK_LEN),
            _ => None,
        });
        skipped.collect()
    }
}

/// What the receiver has is not even read.
#[test]
fn groups_that_the_receiver_has_are_passed_over() {
    let content = content((8 << 20) + 5, 1);
    let mut rig = Rig::new(&Limits::default(), 1);
    let source = rig.source("file", &content);
    rig.transfers.send_file(body(1), source, true);
    let groups = [0..2, 3..7, 8..9].into_iter().collect();
    rig.transfers.held(body(1), Held::Groups(gannet_protocol::Have { identity: IDENTITY, groups }));
    for at in [2 << 20, 7 << 20] {
        let mut read = vec![0; 1000];
        let offset = at + 500;
        while rig.transfers.read(body(1), offset as u64, &mut read).is_err() {
            assert!(rig.run_one());
        }
        assert!(read == content[offset..offset + 1000]);
    }
    rig.run_all();
    let notes = rig.notes(body(1));
    let index = |note: &Note| match note {
        Note::Group { index, .. } => Some(*index),
        _ => None,
    };
    let mut read: Vec<_> = notes.iter().filter_map(index).collect();
    read.sort_unstable();
    // Some were read before it was known that they are there.
    read.retain(|index| ![0, 1].contains(index));
    assert_eq!(read, [2, 7]);
    assert_eq!(notes.iter().filter(|note| **note == end_of_source(&rig, &content)).count(), 1);
    rig.transfers.release(body(1), (7 << 20) + 5);
    assert_eq!(rig.progress(body(1)), Some(((7 << 20) + 5, (1 << 20) + 5)));
    rig.transfers.release(body(1), content.len() as u64);
    assert_eq!(rig.progress(body(1)), Some((content.len() as u64, 2 << 20)));
    // It may be wanted all the same.
    rig.transfers.held(body(1), Held::Again(4));
    let mut read = vec![0; 1000];
    while rig.transfers.read(body(1), (4 << 20) + 7, &mut read).is_err() {
        assert!(rig.run_one());
    }
    assert!(read == content[(4 << 20) + 7..][..1000]);
    rig.finish([body(1)]);
}

fn end_of_source(rig: &Rig, content: &[u8]) -> Note {
    let identity = rig.root.open_source(&Name::parse(b"file").unwrap()).unwrap().meta().identity;
    Note::End(End { len: content.len() as u64, identity, stable: true })
}

/// With memory for all, and for less than a group.
#[test]
fn a_group_whose_hash_the_receiver_told_is_read_before_it_is_sent() {
    for limits in [Limits::default(), TIGHT] {
        let content = content(4 << 20, 1);
        let mut rig = Rig::new(&limits, 1);
        let source = rig.source("file", &content);
        rig.transfers.send_file(body(1), source, true);
        let mut hashes: Vec<Hash> = group_notes(&content, BodyLen::Known(4 << 20))
            .into_iter()
            .map(|note| match note {
                Note::Group { hash, .. } => hash,
                other => panic!("{other:?}"),
            })
            .collect();
        hashes[1] = [7; 32];
        rig.transfers.held(body(1), Held::Hashes { first: 0, hashes: hashes[..2].to_vec() });
        rig.transfers.held(body(1), Held::Hashes { first: 2, hashes: hashes[2..].to_vec() });
        rig.transfers.held(body(1), Held::Nothing);
        for index in 0..4 {
            let mut read = vec![0; 1000];
            let offset = (index << 20) + 100;
            while !rig.skipped().contains(&index) {
                if rig.transfers.read(body(1), offset, &mut read).is_ok() {
                    assert_eq!(index, 1, "only that one is sent");
                    assert!(read == content[offset as usize..][..1000]);
                    break;
                }
                assert!(rig.run_one(), "it waits for ever");
            }
        }
        rig.run_all();
        let mut skipped = rig.skipped();
        skipped.sort_unstable();
        assert_eq!(skipped, [0, 2, 3]);
        assert_eq!(rig.notes(body(1)).len(), 5);
        rig.finish([body(1)]);
    }
}
