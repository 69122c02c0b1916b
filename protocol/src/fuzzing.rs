//! What fuzzers and tests run on any bytes at all. Not for applications: it may change in every version.
//!
//! Each function takes bytes as a stranger might send them and panics if reading them is not total and bounded, or if what
//! was read is not written back as the same bytes.

use alloc::vec::Vec;

use crate::{
    Entry, Escaped, MAX_COMPONENT, MAX_MESSAGE, MAX_NAME, Name, PublicKey,
    message::Message,
    protect::add_checksum,
    wire::{
        cursor::{Reader, Writer},
        frame::{self, Ack, Frame, Frames},
        packet::{self, MIN_DATAGRAM, Packet, VERSION},
        params::Parameters,
    },
};

/// A datagram, as it is and with a checksum that is right.
pub fn packets(datagram: &[u8]) {
    packet(datagram);
    let mut checked = datagram.to_vec();
    add_checksum(&mut checked);
    packet(&checked);
}

fn packet(datagram: &[u8]) {
    let Ok(packet) = Packet::decode(datagram) else { return };
    let written = written(datagram.len().max(MIN_DATAGRAM), |out| match packet {
        Packet::Hello(hello) if hello.version == VERSION => {
            packet::write_hello(out, hello.suite, hello.client, hello.cookie, hello.payload)
        }
        Packet::Hello(_) => None,
        Packet::Answer { to, payload } => packet::write_answer(out, to, payload),
        Packet::Finish { to, payload } => packet::write_finish(out, to, payload),
        Packet::Retry { to, cookie } => packet::write_retry(out, to, cookie),
        Packet::Reset { unknown, token } => packet::write_reset(out, unknown, &token),
        Packet::Versions { to, spoken: true } => packet::write_versions(out, to),
        // Other versions are never listed.
        Packet::Versions { .. } => None,
        Packet::Data { to, number } => packet::write_data_header(out, to, number),
    });
    match packet {
        Packet::Hello(_) => assert!(datagram.len() >= MIN_DATAGRAM, "a short hello"),
        Packet::Data { .. } => assert!(datagram.starts_with(&written), "a header changed"),
        _ => {}
    }
    // A longer hello has more padding, and a longer list other versions.
    if datagram.len() == written.len() {
        assert!(datagram == written, "a packet changed");
    }
}

/// The frames of a packet.
pub fn frames(payload: &[u8]) {
    let mut rest = payload;
    let (mut ranges, mut failed) = (0, false);
    for frame in Frames::new(payload) {
        assert!(!failed, "frames after a malformed one");
        let Ok(frame) = frame else {
            failed = true;
            continue;
        };
        if let Frame::Ack(ack) = &frame {
            ranges += check_ranges(ack);
        }
        let Some(written) = rewritten(&frame, rest.len()) else { return };
        assert!(rest.starts_with(&written), "{frame:?} changed");
        rest = rest.get(written.len()..).unwrap_or_default();
    }
    assert!(failed || rest.is_empty(), "frames ended early");
    assert!(ranges <= payload.len(), "more ranges than bytes");
}

/// Ranges fall and do not touch; gives their number.
fn check_ranges(ack: &Ack<'_>) -> usize {
    let mut below = u64::MAX;
    let mut count = 0;
    for range in ack.ranges() {
        assert!(range.start() <= range.end() && *range.end() < below, "ranges touch or rise");
        below = range.start().saturating_sub(1);
        count += 1;
    }
    count
}

/// The frame as the code writes it, given the bytes that are left of its packet. None: an ACK with more ranges than the
/// code ever writes.
fn rewritten(frame: &Frame<'_>, left: usize) -> Option<Vec<u8>> {
    if let Frame::Ack(ack) = frame {
        return rewritten_ack(ack, left);
    }
    Some(written(left, |out| {
        let mut w = Writer::new(out);
        match frame {
            Frame::Padding => (0..left).for_each(|_| w.u8(0)),
            Frame::Ping | Frame::Ack(_) => frame::write_ping(&mut w),
            Frame::Message { exchange, offset, fin, bytes } => {
                frame::write_message(&mut w, *exchange, *offset, *fin, bytes);
            }
            Frame::Data { exchange, offset, bytes } => {
                frame::write_data_header(&mut w, *exchange, *offset);
                w.bytes(bytes);
            }
            Frame::Credit(credit) => frame::write_credit(&mut w, credit),
            Frame::BodyCredit { exchange, limit } => {
                frame::write_body_credit(&mut w, *exchange, *limit);
            }
            Frame::Reset(reset) => frame::write_reset(&mut w, reset),
            Frame::PathChallenge(token) => frame::write_path_challenge(&mut w, *token),
            Frame::PathResponse(token) => frame::write_path_response(&mut w, *token),
            Frame::Close { code } => frame::write_close(&mut w, *code),
        }
        w.finish()
    }))
}

