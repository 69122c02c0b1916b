//! Some transfers on the way.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use gannet_driver_mio::client::{Failure, Job, Lost, Transferred};

use super::{Plan, Skipped, Step, Transfer};
use crate::{
    errors::Error,
    outcome::Outcome,
    progress::{Bar, Files, SoFar},
    session::{Session, TICK},
    stored,
    summary::Total,
    telling::Telling,
};

/// Most files that are asked for at once: a server works at half as many for one connection, and the next requests wait
/// there rather than a round trip away.
const MOST_AT_ONCE: usize = 2048;
/// So many are, however long they are, to fill a long path with what is said between two files.
const FEWEST_AT_ONCE: usize = 128;
/// Bytes beyond which there are no more than these: several of the longest paths' worth.
const ENOUGH_BYTES: u64 = 64 << 20;
/// How long a file is taken to be of which nothing is known, nor of any other: so that there are not more than the fewest of them.
const UNKNOWN_LEN: u64 = ENOUGH_BYTES / FEWEST_AT_ONCE as u64;
/// Failures of a tree that are kept to be told at its end; others are told as they come.
const MOST_KEPT: usize = 1000;
/// With so many on their way, those that are over are looked for now and then, not one by one.
const PAUSE: Duration = Duration::from_millis(2);

/// Some transfers on the way.
pub(super) struct Running<'a> {
    session: &'a Session,
    telling: Telling,
    bar: Bar,
    plan: Plan,
    /// The place of the next step among all.
    next: usize,
    /// To begin anew, the first one last.
    again: Vec<(usize, Transfer)>,
    running: Vec<(usize, Transfer, Job<Transferred>)>,
    /// Ended with the connection, to begin anew on the next one, and how that ended.
    stranded: Vec<(usize, Transfer)>,
    lost: Option<Lost>,
    begun: Instant,
    /// What became of the files that are done.
    total: Total,
    /// The failure of the first that failed so far.
    failed: Option<(usize, Outcome)>,
    failures: usize,
    /// What is told of them at the end.
    kept: Vec<Error>,
}

impl<'a> Running<'a> {
    pub(super) fn new(session: &'a Session, telling: Telling, plan: Plan) -> Self {
        // A bar would be drawn into what is printed.
        let bar = Bar::new(telling.console, plan.label().as_deref(), plan.prints());
        Self {
            session,
            telling,
            bar,
            plan,
            next: 0,
            again: Vec::new(),
            running: Vec::new(),
            stranded: Vec::new(),
            lost: None,
            begun: Instant::now(),
            total: Total::default(),
            failed: None,
            failures: 0,
            kept: Vec::new(),
        }
    }

    /// Moves all of it.
    pub(super) fn finish(mut self) -> Result<Outcome, Error> {
        let result = self.go_on();
        if result.is_ok() {
            for error in self.plan.settle() {
                self.fail(usize::MAX, error);
            }
        }
        self.bar.clear();
        for error in std::mem::take(&mut self.kept) {
            // What a program reads it has read.
            let _told: Outcome = self.telling.console.report(&error);
        }
        result?;
        let count = self.plan.seen().files;
        if count > 1 || self.plan.is_tree() {
            let total = self.total.shown(self.begun.elapsed());
            self.telling.note(format_args!("{} of {count} files: {total}", self.total.files));
        }
        Ok(self.failed.map_or(Outcome::Done, |(_, outcome)| outcome))
    }

    fn go_on(&mut self) -> Result<(), Error> {
        loop {
            if self.lost.is_none() {
                self.plan.advance(self.session);
                self.start_some()?;
                self.lost = self.plan.take_lost();
            }
            if self.running.is_empty() {
                match self.lost.take() {
                    Some(lost) => {
                        self.begin_anew(lost)?;
                        continue;
                    }
                    None if self.plan.is_over() && self.again.is_empty() => return Ok(()),
                    None => {}
                }
            }
            self.collect()?;
            self.show();
            if self.session.interrupt.heard() {
                return Err(Error::Interrupted);
            }
        }
    }

