//! Files that are gone on with, and what is written down for that.

use std::{os::unix::fs::MetadataExt as _, time::Duration};

use super::{
    receiving::{Chunk, known},
    *,
};
use crate::{
    files::{Durability, Keeper, Partial, Which},
    transfer::job::{Done, Outcome},
};

const LEN: usize = (5 << 20) + 77;

impl Rig {
    /// Goes on with what is there of `file`.
    fn begin(&self, meta: &Meta) -> Partial {
        let placing = Placing::Replace(Name::parse(b"file").unwrap());
        let owner = Keeper::new(None).of(None);
        let target = self.root.open_source(placing.name()).ok();
        let claim = self.root.claim(&placing, owner, Which::Any).unwrap().unwrap();
        claim.begin(meta, target).unwrap()
    }

    fn receive_on(&mut self, body: BodyId, meta: &Meta) -> Vec<u64> {
        let partial = self.begin(meta);
        let kept = partial.kept().keys().copied().collect();
        self.transfers.receive_file(body, meta);
        self.transfers.open(self.now, body, Ok(partial));
        kept
    }

    /// Receives these groups of the first body, and no more.
    fn interrupt(&mut self, meta: &Meta, content: &[u8], groups: &[u64]) {
        self.receive_on(body(1), meta);
        for note in group_notes(content, known(content)) {
            self.transfers.note(self.now, body(1), note);
        }
        self.write_groups(body(1), content, groups);
        self.run_all();
        self.transfers.forget(body(1));
        self.run_all();
    }

    fn kept(&self, of: BodyId) -> Option<u64> {
        self.outputs.iter().find_map(|output| match output {
            Output::Stored { body, received } if *body == of => Some(received.kept),
            _ => None,
        })
    }

    /// How many syncs wait to be run.
    fn syncs(&self) -> usize {
        let is_sync = |job: &&Job| format!("{job:?}").contains("Sync {");
        self.jobs.iter().filter(is_sync).count()
    }
}

#[test]
fn what_was_verified_does_not_travel_again() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    let mut rig = Rig::new(&Limits::default(), 1);
    assert_eq!(rig.receive_on(body(1), &meta), [0; 0]);
    for note in &group_notes(&content, known(&content))[..4] {
        rig.transfers.note(rig.now, body(1), *note);
    }
    rig.write_groups(body(1), &content, &[0, 2, 4, 5]);
    rig.run_all();
    rig.write_groups(body(1), &content, &[3]);
    // What is being written is verified too late to count.
    rig.transfers.forget(body(1));
    rig.run_all();
    assert_eq!(rig.files(), 2);

    assert_eq!(rig.receive_on(body(2), &meta), [0, 2], "of 4 and 5 nobody said what they are");
    assert_eq!(rig.progress(body(2)), Some((2 << 20, 0)));
    rig.write_groups(body(2), &content, &[1, 3, 4, 5]);
    rig.note_all(body(2), &content, known(&content));
    rig.run_all();
    assert_eq!(rig.stored(body(2)), Some((LEN as u64, hash_of(&content))));
    assert_eq!(rig.kept(body(2)), Some(2 << 20));
    assert_eq!(rig.progress(body(2)), Some((LEN as u64, LEN as u64 - (2 << 20))));
    let rig = rig.finish([body(1), body(2)]);
    assert_eq!(rig.files(), 1);
    assert!(fs::read(rig.path("file")).unwrap() == content);
}

/// A sender that does not know, or does not care, sends all of it.
#[test]
fn bytes_for_what_is_kept_are_discarded() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.interrupt(&meta, &content, &[0, 1]);
    let before = rig.settled;
    let mut wrong = content.clone();
    wrong[5] ^= 1;
    wrong[(1 << 20) + 5] ^= 1;
    // Some come before it is known what is there.
    rig.transfers.receive_file(body(2), &meta);
    rig.write(body(2), &wrong, &Chunk { at: 0, len: 65_536 }, 65_536);
    let partial = rig.begin(&meta);
    rig.transfers.open(rig.now, body(2), Ok(partial));
    rig.write_groups(body(2), &wrong, &[1, 2, 3, 4, 5]);
    rig.note_all(body(2), &content, known(&content));
    rig.run_all();
    assert_eq!(rig.stored(body(2)), Some((LEN as u64, hash_of(&content))));
    assert_eq!(rig.settled - before, 65_536 + LEN as u64 - BLOCK_LEN);
    let rig = rig.finish([body(1), body(2)]);
    assert!(fs::read(rig.path("file")).unwrap() == content);
}

#[test]
fn what_is_all_there_needs_only_the_end() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.interrupt(&meta, &content, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.receive_on(body(2), &meta).len(), 6);
    rig.run_all();
    assert_eq!(rig.stored(body(2)), None);
    rig.transfers.note(rig.now, body(2), end_of(&content));
    rig.run_all();
    assert_eq!(rig.stored(body(2)), Some((LEN as u64, hash_of(&content))));
    assert_eq!(rig.finish([body(1), body(2)]).files(), 1);
}

