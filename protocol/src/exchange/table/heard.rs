//! What the peer says.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{
    super::{Accepted, Ended, Exchange, RecvBody, Role},
    Exchanges, Limits, Outbox,
};
use crate::{
    BodyLen, Event, Reply, Request, Status, Ticket, Violation, Write,
    credit::RecvCredit,
    message::Message,
    wire::frame::{Credit, Reset},
};

impl Exchanges {
    /// Takes in limits.
    pub(crate) fn on_credit(&mut self, credit: &Credit) {
        self.send_bodies.raise(credit.body);
        self.send_exchanges.raise(credit.exchanges);
        self.send_messages.raise(credit.messages);
    }

    /// Takes in a body's limit.
    pub(crate) fn on_body_credit(&mut self, number: u64, limit: u64) {
        if let Some(exchange) = self.live.get_mut(&number)
            && let Some(body) = &mut exchange.send_body
        {
            body.raise_limit(limit);
            self.wake(number);
        }
    }

    /// Takes in a piece of a message stream.
    pub(crate) fn on_message_frame(
        &mut self,
        number: u64,
        offset: u64,
        fin: bool,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        if !self.admit(number)? {
            return Ok(());
        }
        let Some(exchange) = self.live.get_mut(&number) else { return Ok(()) };
        let fresh = exchange.recv.receive(offset, fin, bytes)?;
        self.recv_messages.charge(fresh).map_err(|_| Violation::Credit)?;
        while let Some(exchange) = self.live.get_mut(&number)
            && let Some((message, used)) = exchange.recv.next_message()?
        {
            self.recv_messages.settle(used);
            self.on_message(number, message, outbox)?;
        }
        self.credit_due |= self.recv_messages.wants_update();
        if let Some(exchange) = self.live.get(&number)
            && exchange.recv.is_done()
            && !exchange.may_end()
        {
            return Err(Violation::UnexpectedMessage);
        }
        self.finish_if_done(number, outbox);
        Ok(())
    }

    /// Whether frames of this exchange are to be obeyed; a server makes it if it is new.
    pub(super) fn admit(&mut self, number: u64) -> Result<bool, Violation> {
        if self.live.contains_key(&number) {
            return Ok(true);
        }
        if self.seen.contains(number) {
            return Ok(false);
        }
        if self.role == Role::Client {
            return Err(Violation::Role);
        }
        if number >= self.recv_exchanges.limit() {
            return Err(Violation::Credit);
        }
        self.note_seen(number);
        self.live.insert(number, Box::new(Exchange::new(Role::Server)));
        Ok(true)
    }

    pub(super) fn note_seen(&mut self, number: u64) {
        self.seen.insert(number..number.saturating_add(1));
        // Cannot fail, as the number is below the limit. The gaps are bounded by it, too.
        let _ = self.recv_exchanges.charge(1);
    }

    pub(super) fn on_message(
        &mut self,
        number: u64,
        message: Message,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        let id = self.id(number);
        let window = Limits::of_a_body(self.recv_bodies.window());
        let Some(exchange) = self.live.get_mut(&number) else { return Ok(()) };
        exchange.check_message(&message)?;
        if let Message::Held(held) = message {
            self.on_held(number, held, outbox);
            return Ok(());
        }
        let refuse = self.shutting_down && matches!(message, Message::Request(_));
        let len = match &message {
            Message::Request(Request::Put(put)) => Some(put.meta.len),
            Message::Reply(Reply::Meta(meta)) => Some(meta.len),
            Message::Reply(Reply::Listing) => Some(BodyLen::Open),
            _ => None,
        };
        if let Some(len) = len {
            let mut credit = RecvCredit::new(self.own_body_window, u64::MAX);
            credit.set_window(window);
            if credit.wants_update() && len != BodyLen::Known(0) {
                self.body_credits_due.push_back(number);
            }
            exchange.recv_body = Some(RecvBody::new(outbox.bodies.add(id), len, credit));
        }
        if refuse {
            let _ = self.fail(number, Status::ShuttingDown, 0, outbox);
            return Ok(());
        }
        let held = match &message {
            Message::Reply(reply) => exchange.answer(reply),
            _ => Vec::new(),
        };
        if exchange.said.unchanged {
            exchange.send.finish();
        }
        let body = exchange.recv_body.as_ref().map(|body| body.id);
        // Nobody wants to hear of a body that is not to be sent.
        let body_is_wanted = !exchange.said.unchanged;
        outbox.events.push_back(match message {
            Message::Request(request) => Event::Request { exchange: id, request, body },
            Message::Reply(reply) => Event::Reply { exchange: id, reply, body },
            Message::Note(note) => match body.filter(|_| body_is_wanted) {
                Some(body) => Event::Note { exchange: id, body, note },
                None => return Ok(()),
            },
            Message::Held(_) => return Ok(()),
        });
        self.take_held(number, &held, outbox);
        self.wake(number);
        Ok(())
    }

