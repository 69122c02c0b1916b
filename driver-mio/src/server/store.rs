//! Where a file that a client puts will stand.

use gannet_protocol::{BodyLen, Name, Status};

use crate::{
    files::{Partial, Root},
    trust::policy::Store,
};

/// Prepares to receive a file: the name that its client is told, and what to write to. `others` is what other files of the
/// same client that are on their way will take. Blocks on the disk.
///
/// # Errors
/// [`Status::Full`] if there would be more than `max` bytes, [`Status::TooLarge`] if a bounded client does not say how many
/// there are; as [`Root::resolve`] and [`Root::create_partial`].
pub(super) fn prepare(
    root: &Root,
    store: &Store<'_>,
    max: Option<u64>,
    len: BodyLen,
    others: u64,
) -> Result<(Name, Partial), Status> {
    let name = match store {
        Store::Replacing(to) => root.resolve(to)?,
        Store::Beside(name) => name.clone(),
    };
    if let Some(max) = max {
        let BodyLen::Known(len) = len else { return Err(Status::TooLarge) };
        let replaced = match store {
            Store::Replacing(_) => root.size(&name),
            Store::Beside(_) => 0,
        };
        let kept = root.usage()?.saturating_sub(replaced);
        if kept.saturating_add(others).saturating_add(len) > max {
            return Err(Status::Full);
        }
    }
    let partial = match store {
        Store::Replacing(_) => root.create_partial(&name, len)?,
        Store::Beside(_) => root.create_partial_beside(&name, len)?,
    };
    Ok((name, partial))
}
