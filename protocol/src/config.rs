//! What an endpoint's owner can choose.

use core::{net::SocketAddr, num::NonZeroU64, time::Duration};

#[cfg(doc)]
use crate::Instant;
use crate::{crypto::Identity, sealed::Lowered};

/// Most bytes of a UDP payload that is sent or received: jumbo frames of 9,000 bytes less IPv4 and UDP
/// headers. Larger ones gain 4% on loopback and nothing elsewhere.
pub const MAX_DATAGRAM: usize = 8972;

/// Smallest limit of a connection's rate, in bits a second: a packet every one and a half seconds, well within any idle timeout.
pub const MIN_RATE: u64 = 8_000;

/// Settings of an endpoint; every field has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Whether strangers' hellos are answered: true for a server.
    pub accept: bool,
    /// Whether every hello has to bring a cookie, rather than only while many come: it costs clients a round trip. Default: no.
    pub always_retry: bool,
    /// Time from 1970 to [`Instant::ZERO`], by which an endpoint knows how old the cookies are that it made before a restart.
    /// Default 0: they are as old as those of an endpoint that always ran.
    pub epoch: Duration,
    /// Which congestion control new connections use.
    pub congestion: CongestionKind,
    /// Whether both sides of new connections use [`CongestionKind::Ledbat`], whatever `congestion` says: the peer is told. Default:
    /// no.
    pub background: bool,
    /// Most bits a second that a new connection takes either way, for the peer is told; [`MIN_RATE`] at least. Default: no limit.
    pub max_rate: Option<NonZeroU64>,
    /// Silence after which a connection is lost. Default 30 s.
    pub idle_timeout: Duration,
    /// Time after which a connect attempt is given up. Default 10 s.
    pub connect_timeout: Duration,
    /// Largest UDP payload to send and to probe for. Default [`MAX_DATAGRAM`].
    pub max_datagram: u16,
    /// How packets are protected. Default [`Security::Plain`]; both sides have to choose alike.
    pub security: Security,
    /// Whether connections tell what happens to their packets ([`crate::Session::poll_trace`]). Default: no.
    pub trace: bool,
    /// Lowered limits of packet keys, for tests; both sides have to choose alike. Default none.
    #[doc(hidden)]
    pub lowered: Option<Lowered>,
}

/// How packets are protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// With a checksum against accidents: for trusted links.
    Plain,
    /// Encrypted and authenticated, as this identity.
    Sealed(Identity),
}

/// A choice of congestion control.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CongestionKind {
    /// CUBIC (RFC 9438).
    Cubic,
    /// BBR, version 3 (draft-ietf-ccwg-bbr), which models the path and bears what it loses anyway. Where others fill the queue, as
    /// TCP with CUBIC does, it shares it with them by their law.
    #[default]
    Bbr,
    /// LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), which yields to everything else on the path.
    Ledbat,
    /// A fixed rate in bits per second, whatever is lost.
    Fixed(u64),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accept: false,
            always_retry: false,
            epoch: Duration::ZERO,
            congestion: CongestionKind::default(),
            background: false,
            max_rate: None,
            idle_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_datagram: MAX_DATAGRAM as u16,
            security: Security::Plain,
            trace: false,
            lowered: None,
        }
    }
}

/// Figures of a connection so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// The peer's address now.
    pub remote: SocketAddr,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// The smallest sample of it in the last minutes.
    pub min_rtt: Duration,
    /// The last sample of it.
    pub latest_rtt: Duration,
    /// Which congestion control it uses.
    pub congestion: CongestionKind,
    /// Packets that a router marked on their way, as the peer counts them; none if marks do not come through.
    pub ecn_marked: Option<u64>,
    /// Congestion window in bytes.
    pub window: u64,
    /// UDP payload bytes of a full packet now.
    pub mtu: u16,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Packets received and opened.
    pub packets_received: u64,
    /// Body bytes sent for the first time.
    pub body_sent: u64,
    /// Body bytes sent again.
    pub body_resent: u64,
}

impl Stats {
    /// Those of a connection that did nothing yet.
    pub(crate) const fn new(remote: SocketAddr) -> Self {
        Self {
            remote,
            rtt: Duration::ZERO,
            min_rtt: Duration::ZERO,
            latest_rtt: Duration::ZERO,
            congestion: CongestionKind::Cubic,
            ecn_marked: None,
            window: 0,
            mtu: 0,
            packets_sent: 0,
            packets_lost: 0,
            packets_received: 0,
            body_sent: 0,
            body_resent: 0,
        }
    }
}
