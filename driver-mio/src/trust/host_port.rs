//! Which server, as its user names it.

use std::{error, fmt, net::Ipv6Addr, str::FromStr};

use gannet_protocol::Escaped;

/// Most bytes of a host: what DNS allows for a name.
const MAX_HOST: usize = 255;

/// A server's host, by name or address, and its UDP port: `example.org:5555`, `192.0.2.1:5555`, `[2001:db8::1]:5555`.
///
/// It is kept as it was typed, and [`fmt::Display`] writes what its parser reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// Puts the two together; an IPv6 address stands without brackets.
    ///
    /// # Errors
    /// [`BadHostPort`]
    pub fn new(host: &str, port: u16) -> Result<Self, BadHostPort> {
        if port == 0 {
            return Err(BadHostPort::PortZero);
        }
        let strange = |c: char| c.is_whitespace() || "/[]\"#".contains(c);
        let is_printable = Escaped(host.as_bytes()).to_string() == host;
        if host.is_empty() {
            Err(BadHostPort::NoHost)
        } else if host.len() > MAX_HOST
            || host.contains(strange)
            || !is_printable
            || (host.contains(':') && !is_ipv6(host))
        {
            Err(BadHostPort::BadHost(host.into()))
        } else {
            Ok(Self { host: host.into(), port })
        }
    }

    /// A name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port, which is not 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether both name the same: names do not tell upper from lower case.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl FromStr for HostPort {
    type Err = BadHostPort;

    fn from_str(text: &str) -> Result<Self, BadHostPort> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(BadHostPort::OpenBracket)?;
                if !is_ipv6(host) {
                    return Err(BadHostPort::NotIpv6(host.into()));
                }
                (host, port.strip_prefix(':').ok_or_else(|| BadHostPort::NoPort(text.into()))?)
            }
            None => {
                let split = text.rsplit_once(':');
                let (host, port) = split.ok_or_else(|| BadHostPort::NoPort(text.into()))?;
                if is_ipv6(text) || is_ipv6(host) {
                    return Err(BadHostPort::BareIpv6);
                }
                (host, port)
            }
        };
        // Digits alone: the standard library's parser also takes a sign.
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        let number = port.parse().ok().filter(|_| is_number);
        Self::new(host, number.ok_or_else(|| BadHostPort::BadPort(port.into()))?)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Whether it is an IPv6 address, which may end in a zone: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "zone"));
    !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok()
}

/// Why a text is not a [`HostPort`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadHostPort {
    /// Nothing stands before the port.
    NoHost,
    /// There is no port.
    NoPort(String),
    /// The host is neither a name nor an address.
    BadHost(String),
    /// The port is not a number from 1 to 65535.
    BadPort(String),
    /// The port is 0, which no server has.
    PortZero,
    /// An IPv6 address without brackets, whose end could be the port.
    BareIpv6,
    /// A bracket that is not closed.
    OpenBracket,
    /// In brackets stands something else than an IPv6 address.
    NotIpv6(String),
}

impl fmt::Display for BadHostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => write!(f, "the host is missing before ':'"),
            Self::NoPort(text) => {
                let text = Escaped(text.as_bytes());
                write!(f, "the server's port is missing; write HOST:PORT, as in {text}:5555")
            }
            Self::BadHost(host) => {
                write!(f, "'{}' is neither a host name nor an address", Escaped(host.as_bytes()))
            }
            Self::BadPort(port) => {
                write!(f, "'{}' is not a port from 1 to 65535", Escaped(port.as_bytes()))
            }
            Self::PortZero => {
                write!(f, "a server never has port 0; use the one that it printed when it started")
            }
            Self::BareIpv6 => write!(
                f,
                "an IPv6 address needs brackets, or its end could be the port; write [::1]:5555"
            ),
            Self::OpenBracket => write!(f, "'[' without ']'; write [::1]:5555"),
            Self::NotIpv6(text) => write!(
                f,
                "'{}' in brackets is not an IPv6 address; only those take brackets",
                Escaped(text.as_bytes())
            ),
        }
    }
}

impl error::Error for BadHostPort {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_of_both_families_are_taken() {
        for (text, host, port) in [
            ("localhost:5555", "localhost", 5555),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[::1]:65535", "::1", 65535),
            ("[fe80::1%eth0]:5555", "fe80::1%eth0", 5555),
        ] {
            let parsed: HostPort = text.parse().unwrap();
            assert_eq!((parsed.host(), parsed.port()), (host, port));
            assert_eq!(parsed, HostPort::new(host, port).unwrap());
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn each_mistake_is_told_apart() {
        let cases = [
            ("", BadHostPort::NoPort(String::new())),
            (":5555", BadHostPort::NoHost),
            ("host", BadHostPort::NoPort("host".into())),
            ("[::1]", BadHostPort::NoPort("[::1]".into())),
            ("host:", BadHostPort::BadPort(String::new())),
            ("host:+1", BadHostPort::BadPort("+1".into())),
            ("host:65536", BadHostPort::BadPort("65536".into())),
            ("host:0", BadHostPort::PortZero),
            ("::1", BadHostPort::BareIpv6),
            ("::1:5555", BadHostPort::BareIpv6),
            ("[::1:5555", BadHostPort::OpenBracket),
            ("[host]:5555", BadHostPort::NotIpv6("host".into())),
            ("a:b:5555", BadHostPort::BadHost("a:b".into())),
            ("a b:5555", BadHostPort::BadHost("a b".into())),
            ("#a:5555", BadHostPort::BadHost("#a".into())),
            ("udp://host:5555", BadHostPort::BadHost("udp://host".into())),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<HostPort>(), Err(why), "{text}");
        }
        let long = "x".repeat(256);
        assert_eq!(HostPort::new(&long, 1), Err(BadHostPort::BadHost(long)));
    }

    #[test]
    fn case_does_not_matter_and_ports_do() {
        let same =
            |a: &str, b: &str| a.parse::<HostPort>().unwrap().is_same_as(&b.parse().unwrap());
        assert!(same("Example.org:1", "example.ORG:1"));
        assert!(!same("example.org:1", "example.org:2"));
        assert!(!same("example.org:1", "example.net:1"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "[a-z.:\\[\\]0-9%]{0,20}") {
            if let Ok(target) = text.parse::<HostPort>() {
                prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }

        #[test]
        fn what_is_taken_is_one_word(host in "\\PC{0,20}") {
            if let Ok(target) = HostPort::new(&host, 1) {
                let text = target.to_string();
                prop_assert_eq!(text.split_whitespace().count(), 1);
                prop_assert_eq!(text.parse(), Ok(target));
            }
        }
    }
}
