//! What a server and a client do differently.

use gannet_protocol::{BodyId, Event, ExchangeId, Hash, Instant, Status};

use super::Hub;
use crate::transfer::Received;

/// What a server and a client do differently.
///
/// Nothing here may block: that is for [`Hub::submit`].
pub(crate) trait Role: Sized {
    /// What its jobs on the disk's threads give.
    type Done: Send + 'static;

    /// Takes what happened at the endpoint, except what concerns only bodies.
    fn handle_event(&mut self, hub: &mut Hub<Self::Done>, now: Instant, event: Event);

    /// Takes what became of a body.
    fn handle_outcome(
        &mut self,
        hub: &mut Hub<Self::Done>,
        now: Instant,
        exchange: ExchangeId,
        body: BodyId,
        outcome: Outcome,
    );

    /// Takes the result of a job.
    fn handle_done(&mut self, hub: &mut Hub<Self::Done>, now: Instant, done: Self::Done);

    /// Takes note that `count` datagrams came back because nothing listens where they went.
    fn handle_refused(&mut self, _hub: &mut Hub<Self::Done>, _now: Instant, _count: u32) {}

    /// Takes its turn: looks at its timers and at what other threads want of it.
    fn handle_turn(&mut self, hub: &mut Hub<Self::Done>, now: Instant);

    /// When it wants its turn at the latest.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What became of a body.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was read to its end; this is its content's hash.
    Read(Hash),
    /// It was received, and stands under its name.
    Stored(Received),
    /// It was received into memory.
    Collected(Vec<u8>),
    /// It cannot be sent or received.
    Failed(Status),
}
