//! Who is let in, and who has to go.

use gannet_protocol::{CloseCode, ConnectionHandle, ExchangeId, Instant, Status};

use super::{
    exchange::Served,
    gate::{self, Admission},
    serving::{Hub, Serving},
};
use crate::trust::policy::Grant;

impl Serving {
    /// Notes a connection, and lets its client in or not. False if it may say nothing.
    pub(super) fn meet(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        connection: ConnectionHandle,
    ) -> bool {
        if self.peers.remote(connection).is_some() {
            return hub.session(connection).is_some();
        }
        let Some(session) = hub.session(connection) else { return false };
        let key = session.peer_key();
        let remote = self.peers.add(connection, session.remote(), key);
        match self.gate.admit(now, key.as_ref(), self.peers.strangers(remote.ip())) {
            Admission::Welcome => {
                if let Some(key) = key {
                    log::info!(target: "gannet::trust", "{remote} connected: {key}");
                }
                true
            }
            Admission::Stranger(until) => {
                log::info!(target: "gannet::trust", "{remote} may bring a ticket");
                self.peers.set_stranger(connection, Some(until));
                true
            }
            Admission::Refused => {
                self.refuse(hub, connection);
                false
            }
        }
    }

    /// Closes the connection of a client that has no grant.
    pub(super) fn refuse(&mut self, hub: &mut Hub, connection: ConnectionHandle) {
        if !self.peers.set_closing(connection) {
            return;
        }
        if let Some(mut session) = hub.session(connection) {
            session.close(CloseCode::Refused);
        }
        let (remote, key) = (self.peers.remote(connection), self.peers.key(connection));
        if let (Some(remote), Some(key), Some(list)) = (remote, key, self.gate.list_name()) {
            log::warn!(target: "gannet::trust", "{remote} was refused: its key is not in {list}: {key}");
        }
    }

    /// Closes the connections of those who brought no ticket in time.
    pub(super) fn refuse_late_strangers(&mut self, hub: &mut Hub, now: Instant) {
        for connection in self.peers.late_strangers(now) {
            self.refuse(hub, connection);
        }
    }

    /// Ends what may not run any more, if the list of clients changed.
    pub(super) fn look_again(&mut self, hub: &mut Hub, now: Instant) {
        if !self.gate.changed(now) {
            return;
        }
        for connection in self.peers.connections() {
            let is_stranger = self.peers.is_stranger(connection);
            let key = self.peers.key(connection);
            match self.gate.grant(key.as_ref()) {
                Some(grant) => self.keep_to(hub, now, connection, &grant),
                None if is_stranger => {}
                None => self.refuse(hub, connection),
            }
        }
    }

    /// Ends the requests of a connection that go beyond `grant`.
    fn keep_to(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        connection: ConnectionHandle,
        grant: &Grant,
    ) {
        let goes_beyond = |served: &Served| {
            let Some(before) = served.grant() else { return false };
            before != grant && !gate::may_go_on(before, grant, served.request())
        };
        let ended: Vec<ExchangeId> = self
            .exchanges
            .range(ExchangeId::all_of(connection))
            .filter(|(_, served)| goes_beyond(served))
            .map(|(id, _)| *id)
            .collect();
        for exchange in ended {
            self.fail(hub, now, exchange, Status::Denied, 0);
        }
    }
}
