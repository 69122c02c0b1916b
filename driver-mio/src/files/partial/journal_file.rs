//! The journal of a partial file, on the disk.

use std::{
    fs::File,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    hash::GroupHash,
    journal::{BootId, Header, Journal, MAX_JOURNAL, Record},
    sys::files::{metadata, read_exact_at, set_len, sync_data, write_all_at},
};

/// The journal of a partial file. It is appended to from any thread.
///
/// Nothing that cannot be written to it matters to a transfer that goes well: what is not in it travels again.
#[derive(Debug)]
pub(crate) struct JournalFile {
    file: File,
    boot: BootId,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Where it goes on.
    end: Mark,
    /// What of it is durable.
    durable: Mark,
}

/// A place in a journal, and how many GROUP records stand before it.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    offset: u64,
    groups: u64,
}

impl JournalFile {
    /// Starts anew, whatever `file` holds.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(file: File, header: &Header) -> io::Result<Self> {
        set_len(&file, 0)?;
        let header_bytes = header.encode();
        write_all_at(&file, &header_bytes, 0)?;
        let end = Mark { offset: header_bytes.len() as u64, groups: 0 };
        let state = Mutex::new(State { end, durable: end });
        Ok(Self { file, boot: header.boot, state })
    }

    /// Goes on with what counts of it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn go_on(file: File, journal: &Journal, boot: BootId) -> io::Result<Self> {
        set_len(&file, journal.keep)?;
        let end = Mark { offset: journal.keep, groups: journal.groups.len() as u64 };
        let (offset, groups) = journal.durable;
        let this =
            Self { file, boot, state: Mutex::new(State { end, durable: Mark { offset, groups } }) };
        if journal.rebooted {
            this.append_synced(&mut this.lock(), end)?;
        }
        Ok(this)
    }

    /// Whether there is anything for which it is worth being kept.
    pub(crate) fn counts(&self) -> bool {
        self.lock().end.groups > 0
    }

    /// Writes down that these groups are written and verified.
    pub(crate) fn record(&self, groups: &[GroupHash]) {
        let mut state = self.lock();
        let mut bytes = Vec::new();
        for &GroupHash { index, hash } in groups {
            let record = Record::Group { index, hash };
            bytes.extend(record.encode(state.end.offset.saturating_add(bytes.len() as u64)));
        }
        match write_all_at(&self.file, &bytes, state.end.offset) {
            Ok(()) => {
                state.end.offset = state.end.offset.saturating_add(bytes.len() as u64);
                state.end.groups = state.end.groups.saturating_add(groups.len() as u64);
            }
            Err(error) => log::debug!("a journal cannot be written: {error}"),
        }
    }

    /// Makes durable what is in `data`, and writes that down. Takes as long as it takes to write it to the disk; other threads may
    /// append meanwhile.
    ///
    /// # Errors
    /// The system's, of `data`. What came since the last sync may be lost then, and does not count any more.
    pub(crate) fn sync(&self, data: &File) -> io::Result<()> {
        let until = self.lock().end;
        if let Err(error) = sync_data(data) {
            self.void();
            return Err(error);
        }
        let appended = self.append_synced(&mut self.lock(), until);
        if let Err(error) = appended.and_then(|()| sync_data(&self.file)) {
            log::debug!("a journal cannot be written: {error}");
        }
        Ok(())
    }

    /// Cuts off what is not durable, after a sync that failed: nobody can tell what of it is on the disk, nor will another
    /// sync.
    pub(super) fn void(&self) {
        let mut state = self.lock();
        let durable = state.durable;
        state.end = durable;
        let cut = set_len(&self.file, durable.offset);
        if let Err(error) = cut.and_then(|()| self.append_synced(&mut state, durable)) {
            log::debug!("a journal cannot be written: {error}");
            state.end.groups = 0;
        }
    }

    fn append_synced(&self, state: &mut State, until: Mark) -> io::Result<()> {
        let record = Record::Synced { boot: self.boot, until: until.offset };
        let bytes = record.encode(state.end.offset);
        write_all_at(&self.file, &bytes, state.end.offset)?;
        state.end.offset = state.end.offset.saturating_add(bytes.len() as u64);
        if until.offset >= state.durable.offset {
            state.durable = until;
        }
        Ok(())
    }

    /// The lock is never poisoned: nothing that is done under it panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a journal; nothing if it is none, or too long to be one.
pub(super) fn read(file: &File, boot: BootId) -> Option<Journal> {
    let len = metadata(file).ok()?.len();
    if len > MAX_JOURNAL {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    read_exact_at(file, &mut bytes, 0).ok()?;
    Journal::decode(&bytes, boot).ok()
}
