//! The files of a host, in memory.

use std::collections::{BTreeMap, BTreeSet};

use gannet_protocol::{
    Destination, Entry, EntryKind, FileTime, Identity, Mode, Name, Stat, Status,
};

use crate::content::Content;

/// A file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// What it holds.
    pub content: Content,
    /// Which state of it this is: two of a directory never have the same.
    pub identity: Identity,
    /// When it was modified last: like its identity, in time units of its own.
    pub modified: FileTime,
}

/// A tree of files.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    files: BTreeMap<Name, File>,
    directories: BTreeSet<Name>,
    states: u128,
}

impl Directory {
    /// Stores `content` under `name`, in place of what was there.
    pub fn insert(&mut self, name: &Name, content: Content) {
        let modified = FileTime::new(i64::try_from(self.states).expect("few states"), 1);
        self.insert_modified(name, content, modified);
    }

    /// The same, modified then.
    pub fn insert_modified(&mut self, name: &Name, content: Content, modified: FileTime) {
        self.states += 1;
        let identity = Identity(self.states.to_be_bytes());
        self.files.insert(name.clone(), File { content, identity, modified });
    }

    /// Makes a directory.
    pub fn make_directory(&mut self, name: &Name) {
        self.directories.insert(name.clone());
    }

    /// A file.
    ///
    /// # Errors
    /// [`Status::NotFound`], or [`Status::IsDirectory`].
    pub fn get(&self, name: &Name) -> Result<&File, Status> {
        match self.files.get(name) {
            Some(file) => Ok(file),
            None if self.directories.contains(name) => Err(Status::IsDirectory),
            None => Err(Status::NotFound),
        }
    }

    /// Every file.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &File)> {
        self.files.iter()
    }

    /// The name under which something that goes to `to` is stored.
    ///
    /// # Errors
    /// Why it cannot be stored.
    pub fn resolve(&self, to: &Destination) -> Result<Name, Status> {
        let target = match &to.path {
            None => to.leaf.clone(),
            Some(path) if self.directories.contains(path) => {
                path.join(&to.leaf).map_err(|_| Status::BadName)?
            }
            Some(path) if to.into_directory && self.files.contains_key(path) => {
                return Err(Status::NotDirectory);
            }
            Some(_) if to.into_directory => return Err(Status::NotFound),
            Some(path) => path.clone(),
        };
        if self.directories.contains(&target) {
            return Err(Status::IsDirectory);
        }
        self.check_parent(&target)?;
        Ok(target)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// Why it cannot have it.
    pub fn rename(&mut self, from: &Name, to: &Name) -> Result<(), Status> {
        self.get(from)?;
        if self.files.contains_key(to) || self.directories.contains(to) {
            return Err(Status::Exists);
        }
        self.check_parent(to)?;
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.clone(), file);
        }
        Ok(())
    }

    /// What is known of a file or directory.
    ///
    /// # Errors
    /// [`Status::NotFound`]
    pub fn stat(&self, name: &Name) -> Result<Stat, Status> {
        let (kind, len) = match self.get(name) {
            Ok(file) => (EntryKind::File, file.content.len()),
            Err(Status::IsDirectory) => (EntryKind::Directory, 0),
            Err(status) => return Err(status),
        };
        Ok(Stat { kind, len, mode: Mode::from_bits(0o644), modified: FileTime::default() })
    }

    /// Removes a file, or a directory that holds nothing.
    ///
    /// # Errors
    /// Why it stays.
    pub fn remove(&mut self, name: &Name) -> Result<(), Status> {
        if self.files.remove(name).is_some() {
            return Ok(());
        }
        if self.list(Some(name))?.is_empty() {
            self.directories.remove(name);
            return Ok(());
        }
        Err(Status::NotEmpty)
    }

    /// Makes a directory in one that is there.
    ///
    /// # Errors
    /// Why there is none.
    pub fn make_directory_once(&mut self, name: &Name) -> Result<(), Status> {
        if self.stat(name).is_ok() {
            return Err(Status::Exists);
        }
        self.check_parent(name)?;
        self.make_directory(name);
        Ok(())
    }

    /// What is in a directory, or in the root, by name.
    ///
    /// # Errors
    /// [`Status::NotFound`], or [`Status::NotDirectory`].
    pub fn list(&self, directory: Option<&Name>) -> Result<Vec<Entry>, Status> {
        match directory {
            Some(name) if self.files.contains_key(name) => return Err(Status::NotDirectory),
            Some(name) if !self.directories.contains(name) => return Err(Status::NotFound),
            _ => {}
        }
        let entry = |name: &Name, kind, len| Entry {
            name: name.leaf(),
            kind,
            is_link: false,
            len,
            mode: Mode::from_bits(0o644),
            modified: FileTime::default(),
        };
        let inside = |name: &Name| name.parent().as_ref() == directory;
        let files = self.files.iter().filter(|(name, _)| inside(name));
        let directories = self.directories.iter().filter(|name| inside(name));
        let mut entries: Vec<_> = files
            .map(|(name, file)| entry(name, EntryKind::File, file.content.len()))
            .chain(directories.map(|name| entry(name, EntryKind::Directory, 0)))
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn check_parent(&self, name: &Name) -> Result<(), Status> {
        match name.parent() {
            Some(parent) if self.files.contains_key(&parent) => Err(Status::NotDirectory),
            Some(parent) if !self.directories.contains(&parent) => Err(Status::NotFound),
            _ => Ok(()),
        }
    }
}

/// A name that a test is sure of.
///
/// # Panics
/// If `text` breaks a rule of names.
#[must_use]
pub fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}
