//! Cookies: proof that somebody receives where he says he is, kept by nobody (docs/protocol.md, "RETRY").

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use subtle::ConstantTimeEq;

use crate::{
    Config, Instant, Security,
    crypto::{MAC_LEN, Mac, siphash},
    random::Random,
    wire::{cursor::Writer, packet::Hello},
};

/// A cookie.
pub(super) type Cookie = [u8; MAC_LEN];

/// A cookie is good in the span that it was made in and in the next: half a minute at least, a minute at most. A client brings
/// it back within a round trip.
const SPAN: Duration = Duration::from_secs(30);
/// Bytes of all that a cookie is bound to.
const BOUND_LEN: usize = 8 + 16 + 2 + 4 + 1 + 8;
/// Makes the key of plain cookies another sequence than that of the endpoint's ids.
const KEY_LABEL: [u8; 32] = *b"gannet: cookies of the plain way";

/// Makes cookies, and knows its own again.
pub(super) struct Cookies {
    key: Key,
    epoch: Duration,
}

enum Key {
    /// From the long-term key: cookies outlive a restart, and all endpoints with that key agree on them.
    Sealed(Mac),
    /// From the endpoint's seed, for there is no long-term key in plain mode, nor anybody's cryptography. Who can read packets
    /// needs no cookie to do harm there; others cannot guess one.
    Plain([[u64; 2]; 2]),
}

impl Cookies {
    pub(super) fn new(config: &Config, mut seed: [u8; 32]) -> Self {
        let key = match &config.security {
            Security::Sealed(identity) => Key::Sealed(identity.cookies().clone()),
            Security::Plain => {
                seed.iter_mut().zip(KEY_LABEL).for_each(|(byte, label)| *byte ^= label);
                let mut random = Random::new(seed);
                Key::Plain([(); 2].map(|()| [(); 2].map(|()| random.next())))
            }
        };
        Self { key, epoch: config.epoch }
    }

    /// The cookie for who sent this hello.
    pub(super) fn make(&self, now: Instant, from: SocketAddr, hello: &Hello<'_>) -> Cookie {
        self.tag(self.span(now), from, hello)
    }

    /// Whether the hello brings a cookie that was made for who sends it, not long ago.
    pub(super) fn is_good(&self, now: Instant, from: SocketAddr, hello: &Hello<'_>) -> bool {
        let span = self.span(now);
        let is_of = |span| bool::from(self.tag(span, from, hello).ct_eq(hello.cookie));
        is_of(span) || span.checked_sub(1).is_some_and(is_of)
    }

    fn span(&self, now: Instant) -> u64 {
        let age = self.epoch.saturating_add(Duration::from_nanos(now.as_nanos()));
        age.as_secs() / SPAN.as_secs()
    }

    fn tag(&self, span: u64, from: SocketAddr, hello: &Hello<'_>) -> Cookie {
        let address = match from.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let mut bound = [0; BOUND_LEN];
        let mut w = Writer::new(&mut bound);
        w.u64(span);
        w.bytes(&address.octets());
        w.bytes(&from.port().to_be_bytes());
        w.u32(hello.version);
        w.u8(hello.suite);
        w.u64(hello.client.0);
        debug_assert_eq!(w.finish(), Some(BOUND_LEN));
        match &self.key {
            Key::Sealed(mac) => mac.tag(&[&bound]),
            Key::Plain(keys) => {
                let [a, b] = keys.map(|key| siphash(key, &bound).to_be_bytes());
                let mut tag = [0; MAC_LEN];
                tag.iter_mut().zip(a.into_iter().chain(b)).for_each(|(to, from)| *to = from);
                tag
            }
        }
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{Identity, Secret, toy::Toy},
        wire::packet::{ConnectionId, VERSION},
    };
    use alloc::{sync::Arc, vec::Vec};
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn plain(seed: u8) -> Cookies {
        Cookies::new(&Config::default(), [seed; 32])
    }

    fn sealed(key: u8, epoch: u64) -> Cookies {
        let identity = Identity::new(Arc::new(Toy::new(1)), &Secret::take(&mut [key; 32]));
        let config = Config {
            security: Security::Sealed(identity),
            epoch: Duration::from_secs(epoch),
            ..Config::default()
        };
        // Its seed is another after each restart.
        Cookies::new(&config, [epoch as u8; 32])
    }

    fn hello(suite: u8, client: u64, cookie: &[u8]) -> Hello<'_> {
        Hello { version: VERSION, suite, client: ConnectionId(client), cookie, payload: &[] }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * SECOND)
    }

    /// Row 18: a cookie is for one address, one port, one client, one suite, and from one server.
    #[test]
    fn a_cookie_is_for_who_asked() {
        for (cookies, other) in [(plain(1), plain(2)), (sealed(1, 0), sealed(2, 0))] {
            let from = address("192.0.2.1:4000");
            let cookie = cookies.make(at(0), from, &hello(1, 7, &[]));
            let good = |from: &str, hello| cookies.is_good(at(0), address(from), &hello);
            assert!(good("192.0.2.1:4000", hello(1, 7, &cookie)));
            assert!(good("[::ffff:192.0.2.1]:4000", hello(1, 7, &cookie)), "the same address");
            assert!(!good("192.0.2.2:4000", hello(1, 7, &cookie)));
            assert!(!good("192.0.2.1:4001", hello(1, 7, &cookie)));
            assert!(!good("192.0.2.1:4000", hello(2, 7, &cookie)));
            assert!(!good("192.0.2.1:4000", hello(1, 8, &cookie)));
            assert!(!other.is_good(at(0), from, &hello(1, 7, &cookie)));
            assert!((0..MAC_LEN).all(|len| !good("192.0.2.1:4000", hello(1, 7, &cookie[..len]))));
            let longer = [&cookie[..], &[0]].concat();
            assert!(!good("192.0.2.1:4000", hello(1, 7, &longer)));
        }
    }

    /// Row 18: a cookie is good for half a minute, and worth nothing after a minute.
    #[test]
    fn a_cookie_expires() {
        let from = address("192.0.2.1:4000");
        for cookies in [plain(1), sealed(1, 1_800_000_000)] {
            for made in 0..60 {
                let cookie = cookies.make(at(made), from, &hello(1, 7, &[]));
                let ages: Vec<_> = (0..100)
                    .filter(|age| cookies.is_good(at(made + age), from, &hello(1, 7, &cookie)))
                    .collect();
                assert_eq!(ages, (0..60 - made % 30).collect::<Vec<_>>(), "made at {made}");
            }
        }
    }

    /// A server that starts again takes the cookies of the one before, as long as they are good.
    #[test]
    fn a_cookie_outlives_a_restart() {
        let (from, start) = (address("192.0.2.1:4000"), 1_800_000_000);
        let cookie = sealed(1, start).make(at(95), from, &hello(1, 7, &[]));
        let is_good = |key, epoch| sealed(key, epoch).is_good(at(1), from, &hello(1, 7, &cookie));
        assert!(is_good(1, start + 100));
        assert!(!is_good(1, start + 200));
        assert!(!is_good(2, start + 100));
    }

    proptest! {
        #[test]
        fn no_other_bytes_are_a_cookie(cookie in prop::collection::vec(any::<u8>(), 0..64), seconds in 0..10_000_u64) {
            let from = address("192.0.2.1:4000");
            prop_assert!(!plain(1).is_good(at(seconds), from, &hello(0, 7, &cookie)));
        }
    }
}
