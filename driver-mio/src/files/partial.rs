//! A file that is being received, before it has its name.

use std::path::Path;

use gannet_protocol::{BodyLen, Status};

/// A file aside of its target, in the same directory, which takes the target's name when it is whole.
///
/// Dropped without being published it is removed.
#[derive(Debug)]
pub(crate) struct Partial {}

impl Partial {
    /// Prepares to write `path` on this machine; a relative path without a directory means the current one. Blocks on the disk.
    ///
    /// # Errors
    /// As [`super::Root::create_partial`].
    pub(crate) fn create_local(_path: &Path, _len: BodyLen) -> Result<Self, Status> {
        todo!()
    }
}
