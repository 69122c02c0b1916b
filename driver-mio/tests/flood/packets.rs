//! What strangers send, written from the description of the wire alone.

use gannet_protocol::{Plain, Protect};

pub(crate) const HELLO: u8 = 1;
pub(crate) const ANSWER: u8 = 2;
pub(crate) const FINISH: u8 = 3;
pub(crate) const RETRY: u8 = 4;
pub(crate) const RESET: u8 = 5;
pub(crate) const VERSIONS: u8 = 6;
pub(crate) const DATA: u8 = 7;

/// Bytes of a hello; shorter ones are none.
pub(crate) const HELLO_LEN: usize = 1200;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// Appends the checksum.
pub(crate) fn checked(mut packet: Vec<u8>) -> Vec<u8> {
    packet.extend([0; CHECKSUM]);
    Plain.seal(0, 0, &mut packet).unwrap();
    packet
}

/// A hello for sealed packets of so many bytes, whose key is whatever its client's id makes of it.
pub(crate) fn hello(version: u32, client: u64, cookie: &[u8], len: usize) -> Vec<u8> {
    let mut packet = vec![HELLO];
    packet.extend([0; 8]);
    packet.extend(version.to_be_bytes());
    // AES-256-GCM.
    packet.push(1);
    packet.extend(client.to_be_bytes());
    packet.push(u8::try_from(cookie.len()).unwrap());
    packet.extend(cookie);
    packet.push(32);
    packet.extend([client.to_be_bytes(); 4].concat());
    packet.resize(len - CHECKSUM, 0);
    checked(packet)
}

/// A packet of any type to any receiver, with a payload behind its length.
pub(crate) fn handshake(kind: u8, to: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    packet.extend(to.to_be_bytes());
    packet.push(u8::try_from(payload.len()).unwrap());
    packet.extend(payload);
    checked(packet)
}

/// A packet for a connection that is not there.
pub(crate) fn stray(number: u64) -> Vec<u8> {
    let mut packet = vec![DATA];
    packet.extend((number | 1 << 63).to_be_bytes());
    packet.resize(100, 9);
    packet
}
