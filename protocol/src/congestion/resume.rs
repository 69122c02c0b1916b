//! Careful resumption of a rate that a path once gave (RFC 9959, "Convergence of Congestion Control from Retained State").
//!
//! ```text
//! Reconnaissance: the first packets arrive, and the path looks as it did
//!   -> Unvalidated: half of what it held then goes out, spread over a round trip
//!     -> Validating: that arrives, and the window grows by it
//!       -> Normal: the controller goes on from there
//!     -> Retreat, from either, at too much loss or any mark: half of what did arrive, until all of it is settled -> Normal
//! ```

use core::time::Duration;

use super::{Acked, Gain, Lost, MAXIMUM_WINDOW, Sent, minimum_window, rate};

/// Packets that have to arrive before anything is tried: the initial window of RFC 9002 section 7.2.
const SCOUTS: u64 = 10;

/// No packet of a path is longer at first.
const FIRST_PACKET: u64 = 1200;

/// Most bytes that are sent on the strength of a memory, which may be somebody else's word: what a body's receiver grants at
/// first in all, and half of what 600 Mbit/s hold in 100 ms.
const MAX_JUMP: u64 = 4 << 20;

/// What is tried of what the path held (RFC 9959 section 4.2).
const JUMP: Gain = Gain { of: 1, whole: 2 };

/// A path whose round trip is less than half, or more than ten times what it was, is another one (RFC 9959 section 4.1).
const SHORTER: u32 = 2;
const LONGER: u32 = 10;

/// Pacing while what was tried arrives: as slow start does.
const GROWING: Gain = Gain { of: 2, whole: 1 };

/// Packets that may be lost in any case where loss is tolerated: a share of a few packets is none.
const FEW: u64 = 3;

/// What a path gave one direction when it was last used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Saved {
    /// Bytes a second.
    pub(crate) rate: u64,
    /// The least round-trip time.
    pub(crate) rtt: Duration,
}

impl Saved {
    /// Bytes to try on a path whose round trip takes `rtt` now, unless it is another path. One that is shorter than it was holds less.
    fn jump(&self, rtt: Duration) -> Option<u64> {
        let is_same = rtt >= self.rtt / SHORTER && rtt <= self.rtt.saturating_mul(LONGER);
        let held = u128::from(self.rate) * rtt.min(self.rtt).as_nanos() / 1_000_000_000;
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        is_same.then(|| JUMP.scale(held).min(MAX_JUMP))
    }
}

/// Resumes a rate, beside the controller of a path: raises what that allows, or lowers it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resume {
    phase: Phase,
    /// The part of what is sent that may get lost, where the controller takes loss for no congestion.
    tolerance: Option<Gain>,
    mtu: u64,
    /// The number that was sent last.
    sent: u64,
    /// Bytes that arrived and that were lost since the phases began, but for a validation, which judges its own.
    acked: u64,
    lost: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// Nothing to resume, or that is over.
    #[default]
    Normal,
    Reconnaissance(Saved),
    /// More is sent than ever arrived: so many bytes in flight at such a rate. What goes out from number `first` on is
    /// unvalidated, and `pipe` bytes were shown to fit.
    Unvalidated {
        window: u64,
        rate: u64,
        first: u64,
        pipe: u64,
    },
    /// Up to number `last` it is unvalidated.
    Validating {
        window: u64,
        most: u64,
        rate: u64,
        last: u64,
        pipe: u64,
    },
    Retreat {
        window: u64,
        last: u64,
    },
}

impl Resume {
    /// What a path gave is to be resumed. `tolerance`: the part of what is sent that may get lost.
    pub(super) fn new(saved: Saved, tolerance: Option<Gain>) -> Self {
        let phase = if saved.rate > 0 { Phase::Reconnaissance(saved) } else { Phase::Normal };
        Self { phase, tolerance, mtu: FIRST_PACKET, ..Self::default() }
    }

