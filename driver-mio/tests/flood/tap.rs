//! A man on the path: passes a client's datagrams on, keeps copies, and can send in the client's name.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Packets of the client that are kept.
const MAX_KEPT: usize = 1_000;
/// How soon its threads see that they are to end.
const LOOK: Duration = Duration::from_millis(50);
/// Room for what comes while its threads do not run.
const BUFFER: usize = 4 << 20;

pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    /// As which the server knows the client.
    back: Arc<UdpSocket>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Less is no error: what finds no room is lost.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(BUFFER);
    socket
}

impl Tap {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let (front, back) = (Arc::new(socket()), Arc::new(socket()));
        back.connect(server).unwrap();
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(LOOK)).unwrap();
        }
        let address = front.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let client = Arc::new(Mutex::new(None));
        let up = {
            let (front, back, client) =
                (Arc::clone(&front), Arc::clone(&back), Arc::clone(&client));
            let (seen, done) = (Arc::clone(&seen), Arc::clone(&done));
            thread::spawn(move || {
                each(&front, &done, |packet, from| {
                    *client.lock().unwrap() = Some(from);
                    let mut seen = seen.lock().unwrap();
                    if seen.len() < MAX_KEPT {
                        seen.push(packet.to_vec());
                    }
                    let _ = back.send(packet);
                });
            })
        };
        let down = {
            let (back, done) = (Arc::clone(&back), Arc::clone(&done));
            thread::spawn(move || {
                each(&back, &done, |packet, _| {
                    if let Some(client) = *client.lock().unwrap() {
                        let _ = front.send_to(packet, client);
                    }
                });
            })
        };
        Self { address, back, seen, done, threads: vec![up, down] }
    }

    /// What the client sent so far.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }

    /// Sends as the client.
    pub(crate) fn send(&self, packet: &[u8]) {
        let _ = self.back.send(packet);
    }
}

/// Takes each datagram that comes until it is done.
fn each(socket: &UdpSocket, done: &AtomicBool, mut take: impl FnMut(&[u8], SocketAddr)) {
    let mut buf = vec![0; 65_535];
    while !done.load(Ordering::Relaxed) {
        if let Ok((len, from)) = socket.recv_from(&mut buf) {
            take(&buf[..len], from);
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}
