//! Packets in flight, and which of them are lost (RFC 9002, section 6).

mod diverted;
mod sent;

use alloc::collections::VecDeque;
use core::{ops::RangeInclusive, time::Duration};

use diverted::Diverted;
use sent::State;
pub(crate) use sent::{Chunk, Contents, PathId, Repeat, Repeats, SentPacket};

use crate::{Instant, rtt::Rtt, skips::Skips, wire::frame::Ack};

/// A packet is lost when one sent this much later is acknowledged (RFC 9002, section 6.1.1).
const PACKET_THRESHOLD: u64 = 3;
/// What the threshold grows to where a path proves that it reorders more; by then time decides.
const MAX_PACKET_THRESHOLD: u64 = 128;
/// Persistent congestion spans so many probe timeouts (RFC 9002, section 7.6.1).
const PERSISTENT_CONGESTION: u32 = 3;
/// A lost packet is remembered for so many round trips, to learn from a late acknowledgement.
const REMEMBER_LOST: u32 = 2;

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Acked,
    /// Declared lost before, and now acknowledged after all.
    AckedLate,
    Lost,
}

/// What an ACK frame brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckOutcome {
    /// Bytes newly acknowledged, of this path.
    pub(crate) bytes: u64,
    /// Whether anything was newly acknowledged.
    pub(crate) progress: bool,
    /// When the newest of the newly acknowledged packets of this path was sent, and its number.
    pub(crate) newest: Option<(u64, Instant)>,
    /// A sample of the round-trip time: the frame's largest is new and of this path, and some new one is eliciting.
    pub(crate) rtt_sample: Option<Duration>,
    /// Marked packets newly acknowledged, of all paths: so the peer counts them.
    pub(crate) ecn_marked: u64,
}

/// Losses found at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossOutcome {
    /// Bytes of this path.
    pub(crate) bytes: u64,
    /// Packets of all paths.
    pub(crate) packets: u64,
    /// The newest lost packet that says something of congestion on this path.
    pub(crate) newest: Option<(u64, Instant)>,
    /// So much was lost in a row that the path must have changed (RFC 9002, section 7.6).
    pub(crate) persistent: bool,
}

/// The peer acknowledged a packet that was never sent, or left out on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct AckUnsent;

/// Every packet from the oldest that matters to the newest.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Packet number `base + i` is at index `i`.
    packets: VecDeque<SentPacket>,
    base: u64,
    largest_acked: Option<u64>,
    /// No packet below is outstanding, so that a search for losses starts here.
    scan_from: u64,
    /// Below it, the newest ACK frame left numbers out for want of room.
    unsaid_below: u64,
    skips: Skips,
    /// The path that packets go over now, and bytes in flight on it.
    path: PathId,
    in_flight: u64,
    /// The same of a path that may come back.
    former: Option<(PathId, u64)>,
    diverted: Diverted,
    eliciting_in_flight: u64,
    last_eliciting_at: Instant,
    last_progress: Instant,
    loss_time: Option<Instant>,
    packet_threshold: u64,
    /// The longest time in which a packet was acknowledged that counted as lost.
    latest: Duration,
    pto_count: u32,
}

/// Most packets that are remembered: twice what the largest window holds in packets of 1200 bytes.
const MAX_TRACKED: usize = 1 << 17;
/// Largest exponent of the backoff of probe timeouts.
const MAX_BACKOFF: u32 = 16;
/// Longest time between probes. After a blackout a transfer goes on within this, and two packets in such a time
/// burden no path.
const MAX_PROBE_INTERVAL: Duration = Duration::from_secs(3);
/// The same where so many probe timeouts are less, and the least that it is: a burst of losses that took a whole window ends after
/// so many packets, not after some time, and on a short path that is to be soon.
const MAX_PROBE_TIMEOUTS: u32 = 8;
const SHORT_PROBE_INTERVAL: Duration = Duration::from_millis(500);

