//! Loss, judged against what the path loses anyway.
//!
//! A radio link or a bad cable loses packets at any rate of sending; a full queue loses them when it is sent too much. The
//! share that is lost while the queue is empty is the path's own; only what exceeds it is a sign of congestion.

use crate::Instant;

/// Loss beyond the path's own that shows congestion, in millionths (`BBR.LossThresh`).
const THRESHOLD: u64 = 20_000;

/// Most loss of the path's own, in millionths: a path that loses more than this is taken for congested.
const MAX_OWN: u64 = 150_000;

/// Packets after which older ones begin to count half: enough to know a loss of 1% to within a third.
const MEMORY: u64 = 2_000;

/// Least packets that tell of the path's own loss.
const ENOUGH: u64 = 100;

/// Least losses while the queue was empty that show that the path loses packets of its own.
const CHANCES: u64 = 3 * PARTS;

/// Least separate losses that are more than one burst.
const EVENTS: u64 = 3;

/// Least packets that are lost where the rate is found by sending twice as much: fewer are chance.
const FLOOD: u64 = 32;

/// Least times that something is lost there: what overruns a queue loses every other packet, a burst all in a row.
const FLOOD_EVENTS: u64 = 6;

/// Longest burst of losses that is believed, in packets.
const MAX_BURST: u64 = 64;

/// Parts of a packet that the path's own losses are counted in, so that halving them loses nothing.
const PARTS: u64 = 1 << 10;

/// Parts that shares are in.
const MILLION: u64 = 1_000_000;

/// What was sent, and became of it, in packets.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sent: u64,
    lost: u64,
    /// Times that something was lost: bursts are one.
    events: u64,
}

/// The losses of a path.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    /// What is judged now: of packets sent from this moment on.
    since: Instant,
    now: Count,
    /// What was lost while the queue was empty, in parts of packets.
    own: Count,
    /// The last round while the rate was looked for, which is the path's own if the rate goes on to grow.
    unsure: Option<Count>,
}

impl Losses {
    /// Takes in acknowledged packets, the newest sent at `sent_at`.
    pub(super) fn on_acked(&mut self, packets: u64, sent_at: Instant) {
        if sent_at >= self.since {
            self.now.sent = self.now.sent.saturating_add(packets);
        }
    }

    /// Takes in lost packets, the newest sent at `sent_at`.
    pub(super) fn on_lost(&mut self, packets: u64, sent_at: Instant) {
        if sent_at >= self.since {
            self.now.sent = self.now.sent.saturating_add(packets);
            self.now.lost = self.now.lost.saturating_add(packets);
            self.now.events = self.now.events.saturating_add(1);
        }
    }

