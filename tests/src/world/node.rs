//! A host of a world, and the processor that it runs on.

use std::{net::SocketAddr, time::Duration};

use gannet_protocol::{Config, Ecn, Instant, Transmit};

use crate::{host::Host, random::Random};

pub(super) struct Node {
    pub(super) host: Host,
    /// It got something that it has not worked on yet.
    pub(super) touched: bool,
    shared: Option<Shared>,
}

/// A processor that others use, too: who wakes up has to wait for a turn, now and then for long.
struct Shared {
    random: Random,
    mean: Duration,
    /// When the host has its turn that waits for one.
    turn_at: Option<Instant>,
    inbox: Vec<(SocketAddr, Option<Ecn>, Vec<u8>)>,
}

impl Shared {
    /// How long the next turn is waited for: not at all half the times, else as long as chance has it.
    fn wait(&mut self) -> Duration {
        if self.random.one_in(2) {
            return Duration::ZERO;
        }
        self.mean.mul_f64(2.0 * -(1.0 - self.random.share()).ln())
    }
}

impl Node {
    pub(super) fn new(config: Config, seed: u64, number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        Self { host: Host::new(config, bytes), touched: false, shared: None }
    }

    /// Lets it wait for its turns as long as `mean` from here on.
    pub(super) fn share_processor(&mut self, random: Random, mean: Duration) {
        self.shared = Some(Shared { random, mean, turn_at: None, inbox: Vec::new() });
    }

    /// A datagram arrives.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        ecn: Option<Ecn>,
        payload: &mut [u8],
    ) {
        self.touched = true;
        match &mut self.shared {
            Some(shared) => shared.inbox.push((from, ecn, payload.to_vec())),
            None => self.host.receive(now, from, ecn, payload),
        }
    }

    /// When it has something to do next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        match self.shared.as_ref().and_then(|shared| shared.turn_at) {
            Some(turn_at) => Some(turn_at),
            None if self.touched => Some(now),
            None => self.host.next_timeout(),
        }
    }

    /// Does what there is to do, if it has its turn.
    pub(super) fn turn(&mut self, now: Instant, emit: &mut dyn FnMut(&Transmit, &mut [u8])) {
        if self.next(now).is_none_or(|next| next > now) {
            return;
        }
        if let Some(shared) = &mut self.shared {
            let wait = if shared.turn_at.take().is_none() { shared.wait() } else { Duration::ZERO };
            if !wait.is_zero() {
                shared.turn_at = Some(now + wait);
                return;
            }
            for (from, ecn, mut payload) in shared.inbox.drain(..) {
                self.host.receive(now, from, ecn, &mut payload);
            }
        }
        self.touched = false;
        self.host.turn(now, emit);
    }
}
