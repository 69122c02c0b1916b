//! Clients that said hello and have not finished their handshake.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use crate::wire::packet::ConnectionId;

/// Most of them. Each costs about 2 KiB for at most 10 s, so a flood of hellos costs 2 MiB.
const MAX_HALF_OPEN: usize = 1_024;

/// By address and id, since a repeated hello carries no id of ours.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    by_hello: BTreeMap<(SocketAddr, ConnectionId), u32>,
    by_slot: BTreeMap<u32, (SocketAddr, ConnectionId)>,
}

impl HalfOpen {
    pub(super) fn is_full(&self) -> bool {
        self.by_slot.len() >= MAX_HALF_OPEN
    }

    pub(super) fn find(&self, remote: SocketAddr, client: ConnectionId) -> Option<u32> {
        self.by_hello.get(&(remote, client)).copied()
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, client: ConnectionId, slot: u32) {
        self.by_hello.insert((remote, client), slot);
        self.by_slot.insert(slot, (remote, client));
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(hello) = self.by_slot.remove(&slot) {
            self.by_hello.remove(&hello);
        }
    }
}
