//! Streams that are sent.

use std::io::{self, Read};

use gannet_protocol::{Entry, Source, Unread};
use proptest::prelude::*;

use super::*;

/// Gives its bytes in pieces of odd lengths.
struct Trickle {
    bytes: Vec<u8>,
    given: usize,
    step: usize,
}

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let given = self.step.min(buf.len()).min(self.bytes.len() - self.given);
        buf[..given].copy_from_slice(&self.bytes[self.given..self.given + given]);
        self.given += given;
        Ok(given)
    }
}

impl Rig {
    fn stream(&mut self, of: BodyId, content: &[u8], step: usize) {
        let stream = Trickle { bytes: content.to_vec(), given: 0, step };
        self.transfers.send_stream(of, Stream::of_disk(stream));
    }

    fn end_of_stream(&self, of: BodyId) -> Option<u64> {
        self.notes(of).iter().find_map(|note| match note {
            Note::End(end) => Some(end.len),
            Note::Group { .. } | Note::Hole { .. } => None,
        })
    }

    /// Asks once for what stands at `at`, as far as its end is known.
    fn ask_stream(&mut self, of: BodyId, at: u64, buf: &mut [u8]) -> Option<usize> {
        let rest = self.end_of_stream(of).map_or(u64::MAX, |end| end - at);
        let len = buf.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        match self.transfers.read(of, at, &mut buf[..len]) {
            Ok(()) => Some(len),
            Err(Unread::Pending) => None,
            Err(Unread::Failed(status)) => panic!("{status}"),
        }
    }

    /// Takes a whole stream in steps of `step`, acknowledging each a step later, or when nothing else happens.
    fn take_stream(&mut self, of: BodyId, step: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        for _ in 0..10_000 {
            let mut buf = vec![0; step];
            match self.ask_stream(of, taken.len() as u64, &mut buf) {
                Some(0) => return taken,
                Some(len) => taken.extend_from_slice(&buf[..len]),
                None => {
                    if !self.run_one() {
                        self.transfers.release(of, taken.len() as u64);
                    }
                }
            }
            self.drain();
            let acknowledged = taken.len().saturating_sub(step);
            self.transfers.release(of, acknowledged as u64);
            assert!(self.transfers.streams.memory_used() <= TIGHT.streams);
        }
        panic!("the stream never ends");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_stream_comes_as_it_is(
        len in prop_oneof![0_usize..10, 65_530_usize..65_540, 1_000_000_usize..2_200_000],
        trickle in 1_usize..100_000,
        step in 500_usize..60_000,
        seed: u64,
    ) {
        let mut rig = Rig::new(&TIGHT, seed);
        let content = content(len, seed);
        rig.stream(body(1), &content, trickle.max(len / 1000));
        prop_assert!(rig.take_stream(body(1), step) == content);
        prop_assert_eq!(rig.end_of_stream(body(1)), Some(len as u64));
        let mut expected = group_notes(&content, BodyLen::Open);
        expected.push(Note::End(End { len: len as u64, identity: Identity::default(), stable: true }));
        prop_assert_eq!(rig.notes(body(1)), expected);
        rig.finish([body(1)]);
    }
}

/// Streams wait to be let in while others, whose peers are silent, hold all the memory.
#[test]
fn silent_peers_hold_a_bounded_part_and_others_wait_their_turn() {
    let mut rig = Rig::new(&TIGHT, 1);
    let content = content(600_000, 1);
    for i in 0..10 {
        rig.stream(body(i), &content, 100_000);
    }
    rig.run_all();
    assert!(rig.transfers.streams.memory_used() <= TIGHT.streams);
    assert!(rig.transfers.read(body(0), 0, &mut [0; 60_000]).is_ok());
    assert!(rig.transfers.read(body(9), 0, &mut [0; 60_000]).is_err(), "it is not in");
    for i in 0..10 {
        assert!(rig.take_stream(body(i), 30_000) == content);
        rig.transfers.forget(body(i));
    }
    rig.finish([]);
}

/// What is sent behind a lost packet is not stopped by that for as long as a long path is: 100 Mbit/s, and a second.
#[test]
fn a_stream_alone_goes_on_while_its_first_byte_is_not_acknowledged() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let content = content(13_000_000, 1);
    rig.stream(body(1), &content, 100_000);
    let (mut at, mut buf) = (0, vec![0; 60_000]);
    while at < content.len() {
        match rig.ask_stream(body(1), at as u64, &mut buf) {
            Some(len) => at += len,
            None => assert!(rig.run_one(), "it stands still at {at}"),
        }
        rig.drain();
    }
    rig.transfers.release(body(1), at as u64);
    rig.finish([body(1)]);
}

#[test]
fn a_stream_that_fails_ends_the_body() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(buf.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(buf.len())
        }
    }
    let mut rig = Rig::new(&TIGHT, 1);
    rig.transfers.send_stream(body(1), Stream::of_disk(Broken(70_000)));
    assert_eq!(rig.transfers.read(body(1), 0, &mut [0; 1000]), Err(Unread::Pending));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Full));
    assert_eq!(rig.readable, [body(1)]);
    let read = rig.transfers.read(body(1), 0, &mut [0; 1000]);
    assert_eq!(read, Err(Unread::Failed(Status::Full)));
    rig.finish([body(1)]);
}

#[test]
fn a_directory_streams() {
    let mut rig = Rig::new(&TIGHT, 1);
    for i in 0..3000 {
        fs::write(rig.path(&format!("{i:0>60}")), "").unwrap();
    }
    let listing = rig.root.list(None).unwrap();
    rig.transfers.send_stream(body(1), Stream::of_disk(listing));
    let bytes = rig.take_stream(body(1), 1400);
    assert_eq!(Entry::decode_all(&bytes).filter(|entry| entry.is_ok()).count(), 3000);
    rig.finish([body(1)]);
}