impl Recovery {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            packets: VecDeque::new(),
            base: 0,
            largest_acked: None,
            scan_from: 0,
            unsaid_below: 0,
            skips: Skips::new(),
            path: PathId::FIRST,
            in_flight: 0,
            former: None,
            diverted: Diverted::NONE,
            eliciting_in_flight: 0,
            last_eliciting_at: now,
            last_progress: now,
            loss_time: None,
            packet_threshold: PACKET_THRESHOLD,
            latest: Duration::ZERO,
            pto_count: 0,
        }
    }

    /// The number that the next packet gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.base.saturating_add(self.packets.len() as u64)
    }

    /// Packets below are forgotten.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Probe timeouts in a row.
    pub(crate) const fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// Bytes of packets on this path that are neither acknowledged nor lost and count for congestion.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The same, and what of the packets to a port that is gone is on its way yet.
    pub(crate) fn occupied(&self, now: Instant) -> u64 {
        self.in_flight.saturating_add(self.diverted.left(now))
    }

    /// When no more than so much is occupied, if no acknowledgement has to come for that; a moment after `now`.
    pub(crate) fn clears_at(&self, now: Instant, occupied: u64) -> Option<Instant> {
        self.diverted.falls_to(occupied.checked_sub(self.in_flight)?).map(|at| at.max(now))
    }

    /// Whether the peer acknowledged any packet.
    pub(crate) const fn was_acknowledged(&self) -> bool {
        self.largest_acked.is_some()
    }

    /// Whether an acknowledgement is to be expected.
    pub(crate) const fn expects_ack(&self) -> bool {
        self.eliciting_in_flight > 0
    }

    /// Whether the oldest packet has to be acknowledged first. Only a peer that acknowledges nothing while it makes us
    /// acknowledge much comes this far.
    pub(crate) fn is_full(&self) -> bool {
        self.packets.len() > MAX_TRACKED
    }

    /// When the peer last acknowledged something new, or there was nothing to acknowledge.
    pub(crate) const fn last_progress(&self) -> Instant {
        self.last_progress
    }

    /// Packets go over another path from now on. Those in flight on the one before are `kept` count of if it may come back.
    pub(crate) fn set_path(&mut self, path: PathId, kept: bool) {
        let back = self.former.filter(|(former, _)| *former == path);
        let before = (self.path, self.in_flight);
        self.path = path;
        self.in_flight = back.map_or(0, |(_, in_flight)| in_flight);
        self.diverted = Diverted::NONE;
        if kept {
            self.former = Some(before);
        } else if back.is_some() {
            self.former = None;
        }
    }

    /// The path is the same, and its end at the peer another: what is in flight meets nobody. It takes its round trip to be gone.
    pub(crate) fn divert(&mut self, path: PathId, now: Instant, round_trip: Duration) {
        self.diverted = Diverted::new(self.occupied(now), now, round_trip);
        self.path = path;
        self.in_flight = 0;
    }

    /// When the newest packet that asks for an acknowledgement was sent.
    pub(crate) const fn last_eliciting_at(&self) -> Instant {
        self.last_eliciting_at
    }

    /// Leaves the next number out if its time has come. `dice` gives numbers that the peer cannot guess.
    pub(crate) fn skip(&mut self, dice: impl FnMut() -> u64) {
        let next = self.next_number();
        if !self.packets.is_empty()
            && self.skips.skips(next, dice)
            && let Some(last) = self.packets.back().copied()
        {
            self.packets.push_back(last.skipped());
        }
    }

    /// Takes an eliciting packet out of what is in flight.
    fn land(&mut self, path: PathId, size: u16) {
        let size = u64::from(size);
        if path == self.path {
            self.in_flight = self.in_flight.saturating_sub(size);
        } else if let Some((former, in_flight)) = &mut self.former
            && *former == path
        {
            *in_flight = in_flight.saturating_sub(size);
        }
        self.eliciting_in_flight = self.eliciting_in_flight.saturating_sub(1);
    }

    /// Takes in the packet of [`Self::next_number`].
    pub(crate) fn on_sent(&mut self, packet: SentPacket) {
        if packet.eliciting {
            if self.eliciting_in_flight == 0 {
                self.last_progress = packet.sent_at;
            }
            if packet.path == self.path {
                self.in_flight = self.in_flight.saturating_add(u64::from(packet.size));
            }
            self.eliciting_in_flight = self.eliciting_in_flight.saturating_add(1);
            self.last_eliciting_at = packet.sent_at;
        }
        self.packets.push_back(packet);
        // Whoever only receives sends acknowledgements that need none: the oldest of them can go.
        while self.packets.len() > MAX_TRACKED
            && self.packets.pop_front_if(|oldest| !oldest.eliciting).is_some()
        {
            self.base = self.base.saturating_add(1);
        }
    }

    /// Takes in an ACK frame, and tells the fate of each packet it is news for.
    pub(crate) fn on_ack(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        mut fate: impl FnMut(u64, &SentPacket, Fate),
    ) -> Result<AckOutcome, AckUnsent> {
        if ack.largest >= self.next_number() || self.names_skipped(ack) {
            return Err(AckUnsent);
        }
        let mut outcome = AckOutcome::default();
        let mut eliciting = false;
        for range in ack.ranges() {
            if *range.end() < self.base {
                break;
            }
            eliciting |= self.ack_range(now, &range, &mut outcome, &mut fate);
        }
        if let Some((number, sent_at)) = outcome.newest
            && number == ack.largest
            && eliciting
        {
            outcome.rtt_sample = Some(now.saturating_since(sent_at));
        }
        if outcome.progress {
            self.pto_count = 0;
            self.last_progress = now;
        }
        if self.largest_acked.is_none_or(|largest| ack.largest >= largest) {
            self.largest_acked = Some(ack.largest);
            self.unsaid_below = if ack.partial { ack.smallest() } else { 0 };
        }
        Ok(outcome)
    }

    /// Whether the peer acknowledges what was left out on purpose.
    fn names_skipped(&self, ack: &Ack<'_>) -> bool {
        let Some(oldest) = self.skips.oldest() else { return false };
        ack.ranges()
            .take_while(|range| *range.end() >= oldest)
            .any(|range| self.skips.between(*range.start(), range.end().saturating_add(1)) > 0)
    }

    /// Marks the packets of one range; tells whether a new one among them is eliciting.
    fn ack_range(
        &mut self,
        now: Instant,
        range: &RangeInclusive<u64>,
        outcome: &mut AckOutcome,
        fate: &mut impl FnMut(u64, &SentPacket, Fate),
    ) -> bool {
        let from = range.start().saturating_sub(self.base);
        let to = range.end().saturating_sub(self.base);
        let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else { return false };
        let mut eliciting = false;
        for index in from..=to {
            let Some(packet) = self.packets.get_mut(index) else { break };
            let number = self.base.saturating_add(index as u64);
            match packet.state {
                State::Acked | State::Skipped => continue,
                State::Lost => {
                    packet.state = State::Acked;
                    let distance = ack_distance(self.largest_acked, number, &self.skips);
                    self.packet_threshold =
                        self.packet_threshold.max(distance).min(MAX_PACKET_THRESHOLD);
                    self.latest = self.latest.max(now.saturating_since(packet.sent_at));
                    fate(number, packet, Fate::AckedLate);
                    continue;
                }
                State::Outstanding => packet.state = State::Acked,
            }
            let packet = *packet;
            let here = packet.path == self.path;
            if packet.eliciting {
                eliciting = true;
                self.land(packet.path, packet.size);
                let bytes = if here { u64::from(packet.size) } else { 0 };
                outcome.bytes = outcome.bytes.saturating_add(bytes);
                outcome.ecn_marked += u64::from(packet.contents.ecn);
            }
            outcome.progress = true;
            if here && outcome.newest.is_none_or(|(newest, _)| newest < number) {
                outcome.newest = Some((number, packet.sent_at));
            }
            fate(number, &packet, Fate::Acked);
        }
        eliciting
    }

    /// Finds out which packets are lost by now, and tells each.
    pub(crate) fn detect_losses(
        &mut self,
        now: Instant,
        rtt: &Rtt,
        pto: Duration,
        mut fate: impl FnMut(u64, &SentPacket, Fate),
    ) -> LossOutcome {
        self.loss_time = None;
        let mut outcome = LossOutcome::default();
        let Some(largest) = self.largest_acked else { return outcome };
        let patience = rtt.loss_delay_after(self.latest);
        let start = self.unsaid_below.max(self.scan_from).saturating_sub(self.base);
        let mut row: Option<Instant> = None;
        let mut waiting = self.unsaid_below > self.scan_from;
        for index in usize::try_from(start).unwrap_or(usize::MAX)..self.packets.len() {
            let number = self.base.saturating_add(index as u64);
            let Some(packet) = self.packets.get_mut(index).filter(|_| number < largest) else {
                break;
            };
            if !waiting {
                self.scan_from = number;
            }
            if packet.state != State::Outstanding {
                row = row.filter(|_| packet.state != State::Acked);
                continue;
            }
            let late = now.saturating_since(packet.sent_at) >= patience;
            let distance = distance(number, largest, &self.skips);
            if !late && distance < self.packet_threshold {
                waiting = true;
                let at = packet.sent_at + patience;
                self.loss_time = Some(self.loss_time.map_or(at, |set| set.min(at)));
                continue;
            }
            packet.state = State::Lost;
            let packet = *packet;
            if packet.eliciting {
                self.land(packet.path, packet.size);
                outcome.packets += u64::from(!packet.contents.mtu_probe);
                if !packet.contents.mtu_probe && packet.path == self.path {
                    outcome.bytes = outcome.bytes.saturating_add(u64::from(packet.size));
                    outcome.newest = Some((number, packet.sent_at));
                    let since = *row.get_or_insert(packet.sent_at);
                    let span = packet.sent_at.saturating_since(since);
                    outcome.persistent |= rtt.has_sample() && span > pto * PERSISTENT_CONGESTION;
                }
            }
            fate(number, &packet, Fate::Lost);
        }
        self.forget_old(now, rtt);
        outcome
    }

    /// Packets at the front that nothing can be learned from any more go.
    fn forget_old(&mut self, now: Instant, rtt: &Rtt) {
        let memory = rtt.smoothed() * REMEMBER_LOST;
        while let Some(packet) = self.packets.front() {
            let old = match packet.state {
                State::Outstanding => !packet.eliciting && self.largest_acked > Some(self.base),
                State::Acked | State::Skipped => true,
                State::Lost => now.saturating_since(packet.sent_at) > memory,
            };
            if !old {
                break;
            }
            self.packets.pop_front();
            self.base = self.base.saturating_add(1);
        }
    }

    /// When the next packet counts as lost, or the next probe is due.
    pub(crate) fn deadline(&self, pto: Duration) -> Option<Instant> {
        if self.loss_time.is_some() {
            return self.loss_time;
        }
        if !self.expects_ack() {
            return None;
        }
        Some(self.last_eliciting_at + self.probe_interval(pto))
    }

    fn probe_interval(&self, pto: Duration) -> Duration {
        let backed_off = pto.saturating_mul(1 << self.pto_count.min(MAX_BACKOFF));
        let longest = pto.saturating_mul(MAX_PROBE_TIMEOUTS);
        backed_off.min(longest.clamp(SHORT_PROBE_INTERVAL, MAX_PROBE_INTERVAL).max(pto))
    }

    /// Whether the deadline that passed is a loss time and not a probe's.
    pub(crate) fn is_loss_time(&self, now: Instant) -> bool {
        self.loss_time.is_some_and(|at| at <= now)
    }

    /// Takes in that a probe timeout passed. The oldest packets in flight are the best probes: `each` gets one after the other,
    /// to repeat what they carried, until `count` of them turned out to have carried something.
    pub(crate) fn on_probe_timeout(
        &mut self,
        now: Instant,
        count: usize,
        mut each: impl FnMut(u64, &SentPacket) -> bool,
    ) {
        self.pto_count = self.pto_count.saturating_add(1);
        // The next interval counts from here, even if the probe finds nothing to say.
        self.last_eliciting_at = now;
        let outstanding = self.packets.iter().enumerate().filter(|(_, packet)| {
            packet.state == State::Outstanding && packet.eliciting && !packet.contents.mtu_probe
        });
        let mut left = count;
        for (index, packet) in outstanding {
            if left == 0 {
                break;
            }
            left -= usize::from(each(self.base.saturating_add(index as u64), packet));
        }
    }
}

/// How far behind the newest acknowledged packet a late one was, and one more, so that it would have been waited for.
fn ack_distance(largest_acked: Option<u64>, number: u64, skips: &Skips) -> u64 {
    largest_acked.map_or(0, |largest| distance(number, largest, skips)).saturating_add(1)
}

/// How many packets after `number` the packet `largest` was sent. Numbers that were left out are no packets.
fn distance(number: u64, largest: u64, skips: &Skips) -> u64 {
    largest.saturating_sub(number).saturating_sub(skips.between(number, largest))
}

#[cfg(test)]
mod tests;
