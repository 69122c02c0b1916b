//! How far a client's connection is.

use std::time::Duration;

use gannet_protocol::{CloseReason, Instant};

/// Time for the server to hear that what it sent is stored, before the connection is closed.
const LINGER: Duration = Duration::from_millis(500);
/// Time to say goodbye, which takes one packet.
const FAREWELL: Duration = Duration::from_millis(200);

/// How far a client's connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The server has yet to answer.
    Connecting {
        /// Until then.
        until: Instant,
    },
    /// It can be used.
    Open,
    /// Nothing new is begun; the last words are on their way.
    Lingering {
        /// Until then.
        until: Instant,
    },
    /// It is being closed.
    Closing {
        /// Until then.
        until: Instant,
    },
    /// It is over.
    Over(CloseReason),
}

impl Phase {
    pub(super) fn linger(now: Instant) -> Self {
        Self::Lingering { until: now + LINGER }
    }

    pub(super) fn close(now: Instant) -> Self {
        Self::Closing { until: now + FAREWELL }
    }

    /// When to go on at the latest.
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Connecting { until } | Self::Lingering { until } | Self::Closing { until } => {
                Some(until)
            }
            Self::Open | Self::Over(_) => None,
        }
    }
}
