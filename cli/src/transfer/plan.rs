//! What a command has to move: named, or found as it goes.

use std::{collections::VecDeque, ffi::OsString};

use gannet_driver_mio::client::Lost;

use super::Transfer;
use crate::{errors::Error, session::Session, tree::Walk};

/// What a command has to move.
pub(super) enum Plan {
    /// What was named.
    Known(VecDeque<Result<Transfer, Error>>, usize),
    /// What is found in whole directories.
    Tree(Box<dyn Walk>),
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// A file is to be moved.
    Move(Transfer),
    /// Something is not moved, as it is no file.
    Skip(Skipped),
    /// Something cannot be moved.
    Fail(Error),
}

/// Something that is not moved, as it is no file.
#[derive(Debug)]
pub(crate) struct Skipped {
    /// Where it is: a name at the server, or a path here.
    pub(crate) what: OsString,
    pub(crate) is_here: bool,
    pub(crate) is_link: bool,
}

/// What was found so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) files: usize,
    /// Bytes of them, where that is known.
    pub(crate) bytes: Option<u64>,
    /// Whether there may be more.
    pub(crate) more: bool,
}

impl Plan {
    pub(super) fn known(planned: Vec<Result<Transfer, Error>>) -> Self {
        let count = planned.len();
        Self::Known(planned.into(), count)
    }

    /// Goes on with the search, as far ahead as that is worth it; waits for nobody.
    pub(super) fn advance(&mut self, session: &Session) {
        match self {
            Self::Known(..) => {}
            Self::Tree(walk) => walk.advance(session),
        }
    }

    /// The next step that is known.
    pub(super) fn next(&mut self) -> Option<Step> {
        match self {
            Self::Known(waiting, _) => {
                waiting.pop_front().map(|next| next.map_or_else(Step::Fail, Step::Move))
            }
            Self::Tree(walk) => walk.found_mut().next(),
        }
    }

    /// Whether there is no other step, now or later.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Known(waiting, _) => waiting.is_empty(),
            Self::Tree(walk) => walk.is_over(),
        }
    }

    /// The loss of the connection that the search waits behind, for it to be made again; told once.
    pub(super) fn take_lost(&mut self) -> Option<Lost> {
        match self {
            Self::Known(..) => None,
            Self::Tree(walk) => walk.found_mut().take_lost(),
        }
    }

    /// What was found so far.
    pub(super) fn seen(&self) -> Seen {
        match self {
            Self::Known(waiting, count) => {
                Seen { files: *count, bytes: None, more: !waiting.is_empty() }
            }
            Self::Tree(walk) => walk.seen(),
        }
    }

    /// Whether whole directories are moved, whose files are not told one by one.
    pub(super) const fn is_tree(&self) -> bool {
        !matches!(self, Self::Known(..))
    }

    /// What the user calls it, if it is one thing.
    pub(super) fn label(&self) -> Option<String> {
        match self {
            Self::Known(planned, 1) => match planned.front() {
                Some(Ok(one)) => Some(one.label()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it is printed on standard output.
    pub(super) fn prints(&self) -> bool {
        matches!(self, Self::Known(planned, 1) if matches!(planned.front(), Some(Ok(Transfer::Print { .. }))))
    }

    /// Does what is left when all files are moved.
    pub(super) fn settle(&mut self) -> Vec<Error> {
        match self {
            Self::Known(..) => Vec::new(),
            Self::Tree(walk) => walk.settle(),
        }
    }
}
