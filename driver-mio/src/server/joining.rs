//! How a client is let in that brings a ticket.

use gannet_protocol::{ExchangeId, Instant, Reply, Status};

use super::serving::{Answer, Found, Hub, Serving};
use crate::trust::Invitation;

impl Serving {
    pub(super) fn join(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        proof: [u8; 32],
    ) {
        let session = hub.session(exchange.connection());
        let client = session.as_ref().and_then(|s| Some((s.peer_key()?, s.transcript()?)));
        let joined = match session.map(|session| session.remote().ip()) {
            Some(from) => self.gate.join(from, client, proof),
            None => return,
        };
        let submitted = joined.and_then(|joining| {
            hub.submit(move || Answer { exchange, found: Found::Joined(joining.conclude()) })
        });
        if let Err(status) = submitted {
            self.fail(hub, now, exchange, status, 0);
        }
    }

    pub(super) fn joined(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        result: Result<(), (Status, Option<Invitation>)>,
    ) -> Result<(), Status> {
        match result {
            Ok(()) => {
                self.peers.set_stranger(exchange.connection(), None);
                self.answer(hub, now, exchange, Reply::Done, 0);
                Ok(())
            }
            Err((status, invitation)) => {
                if let Some(invitation) = invitation {
                    self.gate.restore(invitation);
                }
                Err(status)
            }
        }
    }
}
