//! What the receiver of packets owes in acknowledgements (RFC 9000, section 13.2).

use core::{ops::RangeInclusive, time::Duration};

use crate::{
    Ecn, Instant,
    ranges::RangeSet,
    wire::{
        cursor::{VARINT_MAX, Writer},
        frame,
    },
};

/// Most ranges of received numbers that are kept. Every loss leaves a gap for good, since a number is never sent
/// again: at 10% loss this is the memory of 20,000 packets. The oldest go first.
pub(crate) const MAX_RANGES: usize = 2_048;
/// Longest time that an acknowledgement is held back.
pub(crate) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
/// Shortest: below it timers cost more than packets.
const MIN_ACK_DELAY: Duration = Duration::from_millis(1);
/// An eighth of a round trip: the sender sees eight signals a round trip.
const ROUND_TRIP_SHARE: u32 = 8;
/// Packets that are acknowledged together at most, unless they come in one receive batch.
const PACKETS_PER_ACK: u32 = 10;

/// Numbers of packets received, and whether and when to say so.
#[derive(Debug)]
pub(crate) struct Acks {
    /// All of the remembered past, to tell duplicates.
    received: RangeSet,
    /// Numbers below are not remembered one by one; none of them is accepted again.
    floor: u64,
    /// What the peer is not known to have been told.
    untold: RangeSet,
    largest_at: Instant,
    /// Packets that ask for an acknowledgement and have none yet.
    pending: u32,
    due: Option<Instant>,
    ecn: [u64; 3],
    any_ecn: bool,
}

impl Acks {
    pub(crate) const fn new() -> Self {
        Self {
            received: RangeSet::new(),
            floor: 0,
            untold: RangeSet::new(),
            largest_at: Instant::ZERO,
            pending: 0,
            due: None,
            ecn: [0; 3],
            any_ecn: false,
        }
    }

    /// Whether a packet of this number was received before, or is too old to know.
    pub(crate) fn is_duplicate(&self, number: u64) -> bool {
        number < self.floor || self.received.contains(number)
    }

