//! The root and what leads out of it, on real directories.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    os::unix::{
        fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use gannet_protocol::{BodyLen, Destination, Entry, EntryKind, FileTime, Mode, Name, Stat, Status};
use rustix::fs::{CWD, FileType, RenameFlags};
use tempfile::TempDir;

use super::*;
use crate::sys::files::write_all_at;

/// A root in a directory beside which another one lies that must not be reached.
struct World {
    _dir: TempDir,
    inside: PathBuf,
    outside: PathBuf,
    root: Root,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        let outside = dir.path().join("outside");
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        let root = Root::open(&inside).unwrap();
        Self { _dir: dir, inside, outside, root }
    }

    fn get(&self, path: &str) -> Result<String, Status> {
        let source = self.root.open_source(&name(path))?;
        let mut bytes = vec![0; usize::try_from(source.len()).unwrap()];
        source.read_at(0, &mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    fn put(&self, path: &str, content: &str) -> Result<(), Status> {
        let partial =
            self.root.create_partial(&replace(path), BodyLen::Known(content.len() as u64))?;
        write_all_at(partial.file(), content.as_bytes(), 0).unwrap();
        publish_one(partial, 0o777, FileTime::new(7, 7))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Status> {
        self.root.rename(&name(from), &name(to))
    }

    fn list(&self, path: Option<&str>) -> Result<BTreeMap<String, (EntryKind, u64)>, Status> {
        let mut bytes = Vec::new();
        let mut listing = self.root.list(path.map(name).as_ref())?;
        listing.read_to_end(&mut bytes).unwrap();
        Ok(Entry::decode_all(&bytes)
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.name.to_string(), (entry.kind, entry.len)))
            .collect())
    }

    fn resolve(&self, path: Option<&str>, leaf: &str, into: bool) -> Result<String, Status> {
        let to = Destination { path: path.map(name), leaf: name(leaf), into_directory: into };
        self.root.resolve(&to).map(|name| name.to_string())
    }
}

fn name(path: &str) -> Name {
    Name::parse(path.as_bytes()).unwrap()
}

fn replace(path: &str) -> Placing {
    Placing::Replace(name(path))
}

fn publish_one(partial: Partial, mode: u32, modified: FileTime) -> Result<(), Status> {
    let whole = Whole {
        len: partial.file().metadata().unwrap().len(),
        partial,
        mode: Mode::from_bits(mode),
        modified,
    };
    publish(vec![whole], Durability::Power).remove(0)
}

/// How many names stand in a directory, hidden ones included.
fn count(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

fn is_superuser() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_no_regular_file_is_told_at_once_and_not_touched() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("dir")).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, mode, 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_eq!(world.get("dir"), Err(Status::IsDirectory));
    assert_eq!(world.get("fifo"), Err(Status::NotRegular));
    assert_eq!(world.get("socket"), Err(Status::NotRegular));
    assert_eq!(world.get("missing"), Err(Status::NotFound));
    assert_eq!(world.get("missing/file"), Err(Status::NotFound));
    assert_eq!(world.get("fifo/file"), Err(Status::NotDirectory));
    assert_eq!(world.resolve(None, "fifo", false), Err(Status::NotRegular));
    assert_eq!(world.resolve(None, "dir", false), Err(Status::IsDirectory));
    if is_superuser() {
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, at("null"), FileType::CharacterDevice, mode, null).unwrap();
        assert!(fs::metadata(at("null")).unwrap().file_type().is_char_device());
        assert_eq!(world.get("null"), Err(Status::NotRegular));
        assert_eq!(world.resolve(None, "null", false), Err(Status::NotRegular));
    } else {
        eprintln!("SKIPPED: device nodes need root");
    }
}

