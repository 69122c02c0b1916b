//! Files: where they may lie, how they are read, and how they come into place.

mod listing;
mod partial;
mod root;
mod source_file;
mod status;

pub(crate) use listing::Listing;
pub(crate) use partial::Partial;
pub(crate) use root::Root;
pub(crate) use source_file::SourceFile;
pub(crate) use status::status_of;

#[cfg(test)]
mod tests;
