//! What HELLO, ANSWER and FINISH carry, in the clear or as a Noise handshake, and the packet protection that comes of it
//! (docs/protocol.md, "Handshake").

use alloc::{boxed::Box, vec::Vec};

use crate::{
    OpenError, Plain, Protect, SealError, Security,
    crypto::{Cipher, Identity, PublicKey, Suite},
    expected::{Expected, Judgement},
    noise::{Answer, Answering, HandshakeError, Initiator, Keys, Responder},
    random::Random,
    sealed::{Limits, Lowered, MAX_NUMBER, Sealed},
    wire::{
        cursor::Writer,
        packet::{ConnectionId, Hello, MAX_COOKIE, VERSION},
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

    fn seal_with(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &mut [u8],
        rest: &[u8],
    ) -> Result<(), SealError> {
        match self {
            Self::Plain(plain) => plain.seal_with(number, header_len, packet, rest),
            Self::Sealed(sealed) => sealed.seal_with(number, header_len, packet, rest),
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

/// What both ends must know alike, or the handshake comes to nothing: version, suite, cookie and the client's connection id,
/// as they stand in the hello.
fn prologue(suite: Suite, cookie: &[u8], client: ConnectionId) -> Vec<u8> {
    let mut bytes = alloc::vec![0; 32 + MAX_COOKIE];
    let mut w = Writer::new(&mut bytes);
    w.bytes(b"gannet");
    w.u32(VERSION);
    w.u8(suite.number());
    w.prefixed(cookie);
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
        cipher: Cipher,
        initiator: Box<Initiator>,
        /// The keys of which the server has to prove one.
        expected: Expected,
    },
}

/// Why an ANSWER is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotAnswered {
    /// It is not to our hello: it is ignored, for anybody may send one.
    Noise,
    /// The server proved this key, and another one is looked for: it is ignored, for anybody on the way may say so.
    WrongKey(PublicKey),
    /// The server proved this key, and nobody said which one to look for.
    UnknownKey(PublicKey),
}

/// An ANSWER that was taken.
#[derive(Debug)]
pub(super) struct Answered {
    /// The server's connection id and parameters.
    pub(super) said: Vec<u8>,
    way: Way,
}

/// What a handshake came to.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) protection: Protection,
    pub(super) peer: Option<Authenticated>,
}

/// Who is at the other end, for sure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticated {
    pub(crate) key: PublicKey,
    /// The hash of the whole handshake, the same at both ends and nowhere else.
    pub(crate) transcript: [u8; 32],
}

impl Secured {
    pub(super) const PLAIN: Self = Self { protection: Protection::Plain(Plain), peer: None };

    fn sealed(identity: &Identity, key: PublicKey, keys: Keys) -> Self {
        let (limits, transcript) = (Limits::new(keys.cipher), keys.transcript);
        let sealed = Sealed::new(identity.crypto(), keys, limits);
        Self {
            protection: Protection::Sealed(Box::new(sealed)),
            peer: Some(Authenticated { key, transcript }),
        }
    }
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
        expected: Expected,
        random: &mut Random,
    ) -> Result<Self, HandshakeError> {
        let identity = match security {
            Security::Plain => return Ok(Self::plain(random)),
            Security::Sealed(identity) => identity.clone(),
        };
        let cipher = Cipher::preferred(&**identity.crypto());
        Self::sealed((identity, cipher, expected), own, &[])
    }

    /// The same once more, for a hello with this cookie: nothing but the ids is used twice.
    pub(super) fn with_cookie(
        &self,
        own: ConnectionId,
        cookie: &[u8],
        random: &mut Random,
    ) -> Result<Self, HandshakeError> {
        match self {
            Self::Plain { .. } => Ok(Self::plain(random)),
            Self::Sealed { identity, cipher, expected, .. } => {
                Self::sealed((identity.clone(), *cipher, *expected), own, cookie)
            }
        }
    }

    fn plain(random: &mut Random) -> Self {
        let mut nonce = [0; NONCE_LEN];
        let halves = nonce.as_chunks_mut::<8>().0;
        halves.iter_mut().for_each(|half| *half = random.next().to_be_bytes());
        Self::Plain { nonce }
    }

    fn sealed(
        (identity, cipher, expected): (Identity, Cipher, Expected),
        own: ConnectionId,
        cookie: &[u8],
    ) -> Result<Self, HandshakeError> {
        let prologue = prologue(Suite::Sealed(cipher), cookie, own);
        let initiator = Initiator::new(&identity, cipher, &prologue, &[])?;
        Ok(Self::Sealed { identity, cipher, initiator: Box::new(initiator), expected })
    }

    pub(super) const fn suite(&self) -> u8 {
        match self {
            Self::Plain { .. } => Suite::Plain.number(),
            Self::Sealed { cipher, .. } => Suite::Sealed(*cipher).number(),
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
                Ok(Answered { said: [id, parameters].concat(), way: Way::Plain })
            }
            Self::Sealed { identity, initiator, expected, .. } => {
                let answer = initiator.read_2(payload).map_err(|_| NotAnswered::Noise)?;
                let peer = *answer.peer();
                match expected.judge(&peer) {
                    Judgement::Right => {}
                    Judgement::Wrong => return Err(NotAnswered::WrongKey(peer)),
                    Judgement::Unknown => return Err(NotAnswered::UnknownKey(peer)),
                }
                let said = answer.payload().to_vec();
                let way = Way::Sealed(identity.clone(), Box::new(answer));
                Ok(Answered { said, way })
            }
        }
    }
}

impl Answered {
    /// Concludes the handshake: what the FINISH carries, and the protection of what follows.
    pub(super) fn finish(self, said: &[u8]) -> Result<(Vec<u8>, Secured), HandshakeError> {
        match self.way {
            Way::Plain => Ok((said.to_vec(), Secured::PLAIN)),
            Way::Sealed(identity, answer) => {
                let peer = *answer.peer();
                let (message, keys) = answer.write_3(said)?;
                Ok((message, Secured::sealed(&identity, peer, keys)))
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
    pub(super) secured: Secured,
}

/// Whether a hello asks for what we do. Neither mode is ever talked down to the other.
pub(super) fn suits(security: &Security, hello: &Hello<'_>) -> bool {
    matches!(
        (security, Suite::from_number(hello.suite)),
        (Security::Plain, Some(Suite::Plain)) | (Security::Sealed(_), Some(Suite::Sealed(_)))
    )
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
                let prologue = prologue(suite, hello.cookie, hello.client);
                let responder = Responder::read_1(identity, cipher, &prologue, hello.payload)?;
                let answering = responder.write_2(said)?;
                let message = answering.message().to_vec();
                Ok((Self::Sealed(identity.clone(), Box::new(answering)), message))
            }
            _ => Err(HandshakeError::Malformed),
        }
    }

    /// Whether the next FINISH costs more than it should, since somebody copied part of the right one.
    pub(super) fn is_spoilt(&self) -> bool {
        matches!(self, Self::Sealed(_, answering) if answering.is_spoilt())
    }

    /// Reads what a FINISH carries; nothing changes if it is not the client's.
    pub(super) fn read_finish(&mut self, payload: &[u8]) -> Result<Finished, HandshakeError> {
        match self {
            Self::Plain => Ok(Finished { said: payload.to_vec(), secured: Secured::PLAIN }),
            Self::Sealed(identity, answering) => {
                let confirmed = answering.read_3(payload)?;
                Ok(Finished {
                    said: confirmed.payload,
                    secured: Secured::sealed(identity, confirmed.peer, confirmed.keys),
                })
            }
        }
    }
}
