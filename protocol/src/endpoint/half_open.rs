//! Clients that said hello and have not finished their handshake.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use crate::wire::packet::ConnectionId;

/// By address and id, since a repeated hello carries no id of ours. Clients choose both; a search tree of them is no slower for
/// any choice.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    by_hello: BTreeMap<(SocketAddr, ConnectionId), u32>,
    by_slot: BTreeMap<u32, Greeted>,
}

/// Who said hello.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeted {
    pub(super) remote: SocketAddr,
    pub(super) client: ConnectionId,
    /// It brought a cookie.
    pub(super) proven: bool,
}

impl HalfOpen {
    pub(super) fn find(&self, remote: SocketAddr, client: ConnectionId) -> Option<u32> {
        self.by_hello.get(&(remote, client)).copied()
    }

    pub(super) fn insert(&mut self, slot: u32, greeted: Greeted) {
        self.by_hello.insert((greeted.remote, greeted.client), slot);
        self.by_slot.insert(slot, greeted);
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Greeted> {
        let greeted = self.by_slot.remove(&slot)?;
        self.by_hello.remove(&(greeted.remote, greeted.client));
        Some(greeted)
    }
}
