//! Packets: what every datagram starts with, and the handshake's (docs/protocol.md, "Packets").

use super::cursor::{Malformed, Reader, VARINT_MAX, Writer};
use crate::{
    crypto::MAC_LEN,
    protect::{CRC_LEN, add_checksum, check_checksum},
};

/// The version of the protocol that this crate speaks.
pub(crate) const VERSION: u32 = 1;
/// Every path carries UDP payloads of 1200 bytes (RFC 9000, section 14), and a hello must not be smaller,
/// so that an answer never amplifies.
pub(crate) const MIN_DATAGRAM: usize = 1200;
/// Longest payload of a handshake packet: parameters take some 60 bytes, a Noise message some 130 more.
const MAX_HANDSHAKE_PAYLOAD: usize = 512;
/// Longest cookie: only the server that made it reads it, and other servers may want more than our 16 bytes.
pub(crate) const MAX_COOKIE: usize = 64;
/// Bytes of the token of a RESET.
pub(crate) const TOKEN_LEN: usize = MAC_LEN;
/// Bytes of a RESET; what it answers is longer.
pub(crate) const RESET_LEN: usize = 9 + TOKEN_LEN + CRC_LEN;

const HELLO: u8 = 1;
const ANSWER: u8 = 2;
const FINISH: u8 = 3;
const RETRY: u8 = 4;
const RESET: u8 = 5;
const VERSIONS: u8 = 6;
const DATA: u8 = 7;

/// A connection id, chosen by the side that receives packets carrying it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Bytes before the protected part of a DATA packet: type, connection id, packet number.
pub(crate) const DATA_HEADER: usize = 17;

/// A packet as far as it can be read without keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Packet<'a> {
    /// The client's first.
    Hello(Hello<'a>),
    /// The server's answer.
    Answer { to: ConnectionId, payload: &'a [u8] },
    /// The client's confirmation.
    Finish { to: ConnectionId, payload: &'a [u8] },
    /// The server's wish to see this cookie in the hello before it looks any further.
    Retry { to: ConnectionId, cookie: &'a [u8] },
    /// The server knows no connection of this id, its own; only who made the connection has the token.
    Reset { unknown: ConnectionId, token: [u8; TOKEN_LEN] },
    /// The versions that the server speaks, in answer to a hello of another.
    Versions { to: ConnectionId, spoken: bool },
    /// Everything after the handshake: opened with the connection's keys.
    Data { to: ConnectionId, number: u64 },
}

/// The client's first packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hello<'a> {
    pub(crate) version: u32,
    pub(crate) suite: u8,
    pub(crate) client: ConnectionId,
    /// That of a RETRY; empty without one.
    pub(crate) cookie: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Handshake packets of a wrong checksum or shape are malformed, as is a hello that is too
    /// short to be answered.
    pub(crate) fn decode(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let mut header = Reader::new(datagram);
        let kind = header.u8()?;
        let to = ConnectionId(header.u64()?);
        if kind == DATA {
            let number = header.u64()?;
            // No ACK frame could name a greater one.
            return if number <= VARINT_MAX {
                Ok(Self::Data { to, number })
            } else {
                Err(Malformed)
            };
        }
        if kind == HELLO && datagram.len() < MIN_DATAGRAM {
            return Err(Malformed);
        }
        let covered = check_checksum(datagram).map_err(|_| Malformed)?;
        let mut reader = Reader::new(covered.get(9..).ok_or(Malformed)?);
        match kind {
            HELLO if to == ConnectionId(0) => read_hello(&mut reader).map(Self::Hello),
            ANSWER => Ok(Self::Answer { to, payload: read_only_payload(reader)? }),
            FINISH => Ok(Self::Finish { to, payload: read_only_payload(reader)? }),
            RETRY => match reader.prefixed(MAX_COOKIE)? {
                [] => Err(Malformed),
                cookie => reader.finish().map(|()| Self::Retry { to, cookie }),
            },
            RESET => {
                let token = reader.array()?;
                reader.finish().map(|()| Self::Reset { unknown: to, token })
            }
            VERSIONS => {
                let mut spoken = false;
                while !reader.is_empty() {
                    spoken |= reader.u32()? == VERSION;
                }
                Ok(Self::Versions { to, spoken })
            }
            _ => Err(Malformed),
        }
    }
}

fn read_hello<'a>(r: &mut Reader<'a>) -> Result<Hello<'a>, Malformed> {
    let version = r.u32()?;
    let suite = r.u8()?;
    let client = ConnectionId(r.u64()?);
    if version != VERSION {
        // What follows is for that version to say.
        return Ok(Hello { version, suite, client, cookie: &[], payload: &[] });
    }
    let cookie = r.prefixed(MAX_COOKIE)?;
    let payload = r.prefixed(MAX_HANDSHAKE_PAYLOAD)?;
    if r.take_rest().iter().any(|&padding| padding != 0) {
        return Err(Malformed);
    }
    Ok(Hello { version, suite, client, cookie, payload })
}

