//! A client that comes back takes over from its former self.

use std::time::Duration;

use gannet_protocol::{ExchangeId, Instant, Name, Request, Status};

use super::{
    exchange::{Served, Stage},
    gate,
    serving::{Hub, Serving},
    store::Patience,
};
use crate::trust::policy::Permitted;

/// Time that a transfer which was told to end gets for the writes that are under way, before the new one starts anew: its client
/// waits.
const HANDOVER: Duration = Duration::from_millis(500);

/// The same for one that has ended by itself, or that goes on beside this one.
const LETTING_GO: Duration = Duration::from_millis(100);

impl Serving {
    /// What is there of a file is in the hands of another transfer. If that is of the same client, which sends the same state of the
    /// same source on another connection, it is this one's forerunner, whose end the server has yet to hear of: it gives way.
    pub(super) fn succeed(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        name: &Name,
    ) {
        let forerunner = self.forerunner(exchange, name);
        if let Some(forerunner) = forerunner {
            self.fail(hub, now, forerunner, Status::Cancelled, 0);
        }
        let Some(served) = self.exchanges.get_mut(&exchange) else { return };
        let time = if forerunner.is_some() { HANDOVER } else { LETTING_GO };
        let until = *served.handover_until.get_or_insert(now + time);
        let patience = if now < until { Patience::Wait } else { Patience::None };
        if let Err(status) = self.begin_put_again(hub, exchange, patience) {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn forerunner(&self, exchange: ExchangeId, name: &Name) -> Option<ExchangeId> {
        let connection = exchange.connection();
        let own = self.exchanges.get(&exchange)?;
        let is_forerunner = |(id, served): &(&ExchangeId, &Served)| {
            let other = id.connection();
            let same_source = match (own.request(), served.request()) {
                (Request::Put(own), Request::Put(other)) => own.meta == other.meta,
                _ => false,
            };
            let same_dir =
                own.grant().map(|grant| grant.dir()) == served.grant().map(|grant| grant.dir());
            other != connection
                && self.peers.key(other) == self.peers.key(connection)
                && matches!(&served.stage, Stage::Receiving(receiving) if receiving == name)
                && same_source
                && same_dir
        };
        self.exchanges.iter().find(is_forerunner).map(|(id, _)| *id)
    }

    fn begin_put_again(
        &self,
        hub: &mut Hub,
        exchange: ExchangeId,
        patience: Patience,
    ) -> Result<(), Status> {
        let served = self.exchanges.get(&exchange).ok_or(Status::Cancelled)?;
        let request = served.request().clone();
        let grant = served.grant().ok_or(Status::Denied)?;
        match gate::judge(grant, &request, None) {
            Ok(Permitted::Put { dir, max, store }) => {
                self.begin_put(hub, exchange, &request, (dir.cloned(), max, store), patience)
            }
            _ => Err(Status::Denied),
        }
    }
}
