//! What POSIX systems can do with files beyond the standard library, and where they differ.
//!
//! Every call by which bodies, partial files and directories are read, changed and made durable goes through here, so that a
//! simulation can watch it and have it fail ([`crate::simulation`], in builds that have it).

mod looking;
mod names;
mod opening;
mod reading;
mod syncing;
mod system;
mod writing;

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path};

use gannet_protocol::Status;
use rustix::io::Errno;

pub(crate) use looking::{
    Entries, allocated, changed, directory_number, entries, entries_in, file_number, is_our_own,
    metadata, metadata_at, metadata_in, metadata_of_entry, mode_in, mode_of, modified, modified_in,
    named_number, own_metadata_in,
};
pub(crate) use names::{make_directory, remove_directory, remove_file, rename, rename_to_free};
pub(crate) use opening::{
    create_own, open_at, open_directory, open_entry, open_in, open_own, open_root, same_directory,
    same_file, try_lock,
};
pub(crate) use reading::{hole_from, read_exact_at};
pub(crate) use syncing::{sync_all, sync_data, sync_directory, syncers};
pub(crate) use system::{boot_id, fill_random, pause, time_of_now};
pub(crate) use writing::{
    clear, lacks_room, reserve, set_len, set_mode, set_modified, write_all_at,
};

/// The bytes of a name as a path; every byte means itself on these systems.
pub(crate) fn path_of(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// The bytes of one component of a path.
pub(crate) fn bytes_of(component: &OsStr) -> &[u8] {
    component.as_bytes()
}

/// The status of an error that [`io::ErrorKind`] has no name for.
pub(crate) fn status_of_code(error: &io::Error) -> Option<Status> {
    Some(match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Status::Overloaded,
        Errno::LOOP => Status::Denied,
        Errno::NXIO | Errno::NODEV => Status::NotRegular,
        Errno::ILSEQ => Status::Unnameable,
        Errno::OPNOTSUPP => Status::Unsupported,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
