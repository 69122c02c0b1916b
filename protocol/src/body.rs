//! Bodies as the driver sees them: numbers to write to and read from.

use crate::{ConnectionHandle, Status};

/// A body that is being sent or received, numbered by the endpoint.
///
/// A number is never used twice in an endpoint's life, so a late result cannot hit another body.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BodyId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Bytes of a body to write, in any order.
#[derive(Debug)]
#[must_use = "the ticket has to come back"]
pub struct Write<'d> {
    /// To which body.
    pub body: BodyId,
    /// Where in it.
    pub offset: u64,
    /// What; borrowed from the datagram that brought it. It lies in one block ([`crate::BLOCK_LEN`]).
    pub data: &'d [u8],
    /// How many of these bytes are new. The others were handed out before, in a block that was not whole.
    pub fresh: usize,
    /// Give this back in [`FileDone`], which opens the sender's window again.
    pub ticket: Ticket,
}

/// The duty to tell what became of some bytes: it moves, and is given back once.
#[derive(Debug)]
#[must_use = "a ticket that is dropped closes the sender's window for good"]
pub struct Ticket {
    pub(crate) body: BodyId,
    pub(crate) connection: ConnectionHandle,
    pub(crate) len: u64,
    /// How many of them count against the sender's credit: not those that were counted before and came again because they were
    /// asked for.
    pub(crate) charged: u64,
}

impl Ticket {
    /// Takes up another ticket of the same body, so that many writes are told by one.
    ///
    /// # Errors
    /// Gives `other` back if it belongs to another body.
    pub fn merge(&mut self, other: Self) -> Result<(), Self> {
        if other.body != self.body {
            return Err(other);
        }
        self.len = self.len.saturating_add(other.len);
        self.charged = self.charged.saturating_add(other.charged);
        Ok(())
    }

    /// A ticket that no endpoint waits for: to try out a writer of bodies without an endpoint.
    pub const fn unowned(len: u64) -> Self {
        let body = BodyId { slot: u32::MAX, generation: u32::MAX };
        let connection = ConnectionHandle { slot: u32::MAX, generation: u32::MAX };
        Self { body, connection, len, charged: len }
    }

    /// How many bytes it stands for.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ticket is not a container")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The body that the bytes belong to.
    #[must_use]
    pub const fn body(&self) -> BodyId {
        self.body
    }
}

/// What became of a file operation.
#[derive(Debug)]
pub enum FileDone {
    /// These bytes are taken care of: written, or failed to be, or wanted by nobody any more. A driver that gathers writes may
    /// settle them as soon as they are in memory whose size it bounds by itself.
    Settled(Ticket),
    /// A read of this body that was pending would now succeed.
    Readable(BodyId),
}

/// Where the sender finds the bytes of its bodies.
pub trait Source {
    /// Fills `buf` with what stands at `offset` of `body`. All of `buf` lies in one block
    /// ([`crate::BLOCK_LEN`]). Bytes that were skipped before they were ever asked for are not asked for, except in a group that is
    /// wanted again ([`crate::Held::Again`]).
    ///
    /// # Errors
    /// [`Unread`] if the bytes are not there yet or never will be.
    fn read(&mut self, body: BodyId, offset: u64, buf: &mut [u8]) -> Result<(), Unread>;

    /// Hands the `len` bytes at `offset` of `body` to `take` where they are, if they stand in memory side by side; gives what `take`
    /// gives. A packet is sealed from there without a copy. Where it gives nothing, [`Self::read`] is asked for the same bytes.
    fn lend<R>(
        &mut self,
        _body: BodyId,
        _offset: u64,
        _len: usize,
        _take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        None
    }
}

impl BodyId {
    /// A body of no endpoint: to try out a reader or writer of bodies without one.
    #[must_use]
    pub const fn unowned(number: u32) -> Self {
        Self { slot: number, generation: u32::MAX }
    }
}

impl<F: FnMut(BodyId, u64, &mut [u8]) -> Result<(), Unread>> Source for F {
    fn read(&mut self, body: BodyId, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        self(body, offset, buf)
    }
}

/// Why a [`Source`] gave no bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unread {
    /// Not yet: [`FileDone::Readable`] will follow, or [`crate::Session::skip`] of what was asked for.
    Pending,
    /// Never: the exchange is cancelled with this status.
    Failed(Status),
}
