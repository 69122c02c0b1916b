//! Frames, written and read.

use std::collections::BTreeSet;

/// A frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// Zeros to the end of the packet.
    Padding(usize),
    /// Asks for an acknowledgement.
    Ping,
    /// Acknowledges.
    Ack(Ack),
    /// Bytes of a message stream.
    Message {
        /// Of which exchange.
        exchange: u64,
        /// Where in the stream.
        offset: u64,
        /// Whether the stream ends with it.
        fin: bool,
        /// What.
        bytes: Vec<u8>,
    },
    /// Bytes of a body, to the end of the packet.
    Data {
        /// Of which exchange.
        exchange: u64,
        /// Where in the body.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Limits: body bytes, exchanges, message bytes.
    Credit(u64, u64, u64),
    /// The limit of a body.
    BodyCredit {
        /// Of which exchange.
        exchange: u64,
        /// How many bytes.
        limit: u64,
    },
    /// An exchange is given up.
    Reset {
        /// Which.
        exchange: u64,
        /// Why.
        status: u8,
        /// What belongs to the status.
        detail: u64,
        /// Body bytes charged so far.
        body: u64,
        /// Message bytes charged so far.
        messages: u64,
    },
    /// Asks whether the path works.
    PathChallenge([u8; 8]),
    /// Says that it does.
    PathResponse([u8; 8]),
    /// The end.
    Close(u64),
    /// Anything.
    Raw(Vec<u8>),
}

/// An acknowledgement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ack {
    /// Whether ranges below were left out.
    pub partial: bool,
    /// Microseconds.
    pub delay: u64,
    /// Counts of marks.
    pub ecn: Option<[u64; 3]>,
    /// First and last number of each range, newest first.
    pub ranges: Vec<(u64, u64)>,
}

/// An acknowledgement of these ranges, newest first, each as its first and last number.
#[must_use]
pub fn ack(ranges: &[(u64, u64)]) -> Frame {
    Frame::Ack(Ack { ranges: ranges.to_vec(), ..Ack::default() })
}

