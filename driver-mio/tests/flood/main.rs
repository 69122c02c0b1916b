//! A real server that is flooded with all that strangers and a man on the path can send, while a client's transfers go on.

mod packets;
mod tap;
#[path = "../together/world.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod world;

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use gannet_driver_mio::client::{Client, Job, Transferred};

use packets::{
    ANSWER, DATA, FINISH, HELLO, HELLO_LEN, RESET, RETRY, VERSIONS, checked, handshake, hello,
    stray,
};
use tap::{Tap, socket};
use world::{World, assert_holds, content, finish, name, root_as};

/// Bursts, each of which a round trip of an honest client follows: so the server has read all of it, and what it answers is
/// here. Small enough for the socket's buffer.
const BURSTS: usize = 120;
/// Bursts after which memory is as it will be: tables have their size, and threads their stacks.
const WARM_UP: usize = 30;
/// By how much memory may grow in all bursts after that. Half-open handshakes may take 3 MiB; the rest is the slack of
/// allocators on several threads. Each of these 90 bursts brings some 120 KiB, so that keeping them would show.
const MAX_GROWTH: u64 = 8 << 20;
/// Bytes of each honest file.
const LEN: usize = 4 << 20;

/// A stranger's socket, and what went over it.
struct Stranger {
    socket: UdpSocket,
    server: SocketAddr,
    sent: usize,
    replies: Vec<Vec<u8>>,
}

impl Stranger {
    fn new(server: SocketAddr) -> Self {
        let socket = socket();
        socket.set_nonblocking(true).unwrap();
        Self { socket, server, sent: 0, replies: Vec::new() }
    }

    fn send(&mut self, packet: &[u8]) {
        if self.socket.send_to(packet, self.server).is_ok() {
            self.sent += packet.len();
        }
    }

    fn hear(&mut self) {
        let mut buf = [0; 2048];
        while let Ok(len) = self.socket.recv(&mut buf) {
            self.replies.push(buf[..len].to_vec());
        }
    }

    fn heard(&self) -> usize {
        self.replies.iter().map(Vec::len).sum()
    }

    /// Checks that nothing but packets of these types came, which together have at most a share of the bytes that were sent.
    #[track_caller]
    fn check(&self, kinds: &[u8], share: usize) {
        assert!(self.sent > 0 && !self.replies.is_empty());
        assert!(self.replies.iter().all(|reply| kinds.contains(&reply[0])));
        assert!(self.heard() * share <= self.sent, "{} for {}", self.heard(), self.sent);
    }
}

/// All the strangers.
struct Strangers {
    /// Says what is answered by nothing.
    noisy: Stranger,
    /// Says whole hellos.
    greeter: Stranger,
    /// Says hellos of other versions.
    other_version: Stranger,
    /// Sends packets for connections that are not there.
    lost: Stranger,
}

impl Strangers {
    fn new(server: SocketAddr) -> Self {
        let new = || Stranger::new(server);
        Self { noisy: new(), greeter: new(), other_version: new(), lost: new() }
    }

    fn burst(&mut self, burst: usize, tap: &Tap) {
        let Self { noisy, greeter, other_version, lost } = self;
        // Junk of every length; every type, with a right checksum and without.
        for len in (burst..1500).step_by(BURSTS) {
            let junk = content(len as u64, len);
            // What looks like a packet for a connection is not for this stranger.
            if junk.first() != Some(&DATA) {
                noisy.send(&junk);
            }
            let kind = (len % 256) as u8;
            if ![HELLO, DATA].contains(&kind) {
                noisy.send(&checked([&[kind][..], &junk].concat()));
            }
        }
        let number = burst as u64 * 100;
        for i in 0..5 {
            noisy.send(&[]);
            noisy.send(&hello(1, number + i, &[], HELLO_LEN - 1 - 7 * burst));
            noisy.send(&hello(1, number + i, &[i as u8; 16], HELLO_LEN));
            noisy.send(&hello(1, number + i, &[i as u8; 64], HELLO_LEN));
            greeter.send(&hello(1, number + i, &[], HELLO_LEN));
            lost.send(&stray(number + i));
        }
        other_version.send(&hello(7, number, &[], HELLO_LEN));
        // What a man on the path makes of a connection that lives: in his own name and in the client's.
        for mut packet in known(tap, burst) {
            noisy.send(&packet);
            tap.send(&packet);
            if let Some(last) = packet.last_mut() {
                *last ^= 1;
            }
            noisy.send(&packet);
            tap.send(&packet);
            let id = u64::from_be_bytes(packet[1..9].try_into().unwrap());
            for kind in [ANSWER, FINISH, RETRY, VERSIONS] {
                noisy.send(&handshake(kind, id, &[kind; 60]));
                tap.send(&handshake(kind, id, &[kind; 60]));
            }
            let reset = [&[RESET][..], &id.to_be_bytes(), &[burst as u8; 16]].concat();
            noisy.send(&checked(reset));
        }
    }

