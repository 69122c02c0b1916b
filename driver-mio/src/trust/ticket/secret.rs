//! What a ticket's holder knows, and how it is proved without being told.

use std::fmt;

use aws_lc_rs::hmac;
use gannet_protocol::PublicKey;
use zeroize::Zeroizing;

/// What sets this use of a secret apart from any other.
const LABEL: &[u8] = b"gannet invitation 1";

/// Sixteen random bytes, which nobody can guess. Wiped from memory when dropped, and never displayed.
pub struct TicketSecret(Zeroizing<[u8; 16]>);

impl TicketSecret {
    /// A new one; none if the system has no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let mut secret = Self(Zeroizing::new([0; 16]));
        getrandom::fill(secret.0.as_mut_slice()).ok()?;
        Some(secret)
    }

    pub(super) fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(super) fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// Another holder of the same.
    pub(in crate::trust) fn share(&self) -> Self {
        Self::from_bytes(self.expose())
    }

    /// Proves to know it, on one connection and for one client: HMAC-SHA-256 (RFC 2104) over a label, the hash of the
    /// handshake's transcript, and the client's key. It is worth nothing on any other connection.
    #[must_use]
    pub fn prove(&self, transcript: &[u8], client: &PublicKey) -> Proof {
        let mut proof = [0; 32];
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        let tag = hmac::sign(&key, &statement(transcript, client));
        proof.iter_mut().zip(tag.as_ref()).for_each(|(to, byte)| *to = *byte);
        Proof(proof)
    }

    /// Whether `proof` was made with it; in a time that tells nothing of where they differ.
    #[must_use]
    pub fn verify(&self, proof: &Proof, transcript: &[u8], client: &PublicKey) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        hmac::verify(&key, &statement(transcript, client), &proof.0).is_ok()
    }
}

fn statement(transcript: &[u8], client: &PublicKey) -> Vec<u8> {
    // The two at its ends have fixed lengths, so that no two statements are the same bytes.
    [LABEL, transcript, client.as_bytes()].concat()
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketSecret").finish_non_exhaustive()
    }
}

/// What a client sends to prove that it knows a ticket's secret: 32 bytes. It is compared by [`TicketSecret::verify`] only.
#[derive(Clone, Debug)]
pub struct Proof([u8; 32]);

impl Proof {
    /// The proof of these bytes, as they travel.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