#[test]
fn a_failure_leaves_what_was_verified_and_nothing_else() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    for (groups, left) in [(&[][..], 0), (&[0, 1][..], 2)] {
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.receive_on(body(1), &meta);
        for note in group_notes(&content, known(&content)) {
            rig.transfers.note(rig.now, body(1), note);
        }
        rig.write_groups(body(1), &content, groups);
        rig.run_all();
        let mut wrong = content.clone();
        wrong[(2 << 20) + 9] ^= 1;
        rig.write_groups(body(1), &wrong, &[2]);
        rig.run_all();
        assert_eq!(rig.write_again(body(1), &wrong), 3);
        assert_eq!(rig.failure(body(1)), Some(Status::Corrupt));
        assert_eq!(rig.files(), left);
        assert_eq!(rig.receive_on(body(2), &meta), *groups);
        rig.finish([body(1), body(2)]);
    }
}

/// By bytes, by time, one at a time, and never without progress.
#[test]
fn what_is_written_is_synced_now_and_then() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    for durability in [Durability::Power, Durability::Process] {
        let mut rig = Rig::new(&Limits::default(), 1);
        let is_synced = durability == Durability::Power;
        rig.transfers.set_durability(durability);
        rig.receive_on(body(1), &meta);
        for note in group_notes(&content, known(&content)) {
            rig.transfers.note(rig.now, body(1), note);
        }
        let step = |rig: &mut Rig, seconds: f64, group: u64| {
            rig.now = rig.now + Duration::from_secs_f64(seconds);
            rig.write_groups(body(1), &content, &[group]);
            rig.run_some(|job| !format!("{job:?}").contains("Sync {"));
            rig.syncs()
        };
        assert_eq!(step(&mut rig, 1.0, 0), 0);
        assert_eq!(step(&mut rig, 1.1, 1), usize::from(is_synced), "2 s");
        assert_eq!(step(&mut rig, 5.0, 2), usize::from(is_synced), "one at a time");
        rig.run_all();
        assert_eq!(rig.syncs(), 0);
        // The third group was due when it came, and is synced with the first chance.
        assert_eq!(step(&mut rig, 1.0, 3), 0);
        rig.run_all();
        rig.transfers.forget(body(1));
        rig.run_all();
        assert_eq!(rig.begin(&meta).kept().len(), 4);
        rig.finish([body(1)]);
    }
}

/// The sender waits for that, even if it turns out that nothing of it is of use.
#[test]
fn what_is_here_is_told_before_a_file_is_put_in_place() {
    let meta = meta(BodyLen::Known(LEN as u64));
    let mut rig = Rig::new(&Limits::default(), 1);
    fs::write(rig.path("file"), content(LEN, 1)).unwrap();
    let partial = rig.begin(&meta);
    rig.transfers.receive_file(body(1), &meta);
    rig.transfers.open(rig.now, body(1), Ok(partial));
    rig.transfers.note(rig.now, body(1), Note::Hole { offset: 0, len: LEN as u64 });
    rig.transfers.note(rig.now, body(1), end_of(&vec![0; LEN]));
    rig.run_some(|job| !format!("{job:?}").contains("HashBase {"));
    assert_eq!((rig.kept(body(1)), rig.hashes(body(1)).1), (None, false));
    rig.run_all();
    assert_eq!((rig.kept(body(1)), rig.hashes(body(1)).1), (Some(0), true));
    let rig = rig.finish([body(1)]);
    assert!(fs::read(rig.path("file")).unwrap() == vec![0; LEN]);
}

/// A system tells of a failed sync once: whoever syncs beside hears nothing of it.
#[test]
fn a_file_is_not_put_in_place_while_a_sync_is_under_way() {
    let content = content(LEN, 1);
    let meta = meta(known(&content));
    for synced in [Ok(()), Err(Status::Io)] {
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.receive_on(body(1), &meta);
        rig.note_all(body(1), &content, known(&content));
        rig.now = rig.now + Duration::from_secs(3);
        rig.write_groups(body(1), &content, &[0, 1]);
        rig.run_some(|job| !format!("{job:?}").contains("Sync {"));
        assert_eq!(rig.syncs(), 1);
        rig.write_groups(body(1), &content, &[2, 3, 4, 5]);
        rig.run_some(|job| !format!("{job:?}").contains("Sync {"));
        let unsynced = |rig: &Rig| rig.transfers.progress(body(1)).and_then(|all| all.unsynced);
        let jobs = format!("{:?}", rig.jobs);
        assert!(rig.jobs.len() == 1 && rig.stored(body(1)).is_none(), "{jobs}");
        assert_eq!(unsynced(&rig), Some(LEN as u64));
        drop(rig.jobs.pop());
        let done = Done { body: body(1), outcome: Outcome::Synced(synced) };
        rig.transfers.handle_done(rig.now, done);
        rig.drain();
        assert_eq!(unsynced(&rig), synced.ok().map(|()| 5 << 20));
        rig.run_all();
        assert_eq!(rig.failure(body(1)), synced.err());
        assert_eq!(rig.stored(body(1)).is_some(), synced.is_ok());
        assert_eq!(rig.path("file").exists(), synced.is_ok());
        rig.finish([body(1)]);
    }
}

