//! Files that are replaced whole, by one writer at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use super::{FileError, MAX_FILE};

/// What a directory's lock is called.
const LOCK: &str = ".lock";

/// The sole right to replace the files of a directory, among all that ask for it in this way.
#[derive(Debug)]
pub(in crate::trust) struct Lock {
    /// Closing it gives the right back.
    _file: File,
}

impl Lock {
    /// Waits for the right to replace `path` and its neighbours. Others keep it for as long as a file takes to write.
    pub(in crate::trust) fn of(path: &Path) -> Result<Self, FileError> {
        let lock = path.with_file_name(LOCK);
        let taken = private_options().create(true).truncate(false).open(&lock);
        let taken = taken.and_then(|file| file.lock().map(|()| file));
        match taken {
            Ok(file) => Ok(Self { _file: file }),
            Err(error) => Err(FileError::Io { path: lock, error }),
        }
    }

    /// Puts a line behind what is in the file so far, or behind `header` where there is no file.
    pub(in crate::trust) fn append(
        &self,
        path: &Path,
        before: Option<&[u8]>,
        header: &str,
        line: &str,
    ) -> Result<(), FileError> {
        let mut content = before.unwrap_or(header.as_bytes()).to_vec();
        if !content.is_empty() && !content.ends_with(b"\n") {
            content.push(b'\n');
        }
        content.extend_from_slice(line.as_bytes());
        content.push(b'\n');
        if content.len() as u64 > MAX_FILE {
            return Err(FileError::TooLarge { path: path.to_owned() });
        }
        self.replace(path, &content)
    }

    /// Puts `bytes` in place as `path`: a reader, and whoever comes after a crash, sees all of it or what was there before.
    /// What is replaced keeps its mode and owner, and where it is a symbolic link, what that leads to is replaced.
    pub(in crate::trust) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let (path, before) = match fs::canonicalize(path) {
            Ok(path) => (path.clone(), fs::metadata(&path).map(Some)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), Ok(None)),
            Err(error) => (path.to_owned(), Err(error)),
        };
        before
            .and_then(|before| replace(&path, before.as_ref(), bytes))
            .map_err(|error| FileError::Io { path, error })
    }
}

fn replace(path: &Path, before: Option<&fs::Metadata>, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let aside = path.with_file_name(name);
    // Left behind by a crash: whoever holds the lock is alone.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(&aside, before, bytes).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written?;
    sync_parent(path)
}

fn write_new(path: &Path, like: Option<&fs::Metadata>, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_options().create_new(true).open(path)?;
    file.write_all(bytes)?;
    if let Some(like) = like {
        keep_owner(&file, like)?;
        file.set_permissions(like.permissions())?;
    }
    file.sync_all()
}

#[cfg(unix)]
fn keep_owner(file: &File, like: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let is = file.metadata()?;
    if (is.uid(), is.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Writes; what is new is its owner's alone.
fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a rename last through a power failure.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
