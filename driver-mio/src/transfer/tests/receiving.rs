//! Files that are received: any order of bytes, any failure.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

use gannet_protocol::{Ticket, Write};
use proptest::prelude::*;

use super::*;
use crate::transfer::buffers::BLOCK;

/// A piece of a body as a datagram brings it.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) at: usize,
    pub(super) len: usize,
}

/// What the endpoint knows of a body that it receives, and so promises of its writes.
struct Arrivals {
    seen: Vec<bool>,
    whole: BTreeMap<usize, usize>,
}

impl Arrivals {
    fn new(len: usize) -> Self {
        Self { seen: vec![false; len], whole: BTreeMap::new() }
    }

    /// How many bytes of a chunk are new; nothing if its block was whole before.
    fn take(&mut self, chunk: &Chunk) -> Option<usize> {
        let index = chunk.at / BLOCK;
        let block_len = BLOCK.min(self.seen.len() - index * BLOCK);
        let have = self.whole.entry(index).or_default();
        if *have == block_len {
            return None;
        }
        let places = &mut self.seen[chunk.at..chunk.at + chunk.len];
        let fresh = places.iter().filter(|seen| !**seen).count();
        places.fill(true);
        *have += fresh;
        Some(fresh)
    }
}

impl Rig {
    pub(super) fn write(&mut self, body: BodyId, content: &[u8], chunk: &Chunk, fresh: usize) {
        self.transfers.write(Write {
            body,
            offset: chunk.at as u64,
            data: &content[chunk.at..chunk.at + chunk.len],
            fresh,
            ticket: Ticket::unowned(fresh as u64),
        });
    }

    /// Writes all of `content` in order.
    pub(super) fn write_all(&mut self, body: BodyId, content: &[u8], step: usize) {
        for chunk in chunks(content.len(), step) {
            self.write(body, content, &chunk, chunk.len);
        }
    }

    /// The bytes of some groups.
    pub(super) fn write_groups(&mut self, body: BodyId, content: &[u8], groups: &[u64]) {
        for chunk in chunks(content.len(), 60_000) {
            if groups.contains(&(chunk.at as u64 / BLOCK_LEN)) {
                self.write(body, content, &chunk, chunk.len);
            }
        }
    }

    /// Writes the groups of `content` as often as they are asked for again. Tells how many that were.
    pub(super) fn write_again(&mut self, body: BodyId, content: &[u8]) -> usize {
        let mut count = 0;
        loop {
            let again = self.wanted_again(body);
            if again.is_empty() {
                return count;
            }
            count += again.len();
            self.write_groups(body, content, &again);
            self.run_all();
        }
    }

    pub(super) fn note_all(&mut self, body: BodyId, content: &[u8], len: BodyLen) {
        for note in group_notes(content, len) {
            self.transfers.note(self.now, body, note);
        }
        self.transfers.note(self.now, body, end_of(content));
    }
}

/// Pieces of `step` bytes or less that cover a body and cross no block.
pub(super) fn chunks(len: usize, step: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut at = 0;
    while at < len {
        let piece = step.min(len - at).min(BLOCK - at % BLOCK);
        chunks.push(Chunk { at, len: piece });
        at += piece;
    }
    chunks
}

/// What happens to a body besides the coming of its bytes.
#[derive(Clone, Debug)]
enum Step {
    Chunk(Chunk),
    Note(usize),
    Open,
    Run,
}

