//! Files: where they may lie, how they are read, and how they come into place.

mod partial;
mod root;
mod source_file;
mod status;

pub(crate) use partial::Partial;
pub(crate) use root::{Listing, Root};
pub(crate) use source_file::SourceFile;
pub(crate) use status::status_of;