#[test]
fn links_that_stay_inside_are_followed_and_others_refused_in_every_verb() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/file"), "content").unwrap();
    symlink("../file", at("a/b/near")).unwrap();
    symlink("a/b", at("shortcut")).unwrap();
    symlink(world.outside.join("secret"), at("absolute")).unwrap();
    symlink("../outside/secret", at("upward")).unwrap();
    symlink("../outside", at("outdir")).unwrap();
    symlink("/dev/null", at("device")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();

    assert_eq!(world.get("a/b/near").as_deref(), Ok("content"));
    assert_eq!(world.get("shortcut/near").as_deref(), Ok("content"));
    for out in ["absolute", "upward", "outdir", "outdir/secret", "device", "loop"] {
        assert_eq!(world.get(out), Err(Status::Denied), "{out}");
        assert_eq!(world.resolve(None, "new", false).as_deref(), Ok("new"));
        assert_eq!(world.resolve(Some(out), "new", false), Err(Status::Denied), "{out}");
        assert_eq!(world.list(Some(out)), Err(Status::Denied), "{out}");
        assert_eq!(world.rename(out, "renamed"), Err(Status::Denied), "{out}");
        assert_eq!(world.root.stat(&name(out)), Err(Status::Denied), "{out}");
        assert_eq!(world.root.remove(&name(out)), Err(Status::Denied), "{out}");
    }
    assert_eq!(world.root.make_directory(&name("outdir/new")), Err(Status::Denied));
    // A link that stays inside is a name like another, and what it leads to stays.
    assert_eq!(world.root.make_directory(&name("dangling")), Err(Status::Exists));
    symlink("a", at("removed")).unwrap();
    for link in ["removed", "dangling"] {
        assert_eq!(world.root.remove(&name(link)), Ok(()));
        assert!(fs::symlink_metadata(at(link)).is_err());
    }
    symlink("nowhere", at("dangling")).unwrap();
    assert_eq!(world.put("outdir/new", "x"), Err(Status::Denied));
    assert_eq!(world.rename("a/file", "outdir/file"), Err(Status::Denied));
    assert_eq!(world.get("dangling"), Err(Status::NotFound));
    assert_eq!(count(&world.outside), 1);
    assert_eq!(fs::read_to_string(world.outside.join("secret")).unwrap(), "secret");

    let listed = world.list(None).unwrap();
    assert_eq!(listed["shortcut"], (EntryKind::Directory, 0));
    for out in ["absolute", "upward", "outdir", "device", "loop", "dangling"] {
        assert_eq!(listed[out], (EntryKind::Other, 0), "{out}");
    }
    assert_eq!(world.list(Some("shortcut")).unwrap()["near"], (EntryKind::File, 7));
}

/// Ends another thread's loop, even when this one fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory and a link to the outside change places all the time while every verb goes through that name.
#[test]
#[cfg(target_os = "linux")]
fn a_component_that_becomes_a_link_does_not_lead_out() {
    const ROUNDS: usize = 4000;
    // For a machine that runs one thread for long.
    const MOST_ROUNDS: usize = 400_000;
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("spot")).unwrap();
    fs::write(at("spot/secret"), "public").unwrap();
    symlink("../outside", at("other")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut allowed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (spot, other) = (at("spot"), at("other"));
                rustix::fs::renameat_with(CWD, spot, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _stop = Stop(&stop);
        for round in 0..MOST_ROUNDS {
            if round >= ROUNDS && allowed > 0 && refused > 0 {
                break;
            }
            match world.get("spot/secret") {
                Ok(content) => assert_eq!(content, "public"),
                Err(status) => assert!(matches!(status, Status::Denied | Status::Overloaded)),
            }
            let done = match round % 6 {
                0 => world.put("spot/new", "x"),
                1 => world.rename("spot/new", &format!("spot/new{round}")),
                2 => world.root.make_directory(&name(&format!("spot/dir{round}"))),
                3 => world.root.remove(&name(&format!("spot/dir{}", round - 1))),
                4 => world.root.stat(&name("spot/secret")).map(|stat| {
                    assert_eq!((stat.kind, stat.len), (EntryKind::File, 6));
                }),
                _ => world.list(Some("spot")).map(|listed| {
                    assert_ne!(listed.get("secret"), None);
                }),
            };
            if done.is_ok() { allowed += 1 } else { refused += 1 }
        }
    });
    assert!(allowed > 0 && refused > 0, "both were met: {allowed} {refused}");
    assert_eq!(count(&world.outside), 1);
    assert_eq!(fs::read_to_string(world.outside.join("secret")).unwrap(), "secret");
}

