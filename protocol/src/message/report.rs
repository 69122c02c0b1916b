//! What a side tells of its end of the connection (docs/protocol.md, "Messages").

use core::time::Duration;

use super::codec::read_len;
use crate::{
    CongestionKind, Spent, Stats,
    wire::cursor::{Malformed, Reader, VARINT_MAX, Writer},
};

/// What a side tells of its end of a connection. Nothing depends on its being true.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The smallest round-trip time of the last minutes, in whole microseconds as all times here.
    pub min_rtt: Duration,
    /// The smoothed one.
    pub rtt: Duration,
    /// The last one.
    pub latest_rtt: Duration,
    /// The congestion window in bytes.
    pub window: u64,
    /// UDP payload bytes of a full packet.
    pub mtu: u16,
    /// By what is told how fast it may send.
    pub algorithm: Algorithm,
    /// Packets that a router marked on their way, if marks come through.
    pub ecn_marked: Option<u64>,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Body bytes sent for the first time.
    pub body_sent: u64,
    /// Body bytes sent again.
    pub body_resent: u64,
    /// What kept it from sending more.
    pub spent: Spent,
    /// How long the side's loop, which all its connections share, had nothing to do, since it began.
    pub waited: Duration,
}

/// An algorithm of congestion control.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// CUBIC.
    #[default]
    Cubic,
    /// BBR.
    Bbr,
    /// A rate that somebody set.
    Fixed,
    /// LEDBAT++.
    Ledbat,
    /// One that this version does not know, by its number.
    Other(u8),
}

impl Algorithm {
    /// What it is called; nothing if it is not known.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Cubic => Some("cubic"),
            Self::Bbr => Some("bbr"),
            Self::Fixed => Some("fixed"),
            Self::Ledbat => Some("ledbat"),
            Self::Other(_) => None,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Cubic => 0,
            Self::Bbr => 1,
            Self::Fixed => 2,
            Self::Ledbat => 3,
            Self::Other(number) => number,
        }
    }

    pub(crate) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Cubic,
            1 => Self::Bbr,
            2 => Self::Fixed,
            3 => Self::Ledbat,
            other => Self::Other(other),
        }
    }
}

impl From<CongestionKind> for Algorithm {
    fn from(kind: CongestionKind) -> Self {
        match kind {
            CongestionKind::Cubic => Self::Cubic,
            CongestionKind::Bbr => Self::Bbr,
            CongestionKind::Fixed(_) => Self::Fixed,
            CongestionKind::Ledbat => Self::Ledbat,
        }
    }
}

impl Report {
    /// Of a connection, what it spent, and the time that the loop that drives it has waited.
    #[must_use]
    pub fn new(stats: &Stats, spent: Spent, waited: Duration) -> Self {
        Self {
            min_rtt: stats.min_rtt,
            rtt: stats.rtt,
            latest_rtt: stats.latest_rtt,
            window: stats.window,
            mtu: stats.mtu,
            algorithm: stats.congestion.into(),
            ecn_marked: stats.ecn_marked,
            packets_sent: stats.packets_sent,
            packets_lost: stats.packets_lost,
            body_sent: stats.body_sent,
            body_resent: stats.body_resent,
            spent,
            waited,
        }
    }

    /// What was counted since an earlier report of the same connection; what was measured stays.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let marked = |marked: u64| marked.saturating_sub(earlier.ecn_marked.unwrap_or(0));
        Self {
            ecn_marked: self.ecn_marked.map(marked),
            packets_sent: self.packets_sent.saturating_sub(earlier.packets_sent),
            packets_lost: self.packets_lost.saturating_sub(earlier.packets_lost),
            body_sent: self.body_sent.saturating_sub(earlier.body_sent),
            body_resent: self.body_resent.saturating_sub(earlier.body_resent),
            spent: self.spent - earlier.spent,
            waited: self.waited.saturating_sub(earlier.waited),
            ..*self
        }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        for time in [self.min_rtt, self.rtt, self.latest_rtt] {
            write_micros(w, time);
        }
        write_count(w, self.window);
        w.varint(u64::from(self.mtu));
        w.u8(self.algorithm.number());
        write_count(w, self.ecn_marked.map_or(0, |marked| marked.saturating_add(1)));
        for count in [self.packets_sent, self.packets_lost, self.body_sent, self.body_resent] {
            write_count(w, count);
        }
        let Spent { idle, path, credit, source, busy } = self.spent;
        for time in [idle, path, credit, source, busy, self.waited] {
            write_micros(w, time);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            min_rtt: read_micros(r)?,
            rtt: read_micros(r)?,
            latest_rtt: read_micros(r)?,
            window: read_len(r)?,
            mtu: u16::try_from(r.varint()?).map_err(|_| Malformed)?,
            algorithm: Algorithm::from_number(r.u8()?),
            ecn_marked: read_len(r)?.checked_sub(1),
            packets_sent: read_len(r)?,
            packets_lost: read_len(r)?,
            body_sent: read_len(r)?,
            body_resent: read_len(r)?,
            spent: Spent {
                idle: read_micros(r)?,
                path: read_micros(r)?,
                credit: read_micros(r)?,
                source: read_micros(r)?,
                busy: read_micros(r)?,
            },
            waited: read_micros(r)?,
        })
    }
}

/// The largest number that is told, 2^60: sums of them stay in range.
const MAX_COUNT: u64 = super::MAX_BODY;
/// The longest time that is told, 2^50 microseconds or 35 years: the same.
const MAX_MICROS: u64 = 1 << 50;
const _: () = assert!(MAX_COUNT <= VARINT_MAX && MAX_MICROS <= VARINT_MAX);

fn write_count(w: &mut Writer<'_>, count: u64) {
    w.varint(count.min(MAX_COUNT));
}

fn write_micros(w: &mut Writer<'_>, time: Duration) {
    w.varint(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(MAX_MICROS));
}

fn read_micros(r: &mut Reader<'_>) -> Result<Duration, Malformed> {
    match r.varint()? {
        micros if micros <= MAX_MICROS => Ok(Duration::from_micros(micros)),
        _ => Err(Malformed),
    }
}
