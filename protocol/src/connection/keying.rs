//! What HELLO, ANSWER and FINISH carry, in the clear or as a Noise handshake, and the packet protection that comes of it
//! (docs/protocol.md, "Handshake").

use alloc::{boxed::Box, vec::Vec};

use crate::{
    OpenError, Plain, Protect, SealError, Security,
    crypto::{Identity, PublicKey, Suite},
    noise::{Answer, Answering, HandshakeError, Initiator, Keys, Responder},
    random::Random,
    sealed::{Limits, Lowered, MAX_NUMBER, Sealed},
    wire::{
        cursor::Writer,
        packet::{ConnectionId, Hello, VERSION},
    },
};

/// Bytes that a client invents in plain mode, and the server gives back to show that it read the hello.
const NONCE_LEN: usize = 16;
/// Bytes of the connection id at the head of what a server says.
const ID_LEN: usize = 8;

/// The protection of a connection's packets.
#[derive(Debug)]
pub(super) enum Protection {
    Plain(Plain),
    Sealed(Box<Sealed>),
}

impl Protection {
    /// Lowers the limits of keys, for tests, before they are used.
    pub(super) fn lower(&mut self, to: Lowered) {
        if let Self::Sealed(sealed) = self {
            sealed.lower(to);
        }
    }

    /// The last packet number.
    pub(super) fn max_number(&self) -> u64 {
        match self {
            Self::Plain(_) => MAX_NUMBER,
            Self::Sealed(sealed) => sealed.max_number(),
        }
    }
}

impl Protect for Protection {
    fn tag_len(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.tag_len(),
            Self::Sealed(sealed) => sealed.tag_len(),
        }
    }

    fn seal(&mut self, number: u64, header_len: usize, packet: &mut [u8]) -> Result<(), SealError> {
        match self {
            Self::Plain(plain) => plain.seal(number, header_len, packet),
            Self::Sealed(sealed) => sealed.seal(number, header_len, packet),
        }
    }

    fn open<'p>(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], OpenError> {
        match self {
            Self::Plain(plain) => plain.open(number, header_len, packet),
            Self::Sealed(sealed) => sealed.open(number, header_len, packet),
        }
    }
}

fn sealed(identity: &Identity, keys: Keys) -> Protection {
    let limits = Limits::new(keys.cipher);
    Protection::Sealed(Box::new(Sealed::new(identity.crypto(), keys, limits)))
}

/// What both ends must know alike, or the handshake comes to nothing: version, suite, cookie and the client's connection id,
/// as they stand in the hello.
fn prologue(suite: Suite, client: ConnectionId) -> Vec<u8> {
    let mut bytes = alloc::vec![0; 32];
    let mut w = Writer::new(&mut bytes);
    w.bytes(b"gannet");
    w.u32(VERSION);
    w.u8(suite.number());
    w.prefixed(&[]);
    w.u64(client.0);
    let len = w.finish().unwrap_or_default();
    bytes.truncate(len);
    bytes
}

/// The client's side of a handshake.
#[derive(Debug)]
pub(super) enum ClientKeying {
    Plain {
        nonce: [u8; NONCE_LEN],
    },
    Sealed {
        identity: Identity,
        suite: Suite,
        initiator: Box<Initiator>,
        /// The key that the server has to prove, if that is known.
        expected: Option<PublicKey>,
    },
}

/// Why an ANSWER is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotAnswered {
    /// It is not to our hello, or not from whom we look for: it is ignored, for anybody may send one.
    Noise,
    /// The server proved this key, and nobody said which one to look for.
    UnknownKey(PublicKey),
}

/// An ANSWER that was taken.
#[derive(Debug)]
pub(super) struct Answered {
    /// The server's connection id and parameters.
    pub(super) said: Vec<u8>,
    pub(super) peer: Option<PublicKey>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Plain,
    Sealed(Identity, Box<Answer>),
}

impl ClientKeying {
    pub(super) fn new(
        security: &Security,
        own: ConnectionId,
        expected: Option<PublicKey>,
        random: &mut Random,
    ) -> Result<Self, HandshakeError> {
        let identity = match security {
            Security::Plain => {
                let mut nonce = [0; NONCE_LEN];
                let halves = nonce.as_chunks_mut::<8>().0;
                halves.iter_mut().for_each(|half| *half = random.next().to_be_bytes());
                return Ok(Self::Plain { nonce });
            }
            Security::Sealed(identity) => identity.clone(),
        };
        let cipher = crate::crypto::Cipher::preferred(&**identity.crypto());
        let suite = Suite::Sealed(cipher);
        let initiator = Initiator::new(&identity, cipher, &prologue(suite, own), &[])?;
        Ok(Self::Sealed { identity, suite, initiator: Box::new(initiator), expected })
    }

