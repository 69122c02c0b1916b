//! Messages, written.

use super::frame::{Frame, put_varint};

/// A message behind its length, of its type's number and its fields.
#[must_use]
pub fn message(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    let mut out = Vec::new();
    put_varint(&mut out, fields.len() as u64 + 1);
    out.push(kind);
    out.extend_from_slice(&fields);
    out
}

/// A field with its length before it.
#[must_use]
pub fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

/// A number as a field.
#[must_use]
pub fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, value);
    out
}

/// Properties of a file of `len` bytes.
#[must_use]
pub fn meta(len: u64) -> Vec<u8> {
    // One more than the length; mode; seconds and nanoseconds; identity.
    [number(len + 1), number(0o644), number(0), number(0), vec![0; 16]].concat()
}

/// Asks for a file.
#[must_use]
pub fn get(name: &[u8]) -> Vec<u8> {
    message(1, &[&prefixed(name), &[0, 0]])
}

/// Wants to store a body of `len` bytes.
#[must_use]
pub fn put(name: &[u8], len: u64) -> Vec<u8> {
    message(2, &[&[0, 0], &prefixed(b""), &prefixed(name), &meta(len)])
}

/// Asks for what a client does not have of a file.
#[must_use]
pub fn get_rest(name: &[u8], have: &[u8]) -> Vec<u8> {
    message(1, &[&prefixed(name), &[0, 1], have])
}

/// Groups of some state of a source: pairs of those left out and one less than those that are there.
#[must_use]
pub fn have(identity: u8, pairs: &[(u64, u64)]) -> Vec<u8> {
    let numbers = pairs.iter().flat_map(|(gap, more)| [number(*gap), number(*more)].concat());
    [vec![identity; 16], number(pairs.len() as u64), numbers.collect()].concat()
}

/// Says which groups of a body are here.
#[must_use]
pub fn holds(identity: u8, pairs: &[(u64, u64)]) -> Vec<u8> {
    message(0x13, &[&have(identity, pairs)])
}

/// Says that nothing more is here.
#[must_use]
pub fn nothing() -> Vec<u8> {
    message(0x14, &[])
}

/// Says what so many groups of a body that are here hash to.
#[must_use]
pub fn hashes(first: u64, count: usize) -> Vec<u8> {
    message(0x15, &[&number(first), &number(count as u64), &vec![0; 32 * count]])
}

/// Wants a group once more.
#[must_use]
pub fn again(index: u64) -> Vec<u8> {
    message(0x16, &[&number(index)])
}

/// Says that these bytes are zeros.
#[must_use]
pub fn hole(offset: u64, len: u64) -> Vec<u8> {
    message(0x11, &[&number(offset), &number(len)])
}

/// Says that nothing needs to be sent.
#[must_use]
pub fn unchanged() -> Vec<u8> {
    message(0x26, &[])
}

/// Asks for a listing of the root.
#[must_use]
pub fn list() -> Vec<u8> {
    message(3, &[&prefixed(b"")])
}

/// Wants a file to have another name.
#[must_use]
pub fn rename(from: &[u8], to: &[u8]) -> Vec<u8> {
    message(4, &[&prefixed(from), &prefixed(to)])
}

/// Says what a group hashes to.
#[must_use]
pub fn group(index: u64, hash: [u8; 32]) -> Vec<u8> {
    message(0x10, &[&number(index), &hash])
}

/// Says that a body ended.
#[must_use]
pub fn end(len: u64) -> Vec<u8> {
    message(0x12, &[&number(len), &[0; 16], &[1]])
}

/// Says that a file's body follows.
#[must_use]
pub fn meta_reply(len: u64) -> Vec<u8> {
    message(0x20, &[&meta(len)])
}

/// Says that it is done.
#[must_use]
pub fn done() -> Vec<u8> {
    message(0x23, &[])
}

/// The start of a message stream.
#[must_use]
pub fn opening(exchange: u64, bytes: Vec<u8>) -> Frame {
    Frame::Message { exchange, offset: 0, fin: false, bytes }
}

/// A whole message stream.
#[must_use]
pub fn whole(exchange: u64, bytes: Vec<u8>) -> Frame {
    Frame::Message { exchange, offset: 0, fin: true, bytes }
}
