//! `get` and `put`: one or many files side by side on one connection.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Lost, Transferred},
    units::format_size,
};
use gannet_protocol::{Destination, How, Name};

use crate::{
    args::{Get, Put},
    destination::{self, STREAM},
    errors::{Action, Conflict, Error},
    json::{Object, hex},
    names::{self, Shown},
    outcome::Outcome,
    progress::{Bar, SoFar},
    session::{Session, TICK},
    standard, stored,
    summary::{Moved, Spared, Total},
    telling::Telling,
};

/// Most files that are asked for at once: a server works at half as many for one connection, and the next requests wait
/// there rather than a round trip away.
pub(crate) const MOST_AT_ONCE: usize = 1024;
/// Digits of a hash where there is no room for all: enough to tell files apart by eye.
const SHORT_HASH: usize = 16;

/// Fetches files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn get(
    session: &Session,
    telling: Telling,
    Get { names, to, existing, .. }: &Get,
) -> Result<Outcome, Error> {
    if to.as_deref() == Some(Path::new(STREAM)) {
        let [text] = &names[..] else { return Err(Error::Conflict(Conflict::SharedStdout)) };
        let from = names::remote(text).map_err(|error| Error::BadName {
            action: Action::Get(text.clone()),
            name: text.clone(),
            error,
        })?;
        let planned = vec![Ok(Transfer::Print { text: text.clone(), from })];
        return Running::new(session, telling, planned).finish();
    }
    let planned = destination::of_gets(names, to.as_deref(), &session.here)?;
    let how = How::from(*existing);
    let planned = planned.into_iter().zip(names).map(|(each, text)| {
        each.map(|(from, to)| Transfer::Get { text: text.clone(), from, to, how })
    });
    Running::new(session, telling, planned.collect()).finish()
}

/// Stores files; tells of each how it went, and returns the failure of the first that failed.
///
/// # Errors
/// Nothing was moved, or the user wants an end.
pub(crate) fn put(
    session: &Session,
    telling: Telling,
    Put { files, to, existing, .. }: &Put,
) -> Result<Outcome, Error> {
    let planned = destination::of_puts(files, to.as_deref(), &session.here)?;
    let how = How::from(*existing);
    let planned = planned.into_iter().zip(files).map(|(each, file)| {
        each.map(|(from, to)| match file == Path::new(STREAM) {
            true => Transfer::Read { to, how },
            false => Transfer::Put { file: file.clone(), from, to, how, again: false },
        })
    });
    Running::new(session, telling, planned.collect()).finish()
}

/// A file to move.
enum Transfer {
    Get {
        text: OsString,
        from: Name,
        to: PathBuf,
        how: How,
    },
    Put {
        file: PathBuf,
        from: PathBuf,
        to: Destination,
        how: How,
        /// It was begun before, and may have been done.
        again: bool,
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
    fn start(&self, client: &Client) -> Job<Transferred> {
        match self {
            Self::Get { from, to, how, .. } => client.get_as(from.clone(), to.clone(), *how),
            Self::Put { from, to, how, .. } => client.put_as(from.clone(), to.clone(), *how),
            Self::Print { from, .. } => client.get_stream(from.clone(), standard::output()),
            Self::Read { to, how } => client.put_stream_as(standard::input(), to.clone(), *how),
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Get { text, .. } | Self::Print { text, .. } => Action::Get(text.clone()),
            Self::Put { file, .. } => Action::Put(file.clone()),
            Self::Read { .. } => Action::Put(STREAM.into()),
        }
    }

    /// Whether it can begin anew: what came from a pipe, or went into one, is gone.
    fn can_begin_anew(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::Put { .. })
    }

