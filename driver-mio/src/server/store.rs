//! Where a file that a client puts will stand.

use std::time::Duration;

use gannet_protocol::{BodyLen, Meta, Name, Status};

use crate::{
    files::{Owner, Partial, Placing, Root, Sweep},
    trust::policy::Store,
};

/// How often old partial files are looked for.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Time after which nobody is expected to go on with one.
const SWEEP_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is to be stored.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Where.
    pub(super) store: Store<'static>,
    /// What.
    pub(super) meta: Meta,
    /// For whom.
    pub(super) owner: Owner,
    /// Most bytes that there may be then.
    pub(super) max: Option<u64>,
    /// What other files of the same client that are on their way will take, in bytes.
    pub(super) others: u64,
}

/// Prepares to receive a file: the name that its client is told, and what to write to. Blocks on the disk.
///
/// # Errors
/// [`Status::Full`] if there would be more than the client may store, [`Status::TooLarge`] if a bounded client does not say
/// how many there are; as [`Root::resolve`] and [`Root::create_partial`].
pub(super) fn prepare(root: &Root, wanted: &Wanted) -> Result<(Name, Partial), Status> {
    let placing = match &wanted.store {
        Store::Replacing(to) => Placing::Replace(root.resolve(to)?),
        Store::Beside(name) => Placing::Beside(name.clone()),
    };
    let len = wanted.meta.len;
    // What is there of this file is not counted beside it.
    let claim = root.claim(&placing, wanted.owner, len)?;
    if let Some(max) = wanted.max {
        let BodyLen::Known(len) = len else { return Err(Status::TooLarge) };
        let replaced = match &placing {
            Placing::Replace(name) => root.size(name),
            Placing::Beside(_) => 0,
        };
        let stored = root.usage()?.saturating_sub(replaced);
        if stored.saturating_add(wanted.others).saturating_add(len) > max {
            return Err(Status::Full);
        }
    }
    let partial = match claim {
        Some(claim) => claim.begin(&wanted.meta)?,
        None => root.create_partial(&placing, len)?,
    };
    Ok((placing.name().clone(), partial))
}

/// Removes partial files with which nobody goes on any more. Blocks on the disk.
pub(super) fn sweep(root: &Root) {
    match root.partials(Sweep::Remove(SWEEP_AGE)) {
        Ok(found) => {
            let old = found.iter().filter(|left| !left.in_use && left.age >= SWEEP_AGE).count();
            if old > 0 {
                log::info!("partial files removed that were left over 30 days ago: {old}");
            }
        }
        Err(error) => log::warn!("old partial files cannot be looked for: {error}"),
    }
}
