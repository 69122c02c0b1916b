//! File systems that are full, read-only, or another one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::*;

/// A small file system of its own, which only root may mount.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Mounts it at `at`; nothing where that is not allowed.
    pub(crate) fn tmpfs(at: &Path, options: &str) -> Option<Self> {
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
