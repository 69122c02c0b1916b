//! `get` and `put`: one or many files side by side on one connection.

mod one;
mod plan;
mod running;

use std::{ffi::OsString, path::Path};

use gannet_protocol::How;

pub(crate) use one::{Transfer, Within};
pub(crate) use plan::{Seen, Skipped, Step};

use crate::{
    args::{Get, Put},
    destination::{self, STREAM},
    errors::{Action, Conflict, Error},
    expand::{Named, expand},
    names,
    outcome::Outcome,
    session::Session,
    telling::Telling,
    tree::{Fetch, Store},
};
use plan::Plan;
use running::Running;

/// Most of anything but transfers that is asked for at once.
pub(crate) const MOST_AT_ONCE: usize = 128;

/// Fetches files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn get(session: &Session, telling: Telling, get: &Get) -> Result<Outcome, Error> {
    let Get { to, existing, .. } = get;
    let expanded = expand(session, &get.names, Action::Get)?;
    if get.recursive {
        let plan = Fetch::new(session, get, expanded)?;
        return Running::new(session, telling, Plan::Tree(Box::new(plan))).finish();
    }
    if to.as_deref() == Some(Path::new(STREAM)) {
        let Ok([named]) = <[_; 1]>::try_from(expanded) else {
            return Err(Error::Conflict(Conflict::SharedStdout));
        };
        let planned = named.and_then(|Named { text, .. }| {
            let bad = |error| Error::BadName {
                action: Action::Get(text.clone()),
                name: text.clone(),
                error,
            };
            let from = names::remote(&text).map_err(bad)?;
            Ok(Transfer::Print { text, from })
        });
        return Running::new(session, telling, Plan::known(vec![planned])).finish();
    }
    let (names, failed) = parted(expanded);
    let how = How::from(*existing);
    let placed = destination::of_gets(&names, to.as_deref(), &session.here)?;
    let planned = placed.into_iter().zip(names).map(|(each, text)| {
        each.map(|(from, to)| Transfer::Get { text, from, to, how, within: None })
    });
    Running::new(session, telling, Plan::known(merged(planned.collect(), failed))).finish()
}

/// Takes what failed already out of what names stand for, and notes where it was.
fn parted(expanded: Vec<Result<Named, Error>>) -> (Vec<OsString>, Vec<(usize, Error)>) {
    let (mut names, mut failed) = (Vec::new(), Vec::new());
    for (at, named) in expanded.into_iter().enumerate() {
        match named {
            Ok(named) => names.push(named.text),
            Err(error) => failed.push((at, error)),
        }
    }
    (names, failed)
}

/// Puts it back where it was.
fn merged<T>(planned: Vec<Result<T, Error>>, failed: Vec<(usize, Error)>) -> Vec<Result<T, Error>> {
    let (mut planned, mut failed) = (planned.into_iter(), failed.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        let next = match failed.next_if(|(at, _)| *at == all.len()) {
            Some((_, error)) => Some(Err(error)),
            None => planned.next(),
        };
        match next {
            Some(next) => all.push(next),
            None => return all,
        }
    }
}

/// Stores files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn put(session: &Session, telling: Telling, put: &Put) -> Result<Outcome, Error> {
    let Put { files, to, existing, .. } = put;
    if put.recursive {
        let plan = Store::new(session, put)?;
        return Running::new(session, telling, Plan::Tree(Box::new(plan))).finish();
    }
    let planned = destination::of_puts(files, to.as_deref(), &session.here)?;
    let how = How::from(*existing);
    let planned = planned.into_iter().zip(files).map(|(each, file)| {
        each.map(|(from, to)| match file == Path::new(STREAM) {
            true => Transfer::Read { to, how },
            false => {
                Transfer::Put { file: file.clone(), from, to, how, again: false, within: None }
            }
        })
    });
    Running::new(session, telling, Plan::known(planned.collect())).finish()
}