/// `docs/hostile-input.md`, row 43: the directory of `dir=`, as a link.
#[test]
fn a_directory_that_is_a_link_holds_what_is_inside_or_nothing() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/file"), "inside").unwrap();
    symlink("a/b", at("near")).unwrap();
    symlink("../outside", at("upward")).unwrap();
    symlink(&world.outside, at("absolute")).unwrap();
    symlink("..", at("a/b/up")).unwrap();
    symlink("/", at("a/b/top")).unwrap();
    for dir in ["upward", "absolute", "near/top", "near/../../outside", "a/b/up/up/.."] {
        let Ok(dir) = Name::parse(dir.as_bytes()) else { continue };
        assert!(world.root.below(Some(&dir)).is_err(), "{dir}");
    }
    let near = world.root.below(Some(&name("near"))).unwrap();
    near.open_source(&name("file")).unwrap();
    for out in ["up/b/file", "up", "top/etc/passwd"] {
        assert!(near.open_source(&name(out)).is_err(), "{out}");
        assert!(near.list(Some(&name(out))).is_err(), "{out}");
        assert!(
            near.create_partial(&Placing::Replace(name(&format!("{out}/new"))), BodyLen::Open)
                .is_err(),
            "{out}"
        );
    }
}

/// `docs/hostile-input.md`, row 44: the directory of `dir=` and a link to the outside change places all the time.
#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_becomes_a_link_does_not_lead_out() {
    const ROUNDS: usize = 4000;
    // For a machine that runs one thread for long.
    const MOST_ROUNDS: usize = 400_000;
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("spot")).unwrap();
    fs::write(at("spot/secret"), "public").unwrap();
    symlink("../outside", at("other")).unwrap();
    let (spot, secret) = (name("spot"), name("secret"));
    let stop = AtomicBool::new(false);
    let (mut allowed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (spot, other) = (at("spot"), at("other"));
                rustix::fs::renameat_with(CWD, spot, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _stop = Stop(&stop);
        for round in 0..MOST_ROUNDS {
            if round >= ROUNDS && allowed > 0 && refused > 0 {
                break;
            }
            let held = match world.root.below(Some(&spot)) {
                Ok(held) => held,
                Err(status) => {
                    assert!(matches!(status, Status::Denied | Status::Overloaded), "{status:?}");
                    refused += 1;
                    continue;
                }
            };
            allowed += 1;
            // What is held stays what it is, whatever its name means by now.
            let mut bytes = [0; 6];
            held.open_source(&secret).unwrap().read_at(0, &mut bytes).unwrap();
            assert_eq!(&bytes, b"public");
            let partial =
                held.create_partial(&Placing::Beside(name("new")), BodyLen::Open).unwrap();
            if round % 100 == 0 {
                publish_one(partial, 0o600, FileTime::new(7, 7)).unwrap();
            }
        }
    });
    assert!(allowed > 0 && refused > 0, "both were met: {allowed} {refused}");
    assert_eq!(count(&world.outside), 1);
}

#[test]
fn a_stat_tells_kind_length_mode_and_time() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::write(at("file"), "content").unwrap();
    fs::create_dir(at("dir")).unwrap();
    symlink("file", at("link")).unwrap();
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 5);
    File::options().write(true).open(at("file")).unwrap().set_modified(then).unwrap();
    // The bits above permissions are nobody's business.
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o4640)).unwrap();
    let file = Stat {
        kind: EntryKind::File,
        len: 7,
        mode: Mode::from_bits(0o640),
        modified: FileTime::new(1_700_000_000, 5),
    };
    assert_eq!(world.root.stat(&name("file")), Ok(file));
    assert_eq!(world.root.stat(&name("link")), Ok(file));
    let dir = world.root.stat(&name("dir")).unwrap();
    assert_eq!((dir.kind, dir.len), (EntryKind::Directory, 0));
    assert_eq!(world.root.stat(&name("missing")), Err(Status::NotFound));
    assert_eq!(world.root.stat(&name("file/x")), Err(Status::NotDirectory));
}