#[test]
fn small_files_are_put_in_place_together() {
    let mut rig = Rig::new(&Limits::default(), 1);
    for number in 0..300 {
        rig.transfers.receive_file(body(number), &meta(BodyLen::Known(3)));
        rig.open(body(number), &format!("file-{number}"), BodyLen::Known(3));
        rig.write_all(body(number), b"abc", 1400);
        rig.note_all(body(number), b"abc", BodyLen::Known(3));
    }
    // All are written before any is put in place.
    rig.run_some(|job| !format!("{job:?}").contains("Publish("));
    let mut batches = 0;
    while !rig.jobs.is_empty() {
        assert_eq!(rig.jobs.len(), 1);
        batches += 1;
        rig.run_one();
    }
    assert!((3..=4).contains(&batches), "{batches}");
    assert!((0..300).all(|number| rig.stored(body(number)) == Some((3, hash_of(b"abc")))));
    let rig = rig.finish((0..300).map(body));
    assert_eq!(rig.files(), 300);
}

/// What came earlier is not what the sender has now, although it says that it is the same source.
#[test]
fn what_was_kept_comes_again_if_the_sender_says_otherwise() {
    let content = content(LEN, 1);
    let mut wrong = content.clone();
    wrong[(1 << 20) + 5] ^= 1;
    let meta = meta(known(&content));
    for is_early in [true, false] {
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.interrupt(&meta, &wrong, &[0, 1]);
        if is_early {
            rig.transfers.receive_file(body(2), &meta);
            rig.note_all(body(2), &content, known(&content));
            let partial = rig.begin(&meta);
            rig.transfers.open(rig.now, body(2), Ok(partial));
        } else {
            assert_eq!(rig.receive_on(body(2), &meta), [0, 1]);
            rig.note_all(body(2), &content, known(&content));
        }
        rig.write_groups(body(2), &content, &[2, 3, 4, 5]);
        rig.run_all();
        assert_eq!(rig.stored(body(2)), None);
        assert_eq!(rig.write_again(body(2), &content), 1);
        assert_eq!(rig.stored(body(2)), Some((LEN as u64, hash_of(&content))));
        assert_eq!(rig.kept(body(2)), Some(1 << 20));
        let rig = rig.finish([body(1), body(2)]);
        assert!(fs::read(rig.path("file")).unwrap() == content);
    }
}

/// Nothing is copied before it is known to be another one.
#[test]
fn a_file_of_the_same_length_and_time_is_left_if_its_content_is_the_same() {
    let old = content(LEN, 1);
    let mut new = old.clone();
    new[(3 << 20) + 5] ^= 1;
    for (sent, is_early) in [(&old, true), (&old, false), (&new, true), (&new, false)] {
        let meta = meta(known(sent));
        let mut rig = Rig::new(&Limits::default(), 1);
        fs::write(rig.path("file"), &old).unwrap();
        let modified = std::time::UNIX_EPOCH + Duration::new(5, 5);
        let file = fs::File::options().write(true).open(rig.path("file")).unwrap();
        file.set_modified(modified).unwrap();
        let before = fs::metadata(rig.path("file")).unwrap();
        rig.transfers.receive_file(body(1), &meta);
        rig.transfers.want_hash(body(1));
        if is_early {
            rig.note_all(body(1), sent, known(sent));
        }
        let partial = rig.begin(&meta);
        rig.transfers.open(rig.now, body(1), Ok(partial));
        rig.run_all();
        if !is_early {
            rig.note_all(body(1), sent, known(sent));
            rig.run_all();
        }
        let is_same = sent == &old;
        let same: &[u64] = if is_same { &[0, 1, 2, 3, 4, 5] } else { &[0, 1, 2, 4, 5] };
        assert_eq!(rig.taken(body(1)), same);
        rig.write_groups(body(1), sent, if is_same { &[] } else { &[3] });
        rig.run_all();
        assert_eq!(rig.stored(body(1)), Some((LEN as u64, hash_of(sent))));
        assert_eq!(rig.kept(body(1)), Some(if is_same { LEN } else { LEN - (1 << 20) } as u64));
        let rig = rig.finish([body(1)]);
        assert_eq!(rig.files(), 1);
        assert!(fs::read(rig.path("file")).unwrap() == *sent);
        let after = fs::metadata(rig.path("file")).unwrap();
        assert_eq!(before.ino() == after.ino(), is_same);
    }
}

