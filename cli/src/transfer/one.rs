//! A file to move, and what is told of it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Transferred, Tree},
    units::format_size,
};
use gannet_protocol::{Destination, How, Name};

use crate::{
    destination::STREAM,
    errors::Action,
    json::{Object, hex},
    names::{self, Shown},
    session::Session,
    standard, stored,
    summary::{Moved, Spared},
};

/// Digits of a hash where there is no room for all: enough to tell files apart by eye.
const SHORT_HASH: usize = 16;

/// Where a file is on this machine that belongs to a tree.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    pub(crate) tree: Tree,
    pub(crate) name: Name,
    /// How long it was when it was found, in bytes.
    pub(crate) len: u64,
}

/// A file to move.
#[derive(Debug)]
pub(crate) enum Transfer {
    Get {
        text: OsString,
        from: Name,
        to: PathBuf,
        how: How,
        within: Option<Within>,
    },
    Put {
        file: PathBuf,
        from: PathBuf,
        to: Destination,
        how: How,
        /// It was begun before, and may have been done.
        again: bool,
        within: Option<Within>,
    },
    /// A get to standard output.
    Print {
        text: OsString,
        from: Name,
    },
    /// A put from standard input.
    Read {
        to: Destination,
        how: How,
    },
}

impl Transfer {
    pub(super) fn start(&self, client: &Client) -> Job<Transferred> {
        match self {
            Self::Get { from, how, within: Some(Within { tree, name, .. }), .. } => {
                client.get_into(from.clone(), tree, name.clone(), *how)
            }
            Self::Put { to, how, within: Some(Within { tree, name, .. }), .. } => {
                client.put_from(tree, name.clone(), to.clone(), *how)
            }
            Self::Get { from, to, how, .. } => client.get_as(from.clone(), to.clone(), *how),
            Self::Put { from, to, how, .. } => client.put_as(from.clone(), to.clone(), *how),
            Self::Print { from, .. } => client.get_stream(from.clone(), standard::output()),
            Self::Read { to, how } => client.put_stream_as(standard::input(), to.clone(), *how),
        }
    }

    pub(super) fn action(&self) -> Action {
        match self {
            Self::Get { text, .. } | Self::Print { text, .. } => Action::Get(text.clone()),
            Self::Put { file, .. } => Action::Put(file.clone()),
            Self::Read { .. } => Action::Put(STREAM.into()),
        }
    }

    /// Where it is on this machine if it belongs to a tree.
    pub(crate) fn within(&self) -> Option<&Within> {
        match self {
            Self::Get { within, .. } | Self::Put { within, .. } => within.as_ref(),
            Self::Print { .. } | Self::Read { .. } => None,
        }
    }

    /// Whether it can begin anew: what came from a pipe, or went into one, is gone.
    pub(super) fn can_begin_anew(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::Put { .. })
    }

    /// The same, to begin anew: what it moved so far counts even for a fresh one, as far as its content is the same.
    pub(super) fn anew(mut self) -> Self {
        if let Self::Get { how, .. } | Self::Put { how, .. } | Self::Read { how, .. } = &mut self
            && how.fresh
        {
            *how = How { fresh: false, check: true, ..*how };
        }
        if let Self::Put { again, .. } = &mut self {
            *again = true;
        }
        self
    }

    /// What it did before it was begun anew, if this failure of it means that.
    pub(super) fn done_before(&self, session: &Session, failure: &Failure) -> Option<Transferred> {
        match self {
            Self::Put { from, to, again: true, .. } => stored::before(session, failure, from, to),
            _ => None,
        }
    }

    /// What the user calls it.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Get { text, .. } | Self::Print { text, .. } => Shown(text).to_string(),
            Self::Put { file, .. } => Shown::from(&**file).to_string(),
            Self::Read { .. } => STREAM.into(),
        }
    }

    /// Says that it is done: `got a/b.iso as c.iso: 1.10 GB in 2.30 s, 3.83 Gbit/s, BLAKE3 verified (7a4673f1...)`. Where it
    /// would take more than `columns`, the hash is shortened.
    pub(super) fn summary(&self, done: &Transferred, columns: Option<usize>) -> String {
        let (verb, renamed) = match self {
            Self::Get { from, to, .. } => {
                let kept = *to == names::local(&from.leaf());
                ("got", (!kept).then(|| Shown::from(&**to).to_string()))
            }
            Self::Print { .. } => ("got", None),
            Self::Put { to, .. } | Self::Read { to, .. } => {
                let name = done.name.as_ref().filter(|&name| *name != to.leaf);
                ("put", name.map(Name::to_string))
            }
        };
        let renamed = renamed.map(|name| format!(" as {name}")).unwrap_or_default();
        let label = self.label();
        let said = if done.unchanged {
            format!("unchanged {label}: {}", format_size(done.len))
        } else {
            let moved = Moved { bytes: done.travelled(), elapsed: done.elapsed };
            format!("{verb} {label}{renamed}: {moved}{}", Spared::of(done))
        };
        let line = |hash: &str| format!("{said}, BLAKE3 verified{hash}");
        let Some(hash) = done.hash.as_ref().map(|hash| hex(hash)) else {
            // What is unchanged by its size and time was not read.
            return if done.unchanged { said } else { line("") };
        };
        let whole = line(&format!(" ({hash})"));
        match hash.split_at_checked(SHORT_HASH) {
            Some((short, _)) if columns.is_some_and(|most| whole.chars().count() > most) => {
                line(&format!(" ({short}...)"))
            }
            _ => whole,
        }
    }

    /// Tells the same to a program.
    pub(super) fn describe(&self, object: Object, done: &Transferred) -> Object {
        let object = match self {
            Self::Get { from, to, .. } => object.named(from.as_bytes()).at_path(to),
            Self::Print { from, .. } => object.named(from.as_bytes()).at_path(Path::new(STREAM)),
            Self::Put { file, to, .. } => {
                object.named(done.name.as_ref().unwrap_or(&to.leaf).as_bytes()).at_path(file)
            }
            Self::Read { to, .. } => {
                let name = done.name.as_ref().unwrap_or(&to.leaf);
                object.named(name.as_bytes()).at_path(Path::new(STREAM))
            }
        };
        let object = object.with("bytes", done.len).with("kept", done.kept);
        let object = object.with("holes", done.holes);
        let object = object.with("unchanged", done.unchanged).with_seconds(done.elapsed);
        object.with_some("blake3", done.hash.as_ref().map(|hash| hex(hash)))
    }
}
