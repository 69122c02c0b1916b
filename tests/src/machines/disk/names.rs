//! Names: which are durable, and which would be lost or come back.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{Number, survive::Survival};

/// A name in a directory.
pub(super) type Place = (Number, OsString);

/// Which names are durable, and how they were changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    durable: BTreeMap<Place, Number>,
    /// In their order, with their numbers among all changes of the disk.
    pending: Vec<(u64, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(Place, Number),
    Unlink(Place),
    Rename(Place, Place, Number),
}

impl Change {
    fn touches(&self, dir: Number) -> bool {
        match self {
            Self::Link(place, _) | Self::Unlink(place) => place.0 == dir,
            Self::Rename(from, to, _) => from.0 == dir || to.0 == dir,
        }
    }

    fn touches_name(&self, name: &Place) -> bool {
        match self {
            Self::Link(place, _) | Self::Unlink(place) => place == name,
            Self::Rename(from, to, _) => from == name || to == name,
        }
    }

    const fn is_between_directories(&self) -> bool {
        matches!(self, Self::Rename(from, to, _) if from.0 != to.0)
    }
}

impl Names {
    /// Has a name be durable from the start.
    pub(super) fn install(&mut self, place: Place, number: Number) {
        self.durable.insert(place, number);
    }

    pub(super) fn link(&mut self, change: u64, place: Place, number: Number) {
        self.pending.push((change, Change::Link(place, number)));
    }

    pub(super) fn unlink(&mut self, change: u64, place: Place) {
        self.pending.push((change, Change::Unlink(place)));
    }

    pub(super) fn rename(&mut self, change: u64, from: Place, to: Place, number: Number) {
        self.pending.push((change, Change::Rename(from, to, number)));
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync(&mut self, dir: Number) {
        let pending = std::mem::take(&mut self.pending);
        // A rename is in both directories or in none, and so is what led to it.
        let between =
            |(_, change): &(u64, Change)| change.touches(dir) && change.is_between_directories();
        let all = pending.iter().rposition(between).map_or(0, |at| at + 1);
        for (at, (number, change)) in pending.into_iter().enumerate() {
            if at < all || change.touches(dir) {
                apply(&mut self.durable, &change);
            } else {
                self.pending.push((number, change));
            }
        }
    }

    /// What durably has that name, and whether that is about to change.
    pub(super) fn durable(&self, place: &Place) -> (Option<Number>, bool) {
        let changes = self.pending.iter().any(|(_, change)| change.touches_name(place));
        (self.durable.get(place).copied(), changes)
    }

    /// What a power failure leaves.
    pub(super) fn survive(&self, survival: &Survival) -> Self {
        let mut durable = self.durable.clone();
        for (number, change) in &self.pending {
            if survival.keeps_record(*number) {
                apply(&mut durable, change);
            }
        }
        Self { durable, pending: Vec::new() }
    }

    /// The durable names in a directory.
    pub(super) fn in_directory(&self, dir: Number) -> impl Iterator<Item = (&OsStr, Number)> {
        let all = self.durable.range((dir, OsString::new())..);
        let here = all.take_while(move |((of, _), _)| *of == dir);
        here.map(|((_, name), number)| (name.as_os_str(), *number))
    }
}

fn apply(names: &mut BTreeMap<Place, Number>, change: &Change) {
    match change {
        Change::Link(place, number) => {
            names.insert(place.clone(), *number);
        }
        Change::Unlink(place) => {
            names.remove(place);
        }
        Change::Rename(from, to, number) => {
            names.remove(from);
            names.insert(to.clone(), *number);
        }
    }
}
