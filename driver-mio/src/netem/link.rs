//! One direction of a link.

use super::{
    config::LinkConfig,
    counters::Counters,
    damage::{flip_bit, flip_bits_unseen},
    fate::{Dice, Fate},
    wire::Wire,
};
use gannet_protocol::Instant;
use std::collections::VecDeque;

/// The most that is on the way at once, so that a link without a rate but with a delay cannot
/// eat the machine: enough for 10 Gbit/s over half a second.
const MOST_IN_FLIGHT_BYTES: u64 = 640 * 1024 * 1024;

/// Buffers kept for reuse: a few megabytes, and as many as are on the way on most links.
const MOST_SPARE: usize = 4096;

/// One direction of a link: packets go in with [`offer`](Self::offer) and come out of
/// [`take_due`](Self::take_due) when their time has come, if they survive.
///
/// A packet first meets the drop-tail queue of the bottleneck, then takes its turn on the wire at
/// the rate, and only then may be lost, damaged, doubled or held back: a packet lost on the way
/// has used the wire.
///
/// `M` is what the caller attaches to each packet, such as addresses. The caller's time must not
/// go back. The same configuration and calls give the same packets.
#[derive(Debug)]
pub struct Link<M> {
    config: LinkConfig,
    dice: Dice,
    wire: Wire,
    in_blackout: bool,
    /// In order of time; so is `held_back`.
    in_order: VecDeque<Flying<M>>,
    held_back: VecDeque<Flying<M>>,
    /// When the last packet is due that was not held back.
    last_due: Instant,
    launched: u64,
    in_flight_bytes: u64,
    spare: Vec<Vec<u8>>,
    counters: Counters,
}

#[derive(Debug)]
struct Flying<M> {
    due: Instant,
    /// Keeps the order among equals.
    number: u64,
    meta: M,
    bytes: Vec<u8>,
}

impl<M: Clone> Link<M> {
    /// A link with nothing on it.
    #[must_use]
    pub fn new(config: LinkConfig) -> Self {
        Self {
            dice: Dice::new(config.seed),
            wire: Wire::new(&config),
            in_blackout: false,
            in_order: VecDeque::new(),
            held_back: VecDeque::new(),
            last_due: Instant::ZERO,
            launched: 0,
            in_flight_bytes: 0,
            spare: Vec::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// A packet enters the link at `now`.
    pub fn offer(&mut self, now: Instant, meta: M, bytes: &[u8]) {
        self.counters.packets += 1;
        self.counters.bytes += bytes.len() as u64;
        let fate = self.dice.throw(&self.config);
        if self.config.mtu.is_some_and(|limit| bytes.len() > limit) {
            self.counters.dropped_size += 1;
        } else if self.is_in_blackout(now) {
            self.counters.dropped_blackout += 1;
        } else if let Some(sent) = self.take_turn(now, bytes.len() as u64) {
            if fate.lost {
                self.counters.dropped_loss += 1;
            } else {
                self.launch(sent, &fate, meta, bytes);
            }
        } else {
            self.counters.dropped_queue += 1;
        }
    }

    /// When the next packet comes out.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let front = |queue: &VecDeque<Flying<M>>| queue.front().map(|packet| packet.due);
        front(&self.in_order).into_iter().chain(front(&self.held_back)).min()
    }

    /// The next packet whose time has come by `now`. Its buffer may come back through
    /// [`recycle`](Self::recycle).
    pub fn take_due(&mut self, now: Instant) -> Option<(M, Vec<u8>)> {
        let order = |queue: &VecDeque<Flying<M>>| {
            queue.front().map_or((Instant::from_nanos(u64::MAX), u64::MAX), |p| (p.due, p.number))
        };
        let next = if order(&self.in_order) < order(&self.held_back) {
            &mut self.in_order
        } else {
            &mut self.held_back
        };
        let packet = next.pop_front_if(|packet| packet.due <= now)?;
        self.in_flight_bytes -= packet.bytes.len() as u64;
        self.counters.delivered += 1;
        self.counters.delivered_bytes += packet.bytes.len() as u64;
        Some((packet.meta, packet.bytes))
    }

    /// Takes a buffer back for later packets.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < MOST_SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Begins or ends a blackout, in addition to the configured ones: what is offered during it
    /// is dropped, what is on the way arrives.
    pub const fn set_blackout(&mut self, on: bool) {
        self.in_blackout = on;
    }

    /// Packets on the way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_order.len() + self.held_back.len()
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn is_in_blackout(&self, now: Instant) -> bool {
        let age = now.saturating_since(Instant::ZERO);
        self.in_blackout || self.config.blackouts.iter().any(|span| span.contains(&age))
    }

    /// When the wire has sent the packet, unless the queue is full.
    fn take_turn(&mut self, now: Instant, len: u64) -> Option<Instant> {
        if self.in_flight_bytes + len > MOST_IN_FLIGHT_BYTES {
            return None;
        }
        let sent = self.wire.send(now, len + u64::from(self.config.overhead_bytes)).ok()?;
        let peak = &mut self.counters.queue_peak_bytes;
        *peak = self.wire.waiting_bytes().max(*peak);
        Some(sent)
    }

    fn launch(&mut self, sent: Instant, fate: &Fate, meta: M, bytes: &[u8]) {
        let mut due = self.last_due.max(sent + self.config.delay + fate.jitter);
        if fate.held_back {
            self.counters.reordered += 1;
            due = due + self.config.reorder_by;
            due = self.held_back.back().map_or(due, |last| due.max(last.due));
        } else {
            self.last_due = due;
        }
        let mut copy = self.copy_of(bytes);
        self.damage(&mut copy, fate);
        if fate.duplicated {
            self.counters.duplicated += 1;
            let second = self.copy_of(&copy);
            self.put_in_flight(due, fate, meta.clone(), second);
        }
        self.put_in_flight(due, fate, meta, copy);
    }

    fn put_in_flight(&mut self, due: Instant, fate: &Fate, meta: M, bytes: Vec<u8>) {
        self.launched += 1;
        self.in_flight_bytes += bytes.len() as u64;
        let queue = if fate.held_back { &mut self.held_back } else { &mut self.in_order };
        queue.push_back(Flying { due, number: self.launched, meta, bytes });
    }

    fn copy_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.extend_from_slice(bytes);
        copy
    }

    fn damage(&mut self, packet: &mut [u8], fate: &Fate) {
        if !fate.corrupted && !fate.corrupted_unseen {
            return;
        }
        let from = (self.config.corrupt_from)(packet);
        let Some(open) = packet.get_mut(from..) else { return };
        let seen = fate.corrupted && flip_bit(open, fate.place);
        let unseen = fate.corrupted_unseen && flip_bits_unseen(open, fate.place);
        self.counters.corrupted += u64::from(seen || unseen);
    }
}
