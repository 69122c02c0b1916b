//! What the endpoint tells a host.

use gannet_protocol::{BodyId, BodyLen, Event, ExchangeId, Instant, Note, Reply, Status};

use super::{Host, Outcome};
use crate::incoming::Incoming;

impl Host {
    /// Polls for events until there is none; how many there were.
    pub(super) fn drain_events(&mut self, now: Instant) -> usize {
        let mut count = 0;
        while let Some(event) = self.endpoint.poll_event() {
            count += 1;
            assert!(count < super::MAX_OUTPUTS, "there is always another event");
            self.on_event(now, event);
        }
        count
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected(connection) => self.connected.push(connection),
            Event::Closed(connection, reason) => {
                self.closed.push((connection, reason));
                let all = self.exchanges.keys().filter(|e| e.connection() == connection);
                for exchange in all.copied().collect::<Vec<_>>() {
                    self.end(exchange, Outcome::Lost(reason));
                }
                if self.connection == Some(connection) {
                    self.lose_waiting(reason);
                }
            }
            Event::Request { exchange, request, body } => {
                self.on_request(now, exchange, request, body);
            }
            Event::Reply { exchange, reply, body } => self.on_reply(exchange, reply, body),
            Event::Note { exchange, body, note } => self.on_note(exchange, body, note),
            Event::Held { body, held, .. } => self.on_held(body, held),
            Event::Released { body, below } => {
                if let Some(outgoing) = self.sending.get_mut(&body) {
                    outgoing.release(below);
                }
            }
            Event::Finished(exchange) => {
                self.finished += 1;
                self.keep_stats(exchange);
                self.end(exchange, Outcome::Done);
            }
            Event::Failed { exchange, status, detail } => {
                self.keep_stats(exchange);
                self.perform(exchange, Err(status));
                self.end(exchange, Outcome::Failed { status, detail });
            }
        }
    }

    fn on_reply(&mut self, exchange: ExchangeId, reply: Reply, body: Option<BodyId>) {
        let entry = self.exchanges.get_mut(&exchange).expect("an answer to a question");
        assert!(entry.job.is_some() && entry.outcome.is_none(), "one answer to a question");
        let (len, identity) = match reply {
            Reply::Meta(meta) => (meta.len, Some(meta.identity)),
            Reply::Listing => {
                entry.is_listing = true;
                (BodyLen::Open, None)
            }
            Reply::Unchanged => {
                entry.outcome = Some(Outcome::Unchanged);
                if let Some(outgoing) = entry.sending.and_then(|b| self.sending.get_mut(&b)) {
                    outgoing.give_up();
                }
                return;
            }
            Reply::Stored(stored) => {
                entry.outcome = Some(Outcome::Stored(stored));
                return assert_eq!(body, None);
            }
            Reply::Stat(stat) => {
                entry.outcome = Some(Outcome::Stat(stat));
                return assert_eq!(body, None);
            }
            Reply::Done | Reply::Ticket(_) | Reply::Report(_) => {
                entry.outcome = Some(Outcome::Done);
                return assert_eq!(body, None);
            }
        };
        let body = body.expect("a reply that opens a body has one");
        if matches!(len, BodyLen::Known(len) if len > self.max_stored) {
            return self.fail(exchange, Status::TooLarge);
        }
        let name = entry.store_as.clone();
        let partial = name.and_then(|name| self.partials.get(&name).cloned());
        let mut incoming = Incoming::new(exchange, len, identity);
        let said = partial.map_or_else(Vec::new, |partial| match len {
            _ if Some(partial.identity) == identity => {
                incoming.adopt_all(&partial);
                Vec::new()
            }
            BodyLen::Known(1..) => incoming.compare_all(&partial),
            _ => Vec::new(),
        });
        self.expect_body(body, incoming);
        self.say_held(exchange, body, said);
    }

    fn on_note(&mut self, exchange: ExchangeId, body: BodyId, note: Note) {
        let incoming = self.receiving.get_mut(&body).expect("a note of a body that runs");
        assert_eq!(incoming.exchange, exchange);
        match incoming.note(note) {
            Ok(kept) => {
                if let Some(kept) = kept {
                    self.say(exchange, |session| session.keep(body, kept));
                }
                self.ask_again(body);
                self.finish_if_whole(body);
            }
            Err(status) => self.fail(exchange, status),
        }
    }

    fn keep_stats(&mut self, exchange: ExchangeId) {
        let connection = exchange.connection();
        if let Some(session) = self.endpoint.session(connection) {
            self.stats.insert(connection, session.stats());
        }
    }
}