fn read_only_payload(mut r: Reader<'_>) -> Result<&[u8], Malformed> {
    let payload = r.prefixed(MAX_HANDSHAKE_PAYLOAD)?;
    r.finish()?;
    Ok(payload)
}

/// Writes a hello, padded to [`MIN_DATAGRAM`]; gives its length.
pub(crate) fn write_hello(
    out: &mut [u8],
    suite: u8,
    client: ConnectionId,
    cookie: &[u8],
    payload: &[u8],
) -> Option<usize> {
    let out = out.get_mut(..MIN_DATAGRAM)?;
    out.fill(0);
    let mut w = Writer::new(out);
    w.u8(HELLO);
    w.u64(0);
    w.u32(VERSION);
    w.u8(suite);
    w.u64(client.0);
    w.prefixed(cookie);
    w.prefixed(payload);
    let len = w.finish()?;
    if len > MIN_DATAGRAM - CRC_LEN {
        return None;
    }
    add_checksum(out);
    Some(MIN_DATAGRAM)
}

/// Writes an answer; gives its length.
pub(crate) fn write_answer(out: &mut [u8], to: ConnectionId, payload: &[u8]) -> Option<usize> {
    write_checked(out, ANSWER, to, |w| w.prefixed(payload))
}

/// Writes a finish; gives its length.
pub(crate) fn write_finish(out: &mut [u8], to: ConnectionId, payload: &[u8]) -> Option<usize> {
    write_checked(out, FINISH, to, |w| w.prefixed(payload))
}

/// Writes a request for a hello with this cookie; gives its length.
pub(crate) fn write_retry(out: &mut [u8], to: ConnectionId, cookie: &[u8]) -> Option<usize> {
    write_checked(out, RETRY, to, |w| w.prefixed(cookie))
}

/// Writes that no connection has this id of ours; gives its length, [`RESET_LEN`].
pub(crate) fn write_reset(
    out: &mut [u8],
    unknown: ConnectionId,
    token: &[u8; TOKEN_LEN],
) -> Option<usize> {
    write_checked(out, RESET, unknown, |w| w.bytes(token))
}

/// Writes the list of versions; gives its length.
pub(crate) fn write_versions(out: &mut [u8], to: ConnectionId) -> Option<usize> {
    write_checked(out, VERSIONS, to, |w| w.u32(VERSION))
}

