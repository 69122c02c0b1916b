//! What a loop turns: an endpoint, the bodies on their way, the disk and a role, without socket and clock.

use std::{fmt, io};

use gannet_protocol::{Datagram, Endpoint, Event, Instant, Transmit};

use super::{Hub, Role, hub::Work};
use crate::disk::Disk;

/// Results of the disk, and outputs of transfers, each, of one call.
const STEPS: usize = 256;

/// What a loop turns. It never blocks, and knows only the time that it is told.
pub(crate) struct Engine<R: Role> {
    hub: Hub<R::Done>,
    role: R,
}

impl<R: Role> Engine<R> {
    pub(crate) fn new(endpoint: Endpoint, disk: Disk<Work<R::Done>>, role: R) -> Self {
        Self { hub: Hub::new(endpoint, disk), role }
    }

    /// Starts the disk's threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.hub.start()
    }

    /// What the role works with, and the role.
    pub(crate) fn parts(&mut self) -> (&mut Hub<R::Done>, &mut R) {
        (&mut self.hub, &mut self.role)
    }

    /// Takes a datagram.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        let write = self.hub.endpoint.handle_datagram(now, datagram);
        // A body's first bytes come with the message that opens it, and no body takes bytes before that is known.
        self.take_events(now);
        if let Some(write) = write {
            self.hub.transfers.write(write);
        }
    }

    /// Takes what the disk has done; true if there may be more.
    pub(crate) fn collect(&mut self, now: Instant) -> bool {
        for _ in 0..STEPS {
            match self.hub.next_done(now) {
                None => return false,
                Some(done) => self.role.handle_done(&mut self.hub, now, done),
            }
        }
        true
    }

    /// Tells the time.
    pub(crate) fn tell_time(&mut self, now: Instant) {
        if self.hub.endpoint.poll_timeout().is_some_and(|due| due <= now) {
            self.hub.endpoint.handle_timeout(now);
        }
        self.role.handle_turn(&mut self.hub, now);
    }

    /// Carries what one part has to say to the others; false if there was nothing.
    pub(crate) fn settle(&mut self, now: Instant) -> bool {
        let mut progress = self.take_events(now);
        for _ in 0..STEPS {
            let Some((exchange, body, outcome)) = self.hub.next_outcome(now) else { break };
            self.role.handle_outcome(&mut self.hub, now, exchange, body, outcome);
            progress = true;
        }
        progress | self.run_jobs()
    }

    /// Gives the disk what it can do; false if there is nothing.
    pub(crate) fn run_jobs(&mut self) -> bool {
        self.hub.run_jobs()
    }

    /// Writes the next datagrams to `room`.
    pub(crate) fn poll_transmit(&mut self, now: Instant, room: &mut [u8]) -> Option<Transmit> {
        let Hub { endpoint, transfers, .. } = &mut self.hub;
        endpoint.poll_transmit(now, transfers, room)
    }

    /// When to tell the time at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.hub.endpoint.poll_timeout(), self.role.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    /// Hands the endpoint's events to those whom they concern; false if there are none. There are as many as its inputs gave
    /// reason for.
    fn take_events(&mut self, now: Instant) -> bool {
        let Self { hub, role } = self;
        let mut progress = false;
        while let Some(event) = hub.endpoint.poll_event() {
            progress = true;
            match event {
                Event::Note { body, note, .. } => hub.transfers.note(now, body, note),
                Event::Held { body, held, .. } => hub.transfers.held(body, held),
                Event::Released { body, below } => hub.transfers.release(body, below),
                event => {
                    let over = hub.prepare(&event);
                    role.handle_event(hub, now, event);
                    hub.clean_up(over);
                }
            }
        }
        progress
    }
}

impl<R: Role + fmt::Debug> fmt::Debug for Engine<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("hub", &self.hub).field("role", &self.role).finish()
    }
}
