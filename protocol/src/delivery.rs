//! Delivery rate estimation: how fast the path takes bytes off our hands
//! (draft-cheng-iccrg-delivery-rate-estimation).

use core::time::Duration;

use crate::Instant;

/// What a packet must remember from the moment it was sent, to give a sample when acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    /// Bytes delivered on the path before the packet was sent.
    delivered: u64,
    /// When the last of those bytes were acknowledged.
    delivered_at: Instant,
    /// When the packet was sent whose acknowledgement that was: the start of this flight.
    first_sent_at: Instant,
    /// Whether there was too little to send.
    app_limited: bool,
}

/// What one ACK frame tells about the rate of delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RateSample {
    /// Bytes acknowledged during `interval`.
    pub(crate) delivered: u64,
    /// The longer of the times the bytes took to send and to be acknowledged; never zero.
    pub(crate) interval: Duration,
    /// Whether there was too little to send: then the path may carry more than this.
    pub(crate) app_limited: bool,
}

impl RateSample {
    /// The rate of delivery, in bytes a second.
    #[cfg(test)]
    pub(crate) fn bytes_per_second(&self) -> u64 {
        let nanos = self.interval.as_nanos().max(1);
        let rate = u128::from(self.delivered) * 1_000_000_000 / nanos;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// The newest packet of an ACK frame, so far.
#[derive(Clone, Copy, Debug)]
struct Newest {
    stamp: Stamp,
    sent_at: Instant,
}

/// Measures the rate of delivery of one path.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeliveryRate {
    /// Bytes delivered in all, and when the last of them were acknowledged.
    delivered: u64,
    delivered_at: Instant,
    /// When the newest packet known as delivered was sent.
    first_sent_at: Instant,
    /// Samples are too low until this many bytes are delivered.
    app_limited_until: Option<u64>,
    newest: Option<Newest>,
}

impl DeliveryRate {
    /// A path that has delivered nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in that a packet is sent while `in_flight` bytes, without it, are on the path; the
    /// stamp comes back with [`Self::on_acked`].
    pub(crate) fn on_sent(&mut self, now: Instant, in_flight: u64) -> Stamp {
        if in_flight == 0 {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            app_limited: self.app_limited_until.is_some(),
        }
    }

    /// Takes in that there is nothing to send though window and pacer allow it, with `in_flight`
    /// bytes on the path: until these are delivered, samples tell less than the path can do.
    pub(crate) fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = Some(self.delivered.saturating_add(in_flight));
    }

    /// Takes in one packet of an ACK frame: `bytes` sent at `sent_at` with `stamp`.
    pub(crate) fn on_acked(&mut self, now: Instant, bytes: u64, stamp: Stamp, sent_at: Instant) {
        self.delivered = self.delivered.saturating_add(bytes);
        self.delivered_at = now;
        let key = |stamp: &Stamp, sent_at| (sent_at, stamp.delivered);
        if self.newest.is_none_or(|n| key(&stamp, sent_at) >= key(&n.stamp, n.sent_at)) {
            self.newest = Some(Newest { stamp, sent_at });
        }
    }

