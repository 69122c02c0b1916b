//! Files that are received into a pipe.

use std::{
    io,
    sync::{Arc, Mutex},
};

use gannet_protocol::Ticket;
use proptest::prelude::*;

use super::{receiving::chunks, *};
use crate::transfer::{Sink, buffers::BLOCK};

/// Keeps what is written, up to a length at which nobody reads on.
#[derive(Clone, Default)]
struct Reader {
    read: Arc<Mutex<Vec<u8>>>,
    wants: Option<usize>,
}

impl io::Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut read = self.read.lock().unwrap();
        let wanted = self.wants.map_or(bytes.len(), |wants| wants - read.len()).min(bytes.len());
        if wanted == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        read.write_all(&bytes[..wanted])?;
        Ok(wanted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reader {
    fn read(&self) -> Vec<u8> {
        self.read.lock().unwrap().clone()
    }
}

fn rig(len: BodyLen, reader: &Reader) -> Rig {
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_stream(body(1), &meta(len), Sink::new(reader.clone()));
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever the order in which bytes come, they are written in theirs, each once.
    #[test]
    fn what_comes_in_any_order_is_written_in_its_own(
        len in prop_oneof![0..100usize, 0..4 * BLOCK],
        is_open: bool,
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
        early: bool,
    ) {
        let content = content(len, 3);
        let body_len = if is_open { BodyLen::Open } else { BodyLen::Known(len as u64) };
        let reader = Reader::default();
        let mut rig = rig(body_len, &reader);
        let mut chunks = chunks(len, 40_000);
        if !chunks.is_empty() {
            for (a, b) in swaps {
                let (a, b) = (a.index(chunks.len()), b.index(chunks.len()));
                chunks.swap(a, b);
            }
        }
        if early {
            rig.note_all(body(1), &content, body_len);
        }
        for chunk in chunks {
            rig.write(body(1), &content, &chunk, chunk.len);
            if len % 3 == 0 {
                rig.run_one();
            }
            prop_assert!(content.starts_with(&reader.read()));
        }
        if !early {
            rig.note_all(body(1), &content, body_len);
        }
        rig.run_all();
        prop_assert_eq!(rig.stored(body(1)), Some((len as u64, hash_of(&content))));
        prop_assert!(reader.read() == content);
        prop_assert_eq!(rig.settled, len as u64);
    }
}

/// `docs/hostile-input.md`, row 52.
#[test]
fn nothing_of_a_wrong_group_is_written_and_what_came_before_is_right() {
    let content = content(3 * BLOCK, 1);
    let mut wrong = content.clone();
    wrong[2 * BLOCK - 1] ^= 1;
    let reader = Reader::default();
    let len = BodyLen::Known(content.len() as u64);
    let mut rig = rig(len, &reader);
    rig.note_all(body(1), &content, len);
    rig.write_all(body(1), &wrong, 9000);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Corrupt));
    assert!(reader.read() == content[..BLOCK]);
    assert_eq!(rig.settled, content.len() as u64);
}

#[test]
fn nothing_is_written_before_its_hash_was_told() {
    let content = content(BLOCK + 5, 1);
    let reader = Reader::default();
    let mut rig = rig(BodyLen::Known(content.len() as u64), &reader);
    rig.write_all(body(1), &content, 9000);
    rig.run_all();
    assert!(reader.read().is_empty());
    rig.transfers.note(rig.now, body(1), end_of(&content));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Corrupt), "its hashes were never told");
}

#[test]
fn a_reader_that_wants_no_more_ends_it() {
    let content = content(3 * BLOCK, 1);
    let reader = Reader { wants: Some(10), ..Reader::default() };
    let len = BodyLen::Known(content.len() as u64);
    let mut rig = rig(len, &reader);
    rig.note_all(body(1), &content, len);
    rig.write_all(body(1), &content, 9000);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Cancelled));
    assert!(reader.read() == content[..10]);
}

/// The sender waits, but for what it has under way.
#[test]
fn a_reader_that_is_slow_holds_the_sender_back_and_not_the_memory() {
    const MIB: u64 = 1 << 20;
    let content = content(12 * BLOCK, 1);
    let reader = Reader::default();
    let len = BodyLen::Known(content.len() as u64);
    let mut rig = rig(len, &reader);
    rig.note_all(body(1), &content, len);
    // No job runs: nothing is read.
    let mut sent = 0;
    for chunk in chunks(content.len(), 9000) {
        if sent - rig.settled > MIB {
            break;
        }
        rig.write(body(1), &content, &chunk, chunk.len);
        rig.drain();
        sent += chunk.len as u64;
    }
    assert!((5 * MIB..6 * MIB).contains(&sent), "{sent}");
    rig.run_one();
    rig.run_one();
    assert_eq!(sent, rig.settled, "it goes on when two groups are read");
}

#[test]
fn a_group_that_is_too_long_for_memory_is_refused() {
    let reader = Reader::default();
    let mut rig = rig(BodyLen::Known((1 << 40) + 1), &reader);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::TooLarge));
    let ticket = Ticket::unowned(1);
    let write = gannet_protocol::Write { body: body(1), offset: 0, data: b"x", fresh: 1, ticket };
    rig.transfers.write(write);
    rig.run_all();
    assert_eq!(rig.settled, 1);
}