#[test]
fn what_holds_something_stays_and_the_rest_is_removed() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("dir/sub")).unwrap();
    fs::write(at("dir/file"), "x").unwrap();
    // A directory that a link leads to is no part of what is removed with the link.
    symlink("dir", at("link")).unwrap();
    let remove = |path| world.root.remove(&name(path));
    assert_eq!(remove("dir"), Err(Status::NotEmpty));
    assert_eq!(remove("missing"), Err(Status::NotFound));
    assert_eq!(remove("missing/file"), Err(Status::NotFound));
    assert_eq!(remove("dir/file/x"), Err(Status::NotDirectory));
    assert_eq!(remove("link/file"), Ok(()));
    assert_eq!(remove("link"), Ok(()));
    assert_eq!(remove("dir/sub"), Ok(()));
    assert_eq!(remove("dir"), Ok(()));
    assert_eq!(count(&world.inside), 0);
}

#[test]
fn a_directory_is_made_where_one_is_and_once() {
    let world = World::new();
    let make = |path| world.root.make_directory(&name(path));
    fs::write(world.inside.join("file"), "x").unwrap();
    assert_eq!(make("a"), Ok(()));
    assert_eq!(make("a/b"), Ok(()));
    assert_eq!(make("a"), Err(Status::Exists));
    assert_eq!(make("file"), Err(Status::Exists));
    assert_eq!(make("missing/b"), Err(Status::NotFound));
    assert_eq!(make("file/b"), Err(Status::NotDirectory));
    assert!(world.inside.join("a/b").is_dir());
}

#[test]
fn a_destination_is_a_directory_or_the_new_name() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir_all(at("dir/sub")).unwrap();
    fs::write(at("file"), "x").unwrap();
    assert_eq!(world.resolve(None, "leaf", true).as_deref(), Ok("leaf"));
    assert_eq!(world.resolve(Some("dir"), "leaf", false).as_deref(), Ok("dir/leaf"));
    assert_eq!(world.resolve(Some("dir"), "leaf", true).as_deref(), Ok("dir/leaf"));
    assert_eq!(world.resolve(Some("new"), "leaf", false).as_deref(), Ok("new"));
    assert_eq!(world.resolve(Some("file"), "leaf", false).as_deref(), Ok("file"));
    assert_eq!(world.resolve(Some("new"), "leaf", true), Err(Status::NotFound));
    assert_eq!(world.resolve(Some("file"), "leaf", true), Err(Status::NotDirectory));
    assert_eq!(world.resolve(Some("missing/new"), "leaf", false), Err(Status::NotFound));
    assert_eq!(world.resolve(Some("file/new"), "leaf", false), Err(Status::NotDirectory));
    assert_eq!(world.resolve(Some("dir"), "sub", false), Err(Status::IsDirectory));
    let long = [b'x'; 255];
    let long = std::str::from_utf8(&long).unwrap();
    assert_eq!(world.resolve(Some(long), "leaf", false).as_deref(), Ok(long));
    let deep = ["dir"; 1000].join("/");
    assert_eq!(world.resolve(Some(&deep), "leaf", false), Err(Status::NotFound));
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_and_time() {
    let world = World::new();
    let path = world.inside.join("file");
    fs::write(&path, "old content").unwrap();
    let old = File::open(&path).unwrap();
    let partial = world.root.create_partial(&replace("file"), BodyLen::Known(3)).unwrap();
    write_all_at(partial.file(), b"new", 0).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old content");
    assert_eq!(world.list(None).unwrap().len(), 1, "a partial file is not listed");
    let modified = FileTime::new(1_234_567_890, 123_456_789);
    publish_one(partial, 0o751, modified).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(std::io::read_to_string(old).unwrap(), "old content");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(crate::sys::files::modified(&metadata), modified);
    let probe = world.inside.join("probe");
    let mut options = File::options();
    options.write(true).create(true).mode(0o751);
    let kept = options.open(probe).unwrap().metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(metadata.permissions().mode() & 0o777, kept, "the umask applies");
}

