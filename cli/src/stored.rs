//! Where the server has stored a file, when its answer does not say so: it was lost, or says that nothing was done.

use std::{fs, path::Path};

use gannet_driver_mio::client::{Failure, Transferred};
use gannet_protocol::{Destination, EntryKind, Name, Stat, Status};

use crate::{
    listing::file_time,
    session::{Session, is_status},
};

/// Whether the server has a file there for the reason that an earlier put of `from` stored it, whose answer was lost: then one
/// that must replace nothing fails, and the file has the length and time of `from`.
pub(crate) fn before(
    session: &Session,
    failure: &Failure,
    from: &Path,
    to: &Destination,
) -> Option<Transferred> {
    if !is_status(failure, Status::Exists) {
        return None;
    }
    let (name, stat) = find(session, to)?;
    let ours = fs::metadata(from).ok()?;
    let len = ours.len();
    let is_same = stat.kind == EntryKind::File
        && stat.len == len
        && stat.modified == file_time(ours.modified().ok()?);
    is_same.then_some(Transferred {
        name: Some(name),
        len,
        hash: None,
        kept: len,
        holes: 0,
        unchanged: true,
        elapsed: std::time::Duration::ZERO,
    })
}

/// The name of a file that is there already. Only the server knows whether a path is that of a directory; where it does not
/// tell, it is taken for the name.
pub(crate) fn name(session: &Session, to: &Destination) -> Name {
    match &to.path {
        Some(path) if !to.into_directory => {
            find(session, to).map_or_else(|| path.clone(), |(name, _)| name)
        }
        _ => within(to).unwrap_or_else(|| to.leaf.clone()),
    }
}

fn find(session: &Session, to: &Destination) -> Option<(Name, Stat)> {
    let look = |name: Name| {
        let stat = session.wait(session.client().stat(name.clone())).ok()?;
        Some((name, stat))
    };
    match &to.path {
        Some(path) if !to.into_directory => match look(path.clone())? {
            (_, Stat { kind: EntryKind::Directory, .. }) => look(within(to)?),
            found => Some(found),
        },
        _ => look(within(to)?),
    }
}

/// Its name if the path is that of a directory.
fn within(to: &Destination) -> Option<Name> {
    match &to.path {
        Some(directory) => directory.join(&to.leaf).ok(),
        None => Some(to.leaf.clone()),
    }
}
