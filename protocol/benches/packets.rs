//! What the state machine costs per packet, without cryptography, sockets and files, and whether that grows with the number of
//! connections.
//!
//! `cargo bench -p gannet-protocol --bench packets -- [CONNECTIONS]...`
//!
//! A server sends to clients, one batch a turn, and each batch is acknowledged. Figures are nanoseconds for each packet of a body,
//! the least of several rounds: what else the machine does only adds to them.

use std::{
    array, env,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{self, Duration},
};

use gannet_protocol::{
    BodyId, BodyLen, Config, Datagram, Endpoint, Event, ExchangeId, Expected, FileDone, FileTime,
    Get, Identity as FileIdentity, Instant, Meta, Mode, Name, PublicKey, Reply, Request, Security,
    Source, Ticket, Unread,
    crypto::{
        Aead, AeadFailed, Cipher, Crypto, HASH_LEN, Identity, KeyPair, NONCE_LEN, NoRandom, Secret,
        TAG_LEN, WeakKey,
    },
};

/// Between two batches: 64 KiB at 12 Gbit/s.
const STEP: Duration = Duration::from_micros(44);
/// Bytes of a batch, as the driver has them.
const BATCH: usize = 65_400;
/// Packets of a round.
const PACKETS: u64 = 400_000;
const ROUNDS: usize = 7;

/// Agrees on keys that anybody could compute, and protects nothing.
struct Nothing;

struct NoSecret([u8; 32], PublicKey);

struct NoAead;

/// Mixes bytes: what differs here differs there.
fn mix(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.for_each(|byte| state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mut out = [0; HASH_LEN];
    for chunk in out.chunks_mut(8) {
        state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    out
}

impl Crypto for Nothing {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        out.iter_mut().zip(1..).for_each(|(byte, number)| *byte = number);
        Ok(())
    }

    fn has_aes(&self) -> bool {
        true
    }

    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        Arc::new(NoSecret(*secret.expose(), PublicKey::from_bytes(*secret.expose())))
    }

    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        mix(&[data])
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        *out = mix(&[key, &mix(parts)]);
    }

    fn aead(&self, _: Cipher, _: &Secret) -> Box<dyn Aead> {
        Box::new(NoAead)
    }
}

impl KeyPair for NoSecret {
    fn public(&self) -> &PublicKey {
        &self.1
    }

    fn agree(&self, peer: &PublicKey) -> Result<Secret, WeakKey> {
        Ok(Secret::take(&mut array::from_fn(|at| self.0[at] ^ peer.as_bytes()[at])))
    }
}

impl Aead for NoAead {
    fn seal(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        Ok(())
    }

    fn seal_with(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &[u8],
    ) -> Result<(), AeadFailed> {
        Ok(())
    }

    fn open(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        Ok(())
    }
}

/// Bytes that are there already.
struct NoSource;

impl Source for NoSource {
    fn read(&mut self, _: BodyId, _: u64, _: &mut [u8]) -> Result<(), Unread> {
        Ok(())
    }

    fn lend<R>(
        &mut self,
        _: BodyId,
        _: u64,
        len: usize,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        Some(take([0; 1472].get(..len)?))
    }
}

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5555);

/// Where the client of that number is: each in a network of its own.
fn address(number: usize) -> SocketAddr {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    SocketAddr::from(([10 + a, b, c, 1], 40_000))
}

fn number_of(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { return 0 };
    let [_, b, c, _] = address.ip().octets();
    usize::from(b) << 8 | usize::from(c)
}

/// Nanoseconds for each packet of a body.
#[derive(Clone, Copy, Default)]
struct Figures {
    /// To make it.
    poll_transmit: f64,
    /// To take it in.
    handle_datagram: f64,
    /// To make its share of an acknowledgement.
    acknowledge: f64,
    /// To take that in.
    acknowledged: f64,
}

impl Figures {
    fn parts(&mut self) -> [&mut f64; 4] {
        [
            &mut self.poll_transmit,
            &mut self.handle_datagram,
            &mut self.acknowledge,
            &mut self.acknowledged,
        ]
    }
}

struct World {
    server: Endpoint,
    clients: Vec<Endpoint>,
    now: Instant,
    out: Vec<u8>,
    back: Vec<u8>,
}

impl World {
    /// Clients that each get a file without end.
    fn new(clients: usize) -> Self {
        let identity = |byte: u8| {
            let crypto: Arc<dyn Crypto> = Arc::new(Nothing);
            Identity::new(crypto, &Secret::take(&mut [byte; 32]))
        };
        let config = |byte| {
            let mut config = Config::default();
            config.max_datagram = 1472;
            config.security = Security::Sealed(identity(byte));
            config.idle_timeout = Duration::from_secs(100_000);
            config
        };
        let mut serving = config(1);
        serving.accept = true;
        let mut world = Self {
            server: Endpoint::new(serving, [1; 32]),
            clients: (0..clients).map(|_| Endpoint::new(config(2), [2; 32])).collect(),
            now: Instant::ZERO,
            out: vec![0; BATCH],
            back: vec![0; BATCH],
        };
        let key = *identity(1).public();
        let requests: Vec<_> = (0..clients).map(|number| world.connect(number, key)).collect();
        for exchange in requests {
            let mut session = world.server.session(exchange.connection()).expect("it lives");
            session.reply(exchange, Reply::Meta(endless())).expect("an answer");
        }
        world
    }

