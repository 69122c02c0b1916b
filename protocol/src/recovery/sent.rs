//! What is remembered of a packet that was sent.

use alloc::collections::VecDeque;

use crate::{Instant, delivery::Stamp};

/// What a packet carried that has to be repeated if it is lost, besides what [`Repeats`] keeps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Contents {
    /// Bytes of one body.
    pub(crate) chunk: Option<Chunk>,
    /// The numbers that its ACK frame spanned.
    pub(crate) acked: Option<(u64, u64)>,
    /// Its CREDIT frame counts.
    pub(crate) credit: bool,
    /// It is a probe for a larger MTU: its loss says nothing of congestion.
    pub(crate) mtu_probe: bool,
    /// It was sent with an ECN mark.
    pub(crate) ecn: bool,
}

/// A piece of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) exchange: u64,
    pub(crate) offset: u64,
    pub(crate) len: u16,
    /// How often its group had been asked for again.
    pub(crate) generation: u8,
}

/// A frame other than DATA that has to be repeated if it is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeat {
    /// Bytes of a message stream.
    Message { exchange: u64, offset: u64, len: u32, fin: bool },
    /// A limit of a body.
    BodyCredit { exchange: u64 },
    /// The end of an exchange.
    Reset { exchange: u64 },
    /// The challenge of the path.
    Challenge,
    /// That of an address where the peer was.
    FormerChallenge,
}

/// Frames to repeat, in the order of their packets' numbers. They have a list of their own, since one packet may
/// carry many and most carry none.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    frames: VecDeque<(u64, Repeat)>,
}

impl Repeats {
    /// Notes a frame of packet `number`, the newest.
    pub(crate) fn note(&mut self, number: u64, repeat: Repeat) {
        self.frames.push_back((number, repeat));
    }

    /// The frames of packet `number`.
    pub(crate) fn of(&self, number: u64) -> impl Iterator<Item = Repeat> {
        let from = self.frames.partition_point(|(sent, _)| *sent < number);
        self.frames
            .range(from..)
            .take_while(move |(sent, _)| *sent == number)
            .map(|(_, repeat)| *repeat)
    }

    /// Forgets the frames of packets below `number`.
    pub(crate) fn forget_below(&mut self, number: u64) {
        while self.frames.front().is_some_and(|(sent, _)| *sent < number) {
            self.frames.pop_front();
        }
    }
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentPacket {
    pub(crate) sent_at: Instant,
    pub(crate) size: u16,
    /// Whether it asks for an acknowledgement; such packets count as in flight.
    pub(crate) eliciting: bool,
    pub(crate) contents: Contents,
    pub(crate) stamp: Stamp,
    /// The path that it went over.
    pub(crate) path: PathId,
    pub(super) state: State,
}

/// A path, as far as it matters whose packets are whose: what packets of another path meet says nothing of this one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct PathId(u32);

impl PathId {
    /// That of a connection's first path.
    pub(crate) const FIRST: Self = Self(0);

    /// No path at all: that of a packet which goes elsewhere, to ask who is there.
    pub(crate) const ELSEWHERE: Self = Self(u32::MAX);

    /// One that was not there before.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl SentPacket {
    pub(crate) const fn new(
        sent_at: Instant,
        size: u16,
        eliciting: bool,
        contents: Contents,
        (stamp, path): (Stamp, PathId),
    ) -> Self {
        Self { sent_at, size, eliciting, contents, stamp, path, state: State::Outstanding }
    }

    /// What stands for a number that is left out.
    pub(super) const fn skipped(self) -> Self {
        let contents =
            Contents { chunk: None, acked: None, credit: false, mtu_probe: false, ecn: false };
        Self { size: 0, eliciting: false, contents, state: State::Skipped, ..self }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Outstanding,
    Acked,
    Lost,
    /// Never sent: its number was left out.
    Skipped,
}
