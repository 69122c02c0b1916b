//! Files with holes, of more than 16 GiB too: groups of those are two blocks, so that holes may be parts of them.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    sync::{Arc, Mutex},
};

use gannet_protocol::{Source, Ticket, Write};

use super::*;
use crate::{
    hash::hash_group,
    transfer::{Received, Sink, buffers::BLOCK},
};

/// A length of which groups are two blocks.
const LONG: u64 = (17 << 30) + 7;

fn hole(start: u64, end: u64) -> Note {
    Note::Hole { offset: start, len: end - start }
}

/// The hash of a group of a long body, which starts at `offset`.
fn group(offset: u64, bytes: &[u8]) -> Note {
    let pieces = (offset..).step_by(BLOCK).zip(bytes.chunks(BLOCK));
    let hash =
        hash_group(pieces.map(|(at, block)| (at, block.len() as u64, hash_piece(at, block))));
    Note::Group { index: offset / (2 * BLOCK_LEN), hash: hash.unwrap() }
}

fn end(len: u64) -> Note {
    Note::End(End { len, identity: IDENTITY, stable: true })
}

impl Rig {
    fn note(&mut self, note: Note) {
        self.transfers.note(self.now, body(1), note);
    }

    /// Writes a block of a long body.
    fn block(&mut self, offset: u64, data: &[u8]) {
        let (fresh, ticket) = (data.len(), Ticket::unowned(data.len() as u64));
        self.transfers.write(Write { body: body(1), offset, data, fresh, ticket });
    }

    /// Starts to receive a body of that length into a file.
    fn receive(&mut self, len: u64) {
        self.transfers.receive_file(body(1), &meta(BodyLen::Known(len)));
        self.open(body(1), "file", BodyLen::Known(len));
    }

    fn is_stored_without_hash(&self, len: u64) -> bool {
        self.received().is_some_and(|received| received.len == len && received.hash.is_none())
    }

    fn received(&self) -> Option<Received> {
        self.outputs.iter().find_map(|output| match output {
            Output::Stored { received, .. } => Some(*received),
            _ => None,
        })
    }

    /// A file of this length with `data` at these places; nothing if the file system does not tell of holes.
    fn sparse(&self, len: u64, data: &[(u64, &[u8])]) -> Option<SourceFile> {
        let file = File::create(self.path("sparse")).unwrap();
        file.set_len(len).unwrap();
        data.iter().for_each(|(at, bytes)| file.write_all_at(bytes, *at).unwrap());
        let source = self.root.open_source(&Name::parse(b"sparse").unwrap()).unwrap();
        if source.holes().is_empty() {
            eprintln!(
                "SKIPPED: the file system at {} tells of no holes",
                self.dir.path().display()
            );
            return None;
        }
        Some(source)
    }
}

#[test]
fn only_data_is_read_and_holes_are_told_first() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let data = content(BLOCK, 1);
    // A group whose first half is a hole, one whose second half is, and the rest.
    let Some(source) = rig.sparse(LONG, &[(BLOCK_LEN, &data), (4 * BLOCK_LEN, &data)]) else {
        return;
    };
    rig.transfers.send_file(body(1), source, false);
    rig.run_all();
    rig.fetch_block(BLOCK_LEN, &data);
    rig.fetch_block(4 * BLOCK_LEN, &data);
    rig.run_all();
    let notes = rig.notes(body(1));
    let holes = [hole(0, BLOCK_LEN), hole(2 * BLOCK_LEN, 4 * BLOCK_LEN), hole(5 * BLOCK_LEN, LONG)];
    assert_eq!(notes[..3], holes);
    let mut groups = notes[3..5].to_vec();
    groups.sort_by_key(|note| matches!(note, Note::Group { index: 2, .. }));
    let zeros = vec![0; BLOCK];
    let expected = [
        group(0, &[&zeros[..], &data].concat()),
        group(4 * BLOCK_LEN, &[&data[..], &zeros].concat()),
    ];
    assert_eq!(groups, expected);
    assert!(matches!(notes[5], Note::End(End { len: LONG, stable: true, .. })));
    assert!(!rig.outputs.iter().any(|output| matches!(output, Output::Read { .. })));
    // What is asked for again comes with its holes, and nothing more is said of it.
    rig.transfers.held(body(1), Held::Again(0));
    rig.fetch_block(0, &zeros);
    rig.fetch_block(BLOCK_LEN, &data);
    assert_eq!(rig.notes(body(1)).len(), 6);
    rig.finish([body(1)]);
}