#[test]
fn an_unpublished_file_leaves_nothing_behind() {
    let world = World::new();
    let partial = world.root.create_partial(&replace("file"), BodyLen::Known(1 << 20)).unwrap();
    let hidden = fs::read_dir(&world.inside).unwrap().next().unwrap().unwrap();
    assert!(hidden.file_name().to_str().unwrap().starts_with(".gannet-"));
    assert_eq!(hidden.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(hidden.metadata().unwrap().len(), 0);
    drop(partial);
    assert_eq!(count(&world.inside), 0);

    fs::create_dir(world.inside.join("dir")).unwrap();
    assert_eq!(world.put("dir", "x"), Err(Status::IsDirectory));
    assert_eq!(world.put("missing/file", "x"), Err(Status::NotFound));
    assert_eq!(count(&world.inside), 1);
}

#[test]
fn a_rename_needs_a_free_name() {
    let world = World::new();
    let at = |name: &str| world.inside.join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("a"), "a").unwrap();
    fs::write(at("b"), "b").unwrap();
    symlink("a", at("link")).unwrap();
    assert_eq!(world.rename("a", "b"), Err(Status::Exists));
    assert_eq!(world.rename("a", "a"), Err(Status::Exists));
    assert_eq!(world.rename("a", "dir"), Err(Status::Exists));
    assert_eq!(world.rename("dir", "b"), Err(Status::Exists));
    assert_eq!(world.rename("a", "link"), Err(Status::Exists));
    assert_eq!(world.rename("missing", "new"), Err(Status::NotFound));
    assert_eq!(world.rename("a", "missing/new"), Err(Status::NotFound));
    assert_eq!(world.rename("a", "b/new"), Err(Status::NotDirectory));
    assert_eq!(world.rename("dir", "dir/below"), Err(Status::BadName));
    assert_eq!(world.rename("a", "dir/moved"), Ok(()));
    assert_eq!(world.rename("dir", "moved"), Ok(()));
    assert_eq!(world.get("moved/moved").as_deref(), Ok("a"));
    assert_eq!(world.rename("link", "dir"), Ok(()));
    assert!(at("dir").is_symlink(), "the link itself was renamed");
    assert_eq!(world.get("b").as_deref(), Ok("b"));
}

#[test]
fn a_listing_comes_in_pieces_of_any_size() {
    let world = World::new();
    fs::create_dir(world.inside.join("sub")).unwrap();
    for i in 0..500_u64 {
        let content = vec![0; usize::try_from(i).unwrap()];
        fs::write(world.inside.join(format!("sub/{i:0>40}")), content).unwrap();
    }
    fs::write(world.inside.join("sub/.gannet-0.part"), "").unwrap();
    let mut whole = Vec::new();
    let mut listing = world.root.list(Some(&name("sub"))).unwrap();
    for len in (1..=100).cycle() {
        let mut piece = vec![0; len];
        match listing.read(&mut piece).unwrap() {
            0 => break,
            read => whole.extend_from_slice(&piece[..read]),
        }
    }
    let entries: Vec<_> = Entry::decode_all(&whole).collect::<Result<_, _>>().unwrap();
    assert_eq!(entries.len(), 500);
    assert_eq!(entries.iter().map(|entry| entry.len).sum::<u64>(), 499 * 500 / 2);
    assert_eq!(world.list(Some("sub/missing")), Err(Status::NotFound));
    assert_eq!(world.list(Some(&format!("sub/{:0>40}", 7))), Err(Status::NotDirectory));
}

