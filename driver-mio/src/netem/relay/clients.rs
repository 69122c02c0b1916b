//! The sockets that the server sees, one for each client.

use socket2::SockRef;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// A test has a handful of clients; each costs a socket.
const MOST_CLIENTS: usize = 64;

/// What each socket's buffers should hold: 40 ms at a gigabit. Systems grant less as they like.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Who talks to the server, each through a socket of its own.
pub(super) struct Clients {
    server: SocketAddr,
    list: Vec<Client>,
}

struct Client {
    address: SocketAddr,
    upstream: UdpSocket,
}

/// A client by the order of its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientId(usize);

impl Clients {
    pub(super) const fn new(server: SocketAddr) -> Self {
        Self { server, list: Vec::new() }
    }

    /// The client at `address`, new or known; none if there are too many or no more sockets.
    pub(super) fn at(&mut self, address: SocketAddr) -> Option<ClientId> {
        if let Some(known) = self.list.iter().position(|client| client.address == address) {
            return Some(ClientId(known));
        }
        if self.list.len() == MOST_CLIENTS {
            return None;
        }
        let upstream = connected(self.server).ok()?;
        self.list.push(Client { address, upstream });
        Some(ClientId(self.list.len() - 1))
    }

    pub(super) fn address(&self, id: ClientId) -> Option<SocketAddr> {
        self.list.get(id.0).map(|client| client.address)
    }

    pub(super) fn upstream(&self, id: ClientId) -> Option<&UdpSocket> {
        self.list.get(id.0).map(|client| &client.upstream)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ClientId> + use<> {
        (0..self.list.len()).map(ClientId)
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = &UdpSocket> {
        self.list.iter().map(|client| &client.upstream)
    }

    /// Gives each client another port. The old one is taken until then, so the new one differs.
    pub(super) fn rebind(&mut self) -> io::Result<()> {
        for client in &mut self.list {
            client.upstream = connected(self.server)?;
        }
        Ok(())
    }
}

/// A socket that talks to `server` alone.
fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = socket(any)?;
    socket.connect(server)?;
    Ok(socket)
}

/// A socket that does not block and has large buffers.
pub(super) fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // Smaller buffers lose more in bursts, which is no reason to give up.
    let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER_BYTES);
    Ok(socket)
}
