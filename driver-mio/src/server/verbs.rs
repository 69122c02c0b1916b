//! How a server begins what it is asked for.

use std::sync::Arc;

use gannet_protocol::{
    BodyLen, ExchangeId, FileTime, Identity, Instant, MAX_MEASURED, Meta, Mode, Name, Put, Reply,
    Request, Status,
};

use super::{
    exchange::Served,
    gate,
    serving::{Answer, Found, Hub, Serving},
    store::{self, Patience, Wanted},
};
use crate::trust::policy::{Grant, Permitted, Store};

impl Serving {
    /// Begins a request, if its client may do that.
    pub(super) fn begin(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId) {
        let Some((request, grant)) = self.exchanges.get_mut(&exchange).and_then(Served::begin)
        else {
            return;
        };
        let asked = match &request {
            Request::Invite(invite) => match invite.grant.parse::<Grant>() {
                Ok(asked) => Some(asked),
                Err(_) => return self.fail(hub, now, exchange, Status::Unsupported, 0),
            },
            _ => None,
        };
        let begun = match gate::judge(&grant, &request, asked.as_ref()) {
            Err(denied) => {
                log::debug!("{denied}");
                Err(Status::Denied)
            }
            Ok(Permitted::Files { .. }) if let Request::Zeros { len } = request => {
                self.send_zeros(hub, exchange, len)
            }
            Ok(Permitted::Put { .. })
                if let Request::Put(put) = &request
                    && put.how.discard =>
            {
                self.take_nothing(hub, exchange, put)
            }
            Ok(Permitted::Files { dir }) => self.begin_files(hub, exchange, &request, dir.cloned()),
            Ok(Permitted::Put { dir, max, store }) => {
                let terms = (dir.cloned(), max, store);
                self.begin_put(hub, exchange, &request, terms, Patience::Ask)
            }
            Ok(Permitted::Exit) => {
                let force = matches!(request, Request::Exit { force: true });
                self.exit(hub, now, exchange, force);
                Ok(())
            }
            Ok(Permitted::Report) => {
                self.report(hub, now, exchange);
                Ok(())
            }
            Ok(Permitted::Invite(grant)) => self.invite(hub, now, exchange, &request, grant),
        };
        if let Err(status) = begun {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn begin_files(
        &self,
        hub: &mut Hub,
        exchange: ExchangeId,
        request: &Request,
        below: Option<Name>,
    ) -> Result<(), Status> {
        let root = Arc::clone(&self.root);
        let root = move || root.below(below.as_ref());
        let answer = move |found| Answer { exchange, found };
        match request.clone() {
            Request::Get(get) => hub.submit(move || {
                let source = root().and_then(|root| root.open_source(&get.name));
                answer(match (source, get.unless) {
                    (Ok(source), Some(has)) if source.is_version(has) => Found::Unchanged,
                    (source, _) => Found::Source(source),
                })
            }),
            Request::List(dir) => hub.submit(move || {
                answer(Found::Listing(root().and_then(|root| root.list(dir.as_ref()))))
            }),
            Request::Stat(name) => {
                hub.submit(move || answer(Found::Stat(root().and_then(|root| root.stat(&name)))))
            }
            Request::Rename { from, to } => hub.submit(move || {
                answer(Found::Done(root().and_then(|root| root.rename(&from, &to))))
            }),
            Request::Remove(name) => {
                hub.submit(move || answer(Found::Done(root().and_then(|root| root.remove(&name)))))
            }
            Request::Mkdir { name, mode } => hub.submit(move || {
                answer(Found::Done(root().and_then(|root| root.make_directory(&name, mode))))
            }),
            _ => Err(Status::Unsupported),
        }
    }

    pub(super) fn begin_put(
        &self,
        hub: &mut Hub,
        exchange: ExchangeId,
        request: &Request,
        (below, max, store): (Option<Name>, Option<u64>, Store<'_>),
        patience: Patience,
    ) -> Result<(), Status> {
        let Request::Put(Put { meta, how, .. }) = request else { return Err(Status::Unsupported) };
        // Where nothing is bounded, nobody needs to know.
        let counted = max.map(|_| &self.exchanges).into_iter().flatten();
        let others = counted
            .filter(|(id, _)| **id != exchange)
            .filter_map(|(_, served)| served.claim())
            .filter(|(dir, _)| *dir == below.as_ref())
            .fold(0u64, |sum, (_, len)| sum.saturating_add(len));
        let owner = self.keeper.of(self.peers.key(exchange.connection()));
        let wanted = Wanted {
            store: store.into_owned(),
            meta: *meta,
            how: *how,
            owner,
            max,
            others,
            patience,
            durability: hub.transfers.durability(),
        };
        let root = Arc::clone(&self.root);
        let prepare = move || store::prepare(&root.below(below.as_ref())?, &wanted);
        hub.submit(move || Answer { exchange, found: Found::Prepared(prepare()) })
    }

    fn invite(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        request: &Request,
        grant: Grant,
    ) -> Result<(), Status> {
        let Request::Invite(invite) = request else { return Err(Status::Unsupported) };
        let key = self.peers.key(exchange.connection());
        let ticket = self.gate.invite(key, grant, invite)?;
        self.answer(hub, now, exchange, Reply::Ticket(ticket), 0);
        Ok(())
    }

    /// Sends what a client wants to measure the path by.
    fn send_zeros(&self, hub: &mut Hub, exchange: ExchangeId, len: u64) -> Result<(), Status> {
        if len > MAX_MEASURED {
            return Err(Status::TooLarge);
        }
        let (mode, modified) = (Mode::from_bits(0), FileTime::default());
        let identity = Identity::default();
        let meta = Meta { len: BodyLen::Known(len), mode, modified, identity };
        if let Ok(Some(body)) = hub.reply(exchange, Reply::Meta(meta)) {
            hub.transfers.send_zeros(body, len);
        }
        Ok(())
    }

    /// Takes the same from a client.
    fn take_nothing(
        &mut self,
        hub: &mut Hub,
        exchange: ExchangeId,
        put: &Put,
    ) -> Result<(), Status> {
        let is_fine = matches!(put.meta.len, BodyLen::Known(len) if len <= MAX_MEASURED);
        if !is_fine {
            return Err(Status::TooLarge);
        }
        if let (Some(served), Some(body)) = (self.exchanges.get_mut(&exchange), hub.body(exchange))
        {
            served.settle_name(put.to.leaf.clone());
            hub.transfers.allow(body);
        }
        Ok(())
    }

    fn report(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId) {
        let report = hub.report(now, exchange.connection()).unwrap_or_default();
        self.answer(hub, now, exchange, Reply::Report(Box::new(report)), 0);
    }

    fn exit(&mut self, hub: &mut Hub, now: Instant, exchange: ExchangeId, force: bool) {
        let others = |(other, served): &(&ExchangeId, &Served)| {
            other.connection() != exchange.connection() && served.is_transfer()
        };
        let busy = self.exchanges.iter().filter(others).count();
        if busy > 0 && !force {
            self.fail(hub, now, exchange, Status::Busy, busy as u64);
            return;
        }
        self.answer(hub, now, exchange, Reply::Done, 0);
        self.stop(hub, now);
    }
}
