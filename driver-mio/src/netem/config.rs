//! What a link does to packets.

use std::{ops::Range, time::Duration};

/// The least queue that a link gets when its size is left to the model: a small router's.
const MIN_QUEUE: u64 = 64 * 1024;

/// How one direction of a link treats packets. The default is perfect: no limit, no delay, no loss.
///
/// Chances are from 0 (never) to 1 (always). Spans and moments count from
/// [`Instant::ZERO`](gannet_protocol::Instant::ZERO).
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Seed of every random decision.
    pub seed: u64,
    /// Bits per second that the bottleneck sends; 0 stands still, `None` is without limit.
    pub rate: Option<u64>,
    /// From each moment on, this rate in bits per second holds instead.
    pub rate_changes: Vec<(Duration, u64)>,
    /// How much waits for the bottleneck before packets are dropped at its tail.
    pub queue: Queue,
    /// Added to each packet's length where rate and queue count bytes: the headers that the
    /// caller's packets lack, such as 28 for IPv4 and UDP.
    pub overhead_bytes: u32,
    /// Time on the way, after the bottleneck.
    pub delay: Duration,
    /// Random extra delay, evenly from nothing to this much; packets keep their order.
    pub jitter: Duration,
    /// Chance that a packet is lost on the way, each on its own.
    pub loss: f64,
    /// Loss in bursts, in addition to `loss`.
    pub burst: Option<Burst>,
    /// Chance that a packet is held back for `reorder_by`, and so overtaken.
    pub reorder: f64,
    /// How long a packet is held back.
    pub reorder_by: Duration,
    /// Chance that a packet arrives twice.
    pub duplicate: f64,
    /// Chance that a bit of a packet is flipped.
    pub corrupt: f64,
    /// Chance that two bits of a packet are flipped in such a way that the Internet checksum
    /// (RFC 1071) stays right.
    pub corrupt_unseen: f64,
    /// Where in a packet the bytes begin that may be corrupted. For `corrupt_unseen` an even
    /// number of bytes into what the checksum covers.
    pub corrupt_from: fn(&[u8]) -> usize,
    /// Silently drop packets longer than this many bytes, `overhead_bytes` not counted: a path
    /// MTU black hole (RFC 8899, section 1.1).
    pub mtu: Option<usize>,
    /// Everything that is offered in these spans is dropped.
    pub blackouts: Vec<Range<Duration>>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            rate: None,
            rate_changes: Vec::new(),
            queue: Queue::RoundTrip,
            overhead_bytes: 0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            reorder: 0.0,
            reorder_by: Duration::from_millis(1),
            duplicate: 0.0,
            corrupt: 0.0,
            corrupt_unseen: 0.0,
            corrupt_from: |_| 0,
            mtu: None,
            blackouts: Vec::new(),
        }
    }
}

/// The size of the drop-tail queue before the bottleneck. The packet that is being sent is no
/// longer in it, so that an idle link takes any packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Queue {
    /// What the link's highest rate sends in a round trip of twice its delay, at least 64 KiB.
    #[default]
    RoundTrip,
    /// This many bytes.
    Bytes(u64),
    /// This many packets.
    Packets(usize),
}

impl Queue {
    /// A queue for what `rate` bits per second send in `round_trip`, at least 64 KiB: for a link
    /// that is slower one way than the other.
    #[must_use]
    pub fn for_round_trip(rate: u64, round_trip: Duration) -> Self {
        Self::Bytes(Self::round_trip_bytes(rate, round_trip))
    }

    pub(super) fn round_trip_bytes(rate: u64, round_trip: Duration) -> u64 {
        let bits = u128::from(rate).saturating_mul(round_trip.as_nanos()) / 1_000_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX).max(MIN_QUEUE)
    }
}

/// Loss in bursts after Gilbert and Elliott: a good and a bad state with a chance of loss each,
/// and a chance to change to the other with every packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Chance per packet that the good state ends.
    pub good_to_bad: f64,
    /// Chance per packet that the bad state ends; a burst lasts one over this many packets.
    pub bad_to_good: f64,
    /// Chance of loss in the bad state.
    pub loss_in_bad: f64,
    /// Chance of loss in the good state.
    pub loss_in_good: f64,
}