    /// Ends an ACK frame: the sample of its newest packet, if it acknowledged anything. Sets of
    /// packets that were acknowledged in less than `min_rtt` overstate the rate and give none.
    pub(crate) fn sample(&mut self, min_rtt: Duration) -> Option<RateSample> {
        let Newest { stamp, sent_at } = self.newest.take()?;
        self.first_sent_at = self.first_sent_at.max(sent_at);
        if self.app_limited_until.is_some_and(|until| self.delivered > until) {
            self.app_limited_until = None;
        }
        let send_elapsed = sent_at.saturating_since(stamp.first_sent_at);
        let ack_elapsed = self.delivered_at.saturating_since(stamp.delivered_at);
        let interval = send_elapsed.max(ack_elapsed);
        if interval.is_zero() || interval < min_rtt {
            return None;
        }
        let delivered = self.delivered.saturating_sub(stamp.delivered);
        Some(RateSample { delivered, interval, app_limited: stamp.app_limited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::VecDeque, vec::Vec};
    use proptest::prelude::*;

    const PACKET: u64 = 1200;

    /// A path with a queue: `gap` nanoseconds a packet, `delay` nanoseconds there and back.
    struct Path {
        gap: u64,
        delay: u64,
    }

    /// Sends `packets` at the times `sends` over `path`, acknowledged `per_ack` at a time.
    fn run(path: &Path, sends: &[u64], per_ack: usize) -> Vec<RateSample> {
        let mut rate = DeliveryRate::new();
        let mut samples = Vec::new();
        let mut flying: VecDeque<(u64, Instant, Stamp)> = VecDeque::new();
        let mut free_at = 0;
        let mut sends = sends.iter().copied().peekable();
        while sends.peek().is_some() || !flying.is_empty() {
            let last = flying.get(per_ack.min(flying.len()).saturating_sub(1));
            let next_ack = last.map(|(arrival, ..)| *arrival);
            if let Some(&send) = sends.peek()
                && next_ack.is_none_or(|ack| send <= ack)
            {
                sends.next();
                let now = Instant::from_nanos(send);
                let stamp = rate.on_sent(now, flying.len() as u64 * PACKET);
                free_at = free_at.max(send) + path.gap;
                flying.push_back((free_at + path.delay, now, stamp));
                continue;
            }
            let now = Instant::from_nanos(next_ack.unwrap());
            for (_, sent_at, stamp) in flying.drain(..per_ack.min(flying.len())) {
                rate.on_acked(now, PACKET, stamp, sent_at);
            }
            samples.extend(rate.sample(Duration::from_nanos(path.delay)));
        }
        samples
    }

    #[test]
    fn a_full_path_shows_its_rate() {
        let path = Path { gap: 10_000, delay: 1_000_000 };
        let sends: Vec<u64> = (0..2000).map(|n| n * 8_000).collect();
        let samples = run(&path, &sends, 4);
        let last = samples.last().unwrap();
        assert!(!last.app_limited);
        let expected = PACKET * 1_000_000_000 / path.gap;
        let rate = last.bytes_per_second();
        assert!(rate.abs_diff(expected) < expected / 50, "{rate} for {expected}");
    }

    #[test]
    fn a_flight_without_work_is_marked_until_it_is_delivered() {
        let mut rate = DeliveryRate::new();
        let at = Instant::from_nanos;
        let first = rate.on_sent(at(0), 0);
        rate.on_app_limited(PACKET);
        let second = rate.on_sent(at(10), PACKET);
        let third = rate.on_sent(at(20), 2 * PACKET);
        rate.on_acked(at(100), PACKET, first, at(0));
        assert!(!rate.sample(Duration::ZERO).unwrap().app_limited);
        rate.on_acked(at(110), PACKET, second, at(10));
        assert!(rate.sample(Duration::ZERO).unwrap().app_limited);
        let fourth = rate.on_sent(at(115), PACKET);
        rate.on_acked(at(120), PACKET, third, at(20));
        assert!(rate.sample(Duration::ZERO).unwrap().app_limited);
        rate.on_acked(at(200), PACKET, fourth, at(115));
        let sample = rate.sample(Duration::ZERO).unwrap();
        assert!(!sample.app_limited);
        assert_eq!(sample.delivered, 2 * PACKET);
        assert_eq!(sample.interval, Duration::from_nanos(105));
        assert_eq!(rate.sample(Duration::ZERO), None);
    }

    proptest! {
        /// However packets are sent and acknowledgements bundled, no sample says more than the
        /// path can carry, but for the packets of one bundle.
        #[test]
        fn never_overstates_the_path(
            gap in 1_000..100_000u64,
            delay in 100_000..10_000_000u64,
            waits in prop::collection::vec(0..50_000u64, 1..300),
            per_ack in 1..8usize,
        ) {
            let sends: Vec<u64> = waits
                .iter()
                .scan(0, |at, wait| { *at += wait; Some(*at) })
                .collect();
            let bundle = PACKET * per_ack as u64;
            for sample in run(&Path { gap, delay }, &sends, per_ack) {
                let carried = PACKET * u64::try_from(sample.interval.as_nanos()).unwrap() / gap;
                prop_assert!(sample.delivered <= carried + bundle, "{sample:?}");
                prop_assert!(sample.delivered > 0 && sample.interval > Duration::ZERO);
            }
        }
    }
}
