//! What hosts have of bodies from before.

use gannet_protocol::{BodyId, ExchangeId, Held, Misuse, Status};

use super::Host;

impl Host {
    /// Says what it has of a body that it receives.
    pub(super) fn say_held(&mut self, exchange: ExchangeId, body: BodyId, said: Vec<Held>) {
        for held in said {
            self.say(exchange, |session| session.held(body, held));
        }
        let Some(incoming) = self.receiving.get_mut(&body) else { return };
        let mut doubts = std::mem::take(&mut self.doubts);
        doubts.retain(|index| incoming.trusts(*index));
        doubts.into_iter().for_each(|index| incoming.doubt(index));
        self.ask_again(body);
    }

    /// Asks again for groups that did not match; gives up when they never do.
    pub(super) fn ask_again(&mut self, body: BodyId) {
        while let Some(incoming) = self.receiving.get_mut(&body)
            && let Some(index) = incoming.take_spoilt()
        {
            let exchange = incoming.exchange;
            let Some(mut session) = self.endpoint.session(exchange.connection()) else { return };
            match session.held(body, Held::Again(index)) {
                Ok(()) => self.asked_again += 1,
                Err(Misuse::OutOfPlace) => self.fail(exchange, Status::Corrupt),
                Err(_) => return,
            }
        }
    }

    /// The receiver of a body says what it has.
    pub(super) fn on_held(&mut self, body: BodyId, held: Held) {
        let Some(outgoing) = self.sending.get_mut(&body) else { return };
        let exchange = outgoing.exchange;
        match held {
            Held::Groups(have) => have.groups.iter().for_each(|groups| outgoing.skip(groups)),
            Held::Hashes { first, hashes } => {
                let same: Vec<_> = (first..)
                    .zip(hashes)
                    .filter_map(|(i, hash)| outgoing.compare(i, hash))
                    .collect();
                for range in same {
                    self.say(exchange, |session| session.skip(body, range));
                }
            }
            Held::Nothing => {}
            Held::Again(index) => outgoing.again(index),
        }
    }
}
