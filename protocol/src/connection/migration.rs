//! A peer that comes from another address (RFC 9000, section 9; docs/protocol.md, "Paths, MTU, rebinding").
//!
//! A server follows the newest packet at once, since the client may be out of reach where it was. But whoever can copy a packet
//! can send it from an address of his own, and may be the faster one. So the former address is asked as well, for a while:
//! if the client still answers there, the server goes back, and for some time follows nobody.

use alloc::boxed::Box;
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Connection,
    path::{Challenge, Path},
};
use crate::{Instant, congestion::Lost, recovery::PathId};

/// A new address has so many probe timeouts to answer, of the slower one of a path known and one of which nothing is
/// known (RFC 9000, section 8.2.4).
const VALIDATION_PTOS: u32 = 3;
/// The former address is asked so often at most.
const FORMER_TRIES: u8 = 3;
/// After a return no other address is followed for so long. It doubles with each return in a row: who copies packets all the time
/// diverts one round trip of them each time.
const FIRST_WARINESS: Duration = Duration::from_secs(1);
/// Up to this, well below the idle timeout: a client that moves just then is found again.
const MAX_WARINESS: Duration = Duration::from_secs(16);
/// What was under way to a port that is gone is no sign of congestion once in so many round trips. Who changes ports more often,
/// to have his losses overlooked, gains nothing.
const FORGIVING_RTTS: u32 = 4;

/// What is kept of the addresses of a connection's peer, besides its path.
#[derive(Debug, Default)]
pub(super) struct Migration {
    /// The newest path's.
    last: PathId,
    former: Option<Former>,
    /// No other address is followed before.
    wary_until: Instant,
    /// The last time of wariness; none since a new address proved itself.
    wariness: Duration,
    forgiving_from: Instant,
}

/// Where the peer was when it last proved to be there.
#[derive(Debug)]
struct Former {
    remote: SocketAddr,
    local: Option<IpAddr>,
    /// What was known of the path there; none if only the port changed since, so that it is the present one.
    path: Option<Box<Path>>,
    challenge: Challenge,
    tries: u8,
    /// By then the new address has to prove itself, or the former that it is not gone.
    until: Instant,
}

impl Migration {
    fn next_id(&mut self) -> PathId {
        self.last = self.last.next();
        self.last
    }

    /// When the time of the former address is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.former.as_ref().map(|former| former.until)
    }

    /// The question to the former address, if it is due, and where it goes.
    pub(super) fn due(&self) -> Option<([u8; 8], SocketAddr, Option<IpAddr>)> {
        let former = self.former.as_ref()?;
        match former.challenge {
            Challenge::Due(token) => Some((token, former.remote, former.local)),
            Challenge::None | Challenge::Sent(_) => None,
        }
    }

    /// Takes in that it is on its way.
    pub(super) fn on_asked(&mut self) {
        if let Some(former) = &mut self.former
            && let Challenge::Due(token) = former.challenge
        {
            former.challenge = Challenge::Sent(token);
            former.tries = former.tries.saturating_add(1);
        }
    }

    /// It was lost, or its answer may be.
    pub(super) fn ask_again(&mut self) {
        if let Some(former) = &mut self.former
            && former.tries < FORMER_TRIES
            && let Challenge::Sent(token) = former.challenge
        {
            former.challenge = Challenge::Due(token);
        }
    }
}

impl Connection {
    /// A packet came from elsewhere, and nothing newer from where the peer was.
    pub(super) fn on_new_address(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<IpAddr>,
    ) {
        if now < self.migration.wary_until {
            return;
        }
        self.paced_until = None;
        // What was said to the former address may have met nobody.
        self.acks.hurry(now);
        if self.migration.former.as_ref().is_some_and(|former| former.remote == remote) {
            self.return_to_former(now);
            return;
        }
        if remote.ip() == self.path.remote.ip() {
            self.change_port(now, remote);
        } else {
            self.change_host(now, remote, local);
        }
        self.path.challenge = Challenge::Due(self.dice.next().to_be_bytes());
    }

