//! What the application says.

use alloc::boxed::Box;

use super::{
    super::{Ended, Exchange, RecvBody, Role, SendBody, Verb},
    Exchanges, Outbox,
};
use crate::{
    BodyId, BodyLen, Misuse, Opened, Reply, Request, Status, message::Message, wire::frame::Reset,
};

impl Exchanges {
    /// Opens an exchange.
    pub(crate) fn request(
        &mut self,
        request: Request,
        outbox: &mut Outbox,
    ) -> Result<Opened, Misuse> {
        if self.role != Role::Client {
            return Err(Misuse::OutOfPlace);
        }
        if self.send_exchanges.available() == 0 {
            return Err(Misuse::NoCredit);
        }
        self.send_exchanges.spend(1);
        let number = self.seen.last().map_or(0, |range| range.end);
        self.seen.insert(number..number.saturating_add(1));
        let id = self.id(number);
        let verb = Verb::of(&request);
        let mut exchange = Exchange::new(Role::Client);
        exchange.ask(&request);
        if let Request::Put(put) = &request {
            let (body, held_from) = (outbox.bodies.add(id), exchange.telling.limit());
            let body = SendBody::new(body, put.meta.len, self.peer_body_window, held_from);
            exchange.send_body = Some(body);
        }
        exchange.send.push(&Message::Request(request));
        if verb == Verb::Put {
            exchange.send.mark_opening();
        }
        if matches!(verb, Verb::Command | Verb::Stat | Verb::Invite | Verb::Report) {
            exchange.send.finish();
        }
        let body = exchange.send_body.as_ref().map(|body| body.id);
        self.live.insert(number, Box::new(exchange));
        self.wake(number);
        Ok(Opened { exchange: id, body })
    }

    /// Answers a request.
    pub(crate) fn reply(
        &mut self,
        number: u64,
        reply: Reply,
        outbox: &mut Outbox,
    ) -> Result<Option<BodyId>, Misuse> {
        let id = self.id(number);
        let limit = self.peer_body_window;
        let exchange = self.live.get_mut(&number).ok_or(Misuse::Over)?;
        exchange.check_reply(&reply)?;
        let held = exchange.answer(&reply);
        let len = match &reply {
            Reply::Meta(meta) => Some(meta.len),
            Reply::Listing => Some(BodyLen::Open),
            Reply::Stored(_)
            | Reply::Done
            | Reply::Stat(_)
            | Reply::Ticket(_)
            | Reply::Report(_)
            | Reply::Unchanged => None,
        };
        exchange.send.push(&Message::Reply(reply));
        match len {
            Some(len) => {
                let (body, held_from) = (outbox.bodies.add(id), exchange.telling.limit());
                exchange.send_body = Some(SendBody::new(body, len, limit, held_from));
                exchange.send.mark_opening();
            }
            None => exchange.send.finish(),
        }
        let body = exchange.send_body.as_ref().map(|body| body.id);
        if exchange.said.unchanged {
            outbox.take_back_notes(id);
        }
        self.take_held(number, &held, outbox);
        self.wake(number);
        Ok(body)
    }

    /// As a client, says that a received body is taken care of.
    pub(crate) fn finish(&mut self, number: u64, outbox: &mut Outbox) -> Result<(), Misuse> {
        let exchange = self.live.get_mut(&number).ok_or(Misuse::Over)?;
        let fits = exchange.role == Role::Client
            && exchange.verb.and_then(Verb::body_from) == Some(Role::Server)
            && exchange.is_received()
            && !exchange.send.is_finished();
        if !fits {
            return Err(Misuse::OutOfPlace);
        }
        exchange.send.finish();
        self.wake(number);
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// Gives an exchange up, without an event; those that were not polled yet are taken back.
    pub(crate) fn fail(
        &mut self,
        number: u64,
        status: Status,
        detail: u64,
        outbox: &mut Outbox,
    ) -> Result<(), Misuse> {
        let exchange = self.live.remove(&number).ok_or(Misuse::Over)?;
        outbox.take_back(self.id(number));
        self.bury(number, &exchange, status, detail, outbox);
        Ok(())
    }

    /// Turns a running exchange into one that was given up.
    pub(super) fn bury(
        &mut self,
        number: u64,
        exchange: &Exchange,
        status: Status,
        detail: u64,
        outbox: &mut Outbox,
    ) {
        let send_body = exchange.send_body.as_ref();
        let recv_body = exchange.recv_body.as_ref();
        for id in send_body.map(|body| body.id).into_iter().chain(recv_body.map(|body| body.id)) {
            outbox.bodies.remove(id);
        }
        let reset = Reset {
            exchange: number,
            status,
            detail,
            body: send_body.map_or(0, SendBody::charged),
            messages: exchange.send.charged(),
        };
        // Nobody will read what has come of the messages.
        self.recv_messages.settle(exchange.recv.unread());
        let ended = Ended {
            reset,
            reset_acked: false,
            settled: exchange.is_received(),
            body: recv_body.map_or(0, RecvBody::charged),
            messages: exchange.recv.reach(),
        };
        self.ended.insert(number, ended);
        self.resets_due.push_back(number);
    }
}