    fn hear(&mut self) {
        for stranger in
            [&mut self.noisy, &mut self.greeter, &mut self.other_version, &mut self.lost]
        {
            stranger.hear();
        }
    }
}

/// Some of the packets that a client sent to a connection.
fn known(tap: &Tap, burst: usize) -> Vec<Vec<u8>> {
    let seen = tap.seen();
    let packets = seen.into_iter().filter(|packet| packet[0] != HELLO);
    packets.skip(burst * 3).take(3).collect()
}

/// An honest client, whose transfers follow each other.
struct Honest {
    client: Client,
    job: Job<Transferred>,
    done: usize,
}

impl Honest {
    fn new(world: &World, address: SocketAddr) -> Self {
        fs::write(world.there("file"), content(1, LEN)).unwrap();
        let client = world.client_over(address);
        let job = client.get(name("file"), world.here("file-0"));
        Self { client, job, done: 0 }
    }

    /// Begins the next transfer if one is over.
    fn go_on(&mut self, world: &World) {
        if let Some(result) = self.job.wait_timeout(Duration::ZERO) {
            result.unwrap();
            self.done += 1;
            let to = format!("file-{}", self.done);
            self.job = self.client.get(name("file"), world.here(&to));
        }
    }

    fn finish(self, world: &World) {
        finish(self.job).unwrap();
        for number in 0..=self.done {
            assert_holds(&world.here(&format!("file-{number}")), &content(1, LEN));
        }
    }
}

/// Bytes of memory that the process has, where the system tells.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.map_or(0, |kib| kib.parse::<u64>().unwrap() << 10)
}

/// `docs/hostile-input.md`, rows 1, 6, 11, 12, 13, 18, 19, 21 and 22.
#[test]
fn a_flood_costs_an_honest_client_nothing() {
    let world = World::new();
    let tap = Tap::start(world.address);
    let mut honest = Honest::new(&world, tap.address);
    let observer = world.client();
    observer.confirm().unwrap();
    let mut strangers = Strangers::new(world.address);
    let (mut before, mut most) = (0, 0);
    for burst in 0..BURSTS {
        strangers.burst(burst, &tap);
        // The server has come to the end of the burst, and is as quick as ever.
        finish(observer.list(None)).unwrap();
        strangers.hear();
        honest.go_on(&world);
        match burst {
            0..WARM_UP => before = resident(),
            _ => most = most.max(resident()),
        }
    }
    assert!(most <= before + MAX_GROWTH, "from {before} to {most}");
    // Who comes now is let in, too.
    fs::write(world.here("up"), content(2, LEN)).unwrap();
    finish(world.client().put(world.here("up"), root_as("up"))).unwrap();
    assert_holds(&world.there("up"), &content(2, LEN));
    honest.finish(&world);
    strangers.hear();
    assert_eq!(world.names_there(), ["file", "up"]);
    let Strangers { noisy, greeter, other_version, lost } = &strangers;
    assert_eq!(noisy.replies, [[0; 0]; 0], "noise is answered");
    greeter.check(&[ANSWER, RETRY], 3);
    other_version.check(&[VERSIONS], 10);
    lost.check(&[RESET], 3);
    assert!(lost.replies.len() < BURSTS);
}
