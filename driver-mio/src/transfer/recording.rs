//! What of a file that is received is written down, so that it can be gone on with.

use std::{fs::File, mem, sync::Arc, time::Duration};

use gannet_protocol::{BodyId, Instant};

use super::{job::Work, outbox::Outbox};
use crate::{
    files::{Durability, JournalFile, Partial},
    hash::GroupHash,
};

/// Verified bytes after which they are made durable: what a power failure costs at most, besides what comes during the sync. More
/// would leave the disk idle and then busy for long; less would wait for it more often.
const SYNC_BYTES: u64 = 256 << 20;
/// The same in time, for slow transfers.
const SYNC_TIME: Duration = Duration::from_secs(2);

/// Writes down groups as they are verified, one job at a time, and syncs them now and then, one at a time too.
#[derive(Debug)]
pub(super) struct Recording {
    journal: Arc<JournalFile>,
    file: Arc<File>,
    group_len: u64,
    waiting: Vec<GroupHash>,
    is_recording: bool,
    is_syncing: bool,
    /// Bytes of the one that is under way.
    syncing: u64,
    /// Bytes that were verified since the last sync began, and when that was.
    unsynced: u64,
    synced_at: Instant,
}

impl Recording {
    /// Goes on with the journal of `partial`, if it has one.
    pub(super) fn of(partial: &Partial, group_len: u64, now: Instant) -> Option<Self> {
        Some(Self {
            journal: Arc::clone(partial.journal()?),
            file: Arc::clone(partial.file()),
            group_len,
            waiting: Vec::new(),
            is_recording: false,
            is_syncing: false,
            syncing: 0,
            unsynced: 0,
            synced_at: now,
        })
    }

    /// Takes a group that is verified.
    pub(super) fn add(&mut self, group: GroupHash) {
        self.waiting.push(group);
        self.unsynced = self.unsynced.saturating_add(self.group_len);
    }

    /// What is not written down yet.
    pub(super) fn take(&mut self) -> Vec<GroupHash> {
        mem::take(&mut self.waiting)
    }

    pub(super) fn on_recorded(&mut self) {
        self.is_recording = false;
    }

    pub(super) fn on_synced(&mut self) {
        self.is_syncing = false;
        self.syncing = 0;
    }

    /// Whether a sync is under way.
    pub(super) fn is_syncing(&self) -> bool {
        self.is_syncing
    }

    /// Verified bytes that are not known to be durable.
    pub(super) fn left(&self) -> u64 {
        self.syncing.saturating_add(self.unsynced)
    }

    /// Starts what is due.
    pub(super) fn advance(&mut self, body: BodyId, now: Instant, out: &mut Outbox) {
        if !self.is_recording && !self.waiting.is_empty() {
            self.is_recording = true;
            let (journal, groups) = (Arc::clone(&self.journal), self.take());
            out.job(body, Work::Record { journal, groups });
        }
        let since = now.saturating_since(self.synced_at);
        let is_due = self.unsynced >= SYNC_BYTES || (self.unsynced > 0 && since >= SYNC_TIME);
        if is_due && !self.is_syncing && out.durability == Durability::Power {
            self.is_syncing = true;
            self.syncing = mem::take(&mut self.unsynced);
            self.synced_at = now;
            let (file, journal) = (Arc::clone(&self.file), Arc::clone(&self.journal));
            out.job(body, Work::Sync { file, journal });
        }
    }
}
