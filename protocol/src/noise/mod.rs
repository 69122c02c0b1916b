//! The key exchange: Noise XX over X25519 and SHA-256 (the Noise Protocol Framework, revision 34).
//!
//! ```text
//! client                                        server
//! Initiator  -- message 1: e ----------------->  Responder
//! Answer     <- message 2: e, ee, s, es -------  Answering
//! Keys       -- message 3: s, se ------------->  Confirmed
//! ```
//!
//! Each message carries a payload: that of the first in clear, that of the second sealed for whoever sent the first, that of the
//! third sealed for the owner of the server's key. The prologue, which both ends have to know alike, is bound to all of it: a
//! handshake whose ends differ in a bit of it, or of any message, comes to nothing.
//!
//! Anybody can send anything at any time, so reading is without consequences until it succeeds: an [`Initiator`] can read any number
//! of answers, of any number of servers, until its owner likes one, and an [`Answering`] any number of forged messages
//! before the right one. What was written is kept, to be repeated byte for byte.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use snow::{
    Builder, HandshakeState,
    params::{
        BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList,
        HandshakePattern, HashChoice, NoiseParams,
    },
};

use crate::crypto::{Cipher, Identity, KEY_LEN, KeyPair, NoRandom, PublicKey, Secret, TAG_LEN};

mod resolver;
#[cfg(test)]
mod tests;

/// Longest payload of a message.
pub const MAX_PAYLOAD: usize = 400;
/// Most that a message is longer than its payload: a key, a sealed key, and the payload's tag. So a message has at most 496 bytes,
/// and a packet with one has room on every path.
pub const MAX_OVERHEAD: usize = KEY_LEN + (KEY_LEN + TAG_LEN) + TAG_LEN;

/// What a finished handshake leaves behind.
#[derive(Debug)]
pub struct Keys {
    /// What the packets are to be sealed with.
    pub cipher: Cipher,
    /// For what we send.
    pub send: Secret,
    /// For what the peer sends.
    pub receive: Secret,
    /// The hash of all that was said, the same at both ends and in no other handshake. No secret.
    pub transcript: [u8; KEY_LEN],
}

/// A client that said hello.
pub struct Initiator {
    script: Script,
    payload: Vec<u8>,
    message: Vec<u8>,
}

/// A client that was answered.
pub struct Answer {
    cipher: Cipher,
    state: HandshakeState,
    payload: Vec<u8>,
    peer: PublicKey,
}

/// A server that was greeted. It did nothing yet that costs much.
pub struct Responder {
    identity: Identity,
    cipher: Cipher,
    prologue: Vec<u8>,
    greeting: Vec<u8>,
}

/// A server that answered.
pub struct Answering {
    script: Script,
    greeting: Vec<u8>,
    payload: Vec<u8>,
    message: Vec<u8>,
    /// Where the handshake is. A forged message can spoil it, if its key part is a copy of the right one's; then the script is
    /// played again.
    state: Option<HandshakeState>,
}

/// How a handshake ends for a server.
#[derive(Debug)]
pub struct Confirmed {
    /// What came with the last message.
    pub payload: Vec<u8>,
    /// Who the client is.
    pub peer: PublicKey,
    /// The keys that nobody else has.
    pub keys: Keys,
}

/// Why a step failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandshakeError {
    /// The message is too short or too long: noise.
    Malformed,
    /// The message is from somebody else, to somebody else, or not as it was sent: noise.
    Forged,
    /// The peer's key is one that anybody could agree with.
    WeakKey,
    /// Our own payload is longer than [`MAX_PAYLOAD`].
    PayloadTooLong,
    /// Our provider has no random bytes.
    NoRandom,
    /// The library or the provider refuses what is right.
    Internal,
}

impl Initiator {
    /// Begins a handshake and writes its first message. The payload travels in clear.
    ///
    /// # Errors
    /// The last three of [`HandshakeError`].
    pub fn new(
        identity: &Identity,
        cipher: Cipher,
        prologue: &[u8],
        payload: &[u8],
    ) -> Result<Self, HandshakeError> {
        let script = Script::new(identity, cipher, prologue)?;
        let message = write(&mut script.initiator()?, payload)?;
        Ok(Self { script, payload: payload.to_vec(), message })
    }

