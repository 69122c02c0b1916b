//! What the system's errors mean to the other side.

use std::io;

use gannet_protocol::Status;

/// The status that tells `error` of a file operation.
pub(crate) fn status_of(_error: &io::Error) -> Status {
    todo!()
}