    pub(super) fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu;
    }

    pub(super) fn on_sent(&mut self, sent: &Sent) {
        self.sent = sent.number;
    }

    /// Takes in an acknowledgement that the controller has taken in, whose window is `current`; gives the window that it may go on
    /// from, once that is validated.
    pub(super) fn on_acked(&mut self, acked: &Acked<'_>, current: u64) -> Option<u64> {
        self.acked = self.acked.saturating_add(acked.bytes);
        match &mut self.phase {
            Phase::Normal => {}
            Phase::Reconnaissance(saved) => {
                let saved = *saved;
                self.reconnoitre(acked, &saved, current);
            }
            // What went out before the jump is counted already.
            Phase::Unvalidated { first, .. } if acked.largest < *first => {}
            Phase::Unvalidated { window, rate, pipe, .. } => {
                let pipe = pipe.saturating_add(acked.bytes);
                self.phase = Phase::Validating {
                    window: acked.in_flight.saturating_add(acked.bytes).max(pipe),
                    // What the path held, as far as it is known.
                    most: GROWING.scale(*window),
                    rate: GROWING.scale(*rate),
                    last: self.sent,
                    pipe,
                };
                self.grow(acked.bytes);
            }
            Phase::Validating { pipe, last, .. } => {
                *pipe = pipe.saturating_add(acked.bytes);
                let is_over = acked.largest >= *last;
                let window = self.grow(acked.bytes);
                if is_over {
                    self.phase = Phase::Normal;
                    return Some(window);
                }
            }
            Phase::Retreat { last, .. } => {
                if acked.largest >= *last {
                    self.phase = Phase::Normal;
                }
            }
        }
        None
    }

    /// Tries more if enough arrived and the path looks as it did.
    fn reconnoitre(&mut self, acked: &Acked<'_>, saved: &Saved, current: u64) {
        if acked.app_limited || self.acked < SCOUTS * FIRST_PACKET {
            return;
        }
        let rtt = acked.rtt.min();
        let jump = saved.jump(rtt).filter(|jump| *jump > current);
        self.phase = jump.map_or(Phase::Normal, |window| Phase::Unvalidated {
            window,
            rate: rate(window, acked.rtt.smoothed()),
            first: self.sent.saturating_add(1),
            pipe: acked.in_flight,
        });
        self.acked = 0;
        self.lost = 0;
    }

    /// Grows the window by what arrived, while it is validated.
    fn grow(&mut self, bytes: u64) -> u64 {
        let Phase::Validating { window, most, .. } = &mut self.phase else { return 0 };
        let grown = window.saturating_add(bytes).min(*most);
        *window = grown.max(*window).min(MAXIMUM_WINDOW);
        *window
    }

    pub(super) fn on_lost(&mut self, lost: &Lost) {
        self.lost = self.lost.saturating_add(lost.bytes);
        if lost.persistent || self.is_too_much() {
            self.retreat();
        } else if let Phase::Retreat { last, .. } = self.phase
            && lost.largest >= last
        {
            self.phase = Phase::Normal;
        }
    }

    /// Whether more was lost than the controller would overlook.
    fn is_too_much(&self) -> bool {
        let Some(tolerance) = self.tolerance else { return true };
        let few = FEW.saturating_mul(self.mtu);
        self.lost > tolerance.scale(self.acked.saturating_add(self.lost)).saturating_add(few)
    }

    /// There is congestion: what is known of the path is not true any more.
    pub(super) fn retreat(&mut self) {
        self.phase = match self.phase {
            Phase::Normal | Phase::Reconnaissance(_) => Phase::Normal,
            Phase::Unvalidated { pipe, .. } | Phase::Validating { pipe, .. } => {
                let window = (pipe / 2).max(minimum_window(self.mtu));
                let last = match self.phase {
                    Phase::Validating { last, .. } => last,
                    _ => self.sent,
                };
                Phase::Retreat { window, last }
            }
            retreat @ Phase::Retreat { .. } => retreat,
        };
    }

    /// The window, where the controller's is `window`.
    pub(super) fn window(&self, window: u64) -> u64 {
        match self.phase {
            Phase::Normal | Phase::Reconnaissance(_) => window,
            Phase::Unvalidated { window: own, .. } | Phase::Validating { window: own, .. } => {
                window.max(own)
            }
            Phase::Retreat { window: own, .. } => window.min(own),
        }
    }

    /// The rate of sending, where the controller's is `rate`.
    pub(super) fn pacing_rate(&self, rate: u64) -> u64 {
        match self.phase {
            Phase::Unvalidated { rate: own, .. } | Phase::Validating { rate: own, .. } => {
                rate.max(own)
            }
            Phase::Normal | Phase::Reconnaissance(_) | Phase::Retreat { .. } => rate,
        }
    }
}

#[cfg(test)]
mod tests;