fn write_checked(
    out: &mut [u8],
    kind: u8,
    to: ConnectionId,
    fields: impl FnOnce(&mut Writer<'_>),
) -> Option<usize> {
    let mut w = Writer::new(out);
    w.u8(kind);
    w.u64(to.0);
    fields(&mut w);
    w.bytes(&[0; CRC_LEN]);
    let len = w.finish()?;
    add_checksum(out.get_mut(..len)?);
    Some(len)
}

/// Writes what stands before the protected part of a DATA packet: [`DATA_HEADER`] bytes.
pub(crate) fn write_data_header(out: &mut [u8], to: ConnectionId, number: u64) -> Option<usize> {
    let mut w = Writer::new(out);
    w.u8(DATA);
    w.u64(to.0);
    w.u64(number);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    #[test]
    fn a_short_hello_is_noise() {
        let mut buf = vec![0; MIN_DATAGRAM];
        write_hello(&mut buf, 0, ConnectionId(5), b"", b"nonce").unwrap();
        assert!(matches!(Packet::decode(&buf), Ok(Packet::Hello(h)) if h.payload == b"nonce"));
        let mut short = buf[..MIN_DATAGRAM - 1].to_vec();
        add_checksum(&mut short);
        assert_eq!(Packet::decode(&short), Err(Malformed));
    }

    #[test]
    fn an_answer_is_smaller_than_a_hello() {
        let mut buf = vec![0; 2000];
        let len = write_answer(&mut buf, ConnectionId(5), &[1; MAX_HANDSHAKE_PAYLOAD]).unwrap();
        assert!(len < MIN_DATAGRAM);
        assert!(write_versions(&mut buf, ConnectionId(1)).unwrap() < len);
        assert!(write_retry(&mut buf, ConnectionId(1), &[1; MAX_COOKIE]).unwrap() < len);
        assert_eq!(write_reset(&mut buf, ConnectionId(1), &[1; TOKEN_LEN]), Some(RESET_LEN));
    }

    #[test]
    fn a_retry_has_a_cookie_and_a_reset_a_token() {
        let mut buf = vec![0; 200];
        for (len, fine) in [(0, false), (1, true), (MAX_COOKIE, true), (MAX_COOKIE + 1, false)] {
            let len = write_retry(&mut buf, ConnectionId(9), &[7; 100][..len]).unwrap();
            assert_eq!(Packet::decode(&buf[..len]).is_ok(), fine);
        }
        let token = [3; TOKEN_LEN];
        let len = write_reset(&mut buf, ConnectionId(9), &token).unwrap();
        let reset = Packet::Reset { unknown: ConnectionId(9), token };
        assert_eq!(Packet::decode(&buf[..len]), Ok(reset));
        let mut longer = [&buf[..len], &[0]].concat();
        add_checksum(&mut longer);
        assert_eq!(Packet::decode(&longer), Err(Malformed));
    }

    #[test]
    fn a_handshake_packet_cut_anywhere_is_malformed() {
        let mut buf = vec![0; 100];
        let len = write_finish(&mut buf, ConnectionId(9), b"payload").unwrap();
        assert!(Packet::decode(&buf[..len]).is_ok());
        assert!((0..len).all(|cut| Packet::decode(&buf[..cut]) == Err(Malformed)));
    }

    #[test]
    fn a_number_that_no_acknowledgement_can_name_is_noise() {
        let mut buf = [0; DATA_HEADER];
        for (number, fine) in [(VARINT_MAX, true), (VARINT_MAX + 1, false), (u64::MAX, false)] {
            write_data_header(&mut buf, ConnectionId(5), number).unwrap();
            assert_eq!(Packet::decode(&buf).is_ok(), fine);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_malformed(mut bytes in prop::collection::vec(any::<u8>(), 0..1300), kind in 0u8..9, sum in any::<bool>()) {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            if sum {
                add_checksum(&mut bytes);
            }
            let _ = Packet::decode(&bytes);
        }

        #[test]
        fn handshake_packets_come_back(
            id in any::<u64>(),
            cookie in prop::collection::vec(any::<u8>(), 0..MAX_COOKIE),
            payload in prop::collection::vec(any::<u8>(), 0..MAX_HANDSHAKE_PAYLOAD),
        ) {
            let mut buf: Vec<u8> = vec![0; MIN_DATAGRAM];
            let len = write_answer(&mut buf, ConnectionId(id), &payload).unwrap();
            prop_assert_eq!(Packet::decode(&buf[..len]), Ok(Packet::Answer { to: ConnectionId(id), payload: &payload }));
            let len = write_hello(&mut buf, 0, ConnectionId(id), &cookie, &payload).unwrap();
            let (client, cookie) = (ConnectionId(id), &cookie[..]);
            let hello = Hello { version: VERSION, suite: 0, client, cookie, payload: &payload };
            prop_assert_eq!(Packet::decode(&buf[..len]), Ok(Packet::Hello(hello)));
        }
    }
}