    /// The first message.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Reads a second message. Nothing changes by it, so that others can be read as well: anybody who saw the first can
    /// answer it. Whether the server is the right one is for the caller to say.
    ///
    /// # Errors
    /// The message is to be ignored if it is malformed, forged, or of a weak key.
    pub fn read_2(&self, message: &[u8]) -> Result<Answer, HandshakeError> {
        let mut state = self.script.initiator()?;
        write(&mut state, &self.payload)?;
        let payload = read(&mut state, message)?;
        let peer = remote(&state)?;
        Ok(Answer { cipher: self.script.cipher, state, payload, peer })
    }
}

impl Answer {
    /// What came with the second message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Who answered.
    #[must_use]
    pub const fn peer(&self) -> &PublicKey {
        &self.peer
    }

    /// Accepts the server: writes the third message, which tells it who we are.
    ///
    /// # Errors
    /// All but the first two of [`HandshakeError`].
    pub fn write_3(mut self, payload: &[u8]) -> Result<(Vec<u8>, Keys), HandshakeError> {
        let message = write(&mut self.state, payload)?;
        let keys = split(&mut self.state, self.cipher)?;
        Ok((message, keys))
    }
}

impl Responder {
    /// Takes in a first message. No public-key operation is done for it.
    ///
    /// # Errors
    /// [`HandshakeError::Malformed`].
    pub fn read_1(
        identity: &Identity,
        cipher: Cipher,
        prologue: &[u8],
        message: &[u8],
    ) -> Result<Self, HandshakeError> {
        if !(KEY_LEN..=KEY_LEN + MAX_PAYLOAD).contains(&message.len()) {
            return Err(HandshakeError::Malformed);
        }
        Ok(Self {
            identity: identity.clone(),
            cipher,
            prologue: prologue.to_vec(),
            greeting: message.to_vec(),
        })
    }

    /// What came with it, from nobody knows whom.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.greeting.get(KEY_LEN..).unwrap_or_default()
    }

    /// Writes the second message: three public-key operations.
    ///
    /// # Errors
    /// All but the first two of [`HandshakeError`].
    pub fn write_2(self, payload: &[u8]) -> Result<Answering, HandshakeError> {
        let script = Script::new(&self.identity, self.cipher, &self.prologue)?;
        let (state, message) = script.responder(&self.greeting, payload)?;
        Ok(Answering {
            script,
            greeting: self.greeting,
            payload: payload.to_vec(),
            message,
            state: Some(state),
        })
    }
}

impl Answering {
    /// The second message.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether a third message was read that only begins like the right one, so that reading the next one takes three
    /// public-key operations more.
    #[must_use]
    pub const fn is_spoilt(&self) -> bool {
        self.state.is_none()
    }

    /// Reads a third message. Its key is checked before the one public-key operation that follows; only who copied it
    /// from the right message gets further, and makes us repeat those of the second.
    ///
    /// # Errors
    /// The message is to be ignored if it is malformed, forged, or of a weak key: the right one can still be read.
    pub fn read_3(&mut self, message: &[u8]) -> Result<Confirmed, HandshakeError> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.script.responder(&self.greeting, &self.payload)?.0,
        };
        match read(&mut state, message) {
            Ok(payload) => {
                let peer = remote(&state)?;
                let keys = split(&mut state, self.script.cipher)?;
                Ok(Confirmed { payload, peer, keys })
            }
            Err(error) => {
                let spoilt = state.get_remote_static().is_some();
                self.state = (!spoilt).then_some(state);
                Err(error)
            }
        }
    }
}

/// What a side brings into a handshake: from it and the messages read, the handshake can be played again and again to the same end.
struct Script {
    identity: Identity,
    ephemeral: Arc<dyn KeyPair>,
    cipher: Cipher,
    prologue: Vec<u8>,
}

