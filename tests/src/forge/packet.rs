//! Packets, written and read.

use super::frame::{Frame, put_varint, varint};

/// The type of a client's first packet.
pub const HELLO: u8 = 1;
/// The type of the server's answer.
pub const ANSWER: u8 = 2;
/// The type of the client's confirmation.
pub const FINISH: u8 = 3;
/// The type of the server's request for a cookie.
pub const RETRY: u8 = 4;
/// The type of the server's word that it knows no such connection.
pub const RESET: u8 = 5;
/// The type of the list of versions.
pub const VERSIONS: u8 = 6;
/// The type of all other packets.
pub const DATA: u8 = 7;

/// Bytes of a hello, and of the least datagram that every path carries.
pub const MIN_DATAGRAM: usize = 1200;

/// Bytes before the frames of a DATA packet: type, connection id, number.
pub(super) const DATA_HEADER: usize = 17;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// The CRC-32C of `bytes` (RFC 3720, appendix B.4), a byte at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

/// What each byte adds to the checksum.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Appends the checksum of all before it.
#[must_use]
pub fn seal(mut packet: Vec<u8>) -> Vec<u8> {
    let sum = crc32c(&packet);
    packet.extend_from_slice(&sum.to_be_bytes());
    packet
}

/// Whether a packet's checksum is right.
#[must_use]
pub fn is_intact(packet: &[u8]) -> bool {
    packet
        .split_last_chunk::<CHECKSUM>()
        .is_some_and(|(covered, sum)| crc32c(covered).to_be_bytes() == *sum)
}

/// A DATA packet.
#[must_use]
pub fn data(to: u64, number: u64, frames: &[Frame]) -> Vec<u8> {
    let mut packet = vec![DATA];
    packet.extend_from_slice(&to.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    frames.iter().for_each(|frame| frame.write(&mut packet));
    seal(packet)
}

/// The receiver, the number and the frames of an intact DATA packet.
#[must_use]
pub fn data_parts(packet: &[u8]) -> Option<(u64, u64, Vec<Frame>)> {
    let all = frames(packet)?.collect();
    let (to, number) = data_header(packet)?;
    Some((to, number, all))
}

/// The frames of an intact DATA packet, as far as they can be read.
pub fn frames(packet: &[u8]) -> Option<impl Iterator<Item = Frame>> {
    if packet.first() != Some(&DATA) || !is_intact(packet) {
        return None;
    }
    Some(all_frames(packet.get(DATA_HEADER..packet.len() - CHECKSUM)?))
}

/// The frames that stand in `bytes`, as far as they can be read.
pub(super) fn all_frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame> {
    std::iter::from_fn(move || if bytes.is_empty() { None } else { Frame::read(&mut bytes) })
}

/// The receiver and the number of a DATA packet, which everybody can read.
#[must_use]
pub fn data_header(packet: &[u8]) -> Option<(u64, u64)> {
    if packet.first() != Some(&DATA) {
        return None;
    }
    let to = packet.get(1..9)?.try_into().ok()?;
    let number = packet.get(9..DATA_HEADER)?.try_into().ok()?;
    Some((u64::from_be_bytes(to), u64::from_be_bytes(number)))
}

/// A hello of any version.
#[must_use]
pub fn hello_of_version(version: u32, client: u64, payload: &[u8]) -> Vec<u8> {
    any_hello((version, 0), client, &[], payload)
}

/// A hello of this version, of any suite and with any cookie.
#[must_use]
pub fn hello_with(suite: u8, client: u64, cookie: &[u8], payload: &[u8]) -> Vec<u8> {
    any_hello((1, suite), client, cookie, payload)
}

fn any_hello((version, suite): (u32, u8), client: u64, cookie: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![HELLO];
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&version.to_be_bytes());
    packet.push(suite);
    packet.extend_from_slice(&client.to_be_bytes());
    put_varint(&mut packet, cookie.len() as u64);
    packet.extend_from_slice(cookie);
    put_varint(&mut packet, payload.len() as u64);
    packet.extend_from_slice(payload);
    packet.resize(MIN_DATAGRAM - CHECKSUM, 0);
    seal(packet)
}

/// What a side tells of itself in the handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameters(pub Vec<(u64, Vec<u8>)>);

impl Default for Parameters {
    /// Everything as generous as an ordinary peer.
    fn default() -> Self {
        let mut parameters = Self(Vec::new());
        for (number, value) in
            [(1, 1452), (2, 30_000), (3, 1 << 20), (4, 64), (5, 1 << 20), (6, 1 << 20)]
        {
            parameters.set(number, value);
        }
        parameters
    }
}

impl Parameters {
    /// Sets a parameter, in the order of their numbers.
    pub fn set(&mut self, number: u64, value: u64) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        match self.0.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => self.0[at].1 = bytes,
            Err(at) => self.0.insert(at, (number, bytes)),
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, number: u64) {
        self.0.retain(|(n, _)| *n != number);
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in &self.0 {
            put_varint(&mut out, *number);
            put_varint(&mut out, value.len() as u64);
            out.extend_from_slice(value);
        }
        out
    }
}

/// Reads a handshake packet's payload: what stands behind type and receiver, by its length.
pub(super) fn handshake_payload(packet: &[u8]) -> Option<(u64, &[u8])> {
    if !is_intact(packet) {
        return None;
    }
    let to = u64::from_be_bytes(packet.get(1..9)?.try_into().ok()?);
    let mut rest = packet.get(9..packet.len() - CHECKSUM)?;
    let len = varint(&mut rest)?;
    Some((to, rest.get(..usize::try_from(len).ok()?)?))
}

/// The cookie that a server asks for, if the packet does.
#[must_use]
pub fn cookie_of(packet: &[u8]) -> Option<Vec<u8>> {
    let (_, cookie) = handshake_payload(packet).filter(|_| packet.first() == Some(&RETRY))?;
    Some(cookie.to_vec())
}

/// A request for a hello with this cookie.
#[must_use]
pub fn retry(to: u64, cookie: &[u8]) -> Vec<u8> {
    handshake(RETRY, to, cookie)
}

/// Writes a handshake packet.
pub(super) fn handshake(kind: u8, to: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    packet.extend_from_slice(&to.to_be_bytes());
    put_varint(&mut packet, payload.len() as u64);
    packet.extend_from_slice(payload);
    seal(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_packet_comes_back() {
        let frames = vec![Frame::Ping, Frame::Close(7)];
        let packet = data(1, 2, &frames);
        assert_eq!(data_parts(&packet), Some((1, 2, frames)));
        assert_eq!(data_parts(&packet[..packet.len() - 1]), None);
    }
}