    /// Takes in a chunk of a body. `None`: the packet that carries it has to count as lost.
    pub(crate) fn on_data_frame<'d>(
        &mut self,
        number: u64,
        offset: u64,
        bytes: &'d [u8],
    ) -> Result<Option<Option<Write<'d>>>, Violation> {
        let Some(exchange) = self.live.get_mut(&number) else {
            // What belongs to an exchange that is over is not wanted; what opens a new one comes again.
            return Ok(self.seen.contains(number).then_some(None));
        };
        let Some(body) = &mut exchange.recv_body else { return Ok(None) };
        let id = body.id;
        let chunk = offset..offset.saturating_add(bytes.len() as u64);
        let accepted = body.accept(chunk, &mut self.recv_bodies)?;
        match accepted {
            Accepted::Refused => Ok(None),
            Accepted::Known => {
                // Bytes of what is kept are settled as they come.
                self.credit_due |= self.recv_bodies.wants_update();
                self.tell_body_credit(number);
                Ok(Some(None))
            }
            Accepted::Write { range, fresh, charged } => {
                self.progress.on_moved(fresh);
                let from = usize::try_from(range.start.saturating_sub(offset)).unwrap_or(0);
                let to = usize::try_from(range.end.saturating_sub(offset)).unwrap_or(0);
                let data = bytes.get(from..to).unwrap_or_default();
                let ticket = Ticket { body: id, connection: self.me, len: fresh, charged };
                let fresh = fresh as usize;
                Ok(Some(Some(Write { body: id, offset: range.start, data, fresh, ticket })))
            }
        }
    }

    /// Completes an exchange whose last chunk may have come.
    pub(crate) fn after_data(&mut self, number: u64, outbox: &mut Outbox) {
        if self.live.get(&number).is_some_and(|exchange| exchange.recv.is_done()) {
            self.finish_if_done(number, outbox);
        }
    }

    /// Takes in that the peer gives an exchange up.
    pub(crate) fn on_reset(&mut self, reset: &Reset, outbox: &mut Outbox) -> Result<(), Violation> {
        let number = reset.exchange;
        if let Some(exchange) = self.live.remove(&number) {
            self.bury(number, &exchange, Status::Cancelled, 0, outbox);
            if exchange.verb.is_some() {
                let (exchange, status) = (self.id(number), reset.status);
                outbox.events.push_back(Event::Failed { exchange, status, detail: reset.detail });
            }
        } else if !self.seen.contains(number) {
            // Its first message is still on its way, or lost for good.
            if !self.admit(number)? {
                return Ok(());
            }
            if let Some(exchange) = self.live.remove(&number) {
                self.bury(number, &exchange, Status::Cancelled, 0, outbox);
            }
        }
        self.settle_ended(reset)?;
        self.forget_if_over(number);
        Ok(())
    }

    /// Charges and settles at once what the peer sent of an exchange that is over and will never come.
    pub(super) fn settle_ended(&mut self, reset: &Reset) -> Result<(), Violation> {
        let Some(ended) = self.ended.get_mut(&reset.exchange) else { return Ok(()) };
        if ended.settled {
            return Ok(());
        }
        ended.settled = true;
        let body = reset.body.checked_sub(ended.body).ok_or(Violation::EndMoved)?;
        let messages = reset.messages.checked_sub(ended.messages).ok_or(Violation::EndMoved)?;
        self.recv_bodies.charge(body).map_err(|_| Violation::Credit)?;
        self.recv_messages.charge(messages).map_err(|_| Violation::Credit)?;
        self.recv_bodies.settle(body);
        self.recv_messages.settle(messages);
        self.credit_due |= self.recv_bodies.wants_update() || self.recv_messages.wants_update();
        Ok(())
    }

    pub(super) fn forget_if_over(&mut self, number: u64) {
        if self.ended.get(&number).is_some_and(Ended::is_over) {
            self.ended.remove(&number);
            self.release_number();
        }
    }

    pub(super) fn finish_if_done(&mut self, number: u64, outbox: &mut Outbox) {
        let exchange = self.live.get(&number);
        if !exchange.is_some_and(|exchange| exchange.is_sent() && exchange.is_received()) {
            return;
        }
        if let Some(exchange) = self.live.remove(&number) {
            let ids = [
                exchange.send_body.as_ref().map(|body| body.id),
                exchange.recv_body.as_ref().map(|body| body.id),
            ];
            ids.into_iter().flatten().for_each(|id| outbox.bodies.remove(id));
            outbox.events.push_back(Event::Finished(self.id(number)));
            self.progress.on_finished();
            self.recv_exchanges.widen();
            self.release_number();
        }
    }

    /// Lets the peer open another exchange.
    pub(super) fn release_number(&mut self) {
        if self.role == Role::Server {
            self.recv_exchanges.settle(1);
            self.credit_due |= self.recv_exchanges.wants_update();
        }
    }
}
