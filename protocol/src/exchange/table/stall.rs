//! A client that keeps its connection alive and its transfers where they are.
//!
//! Each exchange holds memory and an open file, so a server gives up those whose client neither sends, nor takes, nor
//! acknowledges what there is. What the server itself is slow at is never held against the client: a source that has no bytes
//! now, a disk that has yet to write what came, a client that has everything and has yet to say that it is stored.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Exchanges, Outbox, Role};
use crate::{
    BodyLen, Event, Instant, Status,
    exchange::{Exchange, Verb},
};

/// A look at what moved is taken this often.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// All transfers of a connection together have to move so many bytes in so long, while any of them waits for the client: 4.4
/// kbit/s, half of what the slowest modem carries. It is counted for all of them, since on a slow link one waits for the
/// others. The time is four times the idle timeout, and more than a disk takes that spins up, or a cheap one that stops to
/// erase itself.
const MIN_PROGRESS: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(120);
/// A body of open length comes from a pipe, and whoever writes to that may think for long.
const PIPE_PATIENCE: Duration = Duration::from_secs(3600);

/// How the transfers of a connection get on.
#[derive(Debug)]
pub(super) struct Progress {
    files: Pace,
    pipes: Pace,
    next_check: Option<Instant>,
    /// Bytes that moved so far, and a minimum for each exchange that ended well.
    moved: u64,
}

impl Progress {
    pub(super) const fn new() -> Self {
        Self {
            files: Pace { patience: PATIENCE, least: MIN_PROGRESS, since: None },
            pipes: Pace { patience: PIPE_PATIENCE, least: 1, since: None },
            next_check: None,
            moved: 0,
        }
    }

    pub(super) fn on_moved(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    pub(super) fn on_finished(&mut self) {
        self.on_moved(MIN_PROGRESS);
    }
}

/// A minimum of progress.
#[derive(Debug)]
struct Pace {
    patience: Duration,
    least: u64,
    /// Since when less than the least moved, and what had moved by then.
    since: Option<(Instant, u64)>,
}

impl Pace {
    /// Whether patience is at its end; `waiting`: something waits for the peer.
    fn is_over(&mut self, now: Instant, waiting: bool, moved: u64) -> bool {
        match self.since {
            Some((since, then)) if waiting && moved.saturating_sub(then) < self.least => {
                let over = now.saturating_since(since) >= self.patience;
                if over {
                    self.since = None;
                }
                over
            }
            _ => {
                self.since = waiting.then_some((now, moved));
                false
            }
        }
    }
}

/// What an exchange waits for its client with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waits {
    File,
    Pipe,
}

impl Exchanges {
    /// As a server: when [`Self::check_progress`] has something to do.
    pub(crate) const fn next_check(&self) -> Option<Instant> {
        self.progress.next_check
    }

    /// Looks after the exchanges from now on, if there are any.
    pub(crate) fn watch_progress(&mut self, now: Instant) {
        let begins = self.role == Role::Server && !self.live.is_empty();
        if begins && self.progress.next_check.is_none() {
            self.progress.next_check = Some(now + CHECK_INTERVAL);
        }
    }

    /// Gives up what the client does nothing for.
    pub(crate) fn check_progress(&mut self, now: Instant, outbox: &mut Outbox) {
        if self.progress.next_check.is_none_or(|at| now < at) {
            return;
        }
        let room = self.recv_bodies.left() > 0;
        let waits = |waits| {
            let all = self.live.iter();
            let those = all.filter(move |(_, exchange)| exchange.waits(room) == Some(waits));
            those.map(|(number, _)| *number).collect::<Vec<_>>()
        };
        let (files, pipes) = (waits(Waits::File), waits(Waits::Pipe));
        let Progress { files: file_pace, pipes: pipe_pace, moved, .. } = &mut self.progress;
        let mut stalled = Vec::new();
        if file_pace.is_over(now, !files.is_empty(), *moved) {
            stalled.extend(files);
        }
        if pipe_pace.is_over(now, !pipes.is_empty(), *moved) {
            stalled.extend(pipes);
        }
        for number in stalled {
            let asked = self.live.get(&number).is_some_and(|exchange| exchange.verb.is_some());
            if self.fail(number, Status::Stalled, 0, outbox).is_ok() && asked {
                let (exchange, status) = (self.id(number), Status::Stalled);
                outbox.events.push_back(Event::Failed { exchange, status, detail: 0 });
            }
        }
        self.progress.next_check = (!self.live.is_empty()).then_some(now + CHECK_INTERVAL);
    }
}

impl Exchange {
    /// Whether something of it waits for the client; `room`: the connection has credit for bodies left.
    fn waits(&self, room: bool) -> Option<Waits> {
        if self.verb.is_none() {
            return Some(Waits::File);
        }
        if let Some(body) = self.send_body.as_ref() {
            return (!body.parked && !body.is_done()).then_some(Waits::File);
        }
        // Before the server has said what it holds, the client waits for it.
        let is_put = self.verb == Some(Verb::Put) && !self.telling.is_awaited();
        let body = self.recv_body.as_ref().filter(|_| is_put)?;
        let waits = !self.is_received() && (body.is_done() || room && body.credit.left() > 0);
        waits.then_some(match body.len() {
            BodyLen::Known(_) => Waits::File,
            BodyLen::Open => Waits::Pipe,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever moves and waits: patience ends only after its time in which something waited at each look and too little
        /// moved.
        #[test]
        fn patience_ends_for_a_reason(
            looks in prop::collection::vec((any::<bool>(), 0u64..100), 1..100),
        ) {
            let step = Duration::from_secs(30);
            let mut pace = Pace { patience: 4 * step, least: 100, since: None };
            let (mut now, mut moved) = (Instant::ZERO, 0);
            let mut past = Vec::new();
            for (waiting, bytes) in looks {
                now = now + step;
                moved += bytes;
                past.push((waiting, moved));
                if pace.is_over(now, waiting, moved) {
                    let lately = &past[past.len() - 5..];
                    prop_assert!(lately.iter().all(|(waiting, _)| *waiting));
                    prop_assert!(moved - lately[0].1 < 100);
                }
            }
        }
    }

    #[test]
    fn patience_ends() {
        let step = Duration::from_secs(30);
        let mut pace = Pace { patience: 4 * step, least: 100, since: None };
        let over: Vec<_> =
            (0..10u32).map(|n| pace.is_over(Instant::ZERO + step * n, true, 0)).collect();
        assert_eq!(over.iter().position(|over| *over), Some(4));
    }
}