    /// Has a client ask for its file.
    fn connect(&mut self, number: usize, key: PublicKey) -> ExchangeId {
        let connection = self.clients[number].connect_to(self.now, SERVER, Expected::just(key));
        for _ in 0..1000 {
            // So slowly that the server does not think of an attack.
            self.now = self.now + Duration::from_millis(2);
            self.exchange(number, &mut Figures::default());
            while let Some(event) = self.clients[number].poll_event() {
                if matches!(event, Event::Connected(_)) {
                    let name = Name::parse(b"file").expect("a name");
                    let mut session = self.clients[number].session(connection).expect("it lives");
                    session.request(Request::Get(Get::all(name))).expect("one is allowed");
                }
                assert!(!matches!(event, Event::Closed(..)), "{event:?}");
            }
            while let Some(event) = self.server.poll_event() {
                if let Event::Request { exchange, .. } = event {
                    return exchange;
                }
            }
        }
        panic!("client {number} did not get anywhere");
    }

    /// Carries what both sides have to say, once; gives the packets of the server's.
    fn exchange(&mut self, number: usize, figures: &mut Figures) -> u64 {
        self.now = self.now + STEP;
        let Self { server, clients, now, out, back } = self;
        let now = *now;
        server.handle_timeout(now);
        if let Some(client) = clients.get_mut(number) {
            client.handle_timeout(now);
            answer(server, client, number, now, back, figures);
        }
        let start = time::Instant::now();
        let Some(sent) = server.poll_transmit(now, &mut NoSource, out) else { return 0 };
        figures.poll_transmit += nanos(start);
        let to = number_of(sent.remote);
        let Some(client) = clients.get_mut(to) else { return 0 };
        let start = time::Instant::now();
        let mut ticket: Option<Ticket> = None;
        for payload in out[..sent.len].chunks_mut(sent.segment_len) {
            let datagram = Datagram { remote: SERVER, local: None, ecn: None, payload };
            if let Some(write) = client.handle_datagram(now, datagram) {
                match &mut ticket {
                    Some(ticket) => ticket.merge(write.ticket).expect("one body"),
                    none => *none = Some(write.ticket),
                }
            }
        }
        if let Some(ticket) = ticket {
            client.handle_file(now, FileDone::Settled(ticket));
        }
        figures.handle_datagram += nanos(start);
        answer(server, client, to, now, back, figures);
        sent.len.div_ceil(sent.segment_len) as u64
    }

    /// Moves some packets; what each costs.
    fn round(&mut self) -> Figures {
        let (mut figures, mut packets) = (Figures::default(), 0);
        while packets < PACKETS {
            packets += self.exchange(usize::MAX, &mut figures);
            while self.server.poll_event().is_some() {}
        }
        figures.parts().into_iter().for_each(|part| *part /= packets as f64);
        figures
    }
}

/// Takes what a client has to say to the server.
fn answer(
    server: &mut Endpoint,
    client: &mut Endpoint,
    number: usize,
    now: Instant,
    back: &mut [u8],
    figures: &mut Figures,
) {
    loop {
        let start = time::Instant::now();
        let Some(sent) = client.poll_transmit(now, &mut NoSource, back) else { return };
        figures.acknowledge += nanos(start);
        let start = time::Instant::now();
        for payload in back[..sent.len].chunks_mut(sent.segment_len) {
            let datagram = Datagram { remote: address(number), local: None, ecn: None, payload };
            let none = server.handle_datagram(now, datagram);
            assert!(none.is_none(), "clients send no bodies");
        }
        figures.acknowledged += nanos(start);
    }
}

fn nanos(since: time::Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}

fn endless() -> Meta {
    Meta {
        len: BodyLen::Known(1 << 40),
        mode: Mode::default(),
        modified: FileTime::default(),
        identity: FileIdentity::default(),
    }
}

fn main() {
    if !env::args().any(|argument| argument == "--bench") {
        // As a test it would only take time.
        return;
    }
    let mut counts: Vec<usize> = env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![1, 100, 1_000, 8_000];
    }
    println!(
        "connections  poll_transmit  handle_datagram  acknowledge  acknowledged  (ns a packet)"
    );
    for count in counts {
        let mut world = World::new(count);
        world.round();
        let mut least = world.round();
        for _ in 1..ROUNDS {
            let mut figures = world.round();
            for (least, new) in least.parts().into_iter().zip(figures.parts()) {
                *least = least.min(*new);
            }
        }
        let Figures { poll_transmit, handle_datagram, acknowledge, acknowledged } = least;
        println!(
            "{count:11}  {poll_transmit:13.1}  {handle_datagram:15.1}  {acknowledge:11.1}  {acknowledged:12.1}"
        );
    }
}