/// An acknowledgement of exactly these numbers.
#[must_use]
pub fn ack_of(numbers: &BTreeSet<u64>) -> Ack {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers.iter().rev() {
        match ranges.last_mut() {
            Some((first, _)) if *first == number + 1 => *first = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    Ack { ranges, ..Ack::default() }
}

/// Appends a variable-length integer in its shortest form.
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x3f => out.push(value as u8),
        0x40..=0x3fff => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        0x4000..=0x3fff_ffff => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// Takes a variable-length integer off the front of `bytes`.
pub fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let value = taken.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    // The two bits of the length stand above the value.
    Some(value & (u64::MAX >> (64 - (8 * len - 2))))
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

impl Frame {
    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let varints = |out: &mut Vec<u8>, kind, values: &[u64]| {
            out.push(kind);
            values.iter().for_each(|value| put_varint(out, *value));
        };
        match self {
            Self::Padding(len) => out.resize(out.len() + len, 0),
            Self::Ping => out.push(1),
            Self::Ack(ack) => ack.write(out),
            Self::Message { exchange, offset, fin, bytes } => {
                let kind = if *fin { 4 } else { 3 };
                varints(out, kind, &[*exchange, *offset, bytes.len() as u64]);
                out.extend_from_slice(bytes);
            }
            Self::Data { exchange, offset, bytes } => {
                varints(out, 5, &[*exchange, *offset]);
                out.extend_from_slice(bytes);
            }
            Self::Credit(body, exchanges, messages) => {
                varints(out, 6, &[*body, *exchanges, *messages]);
            }
            Self::BodyCredit { exchange, limit } => varints(out, 7, &[*exchange, *limit]),
            Self::Reset { exchange, status, detail, body, messages } => {
                varints(out, 8, &[*exchange]);
                out.push(*status);
                [detail, body, messages].iter().for_each(|value| put_varint(out, **value));
            }
            Self::PathChallenge(token) => {
                out.push(10);
                out.extend_from_slice(token);
            }
            Self::PathResponse(token) => {
                out.push(11);
                out.extend_from_slice(token);
            }
            Self::Close(code) => varints(out, 12, &[*code]),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Takes a frame off the front of a packet's bytes.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let kind = take(bytes, 1)?[0];
        Some(match kind {
            0 => Self::Padding(1 + std::mem::take(bytes).len()),
            1 => Self::Ping,
            2 => Self::Ack(Ack::read(bytes)?),
            3 | 4 => {
                let (exchange, offset, len) = (varint(bytes)?, varint(bytes)?, varint(bytes)?);
                let taken = take(bytes, usize::try_from(len).ok()?)?.to_vec();
                Self::Message { exchange, offset, fin: kind == 4, bytes: taken }
            }
            5 => Self::Data {
                exchange: varint(bytes)?,
                offset: varint(bytes)?,
                bytes: std::mem::take(bytes).to_vec(),
            },
            6 => Self::Credit(varint(bytes)?, varint(bytes)?, varint(bytes)?),
            7 => Self::BodyCredit { exchange: varint(bytes)?, limit: varint(bytes)? },
            8 => Self::Reset {
                exchange: varint(bytes)?,
                status: take(bytes, 1)?[0],
                detail: varint(bytes)?,
                body: varint(bytes)?,
                messages: varint(bytes)?,
            },
            10 => Self::PathChallenge(take(bytes, 8)?.try_into().ok()?),
            11 => Self::PathResponse(take(bytes, 8)?.try_into().ok()?),
            12 => Self::Close(varint(bytes)?),
            _ => return None,
        })
    }
}

impl Ack {
    fn write(&self, out: &mut Vec<u8>) {
        let Some((first, rest)) = self.ranges.split_first() else { return };
        out.push(2);
        out.push(u8::from(self.ecn.is_some()) | u8::from(self.partial) << 1);
        put_varint(out, first.1);
        put_varint(out, self.delay);
        self.ecn.iter().flatten().for_each(|count| put_varint(out, *count));
        put_varint(out, rest.len() as u64);
        put_varint(out, first.1 - first.0);
        let mut low = first.0;
        for (start, end) in rest {
            put_varint(out, low - end - 2);
            put_varint(out, end - start);
            low = *start;
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let flags = take(bytes, 1)?[0];
        let (largest, delay) = (varint(bytes)?, varint(bytes)?);
        let ecn = match flags & 1 {
            0 => None,
            _ => Some([varint(bytes)?, varint(bytes)?, varint(bytes)?]),
        };
        let count = varint(bytes)?;
        let mut low = largest.checked_sub(varint(bytes)?)?;
        let mut ranges = vec![(low, largest)];
        for _ in 0..count {
            let high = low.checked_sub(varint(bytes)?.checked_add(2)?)?;
            low = high.checked_sub(varint(bytes)?)?;
            ranges.push((low, high));
        }
        Some(Self { partial: flags & 2 != 0, delay, ecn, ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let frames = [
            Frame::Ping,
            ack(&[(90, 100), (50, 60), (7, 7)]),
            Frame::Ack(Ack {
                partial: true,
                delay: 70_000,
                ecn: Some([1, 2, 3]),
                ranges: vec![(0, 0)],
            }),
            Frame::Message { exchange: 4, offset: 70, fin: true, bytes: b"message".to_vec() },
            Frame::Credit(1 << 40, 100, 1 << 20),
            Frame::BodyCredit { exchange: 77, limit: 1 << 50 },
            Frame::Reset { exchange: 1, status: 2, detail: 3, body: 4, messages: 5 },
            Frame::PathChallenge(*b"12345678"),
            Frame::PathResponse(*b"87654321"),
            Frame::Close(0x10),
            Frame::Data { exchange: 9, offset: 1 << 33, bytes: b"the rest".to_vec() },
        ];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        let mut rest = &bytes[..];
        for frame in frames {
            assert_eq!(Frame::read(&mut rest), Some(frame));
        }
        assert!(rest.is_empty());
    }
}