    /// The same, to begin anew: what it moved so far counts even for a fresh one, as far as its content is the same.
    fn anew(mut self) -> Self {
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
    fn done_before(&self, session: &Session, failure: &Failure) -> Option<Transferred> {
        match self {
            Self::Put { from, to, again: true, .. } => stored::before(session, failure, from, to),
            _ => None,
        }
    }

    /// What the user calls it.
    fn label(&self) -> String {
        match self {
            Self::Get { text, .. } | Self::Print { text, .. } => Shown(text).to_string(),
            Self::Put { file, .. } => Shown::from(&**file).to_string(),
            Self::Read { .. } => STREAM.into(),
        }
    }

    /// Says that it is done: `got a/b.iso as c.iso: 1.10 GB in 2.30 s, 3.83 Gbit/s, BLAKE3 verified (7a4673f1...)`. Where it
    /// would take more than `columns`, the hash is shortened.
    fn summary(&self, done: &Transferred, columns: Option<usize>) -> String {
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
    fn describe(&self, object: Object, done: &Transferred) -> Object {
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

/// Some transfers on the way.
struct Running<'a> {
    session: &'a Session,
    telling: Telling,
    bar: Bar,
    /// Not begun yet, with their places among the arguments.
    waiting: VecDeque<(usize, Result<Transfer, Error>)>,
    running: Vec<(usize, Transfer, Job<Transferred>)>,
    /// Ended with the connection, to begin anew on the next one, and how that ended.
    stranded: Vec<(usize, Transfer)>,
    lost: Option<Lost>,
    count: usize,
    begun: Instant,
    /// What became of the files that are done.
    total: Total,
    /// The failure of the first argument that failed so far.
    failed: Option<(usize, Outcome)>,
}

impl<'a> Running<'a> {
    fn new(session: &'a Session, telling: Telling, planned: Vec<Result<Transfer, Error>>) -> Self {
        let count = planned.len();
        let label = match &planned[..] {
            [Ok(one)] => one.label(),
            _ => format!("{count} files"),
        };
        // A bar would be drawn into what is printed.
        let printing = matches!(planned[..], [Ok(Transfer::Print { .. })]);
        Self {
            session,
            telling,
            bar: Bar::new(telling.console, &label, printing),
            waiting: planned.into_iter().enumerate().collect(),
            running: Vec::new(),
            stranded: Vec::new(),
            lost: None,
            count,
            begun: Instant::now(),
            total: Total::default(),
            failed: None,
        }
    }

    fn finish(mut self) -> Result<Outcome, Error> {
        loop {
            if self.lost.is_none() {
                self.start_some();
            }
            if self.running.is_empty() {
                let Some(lost) = self.lost.take() else { break };
                self.begin_anew(lost)?;
                continue;
            }
            self.collect()?;
            self.show();
            if self.session.interrupt.heard() {
                return Err(Error::Interrupted);
            }
        }
        self.bar.clear();
        if self.count > 1 {
            let (total, count) = (self.total.shown(self.begun.elapsed()), self.count);
            self.telling.note(format_args!("{} of {count} files: {total}", self.total.files));
        }
        Ok(self.failed.map_or(Outcome::Done, |(_, outcome)| outcome))
    }

    /// Connects again, and queues what ended with the connection; if that is no use they fail, and what waits with them.
    fn begin_anew(&mut self, lost: Lost) -> Result<(), Error> {
        let reconnected = self.bar.suspend(|| self.session.reconnect(lost));
        self.bar.restart();
        self.stranded.sort_unstable_by_key(|(place, _)| Reverse(*place));
        for (place, transfer) in std::mem::take(&mut self.stranded) {
            match reconnected {
                Ok(true) => self.waiting.push_front((place, Ok(transfer.anew()))),
                _ => {
                    let error = self.session.error(transfer.action(), Failure::Lost(lost));
                    self.fail(place, &error);
                }
            }
        }
        reconnected.map(drop)
    }

    fn start_some(&mut self) {
        while self.running.len() < MOST_AT_ONCE
            && let Some((place, planned)) = self.waiting.pop_front()
        {
            match planned {
                Ok(transfer) => {
                    let job = transfer.start(&self.session.client());
                    self.running.push((place, transfer, job));
                }
                Err(error) => self.fail(place, &error),
            }
        }
    }

    /// Waits a moment for any of them, and takes out all that are over.
    fn collect(&mut self) -> Result<(), Error> {
        self.session.client().wait_for_any(TICK);
        for (place, transfer, mut job) in std::mem::take(&mut self.running) {
            match job.wait_timeout(Duration::ZERO) {
                None => self.running.push((place, transfer, job)),
                Some(Ok(done)) => self.succeed(&transfer, done)?,
                Some(Err(Failure::Lost(lost)))
                    if transfer.can_begin_anew() && self.session.may_come_back(&lost) =>
                {
                    self.lost = Some(lost);
                    self.stranded.push((place, transfer));
                }
                // Whoever reads standard output has what they want.
                Some(Err(Failure::Unwanted)) => {}
                Some(Err(failure)) => match transfer.done_before(self.session, &failure) {
                    Some(done) => self.succeed(&transfer, done)?,
                    None => {
                        let error = self.session.error(transfer.action(), failure);
                        self.fail(place, &error);
                    }
                },
            }
        }
        Ok(())
    }

    fn succeed(&mut self, transfer: &Transfer, mut done: Transferred) -> Result<(), Error> {
        self.total.add(&done);
        if let Transfer::Put { to, .. } = transfer
            && self.telling.is_json()
        {
            done.name.get_or_insert_with(|| stored::name(self.session, to));
        }
        let words = transfer.summary(&done, self.telling.console.columns());
        let describe = |object| transfer.describe(object, &done);
        self.bar.suspend(|| self.telling.done(words, describe))
    }

    fn fail(&mut self, place: usize, error: &Error) {
        let outcome = self.bar.suspend(|| self.telling.failed(error));
        if self.failed.is_none_or(|(first, _)| place < first) {
            self.failed = Some((place, outcome));
        }
    }

    fn show(&mut self) {
        let mut so_far = SoFar::after(self.total.bytes, self.total.moved);
        self.running.iter().for_each(|(_, _, job)| so_far.add(job.progress()));
        if !self.waiting.is_empty() {
            so_far.expect_more();
        }
        self.bar.update(&so_far);
    }
}