impl Rig {
    /// The hashes that were told of a body, and whether that is all.
    fn hashes(&self, of: BodyId) -> (Vec<(u64, Hash)>, bool) {
        let (mut all, mut is_over) = (Vec::new(), false);
        for (_, held) in self.held.iter().filter(|(body, _)| *body == of) {
            match held {
                Held::Hashes { first, hashes } => {
                    all.extend((*first..).zip(hashes.iter().copied()));
                }
                Held::Nothing => is_over = true,
                other => panic!("{other:?}"),
            }
        }
        (all, is_over)
    }

    /// The groups that were taken from what is here.
    fn taken(&self, of: BodyId) -> Vec<u64> {
        let taken = self.outputs.iter().filter_map(|output| match output {
            Output::Keep { body, range } if *body == of => Some(range.start / BLOCK_LEN),
            _ => None,
        });
        taken.collect()
    }
}

fn hashes_of(content: &[u8]) -> Vec<(u64, Hash)> {
    let groups = group_notes(content, known(content)).into_iter().map(|note| match note {
        Note::Group { index, hash } => (index, hash),
        other => panic!("{other:?}"),
    });
    groups.collect()
}

/// From what an earlier transfer left of another source, and from what stands under the name.
#[test]
fn groups_that_did_not_change_are_taken_from_what_is_here() {
    let old = content(LEN, 1);
    let mut new = old.clone();
    new[(3 << 20) + 5] ^= 1;
    let other = Meta { identity: Identity([8; 16]), ..meta(known(&old)) };
    let meta = meta(known(&new));
    for (is_published, is_early) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = Rig::new(&Limits::default(), 1);
        if is_published {
            fs::write(rig.path("file"), &old).unwrap();
        } else {
            rig.interrupt(&other, &old, &[0, 1, 3, 5]);
            rig.held.clear();
        }
        rig.transfers.receive_file(body(2), &meta);
        rig.write(body(2), &new, &Chunk { at: 0, len: 65_536 }, 65_536);
        if is_early {
            rig.note_all(body(2), &new, known(&new));
        }
        let partial = rig.begin(&meta);
        rig.transfers.open(rig.now, body(2), Ok(partial));
        rig.run_all();
        if !is_early {
            rig.note_all(body(2), &new, known(&new));
            rig.run_all();
        }
        let (mut told, is_over) = rig.hashes(body(2));
        let mut expected = hashes_of(&old);
        if !is_published {
            expected.retain(|(index, _)| ![2, 4].contains(index));
        }
        told.sort_unstable();
        assert!(told == expected && is_over);
        let same: &[u64] = if is_published { &[0, 1, 2, 4, 5] } else { &[0, 1, 5] };
        assert_eq!(rig.taken(body(2)), same);
        assert_eq!(rig.stored(body(2)), None);
        let rest: Vec<u64> = (0..6).filter(|index| !same.contains(index)).collect();
        rig.write_groups(body(2), &new, &rest);
        rig.run_all();
        assert_eq!(rig.stored(body(2)), Some((LEN as u64, hash_of(&new))));
        assert_eq!(rig.kept(body(2)), Some(LEN as u64 - ((rest.len() as u64) << 20)));
        let rig = rig.finish([body(1), body(2)]);
        assert!(fs::read(rig.path("file")).unwrap() == new);
        assert_eq!(rig.files(), 1);
    }
}

#[test]
fn a_file_that_changes_while_groups_are_taken_from_it_does_no_harm() {
    let old = content(LEN, 1);
    let meta = meta(known(&old));
    for shorter in [false, true] {
        let mut rig = Rig::new(&Limits::default(), 1);
        fs::write(rig.path("file"), &old).unwrap();
        rig.receive_on(body(1), &meta);
        rig.run_all();
        assert_eq!(rig.hashes(body(1)).0.len(), 6);
        let file = fs::File::options().write(true).open(rig.path("file")).unwrap();
        if shorter {
            file.set_len(3 << 20).unwrap();
        } else {
            std::os::unix::fs::FileExt::write_all_at(&file, b"changed", 3 << 20).unwrap();
        }
        rig.note_all(body(1), &old, known(&old));
        rig.run_all();
        assert_eq!(rig.stored(body(1)), None);
        assert_eq!(rig.write_again(body(1), &old), if shorter { 3 } else { 1 });
        assert_eq!(rig.stored(body(1)), Some((LEN as u64, hash_of(&old))));
        let rig = rig.finish([body(1)]);
        assert!(fs::read(rig.path("file")).unwrap() == old);
    }
}