    /// From here on only what is sent from `now` on is judged.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = now;
        self.now = Count::default();
    }

    /// A round is over; what it lost is the path's own if it is `own`.
    pub(super) fn end_round(&mut self, own: bool) {
        let round = core::mem::take(&mut self.now);
        if own {
            self.learn(round);
        }
    }

    /// A round is over in which the rate was looked for. What the one before it lost is the path's own if the rate still
    /// `grows`: it was not sent too much.
    pub(super) fn end_search(&mut self, empty: bool, grows: bool) {
        let round = core::mem::take(&mut self.now);
        let before = self.unsure.replace(round).filter(|_| grows);
        if let Some(before) = before {
            self.learn(before);
        }
        if !(grows && empty) {
            self.unsure = None;
        }
    }

    /// What was taken for the path's own was lost to a queue.
    pub(super) fn forget(&mut self) {
        self.own = Count::default();
        self.unsure = None;
    }

    /// What a round lost is the path's own.
    fn learn(&mut self, round: Count) {
        let own = &mut self.own;
        let add =
            |to: &mut u64, packets: u64| *to = to.saturating_add(packets.saturating_mul(PARTS));
        add(&mut own.sent, round.sent);
        add(&mut own.lost, round.lost);
        add(&mut own.events, round.events);
        while own.sent > MEMORY * PARTS {
            *own = Count { sent: own.sent / 2, lost: own.lost / 2, events: own.events / 2 };
        }
    }

    /// What the path loses anyway, in millionths.
    pub(super) fn own(&self) -> u64 {
        let Count { sent, lost, .. } = self.own;
        if sent < ENOUGH * PARTS {
            return 0;
        }
        (lost.saturating_mul(MILLION) / sent).min(MAX_OWN)
    }

    /// `rate` of delivery as the rate of sending that gives it, on a path that loses its own.
    pub(super) fn sending_for(&self, rate: u64) -> u64 {
        let sending = u128::from(rate) * u128::from(MILLION) / u128::from(MILLION - self.own());
        u64::try_from(sending).unwrap_or(u64::MAX)
    }

    /// Whether more is lost than chance and the path explain, where a queue makes loss likely.
    pub(super) fn exceed_own(&self) -> bool {
        match self.own.events {
            ..CHANCES => self.now.lost > 0,
            _ => self.exceeds(self.own(), 1),
        }
    }

    /// Whether more is lost than chance and the path explain, by more than any path may lose.
    pub(super) fn are_excessive(&self) -> bool {
        self.now.events >= EVENTS && self.exceeds(self.own() + THRESHOLD, 1)
    }

    /// Whether so much is lost as when sending far more than the path carries: a quarter, or `most`, as at twice its rate.
    pub(super) fn are_a_flood(&self, most: bool) -> bool {
        let Count { sent, lost, events } = self.now;
        let (of, whole) = if most { (2, 5) } else { (1, 4) };
        lost >= FLOOD
            && events >= FLOOD_EVENTS
            && lost.saturating_mul(whole) > sent.saturating_mul(of)
    }

    /// Whether more is lost than a share of `expected` millionths, four times its deviation, and so many `bursts`.
    fn exceeds(&self, expected: u64, bursts: u64) -> bool {
        let Count { sent, lost, .. } = self.now;
        let burst = (self.own.lost / self.own.events.max(1)).clamp(1, MAX_BURST);
        let expected = sent.saturating_mul(expected).saturating_mul(PARTS) / MILLION;
        // What is known of the share is uncertain as well.
        let known = self.own.sent.max(ENOUGH * PARTS) / PARTS;
        // Bursts differ as much as they are long.
        let spread = if burst > 1 { 2 * burst } else { 1 };
        let variance = expected.saturating_mul(spread * PARTS);
        let variance = variance.saturating_add(variance / known * sent);
        let allowed = expected + variance.saturating_mul(16).isqrt() + bursts * burst * PARTS;
        lost.saturating_mul(PARTS) > allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Instant = Instant::ZERO;

    /// Rounds of 100 packets of which `lost` are lost.
    fn rounds(losses: &mut Losses, count: u64, lost: u64, empty: bool) {
        for _ in 0..count {
            losses.on_acked(100 - lost, AT);
            (0..lost).for_each(|_| losses.on_lost(1, AT));
            losses.end_round(empty);
        }
    }

    #[test]
    fn a_clean_path_bears_little() {
        let mut losses = Losses::default();
        rounds(&mut losses, 30, 0, true);
        losses.on_acked(92, AT);
        (0..8).for_each(|_| losses.on_lost(1, AT));
        assert!(!losses.are_excessive());
        losses.on_lost(1, AT);
        assert!(losses.are_excessive());
        losses.restart(AT);
        assert!(!losses.are_excessive());
    }

    #[test]
    fn what_the_path_loses_anyway_does_not_count() {
        let mut losses = Losses::default();
        rounds(&mut losses, 50, 10, true);
        assert_eq!(losses.own(), 100_000);
        assert_eq!(losses.sending_for(900), 1_000);
        losses.on_acked(900, AT);
        (0..100).for_each(|_| losses.on_lost(1, AT));
        assert!(!losses.are_excessive());
        (0..100).for_each(|_| losses.on_lost(1, AT));
        assert!(losses.are_excessive());
    }

    #[test]
    fn a_full_queue_teaches_nothing_of_the_path() {
        let mut losses = Losses::default();
        rounds(&mut losses, 50, 10, false);
        assert_eq!(losses.own(), 0);
        // However bad it is, not all of it is the path's own.
        rounds(&mut losses, 50, 90, true);
        assert_eq!(losses.own(), MAX_OWN);
    }

    #[test]
    fn what_was_lost_to_a_queue_is_forgotten() {
        let mut losses = Losses::default();
        rounds(&mut losses, 50, 10, true);
        losses.forget();
        assert_eq!(losses.own(), 0);
    }

    #[test]
    fn bursts_deviate_more() {
        let mut losses = Losses::default();
        for _ in 0..100 {
            losses.on_acked(490, AT);
            losses.on_lost(10, AT);
            losses.end_round(true);
        }
        // Of 500 packets, one burst is expected; three are chance.
        losses.on_acked(470, AT);
        losses.on_lost(30, AT);
        assert!(!losses.are_excessive());
        (0..12).for_each(|_| losses.on_lost(10, AT));
        assert!(losses.are_excessive());
    }

    #[test]
    fn where_a_queue_is_full_any_loss_counts_that_is_not_the_paths_own() {
        let mut losses = Losses::default();
        assert!(!losses.exceed_own());
        losses.on_acked(100, AT);
        losses.on_lost(1, AT);
        assert!(losses.exceed_own());
        rounds(&mut losses, 50, 1, true);
        losses.on_acked(100, AT);
        (0..5).for_each(|_| losses.on_lost(1, AT));
        assert!(!losses.exceed_own());
        (0..5).for_each(|_| losses.on_lost(1, AT));
        assert!(losses.exceed_own());
    }

    #[test]
    fn what_was_sent_before_is_not_judged() {
        let mut losses = Losses::default();
        losses.restart(Instant::from_nanos(10));
        (0..5).for_each(|_| losses.on_lost(10, Instant::from_nanos(9)));
        assert!(!losses.are_excessive());
        (0..5).for_each(|_| losses.on_lost(10, Instant::from_nanos(10)));
        assert!(losses.are_excessive());
    }
}
