//! A network path, and what is known of it.

use alloc::boxed::Box;
use core::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU64,
    time::Duration,
};

use crate::{
    Config, CongestionKind, Instant,
    acks::MAX_ACK_DELAY,
    congestion::{Bbr, Congestion, Control, Cubic, FixedRate, Ledbat, Saved},
    delivery::DeliveryRate,
    mtu::MtuDiscovery,
    pacer::{self, Pacer},
    recovery::PathId,
    rtt::Rtt,
    wire::packet::MIN_DATAGRAM,
};

/// Round-trip time that is assumed before any is known. RFC 9002, section 6.2.2, takes 333 ms; it only paces the first
/// window here, since the handshake gives a sample.
const INITIAL_RTT: Duration = Duration::from_millis(333);
/// Bytes that may go to an address that has not shown that it receives, for each byte that came from it
/// (RFC 9000, section 8.1).
const AMPLIFICATION: u64 = 3;
/// Least bytes that are worth a packet to such an address: an acknowledgement and a challenge fit.
pub(super) const MIN_ALLOWANCE: u64 = 128;
/// Path responses that wait to be sent.
const MAX_RESPONSES: usize = 3;

/// A network path, and what is known of it.
#[derive(Debug)]
pub(crate) struct Path {
    /// Whose packets in flight count.
    pub(crate) id: PathId,
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) rtt: Rtt,
    pub(crate) congestion: Control,
    pub(crate) mtu: MtuDiscovery,
    pub(crate) delivery: DeliveryRate,
    /// There was nothing to send though the window allowed it.
    pub(crate) app_limited: bool,
    pub(crate) ecn: EcnState,
    pub(crate) challenge: Challenge,
    responses: [Option<[u8; 8]>; MAX_RESPONSES],
    pacer: Pacer,
    /// Most bytes a second that are sent.
    max_rate: u64,
    validated: bool,
    received: u64,
    sent: u64,
}

/// Whether the path carries ECN marks (RFC 9000, section 13.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EcnState {
    /// Packets are marked, and the peer has counted so many ECT(0) and CE.
    Marking { ect0: u64, ce: u64 },
    /// The path or the peer loses the marks.
    Off,
}

/// Our question whether the peer receives at its address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Challenge {
    None,
    /// To be sent.
    Due([u8; 8]),
    Sent([u8; 8]),
}

impl Path {
    /// A path of which nothing is known; `validated`: the peer has shown that it receives there.
    pub(crate) fn new(
        config: &Config,
        remote: SocketAddr,
        local: Option<IpAddr>,
        validated: bool,
    ) -> Self {
        let rtt = Rtt::new(INITIAL_RTT);
        Self {
            id: PathId::default(),
            remote,
            local,
            congestion: controller(config, &rtt),
            rtt,
            mtu: MtuDiscovery::new(MIN_DATAGRAM as u16, MIN_DATAGRAM as u16),
            delivery: DeliveryRate::new(),
            app_limited: true,
            ecn: EcnState::Marking { ect0: 0, ce: 0 },
            challenge: Challenge::None,
            responses: [None; MAX_RESPONSES],
            pacer: Pacer::new(),
            max_rate: max_rate(config),
            validated,
            received: 0,
            sent: 0,
        }
    }

    /// Sends from here on as `config` has it by now. Nothing was sent yet that the controller would have to know of.
    pub(crate) fn set_manners(&mut self, config: &Config) {
        self.max_rate = max_rate(config);
        if config.congestion == CongestionKind::Ledbat {
            self.congestion = controller(config, &self.rtt);
        }
    }

    /// Packets that a router marked, as far as marks come through.
    pub(crate) const fn ecn_marked(&self) -> Option<u64> {
        match self.ecn {
            EcnState::Marking { ce, .. } => Some(ce),
            EcnState::Off => None,
        }
    }

    /// Starts to search for the largest packet, once the peer has said what it takes.
    pub(crate) fn allow_datagrams(&mut self, max: u16) {
        self.mtu = MtuDiscovery::new(MIN_DATAGRAM as u16, max.max(MIN_DATAGRAM as u16));
    }

    /// The path gave this when it was used last: packets of up to `mtu` bytes, too.
    pub(crate) fn remember(&mut self, saved: Saved, mtu: u16) {
        self.congestion.remember(saved);
        self.mtu.try_first(mtu);
    }

    /// The probe timeout (RFC 9002, section 6.2.1).
    pub(crate) fn pto(&self) -> Duration {
        self.rtt.pto(MAX_ACK_DELAY)
    }

    /// That of a path of which nothing is known.
    pub(crate) fn unknown_pto() -> Duration {
        Rtt::new(INITIAL_RTT).pto(MAX_ACK_DELAY)
    }

