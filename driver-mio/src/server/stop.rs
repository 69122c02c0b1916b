//! The end of a server.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gannet_protocol::Instant;
use mio::Waker;

use crate::event_loop;

/// Time that running transfers get.
const GRACE: Duration = Duration::from_secs(2);
/// Time to say goodbye to those who are left, which takes one packet each.
const FAREWELL: Duration = Duration::from_millis(200);

/// Ends a [`Server`](super::Server).
#[derive(Clone)]
pub struct Stopper {
    waker: Arc<Waker>,
    stops: Arc<Stops>,
}

/// How often [`Stopper::stop`] was called.
pub(super) type Stops = AtomicUsize;

impl Stopper {
    pub(super) fn new(waker: Arc<Waker>, stops: Arc<Stops>) -> Self {
        Self { waker, stops }
    }

    /// Asks for a polite end: no new request is taken, clients are told, running transfers get 2 s. The second call
    /// ends at once.
    pub fn stop(&self) {
        self.stops.fetch_add(1, Ordering::Relaxed);
        event_loop::wake(&self.waker);
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("stops", &self.stops).finish_non_exhaustive()
    }
}

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    /// Nobody asked for it.
    #[default]
    Serving,
    /// Running transfers may end; each connection is closed after its last.
    Grace {
        /// Until then.
        until: Instant,
    },
    /// All connections are being closed.
    Farewell {
        /// Until then.
        until: Instant,
    },
    /// There is nobody left to tell.
    Over,
}

impl Phase {
    /// The first wish to end: transfers get time.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let new = *self == Self::Serving;
        if new {
            *self = Self::Grace { until: now + GRACE };
        }
        new
    }

    /// The second wish, or the end of the grace: everyone is told now. True if that is new.
    pub(super) fn insist(&mut self, now: Instant) -> bool {
        let new = matches!(self, Self::Serving | Self::Grace { .. });
        if new {
            *self = Self::Farewell { until: now + FAREWELL };
        }
        new
    }

    /// Goes on when the time has come, or when nobody is left.
    pub(super) fn advance(&mut self, now: Instant, deserted: bool) -> bool {
        let late = self.deadline().is_some_and(|until| until <= now);
        match self {
            Self::Grace { .. } | Self::Farewell { .. } if deserted => *self = Self::Over,
            Self::Farewell { .. } if late => *self = Self::Over,
            Self::Grace { .. } if late => return self.insist(now),
            _ => {}
        }
        false
    }

    /// When to go on at the latest.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Serving | Self::Over => None,
            Self::Grace { until } | Self::Farewell { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_get_their_time_and_then_everyone_is_told() {
        let mut phase = Phase::default();
        let start = Instant::from_nanos(5);
        assert!(!phase.advance(start, true) && phase == Phase::Serving);
        assert!(phase.ask(start) && !phase.ask(start));
        assert_eq!(phase.deadline(), Some(start + GRACE));
        assert!(!phase.advance(start, false), "transfers run");
        assert!(phase.advance(start + GRACE, false), "now they have to end");
        assert!(!phase.advance(start + GRACE, false));
        assert!(!phase.advance(start + GRACE + FAREWELL, false) && phase == Phase::Over);
    }

    #[test]
    fn nobody_is_waited_for_who_is_not_there() {
        let mut phase = Phase::default();
        phase.ask(Instant::ZERO);
        phase.advance(Instant::ZERO, true);
        assert_eq!(phase, Phase::Over);
    }

    #[test]
    fn insisting_skips_the_grace() {
        let mut phase = Phase::default();
        assert!(phase.insist(Instant::ZERO) && !phase.insist(Instant::ZERO));
        assert!(!phase.ask(Instant::ZERO));
        assert_eq!(phase, Phase::Farewell { until: Instant::ZERO + FAREWELL });
    }
}