fn rewritten_ack(ack: &Ack<'_>, left: usize) -> Option<Vec<u8>> {
    // The code sets two bytes aside for the count of ranges, whether it needs them or not.
    let room = left.saturating_add(1);
    let ranges: Vec<_> =
        ack.ranges().map(|range| *range.start()..range.end().saturating_add(1)).collect();
    let mut smallest = None;
    let mut bytes = written(room, |out| {
        let mut w = Writer::new(out);
        smallest = frame::write_ack(&mut w, room, &mut ranges.into_iter(), ack.delay, ack.ecn);
        w.finish()
    });
    if ack.partial
        && let Some(flags) = bytes.get_mut(1)
    {
        *flags |= frame::ACK_PARTIAL;
    }
    (smallest == Some(ack.smallest())).then_some(bytes)
}

/// A message without its length.
pub fn messages(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    let mut written = Vec::new();
    message.encode(&mut written);
    assert!(written.len() <= MAX_MESSAGE, "{message:?} is over the cap");
    let mut reader = Reader::new(&written);
    assert!(reader.varint() == Ok(bytes.len() as u64), "{message:?} has another length");
    assert!(reader.take_rest() == bytes, "{message:?} changed");
}

/// The parameters of a handshake.
pub fn parameters(bytes: &[u8]) {
    let Ok(parameters) = Parameters::read(&mut Reader::new(bytes)) else { return };
    let written = written(bytes.len(), |out| {
        let mut w = Writer::new(out);
        parameters.write(&mut w);
        w.finish()
    });
    assert!(
        Parameters::read(&mut Reader::new(&written)) == Ok(parameters),
        "{parameters:?} changed"
    );
    // Longer ones hold some that this version does not know.
    if written.len() == bytes.len() {
        assert!(written == bytes, "{parameters:?} has two encodings");
    }
}

/// A name, and whatever else is displayed escaped.
pub fn names(bytes: &[u8]) {
    let shown = alloc::format!("{}", Escaped(bytes));
    assert!(!shown.chars().any(char::is_control), "a control character is displayed");
    let Ok(name) = Name::parse(bytes) else { return };
    assert!(name.as_bytes() == bytes && bytes.len() <= MAX_NAME, "{name} changed");
    for part in name.components() {
        assert!(!part.is_empty() && part.len() <= MAX_COMPONENT, "a length of {name}");
        assert!(part != b"." && part != b".." && !part.contains(&0), "a part of {name}");
    }
    let leaf = name.leaf();
    let rebuilt = name.parent().map_or(Ok(leaf.clone()), |parent| parent.join(&leaf));
    assert!(rebuilt == Ok(name), "{leaf} fell off");
}

/// The text of a public key, and the bytes of one.
pub fn keys(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(key) = text.parse::<PublicKey>()
    {
        let again = alloc::format!("{key}");
        assert!(again.eq_ignore_ascii_case(text.trim_ascii()), "{key} has a second text");
    }
    let Some(bytes) = bytes.first_chunk() else { return };
    let key = PublicKey::from_bytes(*bytes);
    assert!(alloc::format!("{key}").parse() == Ok(key), "{key} changed");
    let shown = alloc::format!("{}", key.fingerprint());
    assert!(shown.len() == 24, "{shown} is no fingerprint");
}

/// The body of a listing.
pub fn listing(bytes: &[u8]) {
    let mut written = Vec::new();
    let mut failed = false;
    for entry in Entry::decode_all(bytes) {
        assert!(!failed, "entries after a malformed one");
        match entry {
            Ok(entry) => entry.encode(&mut written),
            Err(_) => failed = true,
        }
        assert!(bytes.starts_with(&written), "an entry changed");
    }
    assert!(failed || written.len() == bytes.len(), "entries ended early");
}

/// What `write` leaves in a buffer of `room` bytes; nothing if it found no room.
fn written(room: usize, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Vec<u8> {
    let mut buf = alloc::vec![0; room];
    let len = write(&mut buf).unwrap_or_default();
    buf.truncate(len);
    buf
}

#[cfg(test)]
mod tests;
