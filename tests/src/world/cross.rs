//! Cross traffic: a TCP flow that always has something to send, beside the clients on a path.
//!
//! It is a model, and owes nothing to the congestion control that is tested: CUBIC as RFC 9438 has it, in packets and seconds,
//! clocked by acknowledgements and not paced, as most TCP senders are.

use std::{collections::BTreeMap, time::Duration};

use gannet_protocol::Instant;

use super::{Direction, ETHERNET, PathId, World};

/// UDP payload bytes of its packets.
const PACKET: usize = ETHERNET;
/// UDP payload bytes of its acknowledgements: with the headers that a path counts, those of TCP with timestamps.
const ACK: usize = 24;
/// CUBIC's constant and what is left of the window after a loss (RFC 9438, sections 4.1 and 4.6).
const C: f64 = 0.4;
const BETA: f64 = 0.7;
/// Growth of the window that Reno would have, in packets a round trip (RFC 9438, section 4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// A packet is lost when one sent this much later has arrived.
const REORDERING: u64 = 3;
/// First window (RFC 6928), and least retransmission timeout as Linux has it.
const INITIAL_WINDOW: f64 = 10.0;
const MIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Which cross traffic of a world.
#[derive(Clone, Copy, Debug)]
pub struct CrossId(usize);

/// A TCP flow.
#[derive(Debug)]
pub(super) struct Cross {
    path: usize,
    /// Which way its data goes.
    direction: Direction,
    /// Packets that arrived.
    arrived: u64,
    outstanding: BTreeMap<u64, Instant>,
    next: u64,
    /// Losses below are of a congestion that is known.
    recovered: u64,
    window: f64,
    threshold: f64,
    w_max: f64,
    /// When congestion avoidance began after the last loss.
    epoch: Option<(Instant, f64)>,
    rtt: Duration,
    last_progress: Instant,
}

impl World {
    /// A TCP flow with CUBIC over that path, from now on; its data goes that way.
    pub fn add_cross_traffic(&mut self, path: PathId, direction: Direction) -> CrossId {
        self.crosses.push(Cross::new(path.0, direction, self.now));
        CrossId(self.crosses.len() - 1)
    }

    /// Packets of it that arrived; with headers they are as large as those of a client whose path is of Ethernet's.
    #[must_use]
    pub fn cross_arrived(&self, cross: CrossId) -> u64 {
        self.crosses[cross.0].arrived
    }

    /// A packet of a TCP flow draws an acknowledgement, and that the next packets.
    pub(super) fn deliver_cross(&mut self, number: usize, way: Direction, payload: &[u8]) {
        let Some(packet) = payload.first_chunk().map(|first| u64::from_le_bytes(*first)) else {
            return;
        };
        let cross = &mut self.crosses[number];
        if way == cross.direction {
            cross.arrived += 1;
            let mut ack = [0; ACK];
            ack[..8].copy_from_slice(&packet.to_le_bytes());
            let back = (way.reverse(), cross.path, number);
            self.net.send_cross(self.now, back, &ack);
        } else {
            cross.on_ack(self.now, packet);
        }
    }

    /// Lets cross traffic send what it may; whether anything was sent.
    pub(super) fn turn_crosses(&mut self) -> bool {
        let (now, net) = (self.now, &mut self.net);
        let mut sent = false;
        for (number, cross) in self.crosses.iter_mut().enumerate() {
            if now >= cross.timeout() {
                cross.on_timeout(now);
            }
            let mut packet = [0; PACKET];
            while let Some(next) = cross.poll(now) {
                packet[..8].copy_from_slice(&next.to_le_bytes());
                net.send_cross(now, (cross.direction, cross.path, number), &packet);
                sent = true;
            }
        }
        sent
    }
}

impl Cross {
    fn new(path: usize, direction: Direction, now: Instant) -> Self {
        Self {
            path,
            direction,
            arrived: 0,
            outstanding: BTreeMap::new(),
            next: 0,
            recovered: 0,
            window: INITIAL_WINDOW,
            threshold: f64::INFINITY,
            w_max: 0.0,
            epoch: None,
            rtt: MIN_TIMEOUT,
            last_progress: now,
        }
    }

    /// The number of the next packet that the window lets go now.
    fn poll(&mut self, now: Instant) -> Option<u64> {
        if self.outstanding.len() as f64 >= self.window {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.outstanding.insert(number, now);
        Some(number)
    }

    /// When it gives up waiting for an acknowledgement.
    pub(super) fn timeout(&self) -> Instant {
        self.last_progress + (self.rtt * 2).max(MIN_TIMEOUT)
    }

    /// No acknowledgement came for long.
    fn on_timeout(&mut self, now: Instant) {
        self.on_congestion();
        self.window = 1.0;
        self.outstanding.clear();
        self.last_progress = now;
    }

    /// A packet is acknowledged.
    fn on_ack(&mut self, now: Instant, number: u64) {
        let Some(sent) = self.outstanding.remove(&number) else { return };
        self.last_progress = now;
        self.rtt = (self.rtt * 7 + now.saturating_since(sent)) / 8;
        let known = self.outstanding.split_off(&number.saturating_sub(REORDERING - 1));
        let lost = std::mem::replace(&mut self.outstanding, known);
        if lost.last_key_value().is_some_and(|(number, _)| *number >= self.recovered) {
            self.on_congestion();
        } else if number >= self.recovered {
            self.grow(now);
        }
    }

    fn on_congestion(&mut self) {
        self.recovered = self.next;
        let fast = if self.window < self.w_max { (1.0 + BETA) / 2.0 } else { 1.0 };
        self.w_max = self.window * fast;
        self.window = (self.window * BETA).max(2.0);
        self.threshold = self.window;
        self.epoch = None;
    }

    fn grow(&mut self, now: Instant) {
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let (since, from) = *self.epoch.get_or_insert((now, self.window));
        let (elapsed, rtt) = (now.saturating_since(since).as_secs_f64(), self.rtt.as_secs_f64());
        let k = ((self.w_max - from).max(0.0) / C).cbrt();
        let curve = |t: f64| C * (t - k).powi(3) + self.w_max.max(from);
        let reno = from + ALPHA * elapsed / rtt;
        let target = curve(elapsed + rtt).clamp(self.window, self.window * 1.5);
        self.window = (self.window + (target - self.window) / self.window).max(reno);
    }
}
