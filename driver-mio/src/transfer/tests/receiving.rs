//! Files that are received: any order of bytes, any failure.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, process::Command};

use gannet_protocol::{Ticket, Write};
use proptest::prelude::*;

use super::*;
use crate::transfer::buffers::BLOCK;

/// A piece of a body as a datagram brings it.
#[derive(Clone, Debug)]
struct Chunk {
    at: usize,
    len: usize,
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
    fn write(&mut self, body: BodyId, content: &[u8], chunk: &Chunk, fresh: usize) {
        self.transfers.write(Write {
            body,
            offset: chunk.at as u64,
            data: &content[chunk.at..chunk.at + chunk.len],
            fresh,
            ticket: Ticket::unowned(fresh as u64),
        });
    }

    /// Writes all of `content` in order.
    fn write_all(&mut self, body: BodyId, content: &[u8], step: usize) {
        for chunk in chunks(content.len(), step) {
            self.write(body, content, &chunk, chunk.len);
        }
    }

    fn note_all(&mut self, body: BodyId, content: &[u8], len: BodyLen) {
        for note in group_notes(content, len) {
            self.transfers.note(body, note);
        }
        self.transfers.note(body, end_of(content));
    }
}

/// Pieces of `step` bytes or less that cover a body and cross no block.
fn chunks(len: usize, step: usize) -> Vec<Chunk> {
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

fn known(content: &[u8]) -> BodyLen {
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
                Step::Note(note) => rig.transfers.note(body, notes[note]),
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
        prop_assert_eq!(rig.transfers.progress(body), Some(sent));
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
        prop_assert_eq!(rig.failure(body), Some(Status::Corrupt));
        prop_assert_eq!(rig.stored(body), None);
        prop_assert_eq!(rig.settled, len as u64);
        let rig = rig.finish([body]);
        prop_assert_eq!(fs::read_to_string(rig.path("file")).unwrap(), "old");
        prop_assert_eq!(rig.files(), 1);
    }
}

#[test]
fn mode_and_time_travel() {
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_file(body(1), &meta(BodyLen::Known(0)));
    rig.open(body(1), "file", BodyLen::Known(0));
    rig.transfers.note(body(1), end_of(&[]));
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
            rig.transfers.note(body(1), note);
        }
        rig.run_all();
        rig.transfers.note(body(1), Note::End(end));
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
    rig.transfers.open(body(1), Err(Status::Denied));
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Denied));
    assert_eq!(rig.settled, 2_500_000);
    rig.write(body(1), &content, &Chunk { at: 2_600_000, len: 1000 }, 1000);
    rig.drain();
    assert_eq!(rig.settled, 2_501_000, "later ones come back at once");
    rig.finish([body(1)]);
}

#[test]
fn more_than_fits_before_the_opening_ends_the_body() {
    let content = content(6 << 20, 1);
    let mut rig = Rig::new(&TIGHT, 1);
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.write_all(body(1), &content, 1400);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Overloaded));
    assert_eq!(rig.settled, 6 << 20);
    rig.open(body(1), "file", known(&content));
    let rig = rig.finish([body(1)]);
    assert_eq!(rig.files(), 0, "a partial file that comes too late is removed");
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

/// A hundred files whose bytes come turn by turn, in memory for two blocks: they all arrive.
#[test]
fn many_files_at_once_share_little_memory() {
    const FILES: u32 = 100;
    let mut rig = Rig::new(&TIGHT, 3);
    let contents: Vec<_> =
        (0..FILES).map(|i| content(200_000 + 13_000 * i as usize, i.into())).collect();
    for i in 0..FILES {
        let len = known(&contents[i as usize]);
        rig.transfers.receive_file(body(i), &meta(len));
        rig.open(body(i), &format!("file{i}"), len);
    }
    let mut waiting: Vec<_> =
        contents.iter().map(|content| chunks(content.len(), 60_000)).collect();
    while waiting.iter().any(|chunks| !chunks.is_empty()) {
        for i in 0..FILES {
            if !waiting[i as usize].is_empty() {
                let chunk = waiting[i as usize].remove(0);
                rig.write(body(i), &contents[i as usize], &chunk, chunk.len);
                let [memory, loose, _] = rig.transfers.receivers.memory_used();
                assert!(memory <= TIGHT.receiving + TIGHT.overdraft);
                assert!(loose <= TIGHT.loose + 70_000);
            }
            if rig.random(3) == 0 {
                rig.run_one();
            }
        }
    }
    for i in 0..FILES {
        let content = &contents[i as usize];
        rig.note_all(body(i), content, known(content));
    }
    rig.run_all();
    for i in 0..FILES {
        assert_eq!(rig.failure(body(i)), None);
        assert!(fs::read(rig.path(&format!("file{i}"))).unwrap() == contents[i as usize]);
    }
    assert_eq!(rig.settled, contents.iter().map(|content| content.len() as u64).sum::<u64>());
    let rig = rig.finish((0..FILES).map(body));
    assert_eq!(rig.files(), FILES as usize);
}

