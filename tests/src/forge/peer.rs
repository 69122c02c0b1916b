//! Peers that say whatever a test wants, to a server or a client of a world.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use gannet_protocol::crypto::Identity;

use super::{
    frame::Frame,
    keying::{Answering, Greeting, Mode, Protection, server_identity},
    packet::{
        ANSWER, FINISH, HELLO, Parameters, cookie_of, handshake, handshake_payload, hello_with,
    },
};
use crate::world::{ClientId, Direction, World};

/// What a client invents, and an answer gives back.
const NONCE: [u8; 16] = *b"a forged nonce!!";

/// A hello of this version of the protocol.
#[must_use]
pub fn hello(client: u64) -> Vec<u8> {
    hello_with_cookie(client, &[])
}

/// The same with a cookie.
#[must_use]
pub fn hello_with_cookie(client: u64, cookie: &[u8]) -> Vec<u8> {
    hello_with(0, client, cookie, &NONCE)
}

/// A hello for sealed packets, whose key is whatever the number makes of it; so is the client's id.
#[must_use]
pub fn sealed_hello(number: u32, cookie: &[u8]) -> Vec<u8> {
    let mut key = [9; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    hello_with(1, u64::from(number), cookie, &key)
}

/// An address where nobody of a world is, each in a network of its own.
#[must_use]
pub fn stranger(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0x6400_0001 + (number << 8)).into(), 4000)
}

/// A confirmation.
#[must_use]
pub fn finish(server: u64, parameters: &Parameters) -> Vec<u8> {
    let mut payload = server.to_be_bytes().to_vec();
    payload.extend_from_slice(&parameters.encode());
    handshake(FINISH, server, &payload)
}

/// An answer to a client's hello.
#[must_use]
pub fn answer(hello: &[u8], server: u64, parameters: &Parameters) -> Vec<u8> {
    assert_eq!(hello.first(), Some(&HELLO));
    let client = u64::from_be_bytes(hello[14..22].try_into().expect("an id"));
    // Behind the id stand the length of no cookie and that of the nonce.
    let nonce = &hello[24..40];
    let mut payload = server.to_be_bytes().to_vec();
    payload.extend_from_slice(nonce);
    payload.extend_from_slice(&parameters.encode());
    handshake(ANSWER, client, &payload)
}

/// The id that a server chose, as its answer tells.
#[must_use]
pub fn server_of(answer: &[u8]) -> Option<u64> {
    let (_, payload) = handshake_payload(answer).filter(|_| answer.first() == Some(&ANSWER))?;
    Some(u64::from_be_bytes(payload.get(..8)?.try_into().ok()?))
}

/// A client of a world's server, outside of the network: what it sends arrives at once.
#[derive(Debug)]
pub struct ForgedClient {
    /// Where it is.
    pub address: SocketAddr,
    /// The id that the server chose.
    pub server: u64,
    /// The number of its next packet.
    pub number: u64,
    protection: RefCell<Protection>,
}

impl ForgedClient {
    /// Shakes hands as `parameters` have it.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn connect(world: &mut World, address: SocketAddr, parameters: &Parameters) -> Self {
        let server = Self::greet(world, address).expect("an answer");
        world.spoof(address, &finish(server, parameters));
        Self::plain(address, server)
    }

    /// The same with a server of [`Mode::world`].
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn connect_in(
        mode: Mode,
        world: &mut World,
        address: SocketAddr,
        parameters: &Parameters,
    ) -> Self {
        let greeting = Greeting::new(mode, 77);
        world.spoof(address, greeting.hello());
        let answers = world.take_strays(address);
        let read = answers.iter().find_map(|packet| greeting.read(packet, parameters));
        let (server, finish, protection) = read.expect("an answer");
        world.spoof(address, &finish);
        Self { address, server, number: 0, protection: RefCell::new(protection) }
    }

    /// A client that a plain server answered with this id.
    #[must_use]
    pub const fn plain(address: SocketAddr, server: u64) -> Self {
        Self { address, server, number: 0, protection: RefCell::new(Protection::Plain) }
    }

    /// Says hello, with a cookie if the server asks for one; gives the id that the server answers with.
    pub fn greet(world: &mut World, address: SocketAddr) -> Option<u64> {
        world.spoof(address, &hello(77));
        let mut answers = world.take_strays(address);
        if let Some(cookie) = answers.iter().find_map(|packet| cookie_of(packet)) {
            world.spoof(address, &hello_with_cookie(77, &cookie));
            answers = world.take_strays(address);
        }
        answers.iter().find_map(|packet| server_of(packet))
    }

    /// A packet of these frames, not sent.
    pub fn packet(&mut self, frames: &[Frame]) -> Vec<u8> {
        self.number += 1;
        self.protection.get_mut().seal(self.server, self.number - 1, frames)
    }

    /// Sends a packet of these frames.
    pub fn send(&mut self, world: &mut World, frames: &[Frame]) {
        let packet = self.packet(frames);
        world.spoof(self.address, &packet);
    }

    /// What came since the last time: number and frames of each packet.
    pub fn receive(&self, world: &mut World) -> Vec<(u64, Vec<Frame>)> {
        let packets = world.take_strays(self.address);
        let mut protection = self.protection.borrow_mut();
        let opened = packets.iter().filter_map(|packet| protection.open(packet));
        opened.map(|(_, number, frames)| (number, frames)).collect()
    }

    /// The code of the CLOSE that came since the last time, if one did.
    pub fn closed(&self, world: &mut World) -> Option<u64> {
        self.receive(world).into_iter().flat_map(|(_, frames)| frames).find_map(|frame| match frame
        {
            Frame::Close(code) => Some(code),
            _ => None,
        })
    }
}

