//! Bodies on their way in and out.

use gannet_protocol::{
    BodyId, ExchangeId, FileDone, FileTime, Instant, Misuse, Name, Reply, Status, Stored, Ticket,
    Write,
};

use super::{Host, JobId, Outcome};
use crate::{
    content::Content,
    incoming::{Incoming, Received},
};

/// An exchange that runs.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// What it is for, as a client.
    pub(super) job: Option<JobId>,
    /// Where its body is stored.
    pub(super) store_as: Option<Name>,
    /// When that was modified last.
    pub(super) modified: FileTime,
    /// Whether its body is a listing.
    pub(super) is_listing: bool,
    pub(super) sending: Option<BodyId>,
    pub(super) receiving: Option<BodyId>,
    /// What it came to, when the other side has heard.
    pub(super) outcome: Option<Outcome>,
}

impl Host {
    pub(super) fn on_write(&mut self, now: Instant, write: Write<'_>) {
        let Write { body, offset, data, fresh, ticket } = write;
        assert_eq!(ticket.body(), body);
        assert_eq!(ticket.len(), fresh as u64, "a ticket stands for the new bytes");
        let early = !self.receiving.contains_key(&body);
        if early {
            // The event that announces the body may still wait to be polled.
            self.drain_events(now);
        }
        assert!(!self.received.contains(&body), "a write into a body that is whole");
        let Some(incoming) = self.receiving.get_mut(&body) else {
            return self.endpoint.handle_file(now, FileDone::Settled(ticket));
        };
        let exchange = incoming.exchange;
        if early && incoming.is_void(offset) {
            // What is here from before was told, or doubted, only when this was on its way to us.
            return self.endpoint.handle_file(now, FileDone::Settled(ticket));
        }
        if self.disk.refuses(offset + data.len() as u64) {
            self.endpoint.handle_file(now, FileDone::Settled(ticket));
            return self.fail(exchange, Status::Full);
        }
        incoming.unsettled += ticket.len();
        let name = self.exchanges.get(&exchange).and_then(|entry| entry.store_as.as_ref());
        if name.is_some_and(|name| self.stuck.contains(name)) {
            self.stuck_writes.push(ticket);
        } else {
            self.disk.write(now, ticket);
        }
        incoming.write(offset, data, fresh);
        self.ask_again(body);
    }

    pub(super) fn on_written(&mut self, now: Instant, ticket: Ticket) {
        let (body, len) = (ticket.body(), ticket.len());
        self.endpoint.handle_file(now, FileDone::Settled(ticket));
        if let Some(incoming) = self.receiving.get_mut(&body) {
            incoming.unsettled -= len;
            self.finish_if_whole(body);
        }
    }

    /// Goes on with an exchange whose body is all here, verified and written.
    pub(super) fn finish_if_whole(&mut self, body: BodyId) {
        let Some(incoming) = self.receiving.get(&body) else { return };
        let Some(received) = incoming.finish() else { return };
        let exchange = incoming.exchange;
        self.receiving.remove(&body);
        self.received.insert(body);
        let entry = self.exchanges.get_mut(&exchange).expect("its exchange runs");
        entry.receiving = None;
        if entry.job.is_none() {
            let name = entry.store_as.clone().expect("a server receives what it stores");
            let modified = entry.modified;
            return self.store(exchange, name, modified, received);
        }
        entry.outcome = Some(if entry.is_listing {
            Outcome::listed(&received)
        } else {
            Outcome::Got(received)
        });
        self.say(exchange, |session| session.finish(exchange));
    }

    fn store(&mut self, exchange: ExchangeId, name: Name, modified: FileTime, received: Received) {
        let (len, kept) = (received.len, received.kept);
        let hash = (!received.has_holes).then_some(received.hash);
        let stored = Stored { name: name.clone(), len, hash, kept };
        self.partials.remove(&name);
        if let Some(bytes) = &received.bytes {
            self.files.insert_modified(&name, Content::bytes(bytes), modified);
        }
        self.perform(exchange, Ok(()));
        if let Some(entry) = self.exchanges.get_mut(&exchange) {
            // It is done, whether or not the client stays to hear it.
            entry.store_as = None;
        }
        self.stored.push((name, received));
        self.say(exchange, |session| session.reply(exchange, Reply::Stored(stored)).map(drop));
    }

    /// Gives an exchange up.
    pub(super) fn fail(&mut self, exchange: ExchangeId, status: Status) {
        if !self.say(exchange, |session| session.fail(exchange, status, 0)) {
            // It is over already, and the event that tells so waits to be polled.
            return;
        }
        self.perform(exchange, Err(status));
        self.end(exchange, Outcome::Failed { status, detail: 0 });
    }

    /// Forgets an exchange that is over; `outcome` is what it came to unless that is known.
    pub(super) fn end(&mut self, exchange: ExchangeId, outcome: Outcome) {
        let entry = self.exchanges.remove(&exchange).expect("an exchange ends once");
        if let Some(body) = entry.sending {
            self.sending.remove(&body);
        }
        if let Some(body) = entry.receiving {
            self.receiving.remove(&body);
        }
        if let Some(job) = entry.job {
            self.set_outcome(job, entry.outcome.unwrap_or(outcome));
        }
    }

    pub(super) fn expect_body(&mut self, body: BodyId, incoming: Incoming) {
        let exchange = incoming.exchange;
        self.exchanges.get_mut(&exchange).expect("its exchange runs").receiving = Some(body);
        let known = self.receiving.insert(body, incoming);
        assert!(known.is_none(), "a body's number is used twice");
    }

    /// Says what the sources have to say of their bodies; how much that was.
    pub(super) fn say_notes(&mut self) -> usize {
        let mut notes = Vec::new();
        for (body, outgoing) in &mut self.sending {
            while let Some(note) = outgoing.next_note() {
                notes.push((*body, outgoing.exchange, note));
            }
        }
        for (body, exchange, note) in &notes {
            self.say(*exchange, |session| session.note(*body, *note));
        }
        notes.len()
    }

    /// Gives a command that must fit the state of things. False: news that were not polled yet ended them.
    pub(super) fn say(
        &mut self,
        exchange: ExchangeId,
        command: impl FnOnce(&mut gannet_protocol::Session<'_>) -> Result<(), Misuse>,
    ) -> bool {
        let Some(mut session) = self.endpoint.session(exchange.connection()) else { return false };
        match command(&mut session) {
            Ok(()) => true,
            Err(Misuse::Closing | Misuse::Over) => false,
            Err(misuse) => panic!("a fitting command is refused: {misuse}"),
        }
    }
}
