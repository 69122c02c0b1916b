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

/// Time of silence after which a client is taken for one that is gone, if it comes anew with another state of the file: several round
/// trips of any path, in which whoever sends a file sends packets.
const SILENCE: Duration = Duration::from_millis(500);

/// Time to find that out, in which what it sent before still arrives.
const WATCH: Duration = Duration::from_secs(1);

/// The same for one that has ended by itself, or that goes on beside this one.
const LETTING_GO: Duration = Duration::from_millis(100);

/// What was heard of the connection of another transfer of the same file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    packets: u64,
    /// When there were more for the last time.
    since: Instant,
}

/// Another transfer of the same file by the same client, on another connection.
#[derive(Clone, Copy, Debug)]
struct Rival {
    exchange: ExchangeId,
    /// Whether it sends the same state of the same source.
    same_source: bool,
}

impl Serving {
    /// What is there of a file is in the hands of another transfer. If that is of the same client on another connection, which sends
    /// the same state of the same source or is not heard any more, it is this one's forerunner, whose end the server has yet to
    /// hear of: it gives way.
    pub(super) fn succeed(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        name: &Name,
    ) {
        let rival = self.rival(exchange, name);
        let time = match rival {
            Some(Rival { same_source: true, .. }) => HANDOVER,
            Some(_) => WATCH,
            None => LETTING_GO,
        };
        // On plain connections anybody may be anybody.
        let has_key = self.peers.key(exchange.connection()).is_some();
        if let Some(rival) = rival
            && (rival.same_source || has_key && self.is_silent(hub, now, exchange, rival.exchange))
        {
            self.fail(hub, now, rival.exchange, Status::Cancelled, 0);
        }
        let Some(served) = self.exchanges.get_mut(&exchange) else { return };
        let until = *served.handover_until.get_or_insert(now + time);
        let patience = if now < until { Patience::Wait } else { Patience::None };
        if let Err(status) = self.begin_put_again(hub, exchange, patience) {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    fn rival(&self, exchange: ExchangeId, name: &Name) -> Option<Rival> {
        let connection = exchange.connection();
        let own = self.exchanges.get(&exchange)?;
        let is_rival = |(id, served): &(&ExchangeId, &Served)| {
            let other = id.connection();
            let same_dir =
                own.grant().map(|grant| grant.dir()) == served.grant().map(|grant| grant.dir());
            other != connection
                && self.peers.key(other) == self.peers.key(connection)
                && matches!(&served.stage, Stage::Receiving(receiving) if receiving == name)
                && same_dir
        };
        let same_source = |served: &Served| match (own.request(), served.request()) {
            (Request::Put(own), Request::Put(other)) => own.meta == other.meta,
            _ => false,
        };
        let rivals = self.exchanges.iter().filter(is_rival);
        let rivals =
            rivals.map(|(id, served)| Rival { exchange: *id, same_source: same_source(served) });
        rivals.max_by_key(|rival| rival.same_source)
    }

    /// Whether nothing was heard for a while on the connection of `other`, as far as `exchange` looked.
    fn is_silent(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        other: ExchangeId,
    ) -> bool {
        let Some(session) = hub.session(other.connection()) else { return false };
        let packets = session.stats().packets_received;
        let Some(served) = self.exchanges.get_mut(&exchange) else { return false };
        let heard = served.heard.get_or_insert(Heard { packets, since: now });
        if heard.packets != packets {
            *heard = Heard { packets, since: now };
        }
        now.saturating_since(heard.since) >= SILENCE
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
