//! Who is let in: what a hello is worth before anything is kept or computed for it (docs/protocol.md, "Under load").
//!
//! Those who proved their address by a cookie have limits of their own, apart from those who did not: whoever forges addresses uses
//! up the places of the unproven, and then everybody has to prove his.

use core::net::{IpAddr, SocketAddr};

use super::{
    cookies::{Cookie, Cookies},
    half_open::{Greeted, HalfOpen},
};
use crate::{
    Config, Instant, Limited, Occupancy, OccupancyLimits, RateLimiter, RateLimits,
    wire::packet::Hello,
};

/// What to do with a hello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Answer it: a place is taken for it, to be used or given back.
    Answer {
        proven: bool,
    },
    /// It is that of this handshake once more.
    Again(u32),
    /// Ask for this cookie.
    Retry(Cookie),
    Silence,
}

/// Half-open handshakes, and room for more.
#[derive(Debug)]
pub(super) struct Gate {
    cookies: Cookies,
    half_open: HalfOpen,
    unproven: Room,
    proven: Room,
    /// Steps of handshakes that failed before.
    retried: RateLimiter,
    always_retry: bool,
}

/// So many at a time, and so often.
#[derive(Debug)]
struct Room {
    occupancy: Occupancy,
    rate: RateLimiter,
}

impl Room {
    const fn new(occupancy: OccupancyLimits, rate: RateLimits) -> Self {
        Self { occupancy: Occupancy::new(occupancy), rate: RateLimiter::new(rate) }
    }

    fn enter(&mut self, now: Instant, address: IpAddr) -> Result<(), Limited> {
        self.occupancy.enter(address)?;
        self.rate.allow(now, address).inspect_err(|_| self.occupancy.leave(address))
    }
}

impl Gate {
    pub(super) fn new(config: &Config, seed: [u8; 32]) -> Self {
        Self {
            cookies: Cookies::new(config, seed),
            half_open: HalfOpen::default(),
            unproven: Room::new(OccupancyLimits::UNPROVEN, RateLimits::UNPROVEN),
            proven: Room::new(OccupancyLimits::HALF_OPEN, RateLimits::HANDSHAKES),
            retried: RateLimiter::new(RateLimits::RETRIED),
            always_retry: config.always_retry,
        }
    }

