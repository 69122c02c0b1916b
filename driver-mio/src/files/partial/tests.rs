//! Partial files that are found again, or not.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use cap_std::ambient_authority;
use gannet_protocol::{BLOCK_LEN, FileTime, Identity, Meta, Mode};
use tempfile::TempDir;

use super::*;
use crate::journal::MAX_JOURNAL;

const LEN: u64 = 3 * BLOCK_LEN + 7;

struct World {
    dir: TempDir,
    owner: Owner,
}

fn meta(identity: u8) -> Meta {
    Meta {
        len: BodyLen::Known(LEN),
        mode: Mode::from_bits(0o644),
        modified: FileTime::new(1, 1),
        identity: Identity([identity; 16]),
    }
}

fn group(index: u64) -> GroupHash {
    GroupHash { index, hash: [index as u8 + 1; 32] }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, owner: Keeper::new(None).of(None) }
    }

    fn claim_of(&self, target: Target) -> Option<Claim> {
        let dir = Dir::open_ambient_dir(self.dir.path(), ambient_authority()).unwrap();
        Claim::take(dir, target, self.owner, Which::Any).unwrap()
    }

    fn claim(&self) -> Claim {
        self.claim_of(Target::Replace("file".into())).unwrap()
    }

    fn begin(&self, identity: u8) -> Partial {
        self.claim().begin(&meta(identity), None).unwrap()
    }

    /// Leaves a file with these groups.
    fn leave(&self, identity: u8, groups: &[u64]) {
        let partial = self.begin(identity);
        for &index in groups {
            let bytes = vec![index as u8 + 1; 1 << 20];
            let start = index << 20;
            let len = (LEN - start).min(1 << 20) as usize;
            partial.file().write_all_at(&bytes[..len], start).unwrap();
        }
        let groups: Vec<_> = groups.iter().map(|index| group(*index)).collect();
        partial.let_go(&groups);
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The journal and the partial file, which are all that is there.
    fn paths(&self) -> [PathBuf; 2] {
        let names = self.names();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].ends_with(".journal") && names[1].ends_with(".part"), "{names:?}");
        [self.dir.path().join(&names[0]), self.dir.path().join(&names[1])]
    }
}

fn kept(partial: &Partial) -> Vec<u64> {
    partial.kept().keys().copied().collect()
}

#[test]
fn what_was_verified_is_found_again() {
    let world = World::new();
    world.leave(1, &[0, 3]);
    assert_eq!(world.claim().held().unwrap().groups.len(), 2);
    let partial = world.begin(1);
    assert_eq!(kept(&partial), [0, 3]);
    assert_eq!(partial.kept()[&3], group(3).hash);
    partial.let_go(&[group(1)]);
    let partial = world.begin(1);
    assert_eq!(kept(&partial), [0, 1, 3]);
    let whole = Whole {
        len: partial.file().metadata().unwrap().len(),
        partial,
        mode: Mode::from_bits(0o644),
        modified: FileTime::default(),
    };
    assert_eq!(publish(vec![whole], Durability::Power), [Ok(())]);
    assert_eq!(world.names(), ["file"]);
    assert_eq!(fs::read(world.dir.path().join("file")).unwrap()[0], 1);
}