    /// The largest number received.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.received.last().map(|range| range.end.saturating_sub(1))
    }

    /// Takes in a packet that was opened and obeyed. `eliciting`: it asks for an acknowledgement.
    pub(crate) fn on_received(
        &mut self,
        now: Instant,
        number: u64,
        eliciting: bool,
        ecn: Option<Ecn>,
        rtt: Duration,
    ) {
        let expected = self.largest().map_or(0, |largest| largest.saturating_add(1));
        self.received.insert(number..number.saturating_add(1));
        if number >= expected {
            self.largest_at = now;
        }
        self.untold.insert(number..number.saturating_add(1));
        if self.received.len() > MAX_RANGES
            && let Some(lowest) = self.received.pop_first()
        {
            self.floor = self.floor.max(lowest.end);
        }
        if self.untold.len() > MAX_RANGES {
            self.untold.drop_lowest();
        }
        if let Some(mark) = ecn {
            self.any_ecn = true;
            let place = match mark {
                Ecn::Ect0 => 0,
                Ecn::Ect1 => 1,
                Ecn::Ce => 2,
            };
            if let Some(count) = self.ecn.get_mut(place) {
                *count = count.saturating_add(1);
            }
        }
        if eliciting {
            self.pending = self.pending.saturating_add(1);
            // A gap that opens or closes is news for loss recovery; a mark is for congestion control.
            let news = number != expected || ecn == Some(Ecn::Ce);
            let delay = if news || self.pending >= PACKETS_PER_ACK {
                Duration::ZERO
            } else {
                (rtt / ROUND_TRIP_SHARE).clamp(MIN_ACK_DELAY, MAX_ACK_DELAY)
            };
            let due = now + delay;
            self.due = Some(self.due.map_or(due, |set| set.min(due)));
        }
    }

    /// Says so at the next opportunity, if there is anything to say.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if !self.untold.is_empty() {
            self.due = Some(now);
        }
    }

    /// When an acknowledgement is to be sent, if nothing else is sent before.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes an ACK frame of at most `room` bytes, if one fits; gives the numbers that it spans.
    ///
    /// What is left out for want of room is said once the peer is known to have this frame.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        w: &mut Writer<'_>,
        room: usize,
    ) -> Option<RangeInclusive<u64>> {
        let delay = now.saturating_since(self.largest_at).as_micros();
        let delay = u64::try_from(delay).unwrap_or(VARINT_MAX).min(VARINT_MAX);
        let ecn = self.any_ecn.then_some(self.ecn);
        let largest = self.untold.last()?.end.checked_sub(1)?;
        let smallest = frame::write_ack(w, room, &mut self.untold.iter().rev(), delay, ecn)?;
        self.pending = 0;
        self.due = None;
        Some(smallest..=largest)
    }

    /// Takes in that the peer got an ACK frame that spanned these numbers: they need no further mention. The newest range
    /// stays, so that there always is something to say.
    pub(crate) fn on_told(&mut self, told: &RangeInclusive<u64>) {
        let newest = self.untold.last().map_or(0, |range| range.start);
        let end = told.end().saturating_add(1).min(newest);
        if *told.start() < end {
            self.untold.remove(*told.start()..end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};
    use proptest::prelude::*;

    use crate::wire::frame::{Frame, Frames};

    const RTT: Duration = Duration::from_millis(80);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn told(acks: &mut Acks, now: Instant, room: usize) -> (Vec<u64>, bool, RangeInclusive<u64>) {
        let mut buf = [0; 1200];
        let mut w = Writer::new(&mut buf);
        let span = acks.write(now, &mut w, room).unwrap();
        let len = w.finish().unwrap();
        let Some(Ok(Frame::Ack(ack))) = Frames::new(&buf[..len]).next() else { panic!("no ack") };
        (ack.ranges().flatten().collect(), ack.partial, span)
    }

    #[test]
    fn there_is_no_hurry_without_anything_to_say() {
        let mut acks = Acks::new();
        acks.hurry(at(0));
        assert_eq!(acks.due(), None);
        acks.on_received(at(1), 0, true, None, RTT);
        acks.hurry(at(1));
        assert_eq!(acks.due(), Some(at(1)));
    }

    #[test]
    fn in_order_packets_wait_for_company_and_gaps_do_not() {
        let mut acks = Acks::new();
        acks.on_received(at(0), 0, true, None, RTT);
        assert_eq!(acks.due(), Some(at(10)));
        (1..PACKETS_PER_ACK.into()).for_each(|n| acks.on_received(at(1), n, true, None, RTT));
        assert_eq!(acks.due(), Some(at(1)));
        told(&mut acks, at(1), 1000);
        assert_eq!(acks.due(), None);
        acks.on_received(at(5), 11, true, None, RTT);
        assert_eq!(acks.due(), Some(at(5)));
    }

    #[test]
    fn packets_that_ask_for_nothing_get_nothing() {
        let mut acks = Acks::new();
        acks.on_received(at(0), 5, false, None, RTT);
        assert_eq!((acks.due(), acks.pending), (None, 0));
    }

    #[test]
    fn a_congestion_mark_is_told_at_once() {
        let mut acks = Acks::new();
        acks.on_received(at(3), 0, true, Some(Ecn::Ce), RTT);
        assert_eq!(acks.due(), Some(at(3)));
    }

    #[test]
    fn what_finds_no_room_follows_when_the_rest_is_told() {
        let mut acks = Acks::new();
        (0..200).for_each(|n| acks.on_received(at(0), 2 * n, true, None, RTT));
        let mut heard = BTreeSet::new();
        for _ in 0..20 {
            let (numbers, partial, span) = told(&mut acks, at(1), 60);
            heard.extend(numbers);
            acks.on_told(&span);
            if !partial {
                break;
            }
        }
        assert_eq!(heard, (0..200).map(|n| 2 * n).collect());
        assert!(acks.untold.len() == 1);
    }

    proptest! {
        /// However numbers come, memory is bounded and none is taken twice.
        #[test]
        fn each_number_is_new_once(numbers in prop::collection::vec(0u64..20_000, 0..6000)) {
            let mut acks = Acks::new();
            let mut seen = BTreeSet::new();
            for n in numbers {
                if acks.is_duplicate(n) {
                    prop_assert!(seen.contains(&n) || n < acks.floor);
                } else {
                    prop_assert!(seen.insert(n));
                    acks.on_received(at(0), n, true, None, RTT);
                    prop_assert!(acks.is_duplicate(n));
                }
                prop_assert!(acks.received.len() <= MAX_RANGES && acks.untold.len() <= MAX_RANGES);
            }
        }
    }
}