    pub(super) const fn suite(&self) -> u8 {
        match self {
            Self::Plain { .. } => Suite::Plain.number(),
            Self::Sealed { suite, .. } => suite.number(),
        }
    }

    /// What the hello carries.
    pub(super) fn hello(&self) -> &[u8] {
        match self {
            Self::Plain { nonce } => nonce,
            Self::Sealed { initiator, .. } => initiator.message(),
        }
    }

    /// Reads what an ANSWER carries.
    pub(super) fn read_answer(&self, payload: &[u8]) -> Result<Answered, NotAnswered> {
        match self {
            Self::Plain { nonce } => {
                let (id, rest) = payload.split_at_checked(ID_LEN).ok_or(NotAnswered::Noise)?;
                let parameters = rest.strip_prefix(nonce).ok_or(NotAnswered::Noise)?;
                Ok(Answered { said: [id, parameters].concat(), peer: None, way: Way::Plain })
            }
            Self::Sealed { identity, initiator, expected, .. } => {
                let answer = initiator.read_2(payload).map_err(|_| NotAnswered::Noise)?;
                let peer = *answer.peer();
                match expected {
                    None => return Err(NotAnswered::UnknownKey(peer)),
                    Some(key) if *key != peer => return Err(NotAnswered::Noise),
                    Some(_) => {}
                }
                let said = answer.payload().to_vec();
                let way = Way::Sealed(identity.clone(), Box::new(answer));
                Ok(Answered { said, peer: Some(peer), way })
            }
        }
    }
}

impl Answered {
    /// Concludes the handshake: what the FINISH carries, and the protection of what follows.
    pub(super) fn finish(self, said: &[u8]) -> Result<(Vec<u8>, Protection), HandshakeError> {
        match self.way {
            Way::Plain => Ok((said.to_vec(), Protection::Plain(Plain))),
            Way::Sealed(identity, answer) => {
                let (message, keys) = answer.write_3(said)?;
                Ok((message, sealed(&identity, keys)))
            }
        }
    }
}

/// The server's side of a handshake.
#[derive(Debug)]
pub(super) enum ServerKeying {
    Plain,
    Sealed(Identity, Box<Answering>),
}

/// A FINISH that was taken.
#[derive(Debug)]
pub(super) struct Finished {
    /// The server's connection id, confirmed, and the client's parameters.
    pub(super) said: Vec<u8>,
    pub(super) peer: Option<PublicKey>,
    pub(super) protection: Protection,
}

impl ServerKeying {
    /// Reads a hello, and makes up what the ANSWER carries: `said` is our connection id and parameters.
    pub(super) fn answer(
        security: &Security,
        hello: &Hello<'_>,
        said: &[u8],
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let suite = Suite::from_number(hello.suite).ok_or(HandshakeError::Malformed)?;
        match (security, suite) {
            (Security::Plain, Suite::Plain) => {
                let nonce: &[u8; NONCE_LEN] =
                    hello.payload.try_into().map_err(|_| HandshakeError::Malformed)?;
                let split = said.split_at_checked(ID_LEN).ok_or(HandshakeError::Internal)?;
                let (id, parameters) = split;
                Ok((Self::Plain, [id, nonce, parameters].concat()))
            }
            (Security::Sealed(identity), Suite::Sealed(cipher)) => {
                let prologue = prologue(suite, hello.client);
                let responder = Responder::read_1(identity, cipher, &prologue, hello.payload)?;
                let answering = responder.write_2(said)?;
                let message = answering.message().to_vec();
                Ok((Self::Sealed(identity.clone(), Box::new(answering)), message))
            }
            // Neither mode is ever talked down to the other.
            _ => Err(HandshakeError::Malformed),
        }
    }

    /// Reads what a FINISH carries; nothing changes if it is not the client's.
    pub(super) fn read_finish(&mut self, payload: &[u8]) -> Result<Finished, HandshakeError> {
        match self {
            Self::Plain => Ok(Finished {
                said: payload.to_vec(),
                peer: None,
                protection: Protection::Plain(Plain),
            }),
            Self::Sealed(identity, answering) => {
                let confirmed = answering.read_3(payload)?;
                Ok(Finished {
                    said: confirmed.payload,
                    peer: Some(confirmed.peer),
                    protection: sealed(identity, confirmed.keys),
                })
            }
        }
    }
}
