//! Files: where they may lie, how they are read, and how they come into place.

mod listing;
mod partial;
mod root;
mod source_file;
mod status;
mod tree;

/// Most entries that are looked at in a directory and below it: some seconds' work of one thread.
const MAX_COUNTED: u64 = 1_000_000;
/// Most directories within each other on the way, each of which is held open.
const MAX_DEPTH: u32 = 64;

pub(crate) use listing::Listing;
pub use partial::Left;
pub(crate) use partial::{
    Base, Claim, Durability, JournalFile, Keeper, Owner, Partial, Room, Sweep, Which, Whole,
    is_worth_keeping, local_target, publish,
};
pub(crate) use root::{Found, Placing, Root};
pub(crate) use source_file::SourceFile;
pub(crate) use status::status_of;

#[cfg(test)]
pub(crate) mod tests;