    /// Connects again, and queues what ended with the connection; if that is no use they fail, and what waits with them.
    fn begin_anew(&mut self, lost: Lost) -> Result<(), Error> {
        let reconnected = self.bar.suspend(|| self.session.reconnect(lost));
        self.bar.restart();
        for (place, transfer) in std::mem::take(&mut self.stranded) {
            match reconnected {
                Ok(true) => self.again.push((place, transfer.anew())),
                _ => {
                    let error = self.session.error(transfer.action(), Failure::Lost(lost));
                    self.fail(place, error);
                }
            }
        }
        self.again.sort_unstable_by_key(|(place, _)| Reverse(*place));
        reconnected.map(drop)
    }

    fn start_some(&mut self) -> Result<(), Error> {
        let mut on_the_way = self.on_the_way();
        while self.running.len() < MOST_AT_ONCE
            && (self.running.len() < FEWEST_AT_ONCE || on_the_way < ENOUGH_BYTES)
        {
            let (place, transfer) = match self.again.pop() {
                Some(again) => again,
                None => {
                    let Some(step) = self.plan.next() else { break };
                    let place = self.next;
                    self.next += 1;
                    match step {
                        Step::Move(transfer) => (place, transfer),
                        Step::Skip(skipped) => {
                            self.skip(&skipped)?;
                            continue;
                        }
                        Step::Fail(error) => {
                            self.fail(place, error);
                            continue;
                        }
                    }
                }
            };
            on_the_way = on_the_way.saturating_add(self.len_of(&transfer));
            let job = transfer.start(&self.session.client());
            self.running.push((place, transfer, job));
        }
        Ok(())
    }

    /// Bytes of the files that are being moved, as far as that is known, or likely.
    fn on_the_way(&self) -> u64 {
        let lens = self.running.iter().map(|(_, transfer, _)| self.len_of(transfer));
        lens.fold(0, u64::saturating_add)
    }

    fn len_of(&self, transfer: &Transfer) -> u64 {
        match transfer.within() {
            Some(within) => within.len,
            // Others may be as long.
            None => self.total.bytes.checked_div(self.total.files as u64).unwrap_or(UNKNOWN_LEN),
        }
    }

    /// Waits a moment for any of them, and takes out all that are over.
    fn collect(&mut self) -> Result<(), Error> {
        self.session.client().wait_for_any(TICK);
        if self.running.len() > FEWEST_AT_ONCE {
            std::thread::sleep(PAUSE);
        }
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
                        self.fail(place, error);
                    }
                },
            }
        }
        Ok(())
    }

    fn succeed(&mut self, transfer: &Transfer, mut done: Transferred) -> Result<(), Error> {
        self.total.add(&done);
        let console = self.telling.console;
        if transfer.within().is_some() && !self.telling.is_json() && !console.is_verbose() {
            return Ok(());
        }
        if let Transfer::Put { to, .. } = transfer
            && self.telling.is_json()
        {
            done.name.get_or_insert_with(|| stored::name(self.session, to));
        }
        let words = transfer.summary(&done, console.columns());
        let describe = |object| transfer.describe(object, &done);
        self.bar.suspend(|| self.telling.done(words, describe))
    }

    fn skip(&mut self, skipped: &Skipped) -> Result<(), Error> {
        self.total.skipped += 1;
        self.bar.suspend(|| self.telling.skipped(skipped))
    }

    fn fail(&mut self, place: usize, error: Error) {
        let outcome = if self.plan.is_tree() && self.kept.len() < MOST_KEPT {
            let outcome = self.telling.failed_silently(&error);
            self.kept.push(error);
            outcome
        } else {
            self.bar.suspend(|| self.telling.failed(&error))
        };
        self.failures += 1;
        if self.failed.is_none_or(|(first, _)| place < first) {
            self.failed = Some((place, outcome));
        }
    }

    fn show(&mut self) {
        let seen = self.plan.seen();
        let mut so_far = SoFar::after(self.total.bytes, self.total.moved);
        self.running.iter().for_each(|(_, _, job)| so_far.add(job.progress()));
        if seen.more || !self.again.is_empty() || !self.plan.is_over() {
            so_far.expect_more();
        }
        if let (Some(bytes), false) = (seen.bytes, seen.more) {
            so_far.expect_in_all(bytes);
        }
        so_far.heard_before(self.session.client().silence());
        let files = Files { done: self.total.files, failed: self.failures, seen };
        self.bar.count(&files);
        self.bar.update(&so_far);
    }
}
