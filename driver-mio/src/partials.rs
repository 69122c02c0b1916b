//! Partial files that transfers left, of servers and clients alike: to see them, and to remove them.

use std::{io, path::Path, time::Duration};

use crate::files::{Root, Sweep};

pub use crate::files::Left;

/// Finds the partial files in `dir` and below it. Blocks on the disk.
///
/// # Errors
/// The system's, of `dir` itself. What cannot be opened below it is passed over.
pub fn find(dir: &Path) -> io::Result<Vec<Left>> {
    Root::open(dir)?.partials(Sweep::Tell)
}

/// Removes those that were not written to for at least `age`, and are not in use; gives these. Blocks on the disk.
///
/// # Errors
/// As [`find`].
pub fn remove(dir: &Path, age: Duration) -> io::Result<Vec<Left>> {
    let mut found = Root::open(dir)?.partials(Sweep::Remove(age))?;
    found.retain(|left| !left.in_use && left.age >= age);
    Ok(found)
}
