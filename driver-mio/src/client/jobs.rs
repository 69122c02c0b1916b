//! Every job that is not over, and which is next.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use gannet_protocol::{ExchangeId, Instant};

use super::{job::Number, task::Task};

/// Time after which a request that the server did not allow is tried again, if nothing gave reason to before.
const RETRY: Duration = Duration::from_millis(100);

/// Every job that is not over, and which is next.
#[derive(Debug)]
pub(super) struct Jobs {
    /// Most that run at a time.
    most: usize,
    tasks: BTreeMap<Number, Task>,
    /// Those that wait, the next one first.
    queue: VecDeque<Number>,
    /// The job of each exchange; none for one that has only to be heard of by the server.
    exchanges: BTreeMap<ExchangeId, Option<Number>>,
    /// The server allows no further exchange until then, or until one ends.
    blocked: Option<Instant>,
}

impl Jobs {
    /// None, of which at most so many run at a time.
    pub(super) fn new(most: usize) -> Self {
        let (tasks, queue, exchanges) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        Self { most, tasks, queue, exchanges, blocked: None }
    }

    /// Queues a new job.
    pub(super) fn add(&mut self, number: Number, task: Task) {
        self.tasks.insert(number, task);
        self.queue.push_back(number);
    }

    /// The job that may begin, or be tried again, now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Number> {
        let running = self.tasks.len().saturating_sub(self.queue.len());
        if running >= self.most || self.blocked.is_some_and(|until| until > now) {
            return None;
        }
        self.blocked = None;
        self.queue.pop_front()
    }

    /// Puts a job back for which the server allows no exchange now.
    pub(super) fn put_back(&mut self, now: Instant, number: Number) {
        self.queue.push_front(number);
        self.blocked = Some(now + RETRY);
    }

    /// The server was heard, and may allow an exchange now.
    pub(super) fn unblock(&mut self) {
        self.blocked = None;
    }

    /// When to look for the next one at the latest.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.blocked.filter(|_| !self.queue.is_empty())
    }

    pub(super) fn get(&self, number: Number) -> Option<&Task> {
        self.tasks.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut Task> {
        self.tasks.get_mut(&number)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Notes in which exchange a job asked the server.
    pub(super) fn note_asked(&mut self, number: Number, exchange: ExchangeId) {
        self.exchanges.insert(exchange, Some(number));
    }

    /// The job of an exchange, while it is not over.
    pub(super) fn number(&self, exchange: ExchangeId) -> Option<Number> {
        self.exchanges.get(&exchange).copied().flatten()
    }

    /// Takes out a job that has told of its success; the server has yet to hear of it.
    pub(super) fn conclude(&mut self, number: Number, exchange: ExchangeId) {
        self.tasks.remove(&number);
        self.exchanges.insert(exchange, None);
    }

    /// Takes out a job that is given up, and its exchange.
    pub(super) fn remove(&mut self, number: Number) -> Option<Task> {
        let task = self.tasks.remove(&number)?;
        match task.exchange() {
            Some(exchange) => {
                self.exchanges.remove(&exchange);
                self.blocked = None;
            }
            None => self.queue.retain(|queued| *queued != number),
        }
        Some(task)
    }

    /// Takes out an exchange that is over, and its job if that was not.
    pub(super) fn end(&mut self, exchange: ExchangeId) -> Option<Task> {
        self.blocked = None;
        let number = self.exchanges.remove(&exchange)??;
        self.tasks.remove(&number)
    }

    /// Any job.
    pub(super) fn first(&self) -> Option<Number> {
        self.tasks.keys().next().copied()
    }

    /// Takes out every job.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Task> + use<> {
        self.queue.clear();
        std::mem::take(&mut self.tasks).into_values()
    }

    /// How many there are of which the server may not have heard all.
    pub(super) fn unheard(&self) -> usize {
        self.exchanges.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc::channel};

    use super::*;
    use crate::client::{
        job::{Bell, Meter, Report},
        task::Verb,
    };

    const MAX_RUNNING: usize = 128;

    fn jobs(count: u64) -> Jobs {
        let mut jobs = Jobs::new(MAX_RUNNING);
        for number in 0..count {
            let verb =
                Verb::Exit { force: false, report: Report::new(channel().0, Bell::default()) };
            jobs.add(Number(number), Task::new(verb, Arc::new(Meter::default())));
        }
        jobs
    }

    #[test]
    fn as_many_run_as_may() {
        let mut jobs = jobs(MAX_RUNNING as u64 + 5);
        let begun: Vec<_> = std::iter::from_fn(|| jobs.next(Instant::ZERO)).collect();
        assert_eq!(begun, (0..MAX_RUNNING as u64).map(Number).collect::<Vec<_>>());
        jobs.remove(Number(3));
        assert_eq!(jobs.next(Instant::ZERO), Some(Number(MAX_RUNNING as u64)));
        assert_eq!(jobs.next(Instant::ZERO), None);
    }

    #[test]
    fn one_that_was_not_allowed_is_the_first_to_be_tried_again() {
        let mut jobs = jobs(3);
        let first = jobs.next(Instant::ZERO).unwrap();
        jobs.put_back(Instant::ZERO, first);
        assert_eq!(jobs.next(Instant::ZERO), None);
        let retry = jobs.retry_at().unwrap();
        assert_eq!(jobs.next(retry), Some(first));
        assert_eq!(jobs.next(retry), Some(Number(1)));
    }

    #[test]
    fn one_that_is_given_up_is_not_begun() {
        let mut jobs = jobs(2);
        assert!(jobs.remove(Number(0)).is_some() && jobs.remove(Number(0)).is_none());
        assert_eq!(jobs.next(Instant::ZERO), Some(Number(1)));
        assert_eq!(jobs.drain().count(), 1);
    }
}
