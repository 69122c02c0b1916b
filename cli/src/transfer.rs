//! `get` and `put`: one or many files side by side on one connection.

use std::{
    collections::VecDeque,
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};

use gannet_driver_mio::{
    client::{Client, Job, Transferred},
    units::format_size,
};
use gannet_protocol::{Destination, Name};

use crate::{
    args::{Get, Put},
    destination,
    errors::{Action, Error},
    names::{self, Shown},
    outcome::Outcome,
    progress::Bar,
    session::{Session, TICK},
    summary::Moved,
};

/// Most files that are asked for at once: a server works at half as many for one connection, and the next requests wait
/// there rather than a round trip away.
const MOST_AT_ONCE: usize = 128;

/// Fetches files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn get(session: &Session, Get { names, to }: &Get) -> Result<Outcome, Error> {
    let planned = destination::of_gets(names, to.as_deref(), &session.here)?;
    let planned = planned
        .into_iter()
        .zip(names)
        .map(|(each, text)| each.map(|(from, to)| Transfer::Get { text: text.clone(), from, to }));
    Running::new(session, planned.collect()).finish()
}

/// Stores files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn put(session: &Session, Put { files, to }: &Put) -> Result<Outcome, Error> {
    let planned = destination::of_puts(files, to.as_deref(), &session.here)?;
    let planned = planned
        .into_iter()
        .zip(files)
        .map(|(each, file)| each.map(|(from, to)| Transfer::Put { file: file.clone(), from, to }));
    Running::new(session, planned.collect()).finish()
}

/// A file to move.
enum Transfer {
    Get { text: OsString, from: Name, to: PathBuf },
    Put { file: PathBuf, from: PathBuf, to: Destination },
}

impl Transfer {
    fn start(&self, client: &Client) -> Job<Transferred> {
        match self {
            Self::Get { from, to, .. } => client.get(from.clone(), to.clone()),
            Self::Put { from, to, .. } => client.put(from.clone(), to.clone()),
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Get { text, .. } => Action::Get(text.clone()),
            Self::Put { file, .. } => Action::Put(file.clone()),
        }
    }

    /// What the user calls it.
    fn label(&self) -> String {
        match self {
            Self::Get { text, .. } => Shown(text).to_string(),
            Self::Put { file, .. } => Shown::from(&**file).to_string(),
        }
    }

    /// Says that it is done: `got a/b.iso as c.iso: 1.10 GB in 2.30 s, 3.83 Gbit/s, BLAKE3 verified`.
    fn summary(&self, done: &Transferred) -> String {
        let (verb, renamed) = match self {
            Self::Get { from, to, .. } => {
                let kept = *to == names::local(&from.leaf());
                ("got", (!kept).then(|| Shown::from(&**to).to_string()))
            }
            Self::Put { to, .. } => {
                let name = done.name.as_ref().filter(|&name| *name != to.leaf);
                ("put", name.map(Name::to_string))
            }
        };
        let renamed = renamed.map(|name| format!(" as {name}")).unwrap_or_default();
        if done.unchanged {
            return format!("unchanged {}: {}", self.label(), format_size(done.len));
        }
        let moved = Moved { bytes: done.len - done.kept.min(done.len), elapsed: done.elapsed };
        let kept = match done.kept {
            0 => String::new(),
            kept => format!(", {} kept", format_size(kept)),
        };
        format!("{verb} {}{renamed}: {moved}{kept}, BLAKE3 verified", self.label())
    }
}

/// Some transfers on the way.
struct Running<'a> {
    session: &'a Session,
    bar: Bar,
    /// Not begun yet, with their places among the arguments.
    waiting: VecDeque<(usize, Result<Transfer, Error>)>,
    running: Vec<(usize, Transfer, Job<Transferred>)>,
    count: usize,
    begun: Instant,
    /// Files that are done, and their bytes.
    done: usize,
    moved: u64,
    /// The failure of the first argument that failed so far.
    failed: Option<(usize, Outcome)>,
}

impl<'a> Running<'a> {
    fn new(session: &'a Session, planned: Vec<Result<Transfer, Error>>) -> Self {
        let count = planned.len();
        let label = match &planned[..] {
            [Ok(one)] => one.label(),
            _ => format!("{count} files"),
        };
        Self {
            session,
            bar: Bar::new(session.console, &label),
            waiting: planned.into_iter().enumerate().collect(),
            running: Vec::new(),
            count,
            begun: Instant::now(),
            done: 0,
            moved: 0,
            failed: None,
        }
    }

    fn finish(mut self) -> Result<Outcome, Error> {
        loop {
            self.start_some();
            if self.running.is_empty() {
                break;
            }
            self.collect();
            self.show();
            if self.session.interrupt.heard() {
                return Err(Error::Interrupted);
            }
        }
        self.bar.clear();
        if self.count > 1 {
            let moved = Moved { bytes: self.moved, elapsed: self.begun.elapsed() };
            let (done, count) = (self.done, self.count);
            self.session.console.note(format_args!("{done} of {count} files: {moved}"));
        }
        Ok(self.failed.map_or(Outcome::Done, |(_, outcome)| outcome))
    }

    fn start_some(&mut self) {
        while self.running.len() < MOST_AT_ONCE
            && let Some((place, planned)) = self.waiting.pop_front()
        {
            match planned {
                Ok(transfer) => {
                    let job = transfer.start(&self.session.client);
                    self.running.push((place, transfer, job));
                }
                Err(error) => self.fail(place, &error),
            }
        }
    }

    /// Waits for the oldest for a moment, and takes out all that are over.
    fn collect(&mut self) {
        let mut patience = TICK;
        for (place, transfer, mut job) in std::mem::take(&mut self.running) {
            match job.wait_timeout(patience) {
                None => self.running.push((place, transfer, job)),
                Some(Ok(done)) => {
                    self.done += 1;
                    self.moved = self.moved.saturating_add(done.len);
                    self.bar.suspend(|| self.session.console.note(transfer.summary(&done)));
                }
                Some(Err(failure)) => {
                    let error = self.session.error(transfer.action(), failure);
                    self.fail(place, &error);
                }
            }
            patience = Duration::ZERO;
        }
    }

    fn fail(&mut self, place: usize, error: &Error) {
        let outcome = self.bar.suspend(|| self.session.console.report(error));
        if self.failed.is_none_or(|(first, _)| place < first) {
            self.failed = Some((place, outcome));
        }
    }

    fn show(&mut self) {
        let (mut done, mut total) = (self.moved, Some(self.moved));
        for (_, _, job) in &self.running {
            let progress = job.progress();
            done = done.saturating_add(progress.done);
            total = total.and_then(|sum| sum.checked_add(progress.total?));
        }
        let all_known = self.waiting.is_empty();
        self.bar.update(done, total.filter(|_| all_known));
    }
}
