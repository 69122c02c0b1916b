//! Sealed packets: which key, which nonce, how long, how often.
//!
//! Everything that must not go wrong with the keys of a connection stands in this file. What it promises, and why it holds:
//!
//! **No key seals two packets with the same nonce.** The nonce of a packet is its number ([`Cipher::nonce`], one to one), and
//! [`Protect::seal`] takes a number only if it is above all that it took before, whether or not they were sealed in the end. A
//! retransmission is a new packet with a new number. The number cannot wrap: from [`MAX_NUMBER`] on sealing is
//! refused. The two directions have keys of their own, and so has every connection: both sides put a fresh ephemeral key into each
//! handshake.
//!
//! **No key is used for long.** The key of a packet is a function of its number: `number >> 22` is its *generation*, and each
//! generation has a key of its own, so that no key seals more than 2^22 packets: half of the confidentiality limit
//! of AES-GCM, which is 2^23 (RFC 9001, section 6.6); that of ChaCha20-Poly1305 is above all numbers. There is no message to change
//! keys, nothing to agree on, and no moment at which the sides could disagree. Packets have at most 2^16 bytes, as that
//! limit assumes.
//!
//! **Keys of the past stay in the past.** The handshake gives each direction a secret. In generation after generation
//!
//! ```text
//! secret[g + 1], key[g] = HKDF(secret[g], "gannet packet key" || transcript)
//! ```
//!
//! with Noise's HKDF, so that neither a later secret nor another key tells an earlier key, and the transcript of the handshake
//! binds every key to all that was said in it. A secret is wiped when the next one is made; a sending key when the next
//! generation begins; a receiving one when its generation is two behind.
//!
//! **A forged packet changes nothing** but one counter. The receiver opens packets of the generation of the highest number that it
//! opened, of the one before, for packets that were overtaken, and of the next. Only a packet whose tag was right moves that window. A
//! forged one may make the next key before its time, which is kept and is the same whenever it is made. A sender never leaves a
//! generation out, so a receiver falls behind only if not one packet of a whole generation arrives; a connection never has that many
//! unacknowledged.
//!
//! **Guessing is counted.** Every packet whose tag was checked and was wrong is a guess. RFC 9001, section 6.6 allows 2^52 of them with
//! AES-GCM, 2^36 with ChaCha20-Poly1305, over all keys of a connection. After these nothing is opened any more.
//!
//! Whether a packet came before is not decided here: the acknowledgements know all numbers that arrived.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    OpenError, Protect, SealError,
    crypto::{Aead, Cipher, Crypto, Secret, TAG_LEN},
    noise::Keys,
};

/// The last packet number: ACK frames cannot name a higher one (RFC 9000, section 12.3).
pub const MAX_NUMBER: u64 = (1 << 62) - 1;
/// A generation has so many numbers, as a power of two.
const GENERATION_BITS: u8 = 22;
/// What packet keys are derived for.
const LABEL: &[u8] = b"gannet packet key";

/// How far keys go. The two sides of a connection must agree on the generations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    generation_bits: u8,
    max_forged: u64,
    max_number: u64,
}

impl Limits {
    /// Those of the protocol.
    #[must_use]
    pub const fn new(cipher: Cipher) -> Self {
        let max_forged = match cipher {
            Cipher::Aes256Gcm => 1 << 52,
            Cipher::ChaCha20Poly1305 => 1 << 36,
        };
        Self { generation_bits: GENERATION_BITS, max_forged, max_number: MAX_NUMBER }
    }

    /// Lower ones, for tests: generations of `1 << generation_bits` numbers. Higher ones than those of the protocol stay what
    /// they are.
    #[must_use]
    pub fn lowered(self, generation_bits: u8, max_forged: u64, max_number: u64) -> Self {
        Self {
            generation_bits: self.generation_bits.min(generation_bits),
            max_forged: self.max_forged.min(max_forged),
            max_number: self.max_number.min(max_number),
        }
    }

    const fn generation(self, number: u64) -> u64 {
        number >> self.generation_bits
    }
}

/// Limits of a test's connections, which a handful of packets reaches ([`Limits::lowered`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lowered {
    /// A generation has so many numbers, as a power of two.
    pub generation_bits: u8,
    /// Packets of wrong tags that are counted before nothing is opened any more.
    pub max_forged: u64,
    /// The last packet number.
    pub max_number: u64,
}

/// The packet protection of a sealed connection.
#[derive(Debug)]
pub struct Sealed {
    cipher: Cipher,
    limits: Limits,
    sender: Sender,
    receiver: Receiver,
}

impl Sealed {
    /// Protection with the keys of a handshake.
    #[must_use]
    pub fn new(crypto: &Arc<dyn Crypto>, keys: Keys, limits: Limits) -> Self {
        let Keys { cipher, send, receive, transcript } = keys;
        let chain = |secret| KeyChain {
            crypto: Arc::clone(crypto),
            cipher,
            info: [LABEL, &transcript].concat(),
            secret,
        };
        Self {
            cipher,
            limits,
            sender: Sender::new(chain(send)),
            receiver: Receiver::new(chain(receive)),
        }
    }
}

impl Sealed {
    /// Lowers the limits, for tests, before anything is sealed or opened.
    pub(crate) fn lower(&mut self, to: Lowered) {
        let Lowered { generation_bits, max_forged, max_number } = to;
        self.limits = self.limits.lowered(generation_bits, max_forged, max_number);
    }

    /// The last number that can be sealed.
    pub(crate) const fn max_number(&self) -> u64 {
        self.limits.max_number
    }
}