    /// A NAT forgot its mapping: the path is the same.
    fn change_port(&mut self, now: Instant, remote: SocketAddr) {
        if self.path.is_confirmed() {
            self.remember(now, None);
            if now >= self.migration.forgiving_from {
                self.migration.forgiving_from = now + self.path.rtt.smoothed() * FORGIVING_RTTS;
                self.path.congestion.on_diverted(&self.path.rtt);
            } else {
                self.blame(now);
            }
            self.divert(now);
        }
        self.path.remote = remote;
    }

    /// What is under way goes to a port where nobody is.
    fn divert(&mut self, now: Instant) {
        self.path.id = self.migration.next_id();
        self.path.mtu.forget_probe();
        self.recovery.divert(self.path.id, now, self.path.rtt.smoothed());
    }

    /// What is under way counts as lost to congestion.
    fn blame(&mut self, now: Instant) {
        let next_number = self.recovery.next_number();
        self.path.congestion.on_lost(&Lost {
            now,
            bytes: self.recovery.in_flight(),
            largest: next_number.saturating_sub(1),
            largest_sent_at: self.recovery.last_eliciting_at(),
            in_flight: 0,
            persistent: false,
            next_number,
        });
    }

    /// The peer moved: of the path there nothing is known, but for what the old one carried and how marks were counted.
    fn change_host(&mut self, now: Instant, remote: SocketAddr, local: Option<IpAddr>) {
        let mut fresh = Path::new(&self.config, remote, local, false);
        fresh.allow_datagrams(self.path.mtu.current());
        fresh.ecn = self.path.ecn;
        fresh.id = self.migration.next_id();
        let id = fresh.id;
        let old = core::mem::replace(&mut self.path, fresh);
        let shared = self.migration.former.as_ref().is_some_and(|former| former.path.is_none());
        let kept = shared || old.is_confirmed();
        if kept {
            self.remember(now, Some(old));
        }
        self.recovery.set_path(id, kept);
    }

    /// Keeps the address where the peer was, with what is known of the path there if the present one is another. One that is
    /// kept already stays: it is the last that had its time to prove itself.
    fn remember(&mut self, now: Instant, path: Option<Path>) {
        let patience = self.path.pto().max(Path::unknown_pto()) * VALIDATION_PTOS;
        let (remote, local) = match &path {
            Some(path) => (path.remote, path.local),
            None => (self.path.remote, self.path.local),
        };
        let token = self.dice.next().to_be_bytes();
        let former = self.migration.former.get_or_insert_with(|| Former {
            remote,
            local,
            path: None,
            challenge: Challenge::Due(token),
            tries: 0,
            until: now + patience,
        });
        if let Some(mut path) = path
            && former.path.is_none()
        {
            path.remote = former.remote;
            path.challenge = Challenge::None;
            former.path = Some(Box::new(path));
        }
    }

    /// The peer is where it was: somebody else sent what came from elsewhere, or it is in both places.
    fn return_to_former(&mut self, now: Instant) {
        let migration = &mut self.migration;
        migration.wariness = (migration.wariness * 2).clamp(FIRST_WARINESS, MAX_WARINESS);
        migration.wary_until = now + migration.wariness;
        self.fall_back(now);
    }

    fn fall_back(&mut self, now: Instant) {
        let Some(former) = self.migration.former.take() else { return };
        match former.path {
            Some(path) => {
                let ecn = self.path.ecn;
                self.path = *path;
                self.path.ecn = ecn;
                self.path.mtu.forget_probe();
                self.recovery.set_path(self.path.id, false);
            }
            None => {
                self.path.remote = former.remote;
                self.path.local = former.local;
                self.divert(now);
            }
        }
        self.path.challenge = Challenge::None;
        self.paced_until = None;
    }

    /// The time of the former address is over.
    pub(super) fn end_validation(&mut self, now: Instant) {
        if self.path.is_confirmed() {
            self.migration.former = None;
            self.migration.wariness = Duration::ZERO;
        } else {
            self.fall_back(now);
        }
    }

    /// Takes in the peer's answer to a challenge.
    pub(super) fn on_path_response(&mut self, now: Instant, token: [u8; 8]) {
        let asked = match self.migration.former.as_ref().map(|former| former.challenge) {
            Some(Challenge::Due(asked) | Challenge::Sent(asked)) => Some(asked),
            Some(Challenge::None) | None => None,
        };
        if asked == Some(token) {
            self.return_to_former(now);
        } else {
            self.path.on_response(token);
        }
    }
}
