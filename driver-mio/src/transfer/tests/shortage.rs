//! Files that are received when memory or the disk is short.

use gannet_protocol::{Ticket, Write};

use super::{
    receiving::{Chunk, chunks, known},
    *,
};
use crate::{
    files::{Keeper, Which, tests::mounts::Mount},
    transfer::buffers::BLOCK,
};

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
    let Some(mount) = Mount::tmpfs(dir.path(), "size=3m") else { return };
    let content = content(4 << 20, 1);
    let mut rig = Rig::new(&Limits::default(), 1);
    let small = Root::open(dir.path()).unwrap();
    let name = Name::parse(b"file").unwrap();
    rig.transfers.receive_file(body(1), &meta(known(&content)));
    rig.transfers.open(
        rig.now,
        body(1),
        small.create_partial(&Placing::Replace(name), BodyLen::Open),
    );
    rig.transfers.receive_file(body(2), &meta(known(&content)));
    rig.open(body(2), "other", known(&content));
    for body in [body(1), body(2)] {
        rig.write_all(body, &content, 60_000);
        rig.note_all(body, &content, known(&content));
    }
    rig.run_all();
    let left = fs::read_dir(dir.path()).unwrap().count();
    drop((small, mount));
    assert_eq!(rig.failure(body(1)), Some(Status::Full));
    assert_eq!(left, 0);
    assert_eq!(rig.stored(body(2)), Some((4 << 20, hash_of(&content))));
    assert_eq!(rig.settled, 8 << 20);
    rig.finish([body(1), body(2)]);
}

/// `docs/hostile-input.md`, row 53.
#[test]
fn a_disk_that_fills_up_leaves_what_can_be_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(dir.path(), "size=5m") else { return };
    let content = content(4 << 20, 1);
    let mut rig = Rig::new(&Limits::default(), 1);
    let small = Root::open(dir.path()).unwrap();
    let placing = Placing::Replace(Name::parse(b"file").unwrap());
    let owner = Keeper::new(None).of(None);
    let meta = meta(known(&content));
    let claim = || small.claim(&placing, owner, Which::Any).unwrap().unwrap();
    rig.transfers.receive_file(body(1), &meta);
    rig.transfers.open(rig.now, body(1), claim().begin(&meta, None));
    for note in group_notes(&content, known(&content)) {
        rig.transfers.note(rig.now, body(1), note);
    }
    // There is room for all of it, but someone else is faster.
    rig.run_all();
    fs::write(dir.path().join("other"), vec![1; 2 << 20]).unwrap();
    for chunk in chunks(content.len(), 60_000) {
        rig.write(body(1), &content, &chunk, chunk.len);
        rig.run_all();
    }
    let failure = rig.failure(body(1));
    fs::remove_file(dir.path().join("other")).unwrap();
    let kept = claim().begin(&meta, None).map(|partial| partial.kept().len());
    drop((small, mount));
    assert_eq!(failure, Some(Status::Full));
    assert_eq!(kept, Ok(2));
    rig.finish([body(1)]);
}
