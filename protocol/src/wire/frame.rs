//! Frames: what a DATA packet holds (docs/protocol.md, "Frames").

use core::ops::RangeInclusive;

use super::cursor::{Malformed, Reader, VARINT_MAX, Writer, varint_len};
use crate::{MAX_BODY, Status};

const PADDING: u8 = 0x00;
const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const MESSAGE: u8 = 0x03;
const MESSAGE_FIN: u8 = 0x04;
const DATA: u8 = 0x05;
const CREDIT: u8 = 0x06;
const BODY_CREDIT: u8 = 0x07;
const RESET: u8 = 0x08;
const PATH_CHALLENGE: u8 = 0x0a;
const PATH_RESPONSE: u8 = 0x0b;
const CLOSE: u8 = 0x0c;

/// Flags of an ACK frame.
const ACK_ECN: u8 = 1;
pub(crate) const ACK_PARTIAL: u8 = 2;

/// A frame; what it carries stays in the packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Frame<'a> {
    Padding,
    Ping,
    Ack(Ack<'a>),
    Message { exchange: u64, offset: u64, fin: bool, bytes: &'a [u8] },
    Data { exchange: u64, offset: u64, bytes: &'a [u8] },
    Credit(Credit),
    BodyCredit { exchange: u64, limit: u64 },
    Reset(Reset),
    PathChallenge([u8; 8]),
    PathResponse([u8; 8]),
    Close { code: u64 },
}

/// Cumulative limits that a receiver grants.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Credit {
    /// First-time body bytes on the connection.
    pub(crate) body: u64,
    /// Exchanges opened.
    pub(crate) exchanges: u64,
    /// Bytes of all message streams.
    pub(crate) messages: u64,
}

/// One side gives an exchange up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reset {
    pub(crate) exchange: u64,
    pub(crate) status: Status,
    pub(crate) detail: u64,
    /// Bytes of the body that the sender of this frame ever sent.
    pub(crate) body: u64,
    /// Bytes of the message stream that the sender of this frame ever sent.
    pub(crate) messages: u64,
}

/// An acknowledgement, checked whole when decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ack<'a> {
    pub(crate) largest: u64,
    /// Microseconds between the largest's receipt and this frame.
    pub(crate) delay: u64,
    /// Counts of ECT(0), ECT(1) and CE marks received.
    pub(crate) ecn: Option<[u64; 3]>,
    /// Whether ranges below were left out for want of room: nothing is said of them then.
    pub(crate) partial: bool,
    ranges: &'a [u8],
    first_len: u64,
}

impl<'a> Ack<'a> {
    /// The ranges, newest first.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + use<'a> {
        let mut next = Some((self.largest, self.first_len));
        let mut reader = Reader::new(self.ranges);
        core::iter::from_fn(move || {
            let (high, len) = next.take()?;
            let low = high.saturating_sub(len);
            next = read_ack_range(&mut reader, low).ok();
            Some(low..=high)
        })
    }

    /// The smallest number acknowledged.
    pub(crate) fn smallest(&self) -> u64 {
        self.ranges().last().map_or(self.largest, |range| *range.start())
    }
}

/// Reads the gap and length that follow a range whose smallest number is `low`: the next range's largest number and
/// its length less one.
fn read_ack_range(r: &mut Reader<'_>, low: u64) -> Result<(u64, u64), Malformed> {
    let gap = r.varint()?;
    let len = r.varint()?;
    // A gap of n leaves n + 1 numbers out; adjacent ranges would be one.
    let high = low.checked_sub(gap.saturating_add(2)).ok_or(Malformed)?;
    if len > high { Err(Malformed) } else { Ok((high, len)) }
}

/// The frames of a packet, until one is malformed.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload) }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let frame = read_frame(&mut self.reader);
        if frame.is_err() {
            self.reader.take_rest();
        }
        Some(frame)
    }
}

