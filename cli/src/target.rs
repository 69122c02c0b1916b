//! Which server: a host and a port.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use gannet_protocol::Escaped;

/// A server's host, by name or address, and its UDP port. [`fmt::Display`] writes what its parser reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// A name or an address without brackets.
    pub(crate) host: String,
    /// Not 0.
    pub(crate) port: u16,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inside, rest) = rest.split_once(']').ok_or(TargetError::OpenBracket)?;
                let port = rest.strip_prefix(':').ok_or_else(|| TargetError::no_port(text))?;
                (ipv6(inside)?, port)
            }
            None => {
                let (host, port) =
                    text.rsplit_once(':').ok_or_else(|| TargetError::no_port(text))?;
                if is_ipv6(text) || is_ipv6(host) {
                    return Err(TargetError::BareIpv6);
                }
                (host_alone(host)?, port)
            }
        };
        let port = match port.parse() {
            Ok(0) => return Err(TargetError::PortZero),
            Ok(port) => port,
            Err(_) => return Err(TargetError::BadPort(port.into())),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = Escaped(self.host.as_bytes());
        if self.host.contains(':') {
            write!(f, "[{host}]:{}", self.port)
        } else {
            write!(f, "{host}:{}", self.port)
        }
    }
}

/// Reads a host that stands without a port: a name, an IPv4 address, or an IPv6 address in brackets or without.
pub(crate) fn host_alone(text: &str) -> Result<String, TargetError> {
    match text.strip_prefix('[') {
        Some(rest) => ipv6(rest.strip_suffix(']').ok_or(TargetError::OpenBracket)?),
        None if text.is_empty() => Err(TargetError::NoHost),
        None if text.contains(':') && !is_ipv6(text) => Err(TargetError::BadHost(text.into())),
        None if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') => {
            Err(TargetError::BadHost(text.into()))
        }
        None => Ok(text.into()),
    }
}

fn ipv6(text: &str) -> Result<String, TargetError> {
    if is_ipv6(text) { Ok(text.into()) } else { Err(TargetError::NotIpv6(text.into())) }
}

/// Whether it is an IPv6 address, which may end in a zone: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "zone"));
    !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok()
}

/// Why a text is not a [`Target`], or not a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TargetError {
    NoHost,
    NoPort { example: String },
    BadHost(String),
    BadPort(String),
    PortZero,
    BareIpv6,
    OpenBracket,
    NotIpv6(String),
}

impl TargetError {
    fn no_port(text: &str) -> Self {
        Self::NoPort { example: format!("{text}:5555") }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => write!(f, "the host is missing before ':'"),
            Self::NoPort { example } => {
                let example = Escaped(example.as_bytes());
                write!(f, "the server's port is missing; write HOST:PORT, as in {example}")
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

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(host: &str, port: u16) -> Result<Target, TargetError> {
        Ok(Target { host: host.into(), port })
    }

    #[test]
    fn names_and_addresses_of_both_families_are_taken() {
        assert_eq!("localhost:5555".parse(), target("localhost", 5555));
        assert_eq!("10.0.0.1:1".parse(), target("10.0.0.1", 1));
        assert_eq!("[::1]:5555".parse(), target("::1", 5555));
        assert_eq!("[fe80::1%eth0]:5555".parse(), target("fe80::1%eth0", 5555));
        assert_eq!(host_alone("::1"), Ok("::1".into()));
        assert_eq!(host_alone("[::1]"), Ok("::1".into()));
    }

    #[test]
    fn each_mistake_is_told_apart() {
        let cases = [
            ("", TargetError::NoPort { example: ":5555".into() }),
            (":5555", TargetError::NoHost),
            ("host", TargetError::NoPort { example: "host:5555".into() }),
            ("[::1]", TargetError::NoPort { example: "[::1]:5555".into() }),
            ("host:", TargetError::BadPort(String::new())),
            ("host:http", TargetError::BadPort("http".into())),
            ("host:65536", TargetError::BadPort("65536".into())),
            ("host:0", TargetError::PortZero),
            ("::1", TargetError::BareIpv6),
            ("::1:5555", TargetError::BareIpv6),
            ("1:2:3:4:5:6:7:8:5555", TargetError::BareIpv6),
            ("[::1:5555", TargetError::OpenBracket),
            ("[host]:5555", TargetError::NotIpv6("host".into())),
            ("a:b:5555", TargetError::BadHost("a:b".into())),
            ("a b:5555", TargetError::BadHost("a b".into())),
            ("udp://host:5555", TargetError::BadHost("udp://host".into())),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Target>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "[a-z.:\\[\\]0-9%]{0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
            }
        }
    }
}