/// Single bytes with gaps between them, then the rest.
#[test]
fn bytes_with_gaps_take_bounded_memory() {
    let content = content(BLOCK, 1);
    let mut rig = Rig::new(&TIGHT, 1);
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.open(body(1), "file", known(&content));
    for at in (0..BLOCK).step_by(8) {
        rig.write(body(1), &content, &Chunk { at, len: 1 }, 1);
    }
    let [_, loose, _] = rig.transfers.receivers.memory_used();
    assert!(loose <= TIGHT.loose + 1000);
    for at in (0..BLOCK).step_by(8) {
        rig.write(body(1), &content, &Chunk { at, len: 8 }, 7);
    }
    rig.note_all(body(1), &content, known(&content));
    rig.run_all();
    assert_eq!(rig.stored(body(1)), Some((BLOCK_LEN, hash_of(&content))));
    let rig = rig.finish([body(1)]);
    assert!(fs::read(rig.path("file")).unwrap() == content);
}

#[test]
fn a_slow_disk_makes_the_sender_wait() {
    let content = content(12 << 20, 1);
    let limits = Limits { backlog: 4 << 20, ..Limits::default() };
    let mut rig = Rig::new(&limits, 1);
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.open(body(1), "file", known(&content));
    rig.write_all(body(1), &content[..4 << 20], 1 << 20);
    rig.drain();
    assert_eq!(rig.settled, 4 << 20);
    for block in chunks(12 << 20, 1 << 20).into_iter().skip(4) {
        rig.write(body(1), &content, &block, block.len);
    }
    rig.drain();
    assert_eq!(rig.settled, 4 << 20, "8 MiB more than the limit wait for the disk");
    (0..8).for_each(|_| assert!(rig.run_one()));
    assert_eq!(rig.settled, 12 << 20);
}

/// The limit of blocks that are not whole ends a body that is written all over the place.
#[test]
fn a_body_in_too_many_places_is_given_up() {
    let mut rig = Rig::new(&TIGHT, 1);
    let len = BodyLen::Known(1 << 40);
    rig.transfers.receive_file(body(1), &meta(len));
    rig.open(body(1), "file", BodyLen::Open);
    for block in 0..5000_u64 {
        let ticket = Ticket::unowned(1);
        let offset = block * BLOCK_LEN;
        rig.transfers.write(Write { body: body(1), offset, data: b"x", fresh: 1, ticket });
        rig.run_all();
    }
    assert_eq!(rig.failure(body(1)), Some(Status::Overloaded));
    assert_eq!((rig.files(), rig.settled), (0, 5000));
}

#[test]
fn a_disk_that_fills_up_ends_the_body_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=3m", "gannet-test"]).arg(dir.path());
    if !mount.output().is_ok_and(|done| done.status.success()) {
        eprintln!("SKIPPED: no file system can be mounted here");
        return;
    }
    let content = content(4 << 20, 1);
    let mut rig = Rig::new(&Limits::default(), 1);
    let small = Root::open(dir.path()).unwrap();
    let name = Name::parse(b"file").unwrap();
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.transfers.open(body(1), small.create_partial(&name, BodyLen::Open));
    rig.transfers.receive_file(body(2), &meta(known(&content)));
    rig.open(body(2), "other", known(&content));
    for body in [body(1), body(2)] {
        rig.write_all(body, &content, 60_000);
        rig.note_all(body, &content, known(&content));
    }
    rig.run_all();
    let left = fs::read_dir(dir.path()).unwrap().count();
    drop(small);
    let _ = Command::new("umount").arg("-l").arg(dir.path()).status();
    assert_eq!(rig.failure(body(1)), Some(Status::Full));
    assert_eq!(left, 0);
    assert_eq!(rig.stored(body(2)), Some((4 << 20, hash_of(&content))));
    assert_eq!(rig.settled, 8 << 20);
    rig.finish([body(1), body(2)]);
}

#[test]
fn a_listing_is_collected_in_memory() {
    for len in [0, 1, 70_000, BLOCK, 2 * BLOCK + 9] {
        let content = content(len, 1);
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.transfers.receive_memory(body(1));
        let mut chunks = chunks(len, 9000);
        chunks.reverse();
        for chunk in chunks {
            rig.write(body(1), &content, &chunk, chunk.len);
        }
        rig.note_all(body(1), &content, BodyLen::Open);
        rig.run_all();
        let collected = rig.outputs.iter().find_map(|output| match output {
            Output::Collected { body: of, bytes } if *of == body(1) => Some(bytes),
            _ => None,
        });
        assert!(collected == Some(&content), "{len}");
        assert_eq!(rig.settled, len as u64);
    }
}

#[test]
fn a_wrong_listing_is_refused() {
    let content = content(70_000, 1);
    let mut wrong = content.clone();
    wrong[69_999] ^= 1;
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_memory(body(1));
    rig.write_all(body(1), &wrong, 9000);
    rig.note_all(body(1), &content, BodyLen::Open);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Corrupt));

    rig.transfers.receive_memory(body(2));
    let ticket = Ticket::unowned(1);
    rig.transfers.write(Write { body: body(2), offset: 1 << 40, data: b"x", fresh: 1, ticket });
    rig.run_all();
    assert_eq!(rig.failure(body(2)), Some(Status::TooLarge));

    rig.transfers.receive_memory(body(3));
    rig.write_all(body(3), &content, 9000);
    rig.transfers.note(body(3), end_of(&content));
    rig.run_all();
    assert_eq!(rig.failure(body(3)), Some(Status::Corrupt), "its hashes were never told");
    assert_eq!(rig.settled, 140_001);
}