impl Rig {
    fn fetch_block(&mut self, offset: u64, expected: &[u8]) {
        let mut buf = vec![1; 60_000];
        for _ in 0..1000 {
            if self.transfers.read(body(1), offset, &mut buf).is_ok() {
                return assert!(buf == expected[..buf.len()]);
            }
            self.run_one();
        }
        panic!("{offset} never comes");
    }
}

#[test]
fn a_file_that_is_all_hole_is_sent_by_saying_so() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let len = 3 * BLOCK_LEN + 1;
    let Some(source) = rig.sparse(len, &[]) else { return };
    rig.transfers.send_file(body(1), source, false);
    rig.run_all();
    assert!(
        matches!(rig.notes(body(1))[..], [Note::Hole { offset: 0, len: told }, Note::End(_)] if told == len)
    );
    rig.finish([body(1)]);
}

#[test]
fn holes_need_not_come() {
    for seed in 0..20 {
        let mut rig = Rig::new(&Limits::default(), seed);
        let (zeros, data) = (vec![0; BLOCK], content(BLOCK, 1));
        rig.receive(LONG);
        rig.note(hole(0, BLOCK_LEN));
        rig.note(hole(2 * BLOCK_LEN, LONG));
        let ours = group(0, &[&zeros[..], &data].concat());
        if seed % 2 == 0 {
            rig.note(ours);
        }
        if seed % 3 == 0 {
            rig.run_all();
        }
        rig.block(BLOCK_LEN, &data);
        rig.note(end(LONG));
        rig.run_all();
        if seed % 2 == 1 {
            assert!(!rig.is_stored_without_hash(LONG));
            rig.note(ours);
            rig.run_all();
        }
        assert!(rig.is_stored_without_hash(LONG), "{seed}");
        assert_eq!(rig.received().unwrap().holes, LONG - BLOCK_LEN);
        let file = File::open(rig.path("file")).unwrap();
        let mut held = vec![1; 3 * BLOCK];
        file.read_exact_at(&mut held, 0).unwrap();
        assert!(held == [&zeros[..], &data, &zeros].concat());
        assert_eq!(file.metadata().unwrap().len(), LONG);
        assert!(file.metadata().unwrap().blocks() <= 2 * BLOCK_LEN / 512);
        rig.finish([body(1)]);
    }
}

/// Then it comes with its zeros, which are written like any bytes.
#[test]
fn a_group_with_a_hole_that_is_wrong_comes_again_as_a_whole() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let data = content(2 * BLOCK, 1);
    rig.receive(LONG);
    rig.note(hole(0, BLOCK_LEN));
    rig.note(hole(2 * BLOCK_LEN, LONG));
    rig.block(BLOCK_LEN, &data[BLOCK..]);
    // The hole was none, after all.
    rig.note(group(0, &data));
    rig.note(end(LONG));
    rig.run_all();
    assert_eq!(rig.wanted_again(body(1)), [0]);
    rig.block(0, &data[..BLOCK]);
    rig.block(BLOCK_LEN, &data[BLOCK..]);
    rig.run_all();
    assert!(rig.is_stored_without_hash(LONG));
    // What came after all is not counted.
    assert_eq!(rig.received().unwrap().holes, LONG - 2 * BLOCK_LEN);
    let mut held = vec![0; 2 * BLOCK];
    File::open(rig.path("file")).unwrap().read_exact_at(&mut held, 0).unwrap();
    assert!(held == data);
    rig.finish([body(1)]);
}

