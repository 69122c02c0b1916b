//! The phases of probing, and what each sends.

use crate::{Instant, congestion::Gain};

/// What is being found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The rate: it doubles each round.
    Startup,
    /// Nothing: the queue that startup left behind empties.
    Drain,
    /// Nothing: the queue that probing left behind empties, and others find room.
    Down,
    /// What the path loses at its rate.
    Cruise,
    /// Nothing: the pipe fills before more is tried.
    Refill,
    /// Whether the path carries more.
    Up,
    /// Nothing: others fill the queue, and it is shared with them by the law that they keep to.
    Contest,
    /// The round-trip time without a queue; until that moment, once the pipe is drained.
    ProbeRtt {
        /// When it may end.
        until: Option<Instant>,
    },
}

impl Phase {
    /// The rate of sending, as a part of the path's (`BBR.pacing_gain`).
    pub(super) const fn pacing(self) -> Gain {
        match self {
            // 4 ln 2, which doubles the rate each round.
            Self::Startup => Gain { of: 277, whole: 100 },
            Self::Drain => Gain { of: 50, whole: 100 },
            Self::Down => Gain { of: 90, whole: 100 },
            Self::Cruise | Self::Refill | Self::Contest | Self::ProbeRtt { .. } => {
                Gain { of: 1, whole: 1 }
            }
            Self::Up => Gain { of: 125, whole: 100 },
        }
    }

    /// The window, in products of the path's rate and round-trip time (`BBR.cwnd_gain`).
    pub(super) const fn window(self) -> Gain {
        match self {
            Self::Up => Gain { of: 225, whole: 100 },
            Self::ProbeRtt { .. } => Gain { of: 50, whole: 100 },
            _ => Gain { of: 2, whole: 1 },
        }
    }
}
