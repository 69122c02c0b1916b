//! What a client is told to do, and what it says then.

use std::path::Path;

use gannet_driver_mio::{
    client::{Failure, Transferred},
    simulation::{Client, Told},
};
use gannet_protocol::{Destination, How, Name};

/// What a client is told to do. Files of its own are in the root of its disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Fetches a file.
    Get {
        /// Which.
        from: Name,
        /// Under which name here.
        to: String,
        /// What counts of that which is here.
        how: How,
    },
    /// Stores a file.
    Put {
        /// Which of this side.
        from: String,
        /// Under which name.
        to: Name,
        /// What counts of that which is there.
        how: How,
    },
    /// Renames.
    Rename {
        /// What.
        from: Name,
        /// To a name that is free.
        to: Name,
    },
    /// Removes a name.
    Remove(Name),
    /// Makes a directory.
    MakeDirectory(Name),
    /// Lists the root.
    List,
    /// Tells what a name is.
    Stat(Name),
}

/// How it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// It is done; of a transfer, this is told.
    Done(Option<Transferred>),
    /// It failed.
    Failed(Failure),
    /// Its process ended before it said anything.
    Ended,
}

/// What will be told of it.
#[derive(Debug)]
pub(super) enum Pending {
    Transfer(Told<Transferred>),
    Plain(Told<()>),
    Stat(Told<gannet_protocol::Stat>),
    List(Told<Vec<gannet_protocol::Entry>>),
}

impl Command {
    /// Fetches a file, as a user does.
    ///
    /// # Panics
    /// If that is no name.
    #[must_use]
    pub fn get(from: &str, to: &str) -> Self {
        Self::Get { from: name(from), to: to.to_owned(), how: How::default() }
    }

    /// Stores a file, as a user does.
    ///
    /// # Panics
    /// If that is no name.
    #[must_use]
    pub fn put(from: &str, to: &str) -> Self {
        Self::Put { from: from.to_owned(), to: name(to), how: How::default() }
    }

    pub(super) fn start(self, client: &mut Client, root: &Path) -> Pending {
        match self {
            Self::Get { from, to, how } => Pending::Transfer(client.get(from, root.join(to), how)),
            Self::Put { from, to, how } => {
                let leaf = to.leaf();
                let to = Destination { path: Some(to), leaf, into_directory: false };
                Pending::Transfer(client.put(root.join(from), to, how))
            }
            Self::Rename { from, to } => Pending::Plain(client.rename(from, to)),
            Self::Remove(name) => Pending::Plain(client.remove(name)),
            Self::MakeDirectory(name) => Pending::Plain(client.make_directory(name)),
            Self::List => Pending::List(client.list(None)),
            Self::Stat(name) => Pending::Stat(client.stat(name)),
        }
    }
}

impl Pending {
    pub(super) fn take(&self) -> Option<End> {
        let ended = |result: Result<Option<Transferred>, Failure>| match result {
            Ok(transferred) => End::Done(transferred),
            Err(failure) => End::Failed(failure),
        };
        Some(match self {
            Self::Transfer(told) => ended(told.take()?.map(Some)),
            Self::Plain(told) => ended(told.take()?.map(|()| None)),
            Self::Stat(told) => ended(told.take()?.map(|_| None)),
            Self::List(told) => ended(told.take()?.map(|_| None)),
        })
    }
}

/// A name.
///
/// # Panics
/// If it is none.
pub(super) fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).expect("a name")
}
