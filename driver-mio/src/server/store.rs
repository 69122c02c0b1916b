//! Where a file that a client puts will stand.

use std::time::Duration;

use gannet_protocol::{BodyLen, How, Meta, Name, Status, Version};

use crate::{
    files::{Durability, Owner, Partial, Placing, Root, Sweep, Which, is_worth_keeping},
    sys::files::pause,
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
    /// What of that which is there counts.
    pub(super) how: How,
    /// For whom.
    pub(super) owner: Owner,
    /// Most bytes that there may be then.
    pub(super) max: Option<u64>,
    /// What other files of the same client that are on their way will take, in bytes.
    pub(super) others: u64,
    /// What to do if another transfer has what is there.
    pub(super) patience: Patience,
    /// What it survives.
    pub(super) durability: Durability,
}

/// What to do if another transfer has what is there of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// Tell that.
    Ask,
    /// It was told to end: wait a moment, then tell it once more.
    Wait,
    /// Start anew, beside it.
    None,
}

/// Time between two looks whether a transfer that was told to end has let go of its file: some writes of it may be under way.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What becomes of it.
#[derive(Debug)]
pub(super) enum Prepared {
    /// It is received, for this name.
    Ready(Name, Partial),
    /// It is there already.
    Unchanged,
    /// Another transfer has what is there of it, for this name.
    InUse(Name),
}

/// Prepares to receive a file. Blocks on the disk.
///
/// # Errors
/// [`Status::Full`] if there would be more than the client may store, [`Status::TooLarge`] if a bounded client does not say
/// how many there are, [`Status::Exists`] if the name is taken and must not be; as [`Root::resolve`] and
/// [`Root::create_partial`].
pub(super) fn prepare(root: &Root, wanted: &Wanted) -> Result<Prepared, Status> {
    let Wanted { store, meta, how, owner, .. } = wanted;
    // Who may only drop files learns nothing of what is there.
    let (placing, target) = match store {
        Store::Replacing(to) => {
            let name = root.resolve(to)?;
            let target = root.open_source(&name);
            match target {
                Ok(_) if how.no_clobber => return Err(Status::Exists),
                target if how.no_clobber => (Placing::Free(name), target.ok()),
                target => (Placing::Replace(name), target.ok()),
            }
        }
        Store::Beside(name) => (Placing::Beside(name.clone()), None),
    };
    let target = target.filter(|_| !how.fresh);
    let version = match meta.len {
        BodyLen::Known(len) => Some(Version { len, modified: meta.modified }),
        BodyLen::Open => None,
    };
    if let (Some(target), Some(version)) = (&target, version)
        && target.is_version(version)
    {
        // It may be told to be there without a byte of it being written.
        if wanted.durability == Durability::Power {
            root.settle(placing.name(), target)?;
        }
        if !how.check && target.has_telling_time() {
            // Nobody will go on with what an earlier transfer left, nor miss it if that cannot be looked for.
            if let Ok(Some(claim)) = root.claim(&placing, *owner, Which::Found) {
                claim.discard();
            }
            return Ok(Prepared::Unchanged);
        }
    }
    // What is there of this file is not counted beside it.
    let waits = is_worth_keeping(meta.len) && wanted.patience != Patience::None;
    if waits && wanted.patience == Patience::Wait {
        pause(LOOK_AGAIN);
    }
    let claim = root.claim(&placing, *owner, Which::Any)?;
    if claim.is_none() && waits {
        return Ok(Prepared::InUse(placing.name().clone()));
    }
    check_room(root, wanted, &placing)?;
    let target = target.filter(|_| how.check || is_worth_keeping(meta.len));
    let partial = match claim {
        Some(mut claim) => {
            if how.fresh {
                claim.forget();
            }
            claim.begin(meta, target)?
        }
        None => root.create_partial(&placing, meta.len)?,
    };
    Ok(Prepared::Ready(placing.name().clone(), partial))
}

/// Sees that a bounded client does not exceed its bound.
fn check_room(root: &Root, wanted: &Wanted, placing: &Placing) -> Result<(), Status> {
    let Some(max) = wanted.max else { return Ok(()) };
    let BodyLen::Known(len) = wanted.meta.len else { return Err(Status::TooLarge) };
    let replaced = match placing {
        Placing::Replace(name) => root.size(name),
        Placing::Free(_) | Placing::Beside(_) => 0,
    };
    let stored = root.usage()?.saturating_sub(replaced);
    let all = stored.saturating_add(wanted.others).saturating_add(len);
    if all > max { Err(Status::Full) } else { Ok(()) }
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
