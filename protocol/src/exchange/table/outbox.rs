//! What leaves a connection for the application, and which exchange each body belongs to.

use alloc::{collections::VecDeque, vec::Vec};

use crate::{BodyId, Event, ExchangeId};

/// What leaves a connection for the application.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) events: VecDeque<Event>,
    pub(crate) bodies: Bodies,
}

impl Outbox {
    /// Drops what was said of the body of an exchange that nobody wants any more.
    pub(super) fn take_back_notes(&mut self, id: ExchangeId) {
        self.events
            .retain(|event| !matches!(event, Event::Note { exchange, .. } if *exchange == id));
    }

    /// Drops the events of an exchange.
    pub(super) fn take_back(&mut self, id: ExchangeId) {
        let bodies = &self.bodies;
        self.events.retain(|event| match event {
            Event::Request { exchange, .. }
            | Event::Reply { exchange, .. }
            | Event::Note { exchange, .. }
            | Event::Held { exchange, .. }
            | Event::Failed { exchange, .. }
            | Event::Finished(exchange) => *exchange != id,
            Event::Released { body, .. } => bodies.owner(*body) != Some(id),
            Event::Connected(_) | Event::Closed(..) => true,
        });
    }
}

/// Which exchange each body belongs to.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    slots: Vec<BodySlot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct BodySlot {
    generation: u32,
    owner: Option<ExchangeId>,
}

impl Bodies {
    pub(super) fn add(&mut self, owner: ExchangeId) -> BodyId {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot as usize)
        {
            place.owner = Some(owner);
            return BodyId { slot, generation: place.generation };
        }
        self.slots.push(BodySlot { generation: 0, owner: Some(owner) });
        BodyId { slot: (self.slots.len() - 1) as u32, generation: 0 }
    }

    pub(super) fn remove(&mut self, id: BodyId) {
        if let Some(place) = self.slots.get_mut(id.slot as usize)
            && place.generation == id.generation
            && place.owner.take().is_some()
        {
            // A slot whose generations are used up is never used again.
            if let Some(next) = place.generation.checked_add(1).filter(|next| *next < u32::MAX) {
                place.generation = next;
                self.free.push(id.slot);
            }
        }
    }

    /// The exchange of a body that runs.
    pub(crate) fn owner(&self, id: BodyId) -> Option<ExchangeId> {
        self.slots
            .get(id.slot as usize)
            .filter(|place| place.generation == id.generation)
            .and_then(|place| place.owner)
    }
}
