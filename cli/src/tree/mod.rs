//! Whole directories: what is in them is found while it is moved, a bounded part of it ahead.
//!
//! What lands where is as with `cp -r`: a directory under its last component, in the current one or in what `--to` names; a name
//! that ends in `/.`, and `.` alone, stand for what is in it. If `--to` names nothing that is there, a single directory becomes that;
//! with a `/` at its end it is made. Symbolic links within are left out, those that the user names are followed.

mod fetch;
mod landing;
mod store;

pub(crate) use fetch::Fetch;
pub(crate) use store::Store;

use std::collections::VecDeque;

use gannet_driver_mio::client::Lost;

use crate::{
    errors::Error,
    session::Session,
    transfer::{Seen, Step},
};

/// Steps that are found ahead of those that are begun: a few MB of them. The sum of smaller trees is known early.
const AHEAD: usize = 16 * 1024;
/// Directories that are asked for at a time, or wait to be looked at.
const MOST_ASKED: usize = 64;

/// A search for what is in whole directories.
pub(crate) trait Walk {
    /// What it found so far.
    fn found(&self) -> &Found;

    /// The same, to be taken from.
    fn found_mut(&mut self) -> &mut Found;

    /// Whether it looks for more.
    fn is_searching(&self) -> bool;

    /// Goes on, as far ahead as that is worth it; waits for nobody.
    fn advance(&mut self, session: &Session);

    /// Does what is left when all files are moved.
    fn settle(&mut self) -> Vec<Error> {
        Vec::new()
    }

    /// What was found so far.
    fn seen(&self) -> Seen {
        let Found { files, bytes, .. } = self.found();
        Seen { files: *files, bytes: Some(*bytes), more: self.is_searching() }
    }

    /// Whether there is no other step, now or later.
    fn is_over(&self) -> bool {
        !self.is_searching() && self.found().ready.is_empty()
    }
}

/// The steps that were found and not begun, and what was found in all.
#[derive(Debug, Default)]
pub(crate) struct Found {
    ready: VecDeque<Step>,
    files: usize,
    bytes: u64,
    /// The connection that the search goes on behind was lost.
    lost: Option<Lost>,
}

impl Found {
    /// The next step that is known.
    pub(crate) fn next(&mut self) -> Option<Step> {
        self.ready.pop_front()
    }

    /// The loss of the connection that the search waits behind, for it to be made again; told once.
    pub(crate) fn take_lost(&mut self) -> Option<Lost> {
        self.lost.take()
    }

    fn add(&mut self, step: Step) {
        match &step {
            Step::Move(transfer) => {
                self.files += 1;
                let len = transfer.within().map_or(0, |within| within.len);
                self.bytes = self.bytes.saturating_add(len);
            }
            Step::Fail(_) => self.files += 1,
            Step::Skip(_) => {}
        }
        self.ready.push_back(step);
    }

    fn is_far_ahead(&self) -> bool {
        self.ready.len() >= AHEAD
    }
}