#[test]
fn nothing_verified_is_nothing_left() {
    let world = World::new();
    drop(world.claim());
    assert_eq!(world.names(), [""; 0]);
    world.leave(1, &[]);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn another_source_starts_anew() {
    let world = World::new();
    world.leave(1, &[0, 1, 2]);
    let partial = world.begin(2);
    assert_eq!(kept(&partial), [0; 0]);
    drop(partial);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn what_was_there_of_another_source_may_be_the_same_in_parts() {
    let world = World::new();
    world.leave(1, &[0, 2, 3]);
    let mut partial = world.begin(2);
    let Some(Base::Here(groups)) = partial.take_base() else { panic!("no base") };
    assert_eq!(groups.into_keys().collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(fs::metadata(&world.paths()[1]).unwrap().len(), LEN);
    partial.let_go(&[group(2)]);
    assert_eq!(kept(&world.begin(2)), [2], "of the new one");
    // Of one that is shorter, or longer, the last group of either is no group of the other.
    for (len, same) in [(2 * BLOCK_LEN + 7, &[][..]), (9 * BLOCK_LEN, &[2][..])] {
        let world = World::new();
        world.leave(1, &[2, 3]);
        let meta = Meta { len: BodyLen::Known(len), ..meta(2) };
        let mut partial = world.claim().begin(&meta, None).unwrap();
        let groups = match partial.take_base() {
            Some(Base::Here(groups)) => groups.into_keys().collect(),
            _ => Vec::new(),
        };
        assert_eq!(groups, same);
        assert!(fs::metadata(&world.paths()[1]).unwrap().len() <= len);
    }
    // Of a small one nothing is kept.
    world.leave(3, &[0]);
    let meta = Meta { len: BodyLen::Known(10), ..meta(4) };
    let partial = world.claim().begin(&meta, None).unwrap();
    assert!(partial.journal().is_none());
    assert_eq!(world.names().len(), 1);
    drop(partial);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_name_that_has_to_be_free_is_not_replaced_however_late_it_is_taken() {
    let world = World::new();
    let partial =
        world.claim_of(Target::Free("file".into())).unwrap().begin(&meta(1), None).unwrap();
    fs::write(world.dir.path().join("file"), "old").unwrap();
    let whole = Whole {
        len: partial.file().metadata().unwrap().len(),
        partial,
        mode: Mode::from_bits(0o600),
        modified: FileTime::default(),
    };
    assert_eq!(publish(vec![whole], Durability::Power), [Err(Status::Exists)]);
    assert_eq!(fs::read(world.dir.path().join("file")).unwrap(), b"old");
    assert_eq!(world.names(), ["file"]);
}

#[test]
fn only_one_has_it_at_a_time() {
    let world = World::new();
    world.leave(1, &[0]);
    let first = world.begin(1);
    assert!(world.claim_of(Target::Replace("file".into())).is_none());
    assert!(world.claim_of(Target::Replace("other".into())).is_some());
    let written = Arc::clone(first.file());
    drop(first);
    assert!(world.claim_of(Target::Replace("file".into())).is_none(), "it is still written to");
    drop(written);
    assert_eq!(kept(&world.begin(1)), [0]);
}

/// The one who waits gets hold of a file that has its name already.
#[test]
fn a_file_that_was_put_in_place_is_not_written_to() {
    let world = World::new();
    world.leave(1, &[0, 1, 2, 3]);
    let partial = world.begin(1);
    let [journal, part] = world.paths();
    let old = fs::read(&journal).unwrap();
    fs::rename(&part, world.dir.path().join("file")).unwrap();
    drop(partial);
    // As after a crash before the journal was removed.
    fs::write(&journal, old).unwrap();
    let next = world.begin(1);
    assert_eq!(kept(&next), [0; 0], "the journal was that of the former file");
    drop(next);
    assert_eq!(world.names(), ["file"]);
}

#[test]
fn what_does_not_belong_together_does_not_count() {
    type Harm = fn(&[PathBuf; 2]);
    let harms: [(&str, Harm); 8] = [
        ("no journal", |[journal, _]| fs::remove_file(journal).unwrap()),
        ("an empty journal", |[journal, _]| fs::write(journal, "").unwrap()),
        ("no file", |[_, part]| fs::remove_file(part).unwrap()),
        ("a shorter file", |[_, part]| cut(part, LEN - 1)),
        ("a damaged header", |[journal, _]| damage(journal, 20)),
        ("a longer journal than there are", |[journal, _]| cut(journal, MAX_JOURNAL + 1)),
        ("a journal that leads elsewhere", |[journal, part]| {
            let other = journal.with_file_name("other");
            fs::rename(journal, &other).unwrap();
            std::os::unix::fs::symlink("other", journal).unwrap();
            assert!(part.exists());
        }),
        ("a file under a second name", |[_, part]| {
            fs::hard_link(part, part.with_file_name("second")).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let world = World::new();
        world.leave(1, &[0, 3]);
        harm(&world.paths());
        let Some(claim) = world.claim_of(Target::Replace("file".into())) else { continue };
        assert_eq!(claim.held(), None, "{what}");
        let partial = claim.begin(&meta(1), None).unwrap();
        assert_eq!(kept(&partial), [0; 0], "{what}");
        drop(partial);
        world.leave(1, &[2]);
        assert_eq!(kept(&world.begin(1)), [2], "{what}");
    }
}

fn cut(path: &PathBuf, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

fn damage(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_torn_journal_counts_as_far_as_it_is_whole() {
    let world = World::new();
    world.leave(1, &[0, 1, 3, 2]);
    let [journal, _] = world.paths();
    let len = fs::metadata(&journal).unwrap().len();
    cut(&journal, len - 3);
    let partial = world.begin(1);
    assert_eq!(kept(&partial), [0, 1, 3]);
    partial.let_go(&[group(2)]);
    assert_eq!(kept(&world.begin(1)), [0, 1, 2, 3], "and goes on from there");
}

#[test]
fn after_a_restart_what_was_synced_counts() {
    let mut world = World::new();
    let partial = world.begin(1);
    partial.file().set_len(LEN).unwrap();
    let journal = Arc::clone(partial.journal().unwrap());
    journal.record(&[group(0), group(1)]);
    journal.sync(partial.file()).unwrap();
    journal.record(&[group(2)]);
    partial.let_go(&[group(3)]);
    assert_eq!(kept(&world.begin(1)), [0, 1, 2, 3]);
    world.owner = Keeper::restarted(7).of(None);
    assert_eq!(kept(&world.begin(1)), [0, 1]);
    world.begin(1).let_go(&[group(3)]);
    assert_eq!(kept(&world.begin(1)), [0, 1, 3]);
    world.owner = Keeper::restarted(8).of(None);
    assert_eq!(kept(&world.begin(1)), [0, 1]);
}

#[test]
fn a_failed_sync_voids_what_came_since_the_one_before() {
    let world = World::new();
    let partial = world.begin(1);
    partial.file().set_len(LEN).unwrap();
    let journal = Arc::clone(partial.journal().unwrap());
    journal.record(&[group(0)]);
    journal.sync(partial.file()).unwrap();
    journal.record(&[group(1)]);
    // No device, and no sync.
    let pipe = std::os::unix::net::UnixStream::pair().unwrap().0;
    journal.sync(&File::from(std::os::fd::OwnedFd::from(pipe))).unwrap_err();
    journal.record(&[group(2)]);
    drop((journal, partial));
    assert_eq!(kept(&world.begin(1)), [0, 2]);

    let first = World::new();
    let partial = first.begin(1);
    partial.file().set_len(LEN).unwrap();
    partial.journal().unwrap().record(&[group(0)]);
    partial.journal().unwrap().void();
    drop(partial);
    assert_eq!(first.names(), [""; 0], "nothing was durable");
}

/// What is left takes no more of the disk than what is in it.
#[test]
fn what_was_reserved_is_given_back() {
    let world = World::new();
    let meta = Meta { len: BodyLen::Known(64 << 20), ..meta(1) };
    let partial = world.claim().begin(&meta, None).unwrap();
    partial.file().write_all_at(&[1; 1 << 20], 0).unwrap();
    partial.let_go(&[group(0)]);
    let root = Root::open(world.dir.path()).unwrap();
    assert!(root.usage().unwrap() < 2 << 20, "{:?}", root.usage());
}

#[test]
fn a_claim_that_is_not_used_leaves_what_is_there() {
    let world = World::new();
    world.leave(1, &[1]);
    drop(world.claim());
    assert_eq!(kept(&world.begin(1)), [1]);
}

#[test]
fn what_was_left_counts_as_used() {
    let world = World::new();
    let root = Root::open(world.dir.path()).unwrap();
    assert_eq!(root.usage(), Ok(0));
    world.leave(1, &[0, 1, 2]);
    assert!(root.usage().unwrap() >= LEN - 8, "what was left");
    let partial = world.begin(1);
    assert_eq!(
        root.usage(),
        Ok(fs::metadata(&world.paths()[0]).unwrap().len().next_multiple_of(4096))
    );
    drop(partial);
}

#[test]
fn files_are_put_in_place_together_and_each_fails_alone() {
    let world = World::new();
    let root = Root::open(world.dir.path()).unwrap();
    fs::create_dir(world.dir.path().join("sub")).unwrap();
    fs::create_dir(world.dir.path().join("taken")).unwrap();
    let names = ["a", "sub/b", "taken", "sub/c"];
    let files = names.map(|name| {
        let placing = super::super::Placing::Replace(Name::parse(name.as_bytes()).unwrap());
        let partial = root.create_partial(&placing, BodyLen::Known(1)).unwrap();
        partial.file().write_all_at(name.as_bytes(), 0).unwrap();
        Whole {
            len: partial.file().metadata().unwrap().len(),
            partial,
            mode: Mode::from_bits(0o600),
            modified: FileTime::new(5, 0),
        }
    });
    let done = publish(files.into(), Durability::Power);
    assert_eq!(done, [Ok(()), Ok(()), Err(Status::IsDirectory), Ok(())]);
    assert_eq!(world.names(), ["a", "sub", "taken"]);
    assert_eq!(fs::read_to_string(world.dir.path().join("sub/c")).unwrap(), "sub/c");
}

#[test]
fn what_was_left_is_told_and_swept_when_it_is_old_unless_it_is_in_use() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let world = World::new();
    let root = Root::open(world.dir.path()).unwrap();
    let look = |sweep| root.partials(sweep).unwrap();
    world.leave(1, &[0, 3]);
    let [journal, part] = world.paths();
    let told = look(Sweep::Tell);
    let [left] = &told[..] else { panic!("{told:?}") };
    assert_eq!(world.dir.path().join(&left.path), part);
    assert_eq!((left.target.clone(), left.len), (Name::parse(b"file").ok(), Some(LEN)));
    assert_eq!((left.kept, left.in_use), (BLOCK_LEN + 7, false));
    assert!(left.age < DAY);

    let partial = world.begin(1);
    let long_ago = SystemTime::now() - 31 * DAY;
    for path in [&journal, &part] {
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    assert!(look(Sweep::Remove(30 * DAY))[0].in_use);
    assert_eq!(kept(&partial), [0, 3]);
    drop(partial);
    assert_eq!(look(Sweep::Remove(32 * DAY)).len(), 1);
    assert_eq!(world.names().len(), 2);
    File::options().write(true).open(&journal).unwrap().set_modified(SystemTime::now()).unwrap();
    assert!(look(Sweep::Remove(30 * DAY))[0].age < DAY, "its journal is new");
    assert_eq!(world.names().len(), 2);
    File::options().write(true).open(&journal).unwrap().set_modified(long_ago).unwrap();
    assert!(look(Sweep::Remove(30 * DAY))[0].age >= 31 * DAY);
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn only_what_is_ours_is_swept_wherever_it_is_below() {
    let world = World::new();
    let at = |name: &str| world.dir.path().join(name);
    let outside = tempfile::tempdir().unwrap();
    let stem = Stem::random().unwrap();
    let (part, journal) = (stem.part(), stem.journal());
    fs::create_dir_all(at("a/b")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("link")).unwrap();
    for dir in [at("a/b"), outside.path().to_owned()] {
        fs::write(dir.join(&part), "x").unwrap();
        fs::write(dir.join(&journal), "no journal").unwrap();
    }
    fs::write(at("a").join(&journal), "alone").unwrap();
    std::os::unix::fs::symlink("b", at("a").join(&part)).unwrap();
    for other in [".gannet-mine", ".gannet-0.part", "file.part"] {
        fs::write(at(other), "x").unwrap();
    }
    let root = Root::open(world.dir.path()).unwrap();
    let found = root.partials(Sweep::Remove(Duration::ZERO)).unwrap();
    let found: Vec<_> = found.into_iter().map(|left| left.path).collect();
    assert_eq!(found, [Path::new("a/b").join(&part)]);
    assert_eq!(fs::read_dir(at("a/b")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
    assert_eq!(world.names(), [".gannet-0.part", ".gannet-mine", "a", "file.part", "link"]);
}