    /// Whether the peer has shown that it receives at this very address.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.validated && self.challenge == Challenge::None
    }

    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// The peer has shown that it receives here.
    pub(crate) fn validate(&mut self) {
        self.validated = true;
    }

    /// Bytes that may be sent to this address now.
    pub(crate) fn allowance(&self) -> u64 {
        if self.validated {
            return u64::MAX;
        }
        self.received.saturating_mul(AMPLIFICATION).saturating_sub(self.sent)
    }

    /// Whether the address first has to send more before it gets even an acknowledgement.
    pub(crate) fn is_blocked(&self) -> bool {
        self.allowance() < MIN_ALLOWANCE
    }

    /// When the pacer lets the next packets go, if not now.
    pub(crate) fn next_send(&self, now: Instant) -> Option<Instant> {
        let (rate, burst) = self.pace();
        self.pacer.next_send(now, rate, burst)
    }

    /// Bytes that the pacer lets go now.
    pub(crate) fn paced(&self, now: Instant) -> u64 {
        let (rate, burst) = self.pace();
        self.pacer.available(now, rate, burst)
    }

    /// The window holds packets back.
    pub(crate) fn hold(&mut self) {
        // While the window grows with each acknowledgement, it is to be used at once.
        if !self.congestion.in_slow_start() {
            self.pacer.hold();
        }
    }

    pub(crate) fn on_sent(&mut self, now: Instant, bytes: usize, eliciting: bool) {
        self.sent = self.sent.saturating_add(bytes as u64);
        if eliciting {
            let (rate, burst) = self.pace();
            self.pacer.on_sent(now, bytes as u64, rate, burst);
        }
    }

    /// Takes in that the next packets have waited since `due`, when the pacer let them go, with `in_flight` bytes on the path.
    pub(crate) fn on_late(&mut self, due: Instant, now: Instant, in_flight: u64) {
        let (rate, _) = self.pace();
        let lateness = self.pacer.on_late(now.saturating_since(due), self.rtt.smoothed(), rate);
        if lateness.is_long {
            self.congestion.on_late(now);
        }
        if lateness.is_lost {
            // What is delivered tells of this machine then, not of the path.
            self.delivery.on_app_limited(in_flight);
        }
    }

    /// Takes in that nothing more waits to be sent.
    pub(crate) fn on_idle(&mut self) {
        self.app_limited = true;
        self.pacer.on_idle();
    }

    fn pace(&self) -> (u64, u64) {
        let rate = self.congestion.pacing_rate(&self.rtt).min(self.max_rate);
        (rate, pacer::burst(rate, u64::from(self.mtu.current())))
    }

    /// Takes in a challenge of the peer's; one too many is not answered.
    pub(crate) fn on_challenge(&mut self, token: [u8; 8]) {
        if let Some(free) = self.responses.iter_mut().find(|place| place.is_none()) {
            *free = Some(token);
        }
    }

    /// The next answer to a challenge.
    pub(crate) fn next_response(&mut self) -> Option<[u8; 8]> {
        self.responses.iter_mut().find_map(Option::take)
    }

    /// Our challenge was lost; or it arrived and is not answered yet, so that the answer may be lost. It mostly comes with the
    /// acknowledgement or before, and takes the repetition back.
    pub(crate) fn repeat_challenge(&mut self) {
        if let Challenge::Sent(token) = self.challenge {
            self.challenge = Challenge::Due(token);
        }
    }

    /// Takes in the peer's answer to ours.
    pub(crate) fn on_response(&mut self, token: [u8; 8]) {
        if let Challenge::Due(asked) | Challenge::Sent(asked) = self.challenge
            && asked == token
        {
            self.challenge = Challenge::None;
            self.validate();
        }
    }
}

/// What decides how much a new path carries.
fn controller(config: &Config, rtt: &Rtt) -> Control {
    let mtu = MIN_DATAGRAM as u64;
    let cubic = || Congestion::Cubic(Box::new(Cubic::new(mtu)));
    Control::new(match config.congestion {
        CongestionKind::Cubic => cubic(),
        CongestionKind::Bbr => Congestion::Bbr(Box::new(Bbr::new(mtu))),
        CongestionKind::Ledbat => Congestion::Ledbat(Ledbat::new(mtu)),
        CongestionKind::Fixed(rate) => NonZeroU64::new(rate)
            .map_or_else(cubic, |rate| Congestion::Fixed(FixedRate::new(rate, mtu, rtt))),
    })
}

/// Most bytes a second that a path carries.
fn max_rate(config: &Config) -> u64 {
    config.max_rate.map_or(u64::MAX, |bits| (bits.get() / 8).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_validated_by_the_answer_to_the_last_challenge_alone() {
        let (asked, other) = (*b"question", *b"whatever");
        let remote = SocketAddr::from(([192, 0, 2, 1], 1));
        let mut path = Path::new(&Config::default(), remote, None, false);
        path.on_response(asked);
        assert!(!path.validated);
        // Sent, and acknowledged without an answer: it goes again, and an answer to either is one.
        for challenge in [Challenge::Sent(asked), Challenge::Due(asked)] {
            path.validated = false;
            path.challenge = challenge;
            path.repeat_challenge();
            assert_eq!(path.challenge, Challenge::Due(asked));
            path.on_response(other);
            assert!(!path.validated);
            path.on_response(asked);
            assert!(path.validated);
            path.repeat_challenge();
            assert_eq!(path.challenge, Challenge::None);
        }
    }
}