impl Protect for Sealed {
    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn seal(&mut self, number: u64, header_len: usize, packet: &mut [u8]) -> Result<(), SealError> {
        let parts = packet.split_at_mut_checked(header_len);
        let Some((header, protected)) = parts else { return Err(SealError::TooShort) };
        let parts = protected.split_last_chunk_mut::<TAG_LEN>();
        let Some((text, tag)) = parts else { return Err(SealError::TooShort) };
        let key = self.sender.key(number, self.limits)?;
        key.seal(self.cipher.nonce(number), header, text, tag).map_err(|_| {
            // What is in there was not to be seen.
            text.fill(0);
            SealError::Cipher
        })
    }

    fn seal_with(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &mut [u8],
        rest: &[u8],
    ) -> Result<(), SealError> {
        let parts = packet.split_at_mut_checked(header_len);
        let Some((header, protected)) = parts else { return Err(SealError::TooShort) };
        if protected.len() < rest.len().saturating_add(TAG_LEN) {
            return Err(SealError::TooShort);
        }
        let key = self.sender.key(number, self.limits)?;
        key.seal_with(self.cipher.nonce(number), header, protected, rest).map_err(|_| {
            protected.fill(0);
            SealError::Cipher
        })
    }

    fn open<'p>(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], OpenError> {
        let receiver = &mut self.receiver;
        if receiver.forged >= self.limits.max_forged {
            return Err(OpenError::IntegrityLimit);
        }
        if number > self.limits.max_number {
            return Err(OpenError::Forged);
        }
        let parts = packet.split_at_mut_checked(header_len).ok_or(OpenError::Forged)?;
        let (header, protected) = parts;
        let parts = protected.split_last_chunk_mut::<TAG_LEN>().ok_or(OpenError::Forged)?;
        let (text, tag) = parts;
        let generation = self.limits.generation(number);
        let key = receiver.key(generation).ok_or(OpenError::Forged)?;
        if key.open(self.cipher.nonce(number), header, text, tag).is_err() {
            receiver.forged = receiver.forged.saturating_add(1);
            return Err(OpenError::Forged);
        }
        receiver.on_opened(generation);
        Ok(text)
    }
}

/// Makes the keys of one direction, one generation after the other.
struct KeyChain {
    crypto: Arc<dyn Crypto>,
    cipher: Cipher,
    info: Vec<u8>,
    secret: Secret,
}

impl KeyChain {
    /// The key of the next generation, and the end of the secret that it came from.
    fn next(&mut self) -> Box<dyn Aead> {
        let (secret, key) = hkdf(&*self.crypto, &self.secret, &[&self.info]);
        self.secret = secret;
        self.crypto.aead(self.cipher, &key)
    }
}

/// HKDF with two outputs as Noise defines it (section 4.3 of its specification): HKDF of RFC 5869 with SHA-256, the input as keying
/// material and no info.
fn hkdf(crypto: &dyn Crypto, key: &Secret, input: &[&[u8]]) -> (Secret, Secret) {
    let mut extracted = Secret::zeroed();
    crypto.hmac_sha256(key.expose(), input, extracted.expose_mut());
    let (mut first, mut second) = (Secret::zeroed(), Secret::zeroed());
    crypto.hmac_sha256(extracted.expose(), &[&[1]], first.expose_mut());
    crypto.hmac_sha256(extracted.expose(), &[first.expose(), &[2]], second.expose_mut());
    (first, second)
}

/// What we seal with.
struct Sender {
    chain: KeyChain,
    generation: u64,
    key: Box<dyn Aead>,
    /// Numbers below are used up.
    next: u64,
}

impl Sender {
    fn new(mut chain: KeyChain) -> Self {
        let key = chain.next();
        Self { chain, generation: 0, key, next: 0 }
    }

    /// The key for a number, which is used up by that.
    fn key(&mut self, number: u64, limits: Limits) -> Result<&dyn Aead, SealError> {
        if number > limits.max_number {
            return Err(SealError::Exhausted);
        }
        let ahead = limits.generation(number).checked_sub(self.generation);
        match ahead {
            _ if number < self.next => return Err(SealError::Number),
            Some(0) => {}
            Some(1) => {
                self.key = self.chain.next();
                self.generation = limits.generation(number);
            }
            _ => return Err(SealError::Number),
        }
        self.next = number.saturating_add(1);
        Ok(&*self.key)
    }
}

/// What we open with.
struct Receiver {
    chain: KeyChain,
    /// That of the highest number that was opened.
    generation: u64,
    previous: Option<Box<dyn Aead>>,
    current: Box<dyn Aead>,
    next: Option<Box<dyn Aead>>,
    /// Packets of wrong tags.
    forged: u64,
}

impl Receiver {
    fn new(mut chain: KeyChain) -> Self {
        let current = chain.next();
        Self { chain, generation: 0, previous: None, current, next: None, forged: 0 }
    }

    fn key(&mut self, generation: u64) -> Option<&dyn Aead> {
        if generation == self.generation {
            return Some(&*self.current);
        }
        if Some(generation) == self.generation.checked_sub(1) {
            return self.previous.as_deref();
        }
        if Some(generation) == self.generation.checked_add(1) {
            return Some(&**self.next.get_or_insert_with(|| self.chain.next()));
        }
        None
    }

    /// Takes in that a packet's tag was right.
    fn on_opened(&mut self, generation: u64) {
        if generation > self.generation
            && let Some(next) = self.next.take()
        {
            self.previous = Some(core::mem::replace(&mut self.current, next));
            self.generation = generation;
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("generation", &self.generation)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("generation", &self.generation)
            .field("forged", &self.forged)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