#[test]
fn no_permission_is_told_and_leaves_nothing() {
    if is_superuser() {
        eprintln!("SKIPPED: permission bits do not bind root");
        return;
    }
    let world = World::new();
    let sealed = world.inside.join("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::write(world.inside.join("unreadable"), "x").unwrap();
    let lock =
        |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    lock(&world.inside.join("unreadable"), 0);
    lock(&sealed, 0o500);
    assert_eq!(world.get("unreadable"), Err(Status::Denied));
    assert_eq!(world.put("sealed/new", "x"), Err(Status::Denied));
    assert_eq!(world.rename("unreadable", "sealed/new"), Err(Status::Denied));
    lock(&sealed, 0o700);
    assert_eq!(count(&sealed), 0);
}

/// A small file system of its own, which only root may mount.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "gannet-test"]).arg(at);
        match mount.output() {
            Ok(done) if done.status.success() => Some(Self(at.to_owned())),
            _ => {
                eprintln!("SKIPPED: no file system can be mounted here");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_before_the_bytes_come() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::tmpfs(dir.path(), "size=1m") else { return };
    let root = Root::open(dir.path()).unwrap();
    let create = |len| root.create_partial(&replace("file"), BodyLen::Known(len)).map(drop);
    assert_eq!(create(1 << 19), Ok(()));
    for (len, hole, room) in [
        (1 << 21, 0, Err(Status::Full)),
        (1 << 59, 1 << 58, Err(Status::Full)),
        (1 << 21, 7 << 18, Ok(())),
    ] {
        // It may have holes.
        let mut partial = root.create_partial(&replace("file"), BodyLen::Known(len)).unwrap();
        assert_eq!(partial.take_room().unwrap().make(hole), room);
    }
    let partial = root.create_partial(&replace("file"), BodyLen::Open).unwrap();
    let error = write_all_at(partial.file(), &vec![1; 1 << 21], 0).unwrap_err();
    assert_eq!(status_of(&error), Status::Full);
    drop(partial);
    assert_eq!(count(dir.path()), 0);
}

#[test]
fn a_read_only_file_system_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::tmpfs(dir.path(), "ro") else { return };
    let root = Root::open(dir.path()).unwrap();
    let created = root.create_partial(&replace("file"), BodyLen::Known(1)).map(drop);
    assert_eq!(created, Err(Status::ReadOnly));
}

#[test]
fn another_file_system_below_the_root_is_a_part_of_it_but_for_renames() {
    let world = World::new();
    let at = world.inside.join("mounted");
    fs::create_dir(&at).unwrap();
    let Some(_mount) = Mount::tmpfs(&at, "size=1m") else { return };
    assert_eq!(world.put("mounted/file", "content"), Ok(()));
    assert_eq!(world.get("mounted/file").as_deref(), Ok("content"));
    assert_eq!(world.rename("mounted/file", "mounted/other"), Ok(()));
    assert_eq!(world.rename("mounted/other", "other"), Err(Status::Unsupported));
    assert_eq!(world.rename("mounted", "moved"), Err(Status::Denied));
}

#[test]
fn a_local_file_is_written_where_its_path_says() {
    let dir = tempfile::tempdir().unwrap();
    let create = |path: &Path, len| {
        let (root, name) = local_target(path)?;
        root.create_partial(&Placing::Replace(name), BodyLen::Known(len))
    };
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "x").unwrap();
    let partial = create(&at("new"), 4).unwrap();
    partial.file().as_ref().write_all(b"text").unwrap();
    publish_one(partial, 0o600, FileTime::default()).unwrap();
    let create = |path: &Path| create(path, 0).map(drop);
    assert_eq!(fs::read_to_string(at("new")).unwrap(), "text");
    assert_eq!(create(dir.path()), Err(Status::IsDirectory));
    assert_eq!(create(&dir.path().join("..")), Err(Status::IsDirectory));
    assert_eq!(create(Path::new("/")), Err(Status::IsDirectory));
    assert_eq!(create(Path::new("/dev/null")), Err(Status::NotRegular));
    assert_eq!(create(&at("missing/new")), Err(Status::NotFound));
    assert_eq!(create(&at("missing/")), Err(Status::NotFound));
    assert_eq!(create(&at("file/new")), Err(Status::NotDirectory));
    assert_eq!(create(&at(".gannet-mine")), Err(Status::BadName));
    assert_eq!(create(&at(&"x".repeat(300))), Err(Status::Unnameable));
    assert_eq!(count(dir.path()), 2);
    let here = create(Path::new("gannet-test-new-file"));
    assert!(here.is_ok(), "the current directory");
}
