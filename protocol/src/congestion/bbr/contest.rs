//! Sharing a queue with others that fill it.
//!
//! Where others send until the queue overflows, as CUBIC and Reno do, a model of the path has no fair share to offer: whoever
//! keeps its rate takes theirs, and whoever yields to each queue gets nothing. There the law is theirs, CUBIC's window, until the
//! queue shows that nobody else is there.

use crate::{
    Instant,
    congestion::{Acked, Controller, Cubic, Lost, Marked, Sent},
    rtt::Rtt,
};

/// Rounds with an empty queue, while nothing is sent beyond what the path holds, after which nobody else is taken to fill it.
const EMPTY_ROUNDS: u32 = 8;

/// Rounds until an audit shows in round-trip times.
const SETTLING: u32 = 2;

/// Rounds until it can be told whether others answer to loss.
const PATIENCE: u32 = 20;

/// Packets after which older ones begin to count half, in telling how much is lost.
const MEMORY: u64 = 1_000;

/// Loss of which others that answer to it leave less, as one of so many packets.
const FLOOD: u64 = 100;

/// How it comes to an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Nobody else is there.
    Alone,
    /// Others take nearly all, and go on filling the queue whatever is lost: yielding to them is in vain.
    Flooded,
}

/// The window that is kept to while others fill the queue, and whether they still do.
#[derive(Clone, Debug)]
pub(super) struct Contest {
    mtu: u64,
    cubic: Cubic,
    /// Rounds with an empty queue since the window was held to what the path holds, if it is.
    audit: Option<u32>,
    outcome: Option<Outcome>,
    /// Bytes that were acknowledged or lost lately, and those lost.
    settled: u64,
    lost: u64,
}

impl Contest {
    /// Congestion was met with `in_flight` bytes on their way.
    pub(super) fn new(mtu: u64, in_flight: u64, now: Instant) -> Self {
        let cubic = Cubic::after_congestion(mtu, in_flight, now);
        Self { mtu, cubic, audit: None, outcome: None, settled: 0, lost: 0 }
    }

    /// The queue was found empty once: the window is held for a while, to see whether others fill it.
    pub(super) fn begin_audit(&mut self) {
        self.audit = Some(0);
    }

    /// The `round`th round of it is over; `empty`: the queue was; `starved`: little was delivered.
    pub(super) fn end_round(&mut self, round: u32, empty: bool, starved: bool) {
        let mut is_alone = false;
        match &mut self.audit {
            Some(rounds) if empty => {
                *rounds += 1;
                is_alone = *rounds >= EMPTY_ROUNDS;
            }
            Some(_) if round > SETTLING => self.audit = None,
            Some(_) => {}
            // What was given up was taken by nobody.
            None => is_alone = empty && self.cubic.has_regained(),
        }
        self.outcome = match is_alone {
            true => Some(Outcome::Alone),
            false if starved && round > PATIENCE && self.is_flooded() => Some(Outcome::Flooded),
            false => None,
        };
    }

    /// Whether more is lost than others leave who answer to it: by their law they have a window of `sqrt(1.5 / loss)` packets
    /// (RFC 9438, section 4.3), and so have we.
    fn is_flooded(&self) -> bool {
        let window = u128::from(self.cubic.window() / self.mtu);
        let (settled, lost) = (u128::from(self.settled), u128::from(self.lost));
        self.settled >= MEMORY * self.mtu / 4
            && lost * u128::from(FLOOD) > settled
            && lost * window * window > 2 * settled
    }

    /// What it came to.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Bytes that may be in flight, on a path that holds `held`.
    pub(super) fn window(&self, held: u64) -> u64 {
        if self.audit.is_some() { held } else { self.cubic.window() }
    }

    fn count(&mut self, settled: u64, lost: u64) {
        self.settled = self.settled.saturating_add(settled);
        self.lost = self.lost.saturating_add(lost);
        if self.settled > MEMORY * self.mtu {
            self.settled /= 2;
            self.lost /= 2;
        }
    }

    pub(super) fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        self.cubic.pacing_rate(rtt)
    }

    pub(super) fn on_sent(&mut self, sent: &Sent) {
        self.cubic.on_sent(sent);
    }

    pub(super) fn on_acked(&mut self, acked: &Acked<'_>) {
        self.cubic.on_acked(acked);
        self.count(acked.bytes, 0);
    }

    /// Packets were lost; `congestion`: others have to do with it.
    pub(super) fn on_lost(&mut self, lost: &Lost, congestion: bool) {
        self.count(lost.bytes, lost.bytes);
        if congestion {
            self.cubic.on_lost(lost);
        }
    }

    pub(super) fn on_ecn(&mut self, marked: &Marked) {
        self.cubic.on_ecn(marked);
    }

    pub(super) fn on_mtu(&mut self, mtu: u64) {
        self.mtu = mtu.max(1);
        self.cubic.on_mtu(mtu);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_when_the_queue_stays_empty() {
        let mut contest = Contest::new(1000, 100_000, Instant::ZERO);
        assert_eq!(contest.window(0), 70_000);
        contest.end_round(1, true, true);
        assert_eq!(contest.outcome(), None);
        contest.begin_audit();
        assert_eq!(contest.window(50_000), 50_000);
        (0..EMPTY_ROUNDS).for_each(|round| contest.end_round(round, true, true));
        assert_eq!(contest.outcome(), Some(Outcome::Alone));
    }

    #[test]
    fn goes_on_when_others_fill_it() {
        let mut contest = Contest::new(1000, 100_000, Instant::ZERO);
        contest.begin_audit();
        contest.end_round(1, false, false);
        assert_eq!(contest.window(50_000), 50_000);
        contest.end_round(2, true, false);
        contest.end_round(3, false, false);
        assert_eq!(contest.window(50_000), 70_000);
        assert_eq!(contest.outcome(), None);
    }

    #[test]
    fn is_in_vain_where_others_flood_the_queue() {
        let outcome = |lost: u64, starved: bool| {
            let mut contest = Contest::new(1000, 100_000, Instant::ZERO);
            contest.count(1_000_000, lost * 1000);
            contest.end_round(PATIENCE + 1, false, starved);
            contest.outcome()
        };
        assert_eq!(outcome(10, true), None);
        assert_eq!(outcome(11, true), Some(Outcome::Flooded));
        assert_eq!(outcome(11, false), None);
    }
}