impl Script {
    fn new(identity: &Identity, cipher: Cipher, prologue: &[u8]) -> Result<Self, HandshakeError> {
        let secret = Secret::random(&*identity.crypto)?;
        Ok(Self {
            identity: identity.clone(),
            ephemeral: identity.crypto.key_pair(&secret),
            cipher,
            prologue: prologue.to_vec(),
        })
    }

    /// Before the first message.
    fn initiator(&self) -> Result<HandshakeState, HandshakeError> {
        Ok(self.builder()?.build_initiator()?)
    }

    /// After the second message, and that message.
    fn responder(
        &self,
        greeting: &[u8],
        payload: &[u8],
    ) -> Result<(HandshakeState, Vec<u8>), HandshakeError> {
        let mut state = self.builder()?.build_responder()?;
        read(&mut state, greeting)?;
        let message = write(&mut state, payload)?;
        Ok((state, message))
    }

    fn builder(&self) -> Result<Builder<'_>, HandshakeError> {
        let resolver = resolver::Resolver {
            crypto: Arc::clone(&self.identity.crypto),
            identity: Arc::clone(&self.identity.key_pair),
            ephemeral: Arc::clone(&self.ephemeral),
        };
        // The library has to be given a key, but gets the provider's key pair instead: the secret stays there.
        Ok(Builder::with_resolver(parameters(self.cipher), Box::new(resolver))
            .local_private_key(&[0; KEY_LEN])?
            .prologue(&self.prologue)?)
    }
}

fn parameters(cipher: Cipher) -> NoiseParams {
    let (name, choice) = match cipher {
        Cipher::Aes256Gcm => ("Noise_XX_25519_AESGCM_SHA256", CipherChoice::AESGCM),
        Cipher::ChaCha20Poly1305 => ("Noise_XX_25519_ChaChaPoly_SHA256", CipherChoice::ChaChaPoly),
    };
    let handshake = HandshakeChoice {
        pattern: HandshakePattern::XX,
        modifiers: HandshakeModifierList { list: Vec::new() },
    };
    NoiseParams::new(
        name.into(),
        BaseChoice::Noise,
        handshake,
        DHChoice::Curve25519,
        choice,
        HashChoice::SHA256,
    )
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(HandshakeError::PayloadTooLong);
    }
    let mut message = alloc::vec![0; payload.len() + MAX_OVERHEAD];
    let len = state.write_message(payload, &mut message)?;
    message.truncate(len);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if message.len() > MAX_PAYLOAD + MAX_OVERHEAD {
        return Err(HandshakeError::Malformed);
    }
    let mut payload = alloc::vec![0; message.len()];
    let len = state.read_message(message, &mut payload)?;
    payload.truncate(len);
    Ok(payload)
}

fn remote(state: &HandshakeState) -> Result<PublicKey, HandshakeError> {
    let key = state.get_remote_static().and_then(|key| key.try_into().ok());
    key.map(PublicKey::from_bytes).ok_or(HandshakeError::Internal)
}

/// The keys of a finished handshake.
fn split(state: &mut HandshakeState, cipher: Cipher) -> Result<Keys, HandshakeError> {
    let transcript = state.get_handshake_hash().try_into().map_err(|_| HandshakeError::Internal)?;
    let (mut of_initiator, mut of_responder) = state.dangerously_get_raw_split();
    let of_initiator = Secret::take(&mut of_initiator);
    let of_responder = Secret::take(&mut of_responder);
    let (send, receive) = match state.is_initiator() {
        true => (of_initiator, of_responder),
        false => (of_responder, of_initiator),
    };
    Ok(Keys { cipher, send, receive, transcript })
}

impl From<snow::Error> for HandshakeError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Input => Self::Malformed,
            snow::Error::Decrypt => Self::Forged,
            snow::Error::Dh => Self::WeakKey,
            _ => Self::Internal,
        }
    }
}

impl From<NoRandom> for HandshakeError {
    fn from(_: NoRandom) -> Self {
        Self::NoRandom
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
opaque!(Initiator, Answer, Responder, Answering);
