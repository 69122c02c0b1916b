//! What the system's errors mean to the other side.

use std::io::{self, ErrorKind};

use gannet_protocol::Status;

use crate::sys::files::status_of_code;

/// The status that tells `error` of an operation on an open file.
pub(crate) fn status_of(error: &io::Error) -> Status {
    match error.kind() {
        ErrorKind::NotFound => Status::NotFound,
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => Status::Exists,
        ErrorKind::IsADirectory => Status::IsDirectory,
        ErrorKind::NotADirectory => Status::NotDirectory,
        ErrorKind::PermissionDenied
        | ErrorKind::CrossesDevices
        | ErrorKind::ResourceBusy
        | ErrorKind::ExecutableFileBusy => Status::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Status::Full,
        ErrorKind::ReadOnlyFilesystem => Status::ReadOnly,
        ErrorKind::FileTooLarge => Status::TooLarge,
        ErrorKind::InvalidFilename => Status::Unnameable,
        ErrorKind::OutOfMemory => Status::Overloaded,
        ErrorKind::Unsupported => Status::Unsupported,
        // A file that ends before the length that it had.
        ErrorKind::UnexpectedEof => Status::Changed,
        _ => status_of_code(error).unwrap_or(Status::Io),
    }
}

/// The status that tells `error` of an operation that takes a name: file systems call names that they cannot hold
/// invalid input.
pub(super) fn status_of_name(error: &io::Error) -> Status {
    match error.kind() {
        ErrorKind::InvalidInput => Status::Unnameable,
        _ => status_of(error),
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn every_error_that_users_meet_has_its_status() {
        let cases = [
            (Errno::NOENT, Status::NotFound),
            (Errno::EXIST, Status::Exists),
            (Errno::NOTEMPTY, Status::Exists),
            (Errno::ISDIR, Status::IsDirectory),
            (Errno::NOTDIR, Status::NotDirectory),
            (Errno::NXIO, Status::NotRegular),
            (Errno::ACCESS, Status::Denied),
            (Errno::PERM, Status::Denied),
            (Errno::XDEV, Status::Denied),
            (Errno::LOOP, Status::Denied),
            (Errno::BUSY, Status::Denied),
            (Errno::NOSPC, Status::Full),
            (Errno::DQUOT, Status::Full),
            (Errno::ROFS, Status::ReadOnly),
            (Errno::FBIG, Status::TooLarge),
            (Errno::MFILE, Status::Overloaded),
            (Errno::NFILE, Status::Overloaded),
            (Errno::NOMEM, Status::Overloaded),
            (Errno::AGAIN, Status::Overloaded),
            (Errno::NAMETOOLONG, Status::Unnameable),
            (Errno::ILSEQ, Status::Unnameable),
            (Errno::OPNOTSUPP, Status::Unsupported),
            (Errno::IO, Status::Io),
            (Errno::INVAL, Status::Io),
            (Errno::STALE, Status::Io),
        ];
        for (errno, status) in cases {
            assert_eq!(status_of(&errno.into()), status, "{errno:?}");
        }
        assert_eq!(status_of_name(&Errno::INVAL.into()), Status::Unnameable);
        assert_eq!(status_of_name(&Errno::NOENT.into()), Status::NotFound);
        assert_eq!(status_of(&ErrorKind::UnexpectedEof.into()), Status::Changed);
    }
}
