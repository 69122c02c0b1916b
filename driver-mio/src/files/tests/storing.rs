//! Files that are put in place, or are not.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
};

use super::*;

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