    /// Judges a hello. `full`: there is no room for one more connection anyway.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        hello: &Hello<'_>,
        full: bool,
    ) -> Verdict {
        let proven = !hello.cookie.is_empty();
        if proven && !self.cookies.is_good(now, remote, hello) {
            return Verdict::Silence;
        }
        if let Some(slot) = self.half_open.find(remote, hello.client) {
            return Verdict::Again(slot);
        }
        // Who would be turned away with a cookie is not asked for one.
        if full || self.proven.occupancy.is_full() {
            return Verdict::Silence;
        }
        let address = remote.ip();
        if proven {
            return match self.proven.enter(now, address) {
                Ok(()) => Verdict::Answer { proven },
                Err(_) => Verdict::Silence,
            };
        }
        let wanted = self.always_retry || self.unproven.rate.is_busy(now);
        if wanted || self.unproven.enter(now, address).is_err() {
            return Verdict::Retry(self.cookies.make(now, remote, hello));
        }
        Verdict::Answer { proven }
    }

    /// The place that was taken is that of this handshake.
    pub(super) fn admit(&mut self, slot: u32, greeted: Greeted) {
        self.half_open.insert(slot, greeted);
    }

    /// The place that was taken is not needed.
    pub(super) fn withdraw(&mut self, address: IpAddr, proven: bool) {
        self.room(proven).occupancy.leave(address);
    }

    /// The handshake in this slot is over, one way or the other; if there is one.
    pub(super) fn close(&mut self, slot: u32) {
        if let Some(greeted) = self.half_open.remove(slot) {
            self.withdraw(greeted.remote.ip(), greeted.proven);
        }
    }

    /// Whether a costly packet from somebody who is let in already is worth it.
    pub(super) fn bears(&mut self, now: Instant, address: IpAddr) -> bool {
        self.retried.allow(now, address).is_ok()
    }

    const fn room(&mut self, proven: bool) -> &mut Room {
        if proven { &mut self.proven } else { &mut self.unproven }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::packet::{ConnectionId, VERSION};
    use core::{net::Ipv4Addr, time::Duration};

    fn gate() -> Gate {
        Gate::new(&Config::default(), [1; 32])
    }

    /// Every address is in a network of its own.
    fn stranger(number: u32) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::from_bits(number << 8).into(), 4000)
    }

    fn hello(cookie: &[u8]) -> Hello<'_> {
        Hello { version: VERSION, suite: 0, client: ConnectionId(7), cookie, payload: &[] }
    }

    fn ask(gate: &mut Gate, now: Instant, from: SocketAddr, cookie: &[u8]) -> Verdict {
        let verdict = gate.judge(now, from, &hello(cookie), false);
        if let Verdict::Answer { proven } = verdict {
            let greeted = Greeted { remote: from, client: ConnectionId(7), proven };
            gate.admit(slot_of(from), greeted);
        }
        verdict
    }

    /// A slot of its own for each stranger and port.
    fn slot_of(from: SocketAddr) -> u32 {
        let IpAddr::V4(address) = from.ip() else { panic!("all are IPv4 here") };
        address.to_bits() << 8 ^ u32::from(from.port())
    }

    fn cookie_of(verdict: Verdict) -> Cookie {
        let Verdict::Retry(cookie) = verdict else { panic!("{verdict:?}") };
        cookie
    }

    /// Row 12: a few are let in as they come; from then on each has to bring a cookie.
    #[test]
    fn a_burst_of_strangers_is_asked_for_cookies() {
        let (mut gate, now) = (gate(), Instant::ZERO);
        let verdicts: [_; 1000] =
            core::array::from_fn(|n| ask(&mut gate, now, stranger(n as u32 + 1), &[]));
        let let_in = verdicts.iter().filter(|v| matches!(v, Verdict::Answer { .. })).count();
        assert!((100..200).contains(&let_in), "{let_in}");
        assert!(verdicts[let_in..].iter().all(|v| matches!(v, Verdict::Retry(_))));
        let late = stranger(1001);
        let cookie = cookie_of(ask(&mut gate, now, late, &[]));
        assert_eq!(ask(&mut gate, now, late, &cookie), Verdict::Answer { proven: true });
        assert!(matches!(ask(&mut gate, now, late, &[]), Verdict::Again(_)));
        assert_eq!(ask(&mut gate, now, stranger(1002), &cookie), Verdict::Silence);
    }

    /// Row 14: however slowly they come, no more than so many wait without a cookie.
    #[test]
    fn half_open_handshakes_without_a_cookie_are_bounded() {
        let mut gate = gate();
        let mut now = Instant::ZERO;
        let let_in = (1..2000).filter(|n| {
            now = now + Duration::from_millis(20);
            matches!(ask(&mut gate, now, stranger(*n), &[]), Verdict::Answer { .. })
        });
        assert_eq!(let_in.count(), OccupancyLimits::UNPROVEN.global as usize);
        // Each that ends makes room for one.
        let first = slot_of(stranger(1));
        gate.close(first);
        gate.close(first);
        assert_eq!(ask(&mut gate, now, stranger(5000), &[]), Verdict::Answer { proven: false });
        assert!(matches!(ask(&mut gate, now, stranger(5001), &[]), Verdict::Retry(_)));
    }

    /// Who forges hellos of an address keeps nobody there from connecting: with a cookie he has limits of his own.
    #[test]
    fn forged_hellos_use_up_nothing_of_who_proves_his_address() {
        let (mut gate, now) = (gate(), Instant::ZERO);
        let victim = stranger(1);
        for port in 0..1000 {
            let _ = ask(&mut gate, now, SocketAddr::new(victim.ip(), port), &[]);
        }
        let cookie = cookie_of(ask(&mut gate, now, victim, &[]));
        assert_eq!(ask(&mut gate, now, victim, &cookie), Verdict::Answer { proven: true });
    }

    /// Row 13: with no room for anybody there is no word for anybody.
    #[test]
    fn a_full_endpoint_is_silent() {
        let (mut gate, now) = (gate(), Instant::ZERO);
        let cookie = gate.cookies.make(now, stranger(1), &hello(&[]));
        for cookie in [&[][..], &cookie] {
            let verdict = gate.judge(now, stranger(1), &hello(cookie), true);
            assert_eq!(verdict, Verdict::Silence);
        }
        for n in 0..OccupancyLimits::HALF_OPEN.global {
            gate.proven.occupancy.enter(stranger(n).ip()).unwrap();
        }
        assert_eq!(ask(&mut gate, now, stranger(9999), &[]), Verdict::Silence);
    }
}
