//! What becomes of names: told of, removed, made, chosen, listed.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::{PermissionsExt, symlink},
};

use gannet_protocol::Stat;

use super::*;

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
    let make = |path| world.root.make_directory(&name(path), None);
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
