//! A file that is read to be sent.

use std::path::Path;

use gannet_protocol::{Meta, Status};

/// An open regular file, and what it was like when it was opened.
#[derive(Debug)]
pub(crate) struct SourceFile {}

impl SourceFile {
    /// Opens a file of this machine's user, following symbolic links as users expect. Blocks on the disk.
    ///
    /// # Errors
    /// The system's; [`Status::IsDirectory`], or [`Status::NotRegular`] for a fifo, socket or device, which is not touched.
    pub(crate) fn open_local(_path: &Path) -> Result<Self, Status> {
        todo!()
    }

    /// Its length, mode, time and identity as they were at the opening.
    pub(crate) fn meta(&self) -> Meta {
        todo!()
    }
}
