//! What is fetched, and whether it arrived.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

/// Bytes that are made and compared at once.
const CHUNK: usize = 1 << 20;

/// What a run fetches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// A file of so many bytes.
    File(u64),
    /// A directory of files.
    Tree { files: u64, len: u64 },
}

impl Load {
    /// Bytes of all of it.
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::File(len) => len,
            Self::Tree { files, len } => files.saturating_mul(len),
        }
    }

    /// How many files a directory has, if it is one.
    pub(crate) const fn files(self) -> Option<u64> {
        match self {
            Self::File(_) => None,
            Self::Tree { files, .. } => Some(files),
        }
    }

    /// Makes it of random bytes, at `path`.
    pub(crate) fn make(self, path: &Path) -> io::Result<()> {
        let mut random = File::open("/dev/urandom")?;
        match self {
            Self::File(len) => make_file(&mut random, path, len),
            Self::Tree { files, len } => {
                fs::create_dir(path)?;
                (0..files)
                    .try_for_each(|file| make_file(&mut random, &path.join(file.to_string()), len))
            }
        }
    }

    /// Whether `copy` is what `original` is.
    pub(crate) fn is_same(self, original: &Path, copy: &Path) -> bool {
        let same = |one: &Path, other: &Path| is_same_file(one, other).unwrap_or(false);
        match self {
            Self::File(_) => same(original, copy),
            Self::Tree { files, .. } => (0..files)
                .map(|file| file.to_string())
                .all(|file| same(&original.join(&file), &copy.join(&file))),
        }
    }
}

fn make_file(random: &mut File, path: &Path, len: u64) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    io::copy(&mut random.take(len), &mut file)?;
    file.flush()
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    loop {
        left.clear();
        right.clear();
        (&one).take(CHUNK as u64).read_to_end(&mut left)?;
        (&other).take(CHUNK as u64).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}
