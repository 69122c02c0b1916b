//! What lies between a client and the server.

use std::{ops::Range, time::Duration};

use gannet_driver_mio::netem::{Burst, IPV4_UDP_OVERHEAD, LinkConfig, Queue};

/// UDP payload bytes of an Ethernet frame of 1500 bytes over IPv4.
pub const ETHERNET: usize = 1472;

/// A path: two links. Changes apply to both unless they say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// From the client to the server.
    pub up: LinkConfig,
    /// From the server to the client.
    pub down: LinkConfig,
}

impl Path {
    /// A path of so many bits a second each way, headers included, and that round-trip time, with a queue of a round
    /// trip's bytes and Ethernet's usual packets.
    #[must_use]
    pub fn new(rate: u64, rtt: Duration) -> Self {
        let link = LinkConfig {
            rate: Some(rate),
            delay: rtt / 2,
            overhead_bytes: IPV4_UDP_OVERHEAD,
            mtu: Some(ETHERNET),
            ..LinkConfig::default()
        };
        Self { up: link.clone(), down: link }
    }

    /// Changes both links.
    #[must_use]
    pub fn both(mut self, change: impl Fn(&mut LinkConfig)) -> Self {
        change(&mut self.up);
        change(&mut self.down);
        self
    }

    /// Loses packets at random.
    #[must_use]
    pub fn loss(self, chance: f64) -> Self {
        self.both(|link| link.loss = chance)
    }

    /// Loses packets in bursts of `length` on average, such that a share of `chance` is lost.
    #[must_use]
    pub fn bursts(self, chance: f64, length: f64) -> Self {
        let bad_to_good = 1.0 / length;
        let good_to_bad = bad_to_good * chance / (1.0 - chance);
        let burst = Burst { good_to_bad, bad_to_good, loss_in_bad: 1.0, loss_in_good: 0.0 };
        self.both(|link| link.burst = Some(burst))
    }

    /// Flips bits.
    #[must_use]
    pub fn corrupt(self, chance: f64) -> Self {
        self.both(|link| link.corrupt = chance)
    }

    /// Delivers packets twice.
    #[must_use]
    pub fn duplicate(self, chance: f64) -> Self {
        self.both(|link| link.duplicate = chance)
    }

    /// Holds packets back.
    #[must_use]
    pub fn reorder(self, chance: f64, by: Duration) -> Self {
        self.both(|link| {
            link.reorder = chance;
            link.reorder_by = by;
        })
    }

    /// Bounds the queues.
    #[must_use]
    pub fn queue(self, queue: Queue) -> Self {
        self.both(|link| link.queue = queue)
    }

    /// Drops what is larger.
    #[must_use]
    pub fn mtu(self, bytes: usize) -> Self {
        self.both(|link| link.mtu = Some(bytes))
    }

    /// Drops everything in these spans.
    #[must_use]
    pub fn blackouts(self, spans: &[Range<Duration>]) -> Self {
        self.both(|link| link.blackouts = spans.to_vec())
    }
}
