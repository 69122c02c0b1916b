//! What may be under the names of a server, by what was asked and told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::content::Version;

/// Time after which nothing is done any more of what was asked by who is gone.
const HAUNTED: Duration = Duration::from_secs(3);

/// What may be under a name: a version or nothing.
pub(super) type States = BTreeSet<Option<Version>>;

/// What may be under each name.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    now: BTreeMap<String, States>,
    /// What ever was.
    ever: BTreeMap<String, States>,
    /// What was asked and never answered, and until when it may be done.
    haunted: Vec<(Change, Duration)>,
}

/// What is asked, as far as it changes names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Put(String, Version),
    Rename(String, String),
    Remove(String),
}

impl Change {
    pub(super) fn names(&self) -> Vec<&String> {
        match self {
            Self::Put(name, _) | Self::Remove(name) => vec![name],
            Self::Rename(from, to) => vec![from, to],
        }
    }
}

impl Ledger {
    /// Has a version be there from the start, or nothing.
    pub(super) fn settle(&mut self, name: &str, state: Option<Version>) {
        self.now.insert(name.to_owned(), [state].into());
        self.ever.entry(name.to_owned()).or_default().insert(state);
    }

    /// What may be under a name now.
    pub(super) fn now(&self, name: &str) -> &States {
        &self.now[name]
    }

    /// What ever may have been there.
    pub(super) fn ever(&self, name: &str) -> &States {
        &self.ever[name]
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.now.keys()
    }

    /// Something is asked.
    pub(super) fn ask(&mut self, change: &Change) {
        match change {
            Change::Put(name, version) => self.allow(name, &[Some(*version)].into()),
            Change::Remove(name) => self.allow(name, &[None].into()),
            Change::Rename(from, to) => {
                let moved = self.now(from).clone();
                self.allow(to, &moved);
                self.allow(from, &[None].into());
            }
        }
    }

    fn allow(&mut self, name: &str, states: &States) {
        for all in [&mut self.now, &mut self.ever] {
            all.entry(name.to_owned()).or_default().extend(states.iter().copied());
        }
    }

    /// It was told to be done, and nothing else was asked of its names meanwhile. `before` is what a file that was renamed may have
    /// been.
    pub(super) fn tell(&mut self, change: &Change, before: &States) {
        let mut set = |name: &String, states: States| self.now.insert(name.clone(), states);
        match change {
            Change::Put(name, version) => set(name, [Some(*version)].into()),
            Change::Remove(name) => set(name, [None].into()),
            Change::Rename(from, to) => {
                set(from, [None].into());
                set(to, before.iter().copied().filter(Option::is_some).collect())
            }
        };
    }

    /// It was given up without a word.
    pub(super) fn haunt(&mut self, change: &Change, now: Duration) {
        self.haunted.push((change.clone(), now + HAUNTED));
    }

    /// What may still be done of that.
    pub(super) fn ghosts(&mut self, now: Duration) -> Vec<Change> {
        self.haunted.retain(|(_, until)| *until > now);
        self.haunted.iter().map(|(change, _)| change.clone()).collect()
    }

    pub(super) fn is_haunted(&self, change: &Change, now: Duration) -> bool {
        let ghosts = self.haunted.iter().filter(|(_, until)| *until > now);
        let names = change.names();
        ghosts.flat_map(|(ghost, _)| ghost.names()).any(|name| names.contains(&name))
    }
}