fn read_frame<'a>(r: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(match r.u8()? {
        PADDING => {
            // Padding fills a packet to its end, so that a flood of one-byte frames is one frame.
            if r.take_rest().iter().any(|&byte| byte != 0) {
                return Err(Malformed);
            }
            Frame::Padding
        }
        PING => Frame::Ping,
        ACK => Frame::Ack(read_ack(r)?),
        kind @ (MESSAGE | MESSAGE_FIN) => {
            let exchange = r.varint()?;
            let offset = r.varint()?;
            let bytes = r.prefixed(usize::MAX)?;
            check_end(offset, bytes)?;
            Frame::Message { exchange, offset, fin: kind == MESSAGE_FIN, bytes }
        }
        DATA => {
            let exchange = r.varint()?;
            let offset = r.varint()?;
            let bytes = r.take_rest();
            check_end(offset, bytes)?;
            Frame::Data { exchange, offset, bytes }
        }
        CREDIT => Frame::Credit(Credit {
            body: r.varint()?,
            exchanges: r.varint()?,
            messages: r.varint()?,
        }),
        BODY_CREDIT => Frame::BodyCredit { exchange: r.varint()?, limit: r.varint()? },
        RESET => Frame::Reset(Reset {
            exchange: r.varint()?,
            status: Status::from_code(r.u8()?).ok_or(Malformed)?,
            detail: r.varint()?,
            body: r.varint()?,
            messages: r.varint()?,
        }),
        PATH_CHALLENGE => Frame::PathChallenge(r.array()?),
        PATH_RESPONSE => Frame::PathResponse(r.array()?),
        CLOSE => Frame::Close { code: r.varint()? },
        _ => return Err(Malformed),
    })
}

fn check_end(offset: u64, bytes: &[u8]) -> Result<(), Malformed> {
    match offset.checked_add(bytes.len() as u64) {
        Some(end) if end <= MAX_BODY => Ok(()),
        _ => Err(Malformed),
    }
}

fn read_ack<'a>(r: &mut Reader<'a>) -> Result<Ack<'a>, Malformed> {
    let flags = r.u8()?;
    if flags > ACK_ECN | ACK_PARTIAL {
        return Err(Malformed);
    }
    let largest = r.varint()?;
    let delay = r.varint()?;
    let ecn = match flags & ACK_ECN {
        0 => None,
        _ => Some([r.varint()?, r.varint()?, r.varint()?]),
    };
    let count = r.varint()?;
    let first_len = r.varint()?;
    let mut low = largest.checked_sub(first_len).ok_or(Malformed)?;
    let before = r.clone().take_rest();
    for _ in 0..count {
        let (high, len) = read_ack_range(r, low)?;
        low = high.checked_sub(len).ok_or(Malformed)?;
    }
    let ranges = before.len().checked_sub(r.remaining()).and_then(|used| before.get(..used));
    Ok(Ack {
        largest,
        delay,
        ecn,
        partial: flags & ACK_PARTIAL != 0,
        ranges: ranges.ok_or(Malformed)?,
        first_len,
    })
}

/// Writes an acknowledgement of `ranges`, newest first and at least one, as many as find room in `room` bytes; gives the
/// smallest number that it carries.
pub(crate) fn write_ack(
    w: &mut Writer<'_>,
    room: usize,
    ranges: &mut dyn ExactSizeIterator<Item = core::ops::Range<u64>>,
    delay: u64,
    ecn: Option<[u64; 3]>,
) -> Option<u64> {
    let total = ranges.len();
    let first = ranges.next()?;
    let largest = first.end.checked_sub(1)?;
    let ecn_len = ecn.map_or(0, |counts| counts.iter().map(|&c| varint_len(c)).sum());
    // Two bytes for the count of ranges: at most 2,048 are kept.
    let fixed = 4 + varint_len(largest) + varint_len(delay) + ecn_len;
    let mut left = room.checked_sub(fixed)?.checked_sub(varint_len(largest - first.start))?;
    // The pairs are written twice as often as they are counted if the iterator could run twice; a small buffer
    // of what fits is simpler and bounded by the packet.
    let mut pairs = Pairs::default();
    let mut low = first.start;
    for range in ranges {
        let gap = low.saturating_sub(range.end).saturating_sub(1);
        let len = range.end.saturating_sub(range.start).saturating_sub(1);
        let Some(rest) = left.checked_sub(varint_len(gap) + varint_len(len)) else { break };
        if !pairs.push(gap, len) {
            break;
        }
        left = rest;
        low = range.start;
    }
    let partial = pairs.count + 1 < total;
    w.u8(ACK);
    w.u8(if ecn.is_some() { ACK_ECN } else { 0 } | if partial { ACK_PARTIAL } else { 0 });
    w.varint(largest);
    w.varint(delay);
    ecn.iter().flatten().for_each(|&count| w.varint(count));
    w.varint(pairs.count as u64);
    w.varint(largest - first.start);
    w.bytes(pairs.bytes.get(..pairs.len).unwrap_or_default());
    Some(low)
}

