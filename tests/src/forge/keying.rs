//! Handshakes and packets of forged peers, plain and sealed.

use gannet_protocol::{
    Config, Protect, Security,
    crypto::{Cipher, Identity, TAG_LEN},
    noise::{self, Initiator, Responder},
    sealed::{Limits, Sealed},
};

use super::{
    frame::{Frame, varint},
    packet::{
        ANSWER, DATA, DATA_HEADER, FINISH, Parameters, all_frames, data, data_header, data_parts,
        handshake, handshake_payload, hello_with,
    },
    peer::{answer, finish, hello, server_of},
};
use crate::{
    crypto::Seeded,
    world::{ClientId, Path, World},
};

/// The suite of a sealed hello: AES-256-GCM.
const SUITE: u8 = 1;
/// How that suite seals.
const CIPHER: Cipher = Cipher::Aes256Gcm;
/// Where the cookie of a hello stands, behind its length: type, receiver, version, suite and client are before it.
const COOKIE: usize = 22;

/// How connections are protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// By a checksum.
    Plain,
    /// By an AEAD with the keys of a Noise handshake.
    Sealed,
}

impl Mode {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Plain, Self::Sealed];

    /// A world with a server that wants it so.
    #[must_use]
    pub fn world(self, seed: u64) -> World {
        World::with_server(seed, self.config(&server_identity()))
    }

    /// An honest client that knows the server of [`Self::world`].
    pub fn add_client(self, world: &mut World, path: Path) -> ClientId {
        let path = world.add_path(path);
        let config = self.config(&Seeded::new(2 + world.clients().count() as u64).identity());
        world.add_client_to(path, config, *server_identity().public())
    }

    fn config(self, identity: &Identity) -> Config {
        let mut config = Config::default();
        if self == Self::Sealed {
            config.security = Security::Sealed(identity.clone());
        }
        config
    }
}

/// Who the servers of [`Mode::world`] are, and those that take their place.
#[must_use]
pub fn server_identity() -> Identity {
    Seeded::new(1).identity()
}

/// Who the forged clients are.
fn client_identity() -> Identity {
    Seeded::new(77).identity()
}

/// What both ends of a sealed handshake must know alike.
fn prologue(hello: &[u8]) -> Vec<u8> {
    // Version and suite, cookie, client.
    let cookie = usize::from(hello[COOKIE]);
    [b"gannet", &hello[9..14], &hello[COOKIE..=COOKIE + cookie], &hello[14..COOKIE]].concat()
}

/// What the hello carries.
fn payload(hello: &[u8]) -> Vec<u8> {
    let mut rest = &hello[COOKIE..];
    let cookie = varint(&mut rest).expect("a cookie");
    rest = &rest[usize::try_from(cookie).expect("a length")..];
    let len = varint(&mut rest).expect("a payload");
    rest[..usize::try_from(len).expect("a length")].to_vec()
}

/// A client that says hello.
#[derive(Debug)]
pub(super) struct Greeting {
    hello: Vec<u8>,
    initiator: Option<Initiator>,
}

impl Greeting {
    pub(super) fn new(mode: Mode, client: u64) -> Self {
        match mode {
            Mode::Plain => Self { hello: hello(client), initiator: None },
            Mode::Sealed => {
                let prologue = prologue(&hello_with(SUITE, client, b"", b""));
                let begin = Initiator::new(&client_identity(), CIPHER, &prologue, b"").unwrap();
                let hello = hello_with(SUITE, client, b"", begin.message());
                Self { hello, initiator: Some(begin) }
            }
        }
    }

    pub(super) fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// Reads an answer: the server's id, the FINISH that says `parameters`, and what protects packets from then on.
    pub(super) fn read(
        &self,
        packet: &[u8],
        parameters: &Parameters,
    ) -> Option<(u64, Vec<u8>, Protection)> {
        let Some(initiator) = &self.initiator else {
            let server = server_of(packet)?;
            return Some((server, finish(server, parameters), Protection::Plain));
        };
        let (_, payload) = handshake_payload(packet).filter(|_| packet[0] == ANSWER)?;
        let answer = initiator.read_2(payload).ok()?;
        let id: [u8; 8] = answer.payload().get(..8)?.try_into().ok()?;
        let said = [&id[..], &parameters.encode()].concat();
        let (message, keys) = answer.write_3(&said).ok()?;
        let server = u64::from_be_bytes(id);
        Some((server, handshake(FINISH, server, &message), Protection::sealed(keys)))
    }
}

/// A server that answered a hello.
#[derive(Debug)]
pub(super) struct Answering {
    packet: Vec<u8>,
    noise: Option<noise::Answering>,
}

impl Answering {
    /// As that identity, if the hello wants any.
    pub(super) fn new(
        hello: &[u8],
        server: u64,
        parameters: &Parameters,
        identity: &Identity,
    ) -> Self {
        if hello[13] != SUITE {
            return Self { packet: answer(hello, server, parameters), noise: None };
        }
        let client = u64::from_be_bytes(hello[14..COOKIE].try_into().expect("an id"));
        let responder =
            Responder::read_1(identity, CIPHER, &prologue(hello), &payload(hello)).unwrap();
        let said = [&server.to_be_bytes()[..], &parameters.encode()].concat();
        let noise = responder.write_2(&said).unwrap();
        Self { packet: handshake(ANSWER, client, noise.message()), noise: Some(noise) }
    }

    pub(super) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// What protects packets from the client's FINISH on, which is looked for in `heard`.
    pub(super) fn finish(mut self, heard: &[Vec<u8>]) -> Option<Protection> {
        let Some(noise) = &mut self.noise else { return Some(Protection::Plain) };
        let finish = heard.iter().rev().find(|packet| packet.first() == Some(&FINISH))?;
        let (_, payload) = handshake_payload(finish)?;
        Some(Protection::sealed(noise.read_3(payload).ok()?.keys))
    }
}

/// What protects a forged peer's packets.
#[derive(Debug)]
pub(super) enum Protection {
    Plain,
    Sealed(Box<Sealed>),
}

impl Protection {
    fn sealed(keys: noise::Keys) -> Self {
        let crypto = client_identity().crypto().clone();
        let limits = Limits::new(keys.cipher);
        Self::Sealed(Box::new(Sealed::new(&crypto, keys, limits)))
    }

    /// A DATA packet.
    pub(super) fn seal(&mut self, to: u64, number: u64, frames: &[Frame]) -> Vec<u8> {
        let Self::Sealed(sealed) = self else { return data(to, number, frames) };
        let mut packet = vec![DATA];
        packet.extend_from_slice(&to.to_be_bytes());
        packet.extend_from_slice(&number.to_be_bytes());
        frames.iter().for_each(|frame| frame.write(&mut packet));
        packet.resize(packet.len() + TAG_LEN, 0);
        sealed.seal(number, DATA_HEADER, &mut packet).expect("numbers grow");
        packet
    }

    /// The receiver, the number and the frames of a DATA packet.
    pub(super) fn open(&mut self, packet: &[u8]) -> Option<(u64, u64, Vec<Frame>)> {
        let Self::Sealed(sealed) = self else { return data_parts(packet) };
        let (to, number) = data_header(packet)?;
        let mut packet = packet.to_vec();
        let opened = sealed.open(number, DATA_HEADER, &mut packet).ok()?;
        Some((to, number, all_frames(opened).collect()))
    }
}
