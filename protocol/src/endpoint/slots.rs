//! The connections of an endpoint, found by handle or by connection id without a search.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::net::SocketAddr;

use crate::{
    ConnectionHandle, Security,
    connection::Connection,
    random::{Random, unguessable},
    wire::packet::ConnectionId,
};

/// Bits of a connection id that say which slot its connection is in; above them stands the shard, which is 0, and below them
/// 32 bits that cannot be guessed.
const SLOT_SHIFT: u32 = 32;
/// Most connections: what 24 bits tell apart.
const MAX_SLOTS: u32 = 1 << 24;

/// The connections, and the places of former ones.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Those of clients, by the server's address and the server's id of them, which is all that a RESET names.
    by_peer_id: BTreeMap<(SocketAddr, ConnectionId), u32>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Slots {
    /// Takes a free slot, and makes up the id that packets to its connection will carry. Who guessed one before it is given could
    /// ask for its RESET, and end the connection with that later.
    pub(super) fn reserve(
        &mut self,
        security: &Security,
        random: &mut Random,
    ) -> (ConnectionHandle, ConnectionId) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        debug_assert!(slot < MAX_SLOTS, "memory ends long before");
        let generation = self.slots.get(slot as usize).map_or(0, |place| place.generation);
        let id = (u64::from(slot) << SLOT_SHIFT) | (unguessable(security, random) >> 32);
        (ConnectionHandle { slot, generation }, ConnectionId(id))
    }

    /// Puts the connection into the slot that was reserved for it.
    pub(super) fn fill(&mut self, connection: Connection) {
        if let Some(place) = self.slots.get_mut(connection.handle.slot as usize) {
            place.connection = Some(Box::new(connection));
        }
    }

    /// Frees a slot.
    pub(super) fn release(&mut self, slot: u32) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            let key = place.connection.take().and_then(|connection| connection.resettable_as());
            if let Some(key) = key.filter(|key| self.by_peer_id.get(key) == Some(&slot)) {
                self.by_peer_id.remove(&key);
            }
            // A slot whose generations are used up is never used again.
            if let Some(next) = place.generation.checked_add(1).filter(|next| *next < u32::MAX) {
                place.generation = next;
                self.free.push(slot);
            }
        }
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)?.connection.as_deref_mut()
    }

    pub(super) fn by_handle(&mut self, handle: ConnectionHandle) -> Option<&mut Connection> {
        self.get_mut(handle.slot).filter(|connection| connection.handle == handle)
    }

    pub(super) fn find(&self, handle: ConnectionHandle) -> Option<&Connection> {
        let place = self.slots.get(handle.slot as usize)?;
        place.connection.as_deref().filter(|connection| connection.handle == handle)
    }

    pub(super) fn by_id(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let slot = u32::try_from(id.0 >> SLOT_SHIFT).ok()?;
        self.get_mut(slot).filter(|connection| connection.own_id() == id)
    }

    /// Remembers how the RESET of a connection would name it. A server that gives two the same id has itself to blame.
    pub(super) fn note_resettable(&mut self, slot: u32) {
        if let Some(key) = self.get_mut(slot).and_then(|connection| connection.resettable_as()) {
            self.by_peer_id.insert(key, slot);
        }
    }

    /// The connection to the server at `remote` that goes by `id` there, if its RESET would be known.
    pub(super) fn by_peer_id(
        &mut self,
        remote: SocketAddr,
        id: ConnectionId,
    ) -> Option<&mut Connection> {
        let slot = self.by_peer_id.get(&(remote, id)).copied()?;
        self.get_mut(slot)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slots.iter_mut().filter_map(|place| place.connection.as_deref_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Identity, Secret, toy::Toy};
    use alloc::{collections::BTreeSet, sync::Arc};

    fn ids(security: &Security) -> [ConnectionId; 10] {
        let (mut slots, mut random) = (Slots::default(), Random::new([7; 32]));
        [(); 10].map(|()| slots.reserve(security, &mut random).1)
    }

    /// `docs/hostile-input.md`, row 17: ids are those of the provider, and do not follow from ids that were seen before.
    #[test]
    fn ids_of_sealed_connections_cannot_be_foretold() {
        let sealed = |seed: u64| {
            let identity = Identity::new(Arc::new(Toy::new(seed)), &Secret::take(&mut [1; 32]));
            ids(&Security::Sealed(identity))
        };
        let all: BTreeSet<_> = (0..10).flat_map(sealed).collect();
        assert_eq!(all.len(), 100, "although the endpoint's own randomness is the same");
    }

    #[test]
    fn ids_of_plain_connections_differ() {
        assert_eq!(BTreeSet::from(ids(&Security::Plain)).len(), 10);
    }
}