#[test]
fn holes_before_the_file_is_open_are_punched_then() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let len = 3 * BLOCK_LEN;
    rig.transfers.receive_file(body(1), &meta(BodyLen::Known(len)));
    rig.note(hole(0, len));
    rig.note(end(len));
    rig.run_all();
    assert!(!rig.is_stored_without_hash(len));
    rig.open(body(1), "file", BodyLen::Known(len));
    rig.run_all();
    assert!(rig.is_stored_without_hash(len));
    assert_eq!(rig.progress(body(1)), Some((len, 0)));
    assert!(fs::read(rig.path("file")).unwrap() == vec![0; 3 * BLOCK]);
    rig.finish([body(1)]);
}

/// Who asks may be a stranger, and cost hours.
#[test]
fn zeros_are_hashed_by_wish_up_to_a_limit() {
    for (len, is_hashed) in [(3 * BLOCK_LEN + 7, true), (257 << 30, false)] {
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.transfers.receive_file(body(1), &meta(BodyLen::Known(len)));
        rig.transfers.want_hash(body(1));
        rig.open(body(1), "file", BodyLen::Known(len));
        rig.note(hole(0, len));
        rig.note(end(len));
        rig.run_all();
        assert_eq!(rig.is_stored_without_hash(len), !is_hashed);
        if is_hashed {
            let hash = hash_of(&vec![0; usize::try_from(len).unwrap()]);
            assert_eq!(rig.stored(body(1)), Some((len, hash)));
        }
        rig.finish([body(1)]);
    }
}

/// `docs/hostile-input.md`, row 10.
#[test]
fn a_group_that_is_all_hole_has_no_hash() {
    for is_hole_first in [true, false] {
        let mut rig = Rig::new(&Limits::default(), 1);
        let (len, zeros) = (3 * BLOCK_LEN, vec![0; 3 * BLOCK]);
        let told = group_notes(&zeros, BodyLen::Known(len))[1];
        rig.receive(len);
        let notes = [hole(BLOCK_LEN, 2 * BLOCK_LEN), told];
        notes.into_iter().for_each(|note| {
            if is_hole_first {
                rig.note(note);
            }
        });
        notes.into_iter().rev().for_each(|note| {
            if !is_hole_first {
                rig.note(note);
            }
        });
        rig.run_all();
        assert_eq!(rig.failure(body(1)), Some(Status::Corrupt));
        rig.finish([body(1)]);
    }
}

#[derive(Clone, Default)]
struct Reader(Arc<Mutex<Vec<u8>>>);

impl io::Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn holes_are_written_to_a_pipe_as_zeros() {
    let mut rig = Rig::new(&Limits::default(), 1);
    let (len, reader) = (5 * BLOCK_LEN + 3, Reader::default());
    let mut content = content(len as usize, 1);
    content[BLOCK..3 * BLOCK].fill(0);
    content[5 * BLOCK..].fill(0);
    let sink = Sink::new(reader.clone());
    rig.transfers.receive_stream(body(1), &meta(BodyLen::Known(len)), sink);
    let groups = group_notes(&content, BodyLen::Known(len));
    rig.note(hole(BLOCK_LEN, 3 * BLOCK_LEN));
    rig.note(hole(5 * BLOCK_LEN, len));
    for at in [3, 4, 0] {
        rig.block(at as u64 * BLOCK_LEN, &content[at * BLOCK..(at + 1) * BLOCK]);
        rig.note(groups[at]);
    }
    rig.note(end(len));
    rig.run_all();
    assert!(rig.is_stored_without_hash(len));
    assert_eq!(rig.received().unwrap().holes, 2 * BLOCK_LEN + 3);
    assert!(*reader.0.lock().unwrap() == content);
    rig.finish([body(1)]);
}
