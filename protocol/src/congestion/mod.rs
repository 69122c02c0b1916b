//! Congestion control: how much may be on the path, and how fast it is sent.
//!
//! A controller hears of everything sent, acknowledged, lost and marked, with the rate of delivery,
//! and answers with a window and a pacing rate. It sees byte counts, never packets' contents.

mod bbr;
mod control;
mod cubic;
mod curve;
mod fixed;
mod hystart;
mod ledbat;
mod resume;
mod round;
mod usage;

use alloc::boxed::Box;
use core::{
    ops::{Deref, DerefMut},
    time::Duration,
};

pub(crate) use bbr::Bbr;
pub(crate) use control::Control;
pub(crate) use cubic::Cubic;
pub(crate) use fixed::FixedRate;
pub(crate) use ledbat::Ledbat;
pub(crate) use resume::Saved;

use crate::{Instant, delivery::RateSample, rtt::Rtt};

/// Initial window, in packets. RFC 9002 section 7.2 says ten for web pages; a file transfer has
/// thousands to send, the packets are paced over half a round trip rather than sent at once, and
/// on a path of 600 ms each doubling saved is most of a second.
const INITIAL_WINDOW_PACKETS: u64 = 32;

/// Smallest window, in packets (RFC 9002 section 7.2).
const MINIMUM_WINDOW_PACKETS: u64 = 2;

/// Largest window, in bytes: what 100 Gbit/s hold in 340 ms. It keeps arithmetic in range and a
/// peer that acknowledges for ever from growing the window without end.
const MAXIMUM_WINDOW: u64 = 1 << 32;

/// A packet that counts as in flight was sent.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "a controller that models the path reads the rest")]
pub(crate) struct Sent {
    /// The present.
    pub(crate) now: Instant,
    /// The packet's number.
    pub(crate) number: u64,
    /// The packet's size.
    pub(crate) bytes: u64,
    /// Bytes in flight, this packet included.
    pub(crate) in_flight: u64,
}

/// An ACK frame acknowledged packets that were not acknowledged before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked<'a> {
    /// The present.
    pub(crate) now: Instant,
    /// Bytes in flight that the frame newly acknowledged.
    pub(crate) bytes: u64,
    /// The largest newly acknowledged packet number.
    pub(crate) largest: u64,
    /// When that packet was sent.
    pub(crate) largest_sent_at: Instant,
    /// Bytes in flight, the acknowledged ones no longer included.
    pub(crate) in_flight: u64,
    /// Whether there was too little to send to fill the window.
    pub(crate) app_limited: bool,
    /// The path's round-trip time, this frame's sample included.
    pub(crate) rtt: &'a Rtt,
    /// The path's rate of delivery, where the frame gave a sample of it.
    pub(crate) rate: Option<RateSample>,
}

/// Packets were declared lost; path MTU probes are not told, their loss says nothing of congestion.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "a controller that models the path reads the rest")]
pub(crate) struct Lost {
    /// The present.
    pub(crate) now: Instant,
    /// Bytes that were lost.
    pub(crate) bytes: u64,
    /// The largest lost packet number.
    pub(crate) largest: u64,
    /// When that packet was sent.
    pub(crate) largest_sent_at: Instant,
    /// Bytes in flight, the lost ones no longer included.
    pub(crate) in_flight: u64,
    /// Whether the loss amounts to persistent congestion (RFC 9002 section 7.6).
    pub(crate) persistent: bool,
    /// The number the next packet will have.
    pub(crate) next_number: u64,
}

/// The peer reported more packets with Congestion Experienced than before.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "a controller that models the path reads the rest")]
pub(crate) struct Marked {
    /// The present.
    pub(crate) now: Instant,
    /// Number of newly marked packets.
    pub(crate) packets: u64,
    /// When the largest packet newly acknowledged by the report was sent.
    pub(crate) largest_sent_at: Instant,
    /// Bytes in flight, the acknowledged ones no longer included.
    pub(crate) in_flight: u64,
}

/// An algorithm of congestion control, of one path.
pub(crate) trait Controller {
    /// A packet was sent.
    fn on_sent(&mut self, sent: &Sent);

    /// Packets were acknowledged; called once an ACK frame, before the losses it uncovers.
    fn on_acked(&mut self, acked: &Acked<'_>);

    /// Packets were declared lost; called once for all that are found lost together.
    fn on_lost(&mut self, lost: &Lost);

    /// Packets were marked by a router (RFC 9002 section 7.1).
    fn on_ecn(&mut self, marked: &Marked);

    /// This machine was so busy that it sent less than it was allowed to, and hears of what arrives when it has time.
    fn on_late(&mut self, _now: Instant) {}

    /// What is in flight goes to a port where nobody is any more, which is no sign of congestion.
    fn on_diverted(&mut self, rtt: &Rtt);

    /// So many bytes were in flight on a path that gave as much before, and arrived ([`resume`]).
    fn resume(&mut self, window: u64);

    /// The largest packet of the path is now `mtu` bytes.
    fn on_mtu(&mut self, mtu: u64);

    /// Bytes that may be in flight; at least two packets.
    fn window(&self) -> u64;

    /// The rate to send at, in bytes a second; never zero.
    fn pacing_rate(&self, rtt: &Rtt) -> u64;

    /// Whether the rate of the path is still being looked for.
    fn in_slow_start(&self) -> bool;
}

/// The controller of a path: one of the algorithms there are.
#[derive(Clone, Debug)]
pub(crate) enum Congestion {
    /// A model of the path.
    Bbr(Box<Bbr>),
    /// CUBIC.
    Cubic(Box<Cubic>),
    /// A rate that somebody set.
    Fixed(FixedRate),
    /// What others leave.
    Ledbat(Ledbat),
}

impl Deref for Congestion {
    type Target = dyn Controller;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Bbr(bbr) => &**bbr,
            Self::Cubic(cubic) => &**cubic,
            Self::Fixed(fixed) => fixed,
            Self::Ledbat(ledbat) => ledbat,
        }
    }
}

impl DerefMut for Congestion {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Bbr(bbr) => &mut **bbr,
            Self::Cubic(cubic) => &mut **cubic,
            Self::Fixed(fixed) => fixed,
            Self::Ledbat(ledbat) => ledbat,
        }
    }
}

/// The smallest window on a path of packets up to `mtu` bytes.
const fn minimum_window(mtu: u64) -> u64 {
    mtu.saturating_mul(MINIMUM_WINDOW_PACKETS)
}

/// A factor as a fraction: `of` parts in `whole`.
#[derive(Clone, Copy, Debug)]
struct Gain {
    of: u64,
    whole: u64,
}

impl Gain {
    /// `bytes` times the factor.
    fn scale(self, bytes: u64) -> u64 {
        let scaled = u128::from(bytes) * u128::from(self.of) / u128::from(self.whole);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// Bytes a second that send `bytes` in `time`, at least one.
fn rate(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
