//! Where directories land on this machine.

use std::path::{Path, PathBuf};

use gannet_driver_mio::client::Tree;
use gannet_protocol::{Mode, Name};

use crate::{
    errors::{Action, Conflict, Error},
    names,
    session::Session,
};

/// Where what the user names lands on this machine.
pub(super) enum Landing {
    /// In this directory, under its last component.
    Into(PathBuf),
    /// Here, under this name.
    As(PathBuf),
}

impl Landing {
    /// The directory that something lands in, which is there, and its name there; none if it is the directory itself.
    pub(super) fn of(
        &self,
        leaf: Option<Name>,
        action: &impl Fn() -> Action,
    ) -> Result<(PathBuf, Option<Name>), Error> {
        let path = match self {
            Self::Into(directory) => return Ok((directory.clone(), leaf)),
            Self::As(path) => path,
        };
        let text = path.file_name().unwrap_or_default();
        let bad = |error| Error::BadName { action: action(), name: text.to_owned(), error };
        let name = Name::parse(text.as_encoded_bytes()).map_err(bad)?;
        Ok((path.parent().unwrap_or(Path::new("")).to_owned(), Some(name)))
    }
}

pub(super) fn open(path: &Path, action: &impl Fn() -> Action) -> Result<Tree, Error> {
    let failed = |status| Error::Local { action: action(), path: path.into(), status };
    Tree::open(path).map_err(failed)
}

/// Makes a directory in one that is there, or takes it, and gives the one that it is in.
pub(super) fn make(
    base: &Path,
    name: &Name,
    mode: Mode,
    sync: bool,
    action: &impl Fn() -> Action,
) -> Result<Tree, Error> {
    let tree = open(base, action)?;
    let path = tree.path_of(Some(name));
    let made = tree.make(None, &[(name.clone(), mode)], sync);
    made.and_then(|made| made.into_iter().collect::<Result<(), _>>())
        .map_err(|status| Error::Local { action: action(), path, status })?;
    Ok(tree)
}

/// What `--to` means, for so many names.
pub(super) fn landing(
    to: Option<&Path>,
    count: usize,
    session: &Session,
) -> Result<Landing, Error> {
    let Some(to) = to else { return Ok(Landing::Into(session.here.resolve(Path::new("")))) };
    let path = session.here.resolve(to);
    if path.is_dir() {
        return Ok(Landing::Into(path));
    }
    if !names::ends_in_slash(to.as_os_str()) && count <= 1 {
        return Ok(Landing::As(path));
    }
    if path.exists() {
        return Err(Error::Conflict(Conflict::NotDirectory(to.into())));
    }
    let action = || Action::Get(path.clone().into());
    if let (base, Some(name)) = Landing::As(path.clone()).of(None, &action)? {
        make(&base, &name, Mode::from_bits(0o777), session.syncs(), &action)?;
    }
    Ok(Landing::Into(path))
}
