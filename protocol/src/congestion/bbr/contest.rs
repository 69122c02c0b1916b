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

/// Rounds until what others leave is what they leave in the long run.
const PATIENCE: u32 = 20;

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
    cubic: Cubic,
    /// Rounds with an empty queue since the window was held to what the path holds, if it is.
    audit: Option<u32>,
    outcome: Option<Outcome>,
}

impl Contest {
    /// Congestion was met with `in_flight` bytes on their way.
    pub(super) fn new(mtu: u64, in_flight: u64, now: Instant) -> Self {
        let cubic = Cubic::after_congestion(mtu, in_flight, now);
        Self { cubic, audit: None, outcome: None }
    }

    /// The queue was found empty once: the window is held for a while, to see whether others fill it.
    pub(super) fn begin_audit(&mut self) {
        self.audit = Some(0);
    }

    /// The `round`th round of it is over; `empty`: the queue was; `flooded`: others that are deaf to loss leave little.
    pub(super) fn end_round(&mut self, round: u32, empty: bool, flooded: bool) {
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
            false if flooded && round > PATIENCE => Some(Outcome::Flooded),
            false => None,
        };
    }

    /// What it came to.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Bytes that may be in flight, on a path that holds `held`.
    pub(super) fn window(&self, held: u64) -> u64 {
        if self.audit.is_some() { held } else { self.cubic.window() }
    }

    pub(super) fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        self.cubic.pacing_rate(rtt)
    }

    pub(super) fn on_sent(&mut self, sent: &Sent) {
        self.cubic.on_sent(sent);
    }

    pub(super) fn on_acked(&mut self, acked: &Acked<'_>) {
        self.cubic.on_acked(acked);
    }

    /// Packets were lost, and others have to do with it.
    pub(super) fn on_lost(&mut self, lost: &Lost) {
        self.cubic.on_lost(lost);
    }

    pub(super) fn on_ecn(&mut self, marked: &Marked) {
        self.cubic.on_ecn(marked);
    }

    pub(super) fn on_mtu(&mut self, mtu: u64) {
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
        let outcome = |round: u32, flooded: bool| {
            let mut contest = Contest::new(1000, 100_000, Instant::ZERO);
            contest.end_round(round, false, flooded);
            contest.outcome()
        };
        assert_eq!(outcome(PATIENCE, true), None);
        assert_eq!(outcome(PATIENCE + 1, true), Some(Outcome::Flooded));
        assert_eq!(outcome(PATIENCE + 1, false), None);
    }
}
