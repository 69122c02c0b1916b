//! A file: what of it is durable, and what would be lost.

use std::{ops::Range, time::SystemTime};

use super::survive::Survival;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What is durable of a file, and what was done to it since.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) durable: State,
    /// In their order, with their numbers among all changes of the disk.
    pending: Vec<(u64, Change)>,
}

/// A state of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct State {
    pub(super) content: Vec<u8>,
    pub(super) mode: Option<u32>,
    pub(super) modified: Option<SystemTime>,
}

/// A change of a file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Punch(Range<usize>),
    Mode(u32),
    Modified(SystemTime),
}

impl State {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, data } => self.write(*offset, data),
            Change::SetLen(len) => self.content.resize(*len, 0),
            Change::Punch(range) => {
                let end = range.end.min(self.content.len());
                self.content[range.start.min(end)..end].fill(0);
            }
            Change::Mode(mode) => self.mode = Some(*mode),
            Change::Modified(time) => self.modified = Some(*time),
        }
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[offset..end].copy_from_slice(data);
    }
}

impl File {
    /// One that is there in this state.
    pub(super) const fn durable(durable: State) -> Self {
        Self { durable, pending: Vec::new() }
    }

    pub(super) fn change(&mut self, number: u64, change: Change) {
        self.pending.push((number, change));
    }

    /// A sync that succeeds.
    pub(super) fn sync(&mut self) {
        for (_, change) in self.pending.drain(..) {
            self.durable.apply(&change);
        }
    }

    /// A sync that fails: what was written stays in memory alone, and counts as written.
    pub(super) fn fail_sync(&mut self) {
        self.pending.retain(|(_, change)| !matches!(change, Change::Write { .. }));
    }

    /// Whether nothing would be lost.
    pub(super) fn is_durable(&self) -> bool {
        self.pending.is_empty()
    }

    /// What a power failure leaves. Bytes may reach the disk at any time, each sector by itself; what is said of them is in the
    /// file system's log, in its order. What was written where the log has yet to make room is not found again.
    pub(super) fn survive(&self, survival: &mut Survival) -> State {
        let mut state = self.durable.clone();
        let mut cut = usize::MAX;
        let mut punched: Vec<Range<usize>> = Vec::new();
        for (number, change) in &self.pending {
            match change {
                Change::Write { offset, data } => {
                    let is_hidden = punched
                        .iter()
                        .any(|hole| hole.start < offset + data.len() && *offset < hole.end);
                    if !is_hidden && survival.keeps_write() {
                        let data = &data[..data.len().min(cut.saturating_sub(*offset))];
                        write_sectors(&mut state, *offset, data, survival);
                    }
                }
                change if survival.keeps_record(*number) => state.apply(change),
                Change::SetLen(len) => cut = cut.min(*len),
                Change::Punch(range) => punched.push(range.clone()),
                Change::Mode(_) | Change::Modified(_) => {}
            }
        }
        state
    }
}

fn write_sectors(state: &mut State, offset: usize, data: &[u8], survival: &mut Survival) {
    if data.is_empty() || !survival.tears() {
        return state.write(offset, data);
    }
    let mut at = 0;
    while at < data.len() {
        let len = (SECTOR - (offset + at) % SECTOR).min(data.len() - at);
        if survival.keeps_sector() {
            state.write(offset + at, &data[at..at + len]);
        }
        at += len;
    }
}
