//! Room for datagrams that arrive together.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use gannet_protocol::Datagram;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

/// Receives of one call. More bring nothing where datagrams are coalesced, and would leave the processor's cache.
const SLOTS: usize = 8;
/// Bytes of a receive: what the kernel coalesces at most. It drops what does not fit, without a word.
const SLOT: usize = 1 << 16;

/// Room for datagrams that arrive together.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    meta: [RecvMeta; SLOTS],
    filled: usize,
    /// Whether the address that a datagram reached is worth telling.
    local: bool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let bytes = vec![0; SLOTS * SLOT].into_boxed_slice();
        Self { bytes, meta: [RecvMeta::default(); SLOTS], filled: 0, local: false }
    }

    /// Receives over what was there before.
    pub(super) fn fill(
        &mut self,
        state: &UdpSocketState,
        socket: UdpSockRef<'_>,
        local: bool,
    ) -> io::Result<()> {
        self.filled = 0;
        self.local = local;
        let mut slots = self.bytes.chunks_exact_mut(SLOT);
        let mut slices: [IoSliceMut<'_>; SLOTS] =
            std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        self.filled = state.recv(socket, &mut slices, &mut self.meta)?;
        Ok(())
    }

    /// Bytes of all datagrams.
    pub(crate) fn len(&self) -> usize {
        self.meta.iter().take(self.filled).map(|meta| meta.len).sum()
    }

    /// The datagrams in their order.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.bytes.chunks_exact_mut(SLOT).zip(&self.meta).take(self.filled);
        let local = self.local;
        slots.flat_map(move |(slot, meta)| {
            let remote: SocketAddr = meta.addr;
            let local = if local { meta.dst_ip } else { None };
            let ecn = meta.ecn.map(super::to_ecn);
            let received = slot.get_mut(..meta.len).unwrap_or_default();
            split(received, meta.stride).map(move |payload| Datagram {
                remote,
                local,
                ecn,
                payload,
            })
        })
    }
}

/// Cuts a receive into its datagrams: `stride` bytes each, the last one what is left. A stride of 0 stands for a
/// single datagram. An empty datagram says nothing and is left out.
pub(super) fn split(received: &mut [u8], stride: usize) -> impl Iterator<Item = &mut [u8]> {
    let stride = if stride == 0 { received.len() } else { stride };
    received.chunks_mut(stride.max(1))
}
