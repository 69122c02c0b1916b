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

use crate::transfer::{Seen, Step};

/// Steps that are found ahead of those that are begun: a few MB of them. The sum of smaller trees is known early.
const AHEAD: usize = 16 * 1024;
/// Directories that are asked for at a time, or wait to be looked at.
const MOST_ASKED: usize = 64;

/// The steps that were found and not begun, and what was found in all.
#[derive(Debug, Default)]
struct Steps {
    ready: VecDeque<Step>,
    files: usize,
    bytes: u64,
}

impl Steps {
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

    fn seen(&self, more: bool) -> Seen {
        Seen { files: self.files, bytes: Some(self.bytes), more }
    }
}