/// Encoded gaps and lengths of an ACK frame.
struct Pairs {
    bytes: [u8; Self::ROOM],
    len: usize,
    count: usize,
}

impl Pairs {
    /// What fits a packet of the least size; a larger one gains nothing, since more follow.
    const ROOM: usize = 1100;

    fn push(&mut self, gap: u64, len: u64) -> bool {
        let mut w = Writer::new(self.bytes.get_mut(self.len..).unwrap_or_default());
        w.varint(gap);
        w.varint(len);
        match w.finish() {
            Some(used) => {
                self.len += used;
                self.count += 1;
                true
            }
            None => false,
        }
    }
}

impl Default for Pairs {
    fn default() -> Self {
        Self { bytes: [0; Self::ROOM], len: 0, count: 0 }
    }
}

pub(crate) fn write_ping(w: &mut Writer<'_>) {
    w.u8(PING);
}

/// Bytes of a MESSAGE frame before its content, at most.
pub(crate) fn message_overhead(exchange: u64, offset: u64) -> usize {
    1 + varint_len(exchange) + varint_len(offset) + 4
}

pub(crate) fn write_message(
    w: &mut Writer<'_>,
    exchange: u64,
    offset: u64,
    fin: bool,
    bytes: &[u8],
) {
    w.u8(if fin { MESSAGE_FIN } else { MESSAGE });
    w.varint(exchange);
    w.varint(offset);
    w.prefixed(bytes);
}

/// Bytes of a DATA frame before its content.
pub(crate) fn data_overhead(exchange: u64, offset: u64) -> usize {
    1 + varint_len(exchange) + varint_len(offset)
}

/// Writes a DATA frame's header; its bytes follow and end the packet.
pub(crate) fn write_data_header(w: &mut Writer<'_>, exchange: u64, offset: u64) {
    w.u8(DATA);
    w.varint(exchange);
    w.varint(offset);
}

pub(crate) fn write_credit(w: &mut Writer<'_>, credit: &Credit) {
    w.u8(CREDIT);
    w.varint(credit.body);
    w.varint(credit.exchanges);
    w.varint(credit.messages);
}

pub(crate) fn write_body_credit(w: &mut Writer<'_>, exchange: u64, limit: u64) {
    w.u8(BODY_CREDIT);
    w.varint(exchange);
    w.varint(limit);
}

pub(crate) fn write_reset(w: &mut Writer<'_>, reset: &Reset) {
    w.u8(RESET);
    w.varint(reset.exchange);
    w.u8(reset.status.code());
    w.varint(reset.detail.min(VARINT_MAX));
    w.varint(reset.body);
    w.varint(reset.messages);
}

pub(crate) fn write_path_challenge(w: &mut Writer<'_>, token: [u8; 8]) {
    w.u8(PATH_CHALLENGE);
    w.bytes(&token);
}

pub(crate) fn write_path_response(w: &mut Writer<'_>, token: [u8; 8]) {
    w.u8(PATH_RESPONSE);
    w.bytes(&token);
}

pub(crate) fn write_close(w: &mut Writer<'_>, code: u64) {
    w.u8(CLOSE);
    w.varint(code);
}

#[cfg(test)]
mod tests;