pub(super) fn known(content: &[u8]) -> BodyLen {
    BodyLen::Known(content.len() as u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Pieces in any order, some twice and overlapping, notes and the opening at any time, with enough memory and with too
    /// little: the file is there in the end, and every ticket came back.
    #[test]
    fn any_order_gives_the_file(
        len in prop_oneof![0_usize..3000, 1_000_000_usize..1_100_000, 2_000_000_usize..3_300_000],
        step in 700_usize..70_000,
        repeats in prop::collection::vec((any::<usize>(), 1_usize..5000), 0..40),
        is_open: bool,
        is_tight: bool,
        swaps in 0_usize..200,
        seed: u64,
    ) {
        let content = content(len, seed);
        let body_len = if is_open { BodyLen::Open } else { known(&content) };
        // It may be opened after all has come.
        let tight = Limits { loose: 4 << 20, ..TIGHT };
        let limits = if is_tight { tight } else { Limits::default() };
        let mut rig = Rig::new(&limits, seed);
        let body = body(1);
        rig.transfers.receive_file(body, &meta(body_len));
        let mut notes = group_notes(&content, body_len);
        notes.push(end_of(&content));

        let mut steps: Vec<Step> = chunks(len, step).into_iter().map(Step::Chunk).collect();
        for (at, more) in repeats {
            if len > 0 {
                let at = at % len;
                let more = more.min(len - at).min(BLOCK - at % BLOCK);
                let place = rig.random(steps.len());
                steps.insert(place, Step::Chunk(Chunk { at, len: more }));
            }
        }
        for _ in 0..swaps {
            let (a, b) = (rig.random(steps.len()), rig.random(steps.len()));
            if !steps.is_empty() {
                steps.swap(a, b);
            }
        }
        let place = rig.random(steps.len() + 1);
        steps.insert(place, Step::Open);
        for _ in 0..steps.len() {
            let place = rig.random(steps.len());
            steps.insert(place, Step::Run);
        }
        let mut place = 0;
        for note in 0..notes.len() {
            place += rig.random(steps.len() + 1 - place);
            steps.insert(place, Step::Note(note));
            place += 1;
        }

        let mut arrivals = Arrivals::new(len);
        let mut sent = 0;
        for step in steps {
            match step {
                Step::Chunk(chunk) => {
                    if let Some(fresh) = arrivals.take(&chunk) {
                        sent += fresh as u64;
                        rig.write(body, &content, &chunk, fresh);
                    }
                }
                Step::Note(note) => rig.transfers.note(rig.now, body, notes[note]),
                Step::Open => rig.open(body, "file", body_len),
                Step::Run => drop(rig.run_one()),
            }
            let [memory, ..] = rig.transfers.receivers.memory_used();
            prop_assert!(memory <= limits.receiving + limits.overdraft);
        }
        rig.run_all();
        prop_assert_eq!(rig.failure(body), None);
        prop_assert_eq!(rig.stored(body), Some((len as u64, hash_of(&content))));
        prop_assert_eq!(rig.settled, sent);
        prop_assert_eq!(rig.progress(body), Some((sent, sent)));
        let rig = rig.finish([body]);
        prop_assert!(fs::read(rig.path("file")).unwrap() == content);
        prop_assert_eq!(rig.files(), 1);
    }

    /// One wrong byte, whenever and however it is written, and nothing is published.
    #[test]
    fn a_wrong_byte_is_never_published(
        len in 1_usize..2_500_000,
        place: usize,
        is_tight: bool,
        seed: u64,
    ) {
        let content = content(len, seed);
        let mut wrong = content.clone();
        wrong[place % len] ^= 1 << (seed % 8);
        let limits = if is_tight { TIGHT } else { Limits::default() };
        let mut rig = Rig::new(&limits, seed);
        let body = body(1);
        fs::write(rig.path("file"), "old").unwrap();
        rig.transfers.receive_file(body, &meta(known(&content)));
        rig.open(body, "file", known(&content));
        rig.write_all(body, &wrong, 50_000);
        rig.note_all(body, &content, known(&content));
        rig.run_all();
        prop_assert_eq!(rig.failure(body), None);
        let all = rig.settled;
        prop_assert_eq!(rig.write_again(body, &wrong), 3);
        prop_assert_eq!(rig.failure(body), Some(Status::Corrupt));
        prop_assert_eq!(rig.stored(body), None);
        prop_assert_eq!(all, len as u64);
        let rig = rig.finish([body]);
        prop_assert_eq!(fs::read_to_string(rig.path("file")).unwrap(), "old");
        prop_assert_eq!(rig.files(), 1);
    }
}

/// In whatever pieces it is written, also after the end was told.
#[test]
fn a_wrong_group_comes_again() {
    for (limits, is_open) in [(TIGHT, false), (Limits::default(), false), (Limits::default(), true)]
    {
        let content = content((2 << 20) + 99, 1);
        let mut wrong = content.clone();
        wrong[5] ^= 1;
        *wrong.last_mut().unwrap() ^= 1;
        let len = if is_open { BodyLen::Open } else { known(&content) };
        let mut rig = Rig::new(&limits, 1);
        rig.transfers.receive_file(body(1), &meta(len));
        rig.open(body(1), "file", len);
        rig.write_all(body(1), &wrong, 50_000);
        rig.note_all(body(1), &content, len);
        rig.run_all();
        assert_eq!(rig.stored(body(1)), None);
        assert_eq!(rig.write_again(body(1), &content), 2);
        assert_eq!(rig.stored(body(1)), Some((content.len() as u64, hash_of(&content))));
        let rig = rig.finish([body(1)]);
        assert!(fs::read(rig.path("file")).unwrap() == content);
    }
}

#[test]
fn mode_and_time_travel() {
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_file(body(1), &meta(BodyLen::Known(0)));
    rig.open(body(1), "file", BodyLen::Known(0));
    rig.transfers.note(rig.now, body(1), end_of(&[]));
    rig.run_all();
    assert_eq!(rig.stored(body(1)), Some((0, hash_of(&[]))));
    let metadata = fs::metadata(rig.path("file")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o700, 0o600);
    assert_eq!(crate::sys::files::modified(&metadata), FileTime::new(5, 5));
}

#[test]
fn a_source_that_changed_is_not_published() {
    let content = content(5000, 1);
    let ends = [
        End { len: 5000, identity: IDENTITY, stable: false },
        End { len: 5000, identity: Identity([8; 16]), stable: true },
        End { len: 4999, identity: IDENTITY, stable: true },
    ];
    for end in ends {
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.transfers.receive_file(body(1), &meta(known(&content)));
        rig.open(body(1), "file", known(&content));
        rig.write_all(body(1), &content, 1400);
        for note in group_notes(&content, known(&content)) {
            rig.transfers.note(rig.now, body(1), note);
        }
        rig.run_all();
        rig.transfers.note(rig.now, body(1), Note::End(end));
        rig.run_all();
        assert_eq!(rig.failure(body(1)), Some(Status::Changed));
        assert_eq!((rig.files(), rig.settled), (0, 5000));
    }
}

#[test]
fn a_file_that_cannot_be_opened_gives_all_tickets_back() {
    let content = content(3_000_000, 1);
    let mut rig = Rig::new(&TIGHT, 1);
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.write_all(body(1), &content[..2_500_000], 1400);
    rig.drain();
    assert_eq!(rig.settled, 0, "nothing is told before there is a file");
    rig.transfers.open(rig.now, body(1), Err(Status::Denied));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Denied));
    assert_eq!(rig.settled, 2_500_000);
    rig.write(body(1), &content, &Chunk { at: 2_600_000, len: 1000 }, 1000);
    rig.drain();
    assert_eq!(rig.settled, 2_501_000, "later ones come back at once");
    rig.finish([body(1)]);
}

#[test]
fn what_is_forgotten_leaves_nothing_and_its_late_jobs_do_no_harm() {
    let content = content(3_000_000, 1);
    let mut rig = Rig::new(&TIGHT, 1);
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.open(body(1), "file", known(&content));
    rig.write_all(body(1), &content[..2_900_000], 1400);
    rig.drain();
    assert!(!rig.jobs.is_empty());
    rig.transfers.forget(body(1));
    rig.transfers.receive_file(body(2), &meta(known(&content)));
    rig.run_all();
    assert_eq!(rig.settled, 2_900_000);
    assert_eq!(rig.files(), 0);
    assert!(rig.outputs.is_empty());
    rig.open(body(1), "late", known(&content));
    let rig = rig.finish([body(2)]);
    assert_eq!(rig.files(), 0);
}

#[test]
fn a_directory_that_took_the_name_meanwhile_is_told() {
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_file(body(1), &meta(BodyLen::Known(3)));
    rig.open(body(1), "name", BodyLen::Known(3));
    rig.write_all(body(1), b"abc", 1400);
    fs::create_dir(rig.path("name")).unwrap();
    rig.note_all(body(1), b"abc", BodyLen::Known(3));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::IsDirectory));
    assert_eq!(rig.files(), 1);
}