/// A server that takes the place of a world's own, for one client.
#[derive(Debug)]
pub struct ForgedServer {
    client: ClientId,
    /// What the client sent.
    heard: Rc<RefCell<Vec<Vec<u8>>>>,
    /// The id that the client chose.
    id: u64,
    /// The number of its next packet.
    pub number: u64,
    /// Once the client has confirmed.
    protection: RefCell<Option<Protection>>,
}

impl ForgedServer {
    /// Takes the server's place, hears the hello, and says nothing yet.
    pub fn replace(world: &mut World, client: ClientId) -> Self {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let ear = Rc::clone(&heard);
        let address = world.address(client);
        world.set_filter(move |passing| {
            if passing.direction == Direction::Up && passing.from == address {
                ear.borrow_mut().push(passing.payload.to_vec());
            }
            passing.from != address && passing.to != address
        });
        Self { client, heard, id: 0, number: 0, protection: RefCell::new(None) }
    }

    /// Answers the client's hello as `parameters` have it, in its mode, as the server of [`Mode::world`].
    ///
    /// # Panics
    /// If there is none.
    pub fn answer(&mut self, world: &mut World, parameters: &Parameters) {
        self.answer_as(world, parameters, &server_identity());
    }

    /// The same as somebody else.
    ///
    /// # Panics
    /// If there is no hello.
    pub fn answer_as(&mut self, world: &mut World, parameters: &Parameters, identity: &Identity) {
        world.run_for(std::time::Duration::from_millis(1));
        let hello = self.heard.borrow().iter().find(|p| p.first() == Some(&HELLO)).cloned();
        let hello = hello.expect("a hello");
        self.id = u64::from_be_bytes(hello[14..22].try_into().expect("an id"));
        let answering = Answering::new(&hello, 99, parameters, identity);
        world.spoof_down(self.client, answering.packet());
        *self.protection.get_mut() = answering.finish(&self.heard.borrow());
    }

    /// The id that the client chose, once it was answered.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// A packet of these frames, not sent.
    ///
    /// # Panics
    /// If the client has not confirmed.
    pub fn packet(&mut self, frames: &[Frame]) -> Vec<u8> {
        self.number += 1;
        let protection = self.protection.get_mut().as_mut().expect("the client confirmed");
        protection.seal(self.id, self.number - 1, frames)
    }

    /// Sends a packet of these frames.
    pub fn send(&mut self, world: &mut World, frames: &[Frame]) {
        let packet = self.packet(frames);
        world.spoof_down(self.client, &packet);
    }

    /// What came since the last time.
    pub fn receive(&self) -> Vec<Vec<u8>> {
        self.heard.take()
    }

    /// The frames that came since the last time.
    pub fn frames(&self) -> Vec<Frame> {
        let packets = self.receive();
        let mut protection = self.protection.borrow_mut();
        let Some(protection) = protection.as_mut() else { return Vec::new() };
        packets
            .iter()
            .filter_map(|packet| protection.open(packet))
            .flat_map(|(_, _, f)| f)
            .collect()
    }
}
