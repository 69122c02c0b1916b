//! The root and what leads out of it, on real directories.

mod links;
pub(crate) mod mounts;
mod names;
mod storing;

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use gannet_protocol::{BodyLen, Destination, Entry, EntryKind, FileTime, Mode, Name, Status};
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
