//! Jobs that run where and when a simulation wants it.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use gannet_protocol::{Instant, Status};

use super::{MAX_WAITING, Pace, THREADS};
use crate::simulation;

/// Longest time that a job takes, by its pace.
const QUICK: Duration = Duration::from_micros(500);
const SLOW: Duration = Duration::from_millis(10);

type Job<T> = Box<dyn FnOnce() -> T + Send>;

/// As many jobs at a time as there would be threads, each of which takes a time that a seed chooses. A job happens all at once at the
/// end of its time.
pub(crate) struct Stepped<T> {
    now: Instant,
    random: u64,
    number: u64,
    waiting: VecDeque<(Pace, Job<T>)>,
    /// By the time at which they happen.
    running: BTreeMap<(Instant, u64), (Pace, Job<T>)>,
    /// By the time at which they are told.
    finished: BTreeMap<(Instant, u64), T>,
}

impl<T> Stepped<T> {
    pub(crate) fn new(seed: u64) -> Self {
        let (waiting, running, finished) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        Self { now: Instant::ZERO, random: seed | 1, number: 0, waiting, running, finished }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    pub(super) fn submit(&mut self, pace: Pace, job: Job<T>) -> Result<(), Status> {
        if !self.has_room() {
            return Err(Status::Overloaded);
        }
        self.waiting.push_back((pace, job));
        self.fill();
        Ok(())
    }

    pub(super) fn try_recv(&mut self) -> Option<T> {
        let entry = self.finished.first_entry().filter(|entry| entry.key().0 <= self.now)?;
        Some(entry.remove())
    }

    /// Lets it be `now`, and does what is done by then.
    pub(crate) fn advance(&mut self, now: Instant) {
        loop {
            let entry = self.running.first_entry().filter(|entry| entry.key().0 <= now);
            let Some(((at, number), (_, job))) = entry.map(|entry| entry.remove_entry()) else {
                break;
            };
            self.now = at;
            let result = job();
            self.finished.insert((at + simulation::take_pause(), number), result);
            self.fill();
        }
        self.now = now;
    }

    /// When there is something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let running = self.running.keys().next();
        let finished = self.finished.keys().next();
        running.into_iter().chain(finished).map(|(at, _)| *at).min()
    }

    fn fill(&mut self) {
        while self.running.len() < THREADS {
            let slow = self.running.values().filter(|(pace, _)| *pace == Pace::Slow).count();
            let may_run = |(pace, _): &(Pace, Job<T>)| *pace == Pace::Quick || slow < THREADS - 1;
            let Some(at) = self.waiting.iter().position(may_run) else { break };
            let Some((pace, job)) = self.waiting.remove(at) else { break };
            let most = if pace == Pace::Quick { QUICK } else { SLOW };
            let due = self.now + most.mul_f64(self.random());
            self.number += 1;
            self.running.insert((due, self.number), (pace, job));
        }
    }

    /// A number from 0 to 1 (the multiplier of Knuth's MMIX generator).
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 32) as f64 / f64::from(u32::MAX)
    }
}

impl<T> fmt::Debug for Stepped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("now", &self.now).finish_non_exhaustive()
    }
}
