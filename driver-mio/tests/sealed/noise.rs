//! The key exchange with real cryptography: the published test vectors, and what an attacker could try.

use std::sync::Arc;

use gannet_driver_mio::crypto::AwsLc;
use gannet_protocol::{
    OpenError, Protect,
    crypto::{Cipher, Crypto, Identity, Secret, TAG_LEN},
    noise::{Answering, HandshakeError, Initiator, Keys, Responder},
    sealed::{Limits, Sealed},
};
use proptest::prelude::*;

use crate::scripted;

struct Vector {
    cipher: Cipher,
    handshake_hash: &'static str,
    /// Payload and message, first the client's.
    messages: [(&'static str, &'static str); 6],
}

// From the test vectors of cacophony, a Noise implementation in Haskell: Noise_XX_25519_AESGCM_SHA256 and
// Noise_XX_25519_ChaChaPoly_SHA256.
const PROLOGUE: &str = "4a6f686e2047616c74";
const INIT_STATIC: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
const INIT_EPHEMERAL: &str = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
const RESP_STATIC: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
const RESP_EPHEMERAL: &str = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
const VECTORS: [Vector; 2] = [
    Vector {
        cipher: Cipher::Aes256Gcm,
        handshake_hash: "1b7aefb1125762aa21a252890d00af54519638b76437444538f9a52f21e2e0dc",
        messages: [
            (
                "4c756477696720766f6e204d69736573",
                "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
            ),
            (
                "4d757272617920526f746862617264",
                "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843757117acceb05bd7a45733bc22015c97a9d0cbaf41b80446d5988ff5127235d76b79eade70f473d6a4ef521fdcbeda5340d01e028ba793fc059f2724a83af05f12dda0448a7621a926b379a92477fd",
            ),
            (
                "462e20412e20486179656b",
                "c90f1cf77eba4e50edb038991565e36c9758943a989229b6051244dc4fbecb6946744b401af2ee1a5881b65fbb87fd07cb6a328ececc9ce6ce84c399dc332d4fd521fa4bb7f467ce909395",
            ),
            ("4361726c204d656e676572", "bc3fa77f6aca3e8466d7dc6bea10013e88a6a29add5132b461806c"),
            (
                "4a65616e2d426170746973746520536179",
                "250b01074cdfe0df2ecf8ccbf1737b15a2ddb5b52fd9a396604e9c793cee3b3bb9",
            ),
            (
                "457567656e2042f6686d20766f6e2042617765726b",
                "449d4d433b3cdc3d02bf6fc881774b9df54366ebcffb9689bb13f14709822cd7ef42bcdb4d",
            ),
        ],
    },
    Vector {
        cipher: Cipher::ChaCha20Poly1305,
        handshake_hash: "c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e",
        messages: [
            (
                "4c756477696720766f6e204d69736573",
                "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
            ),
            (
                "4d757272617920526f746862617264",
                "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b65285e08d6b68aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f8814c7194e83f23dbd8d162c9326ad",
            ),
            (
                "462e20412e20486179656b",
                "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b57f58c9fea0d4ec82a286427402f113e4b6ae769a1d95941d49b25030",
            ),
            ("4361726c204d656e676572", "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df"),
            (
                "4a65616e2d426170746973746520536179",
                "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5",
            ),
            (
                "457567656e2042f6686d20766f6e2042617765726b",
                "eb3f3515110702e047a6c9da4478b6ead94873c11c0f2d710ddb3f09fce024b3a58502ae3f",
            ),
        ],
    },
];

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

fn identity(secret: &str, ephemeral: &str) -> Identity {
    scripted::identity(hex(secret).try_into().unwrap(), hex(ephemeral))
}

fn transport(cipher: Cipher, key: &Secret, counter: u64, payload: &str) -> Vec<u8> {
    let (mut text, mut tag) = (hex(payload), [0; TAG_LEN]);
    AwsLc.aead(cipher, key).seal(cipher.nonce(counter), &[], &mut text, &mut tag).unwrap();
    text.extend(tag);
    text
}

#[test]
fn the_published_vectors_come_out() {
    for Vector { cipher, handshake_hash, messages } in VECTORS {
        let client = identity(INIT_STATIC, INIT_EPHEMERAL);
        let server = identity(RESP_STATIC, RESP_EPHEMERAL);
        let payload = |i: usize| hex(messages[i].0);
        let message = |i: usize| hex(messages[i].1);
        let prologue = hex(PROLOGUE);

        let initiator = Initiator::new(&client, cipher, &prologue, &payload(0)).unwrap();
        assert_eq!(initiator.message(), message(0));
        let responder = Responder::read_1(&server, cipher, &prologue, initiator.message()).unwrap();
        assert_eq!(responder.payload(), payload(0));
        let mut answering = responder.write_2(&payload(1)).unwrap();
        assert_eq!(answering.message(), message(1));
        let answer = initiator.read_2(answering.message()).unwrap();
        assert_eq!((answer.payload(), answer.peer()), (&payload(1)[..], server.public()));
        let (third, keys) = answer.write_3(&payload(2)).unwrap();
        assert_eq!(third, message(2));
        let confirmed = answering.read_3(&third).unwrap();
        assert_eq!((confirmed.payload, &confirmed.peer), (payload(2), client.public()));

        assert_eq!(keys.transcript[..], hex(handshake_hash));
        assert_eq!(confirmed.keys.transcript, keys.transcript);
        assert_eq!(transport(cipher, &confirmed.keys.send, 0, messages[3].0), message(3));
        assert_eq!(transport(cipher, &keys.send, 0, messages[4].0), message(4));
        assert_eq!(transport(cipher, &keys.receive, 1, messages[5].0), message(5));
    }
}

fn flipped(message: &[u8], bit: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    message[bit / 8] ^= 1 << (bit % 8);
    message
}

fn ends() -> (Identity, Identity) {
    let crypto: Arc<dyn Crypto> = Arc::new(AwsLc);
    (Identity::random(Arc::clone(&crypto)).unwrap(), Identity::random(crypto).unwrap())
}

fn answer_to(server: &Identity, cipher: Cipher, prologue: &[u8], greeting: &[u8]) -> Answering {
    Responder::read_1(server, cipher, prologue, greeting).unwrap().write_2(b"answer").unwrap()
}

fn handshake(cipher: Cipher) -> (Keys, Keys) {
    let (client, server) = ends();
    let initiator = Initiator::new(&client, cipher, b"prologue", b"").unwrap();
    let mut answering = answer_to(&server, cipher, b"prologue", initiator.message());
    let (last, keys) = initiator.read_2(answering.message()).unwrap().write_3(b"finish").unwrap();
    (keys, answering.read_3(&last).unwrap().keys)
}

#[test]
fn no_changed_bit_of_any_message_gets_through() {
    let (client, server) = ends();
    for cipher in [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
        let initiator = Initiator::new(&client, cipher, b"prologue", b"hello").unwrap();
        for bit in 0..initiator.message().len() * 8 {
            let answering =
                answer_to(&server, cipher, b"prologue", &flipped(initiator.message(), bit));
            let error = initiator.read_2(answering.message()).err();
            assert_eq!(error, Some(HandshakeError::Forged), "message 1, bit {bit}");
        }
        let mut answering = answer_to(&server, cipher, b"prologue", initiator.message());
        for bit in 0..answering.message().len() * 8 {
            let error = initiator.read_2(&flipped(answering.message(), bit)).err();
            assert_eq!(error, Some(HandshakeError::Forged), "message 2, bit {bit}");
        }
        let answer = initiator.read_2(answering.message()).unwrap();
        let (last, _) = answer.write_3(b"finish").unwrap();
        for bit in 0..last.len() * 8 {
            let error = answering.read_3(&flipped(&last, bit)).err();
            assert_eq!(error, Some(HandshakeError::Forged), "message 3, bit {bit}");
        }
        assert_eq!(answering.read_3(&last).unwrap().peer, *client.public());
    }
}

#[test]
fn no_changed_bit_of_the_prologue_gets_through() {
    let (client, server) = ends();
    let cipher = Cipher::Aes256Gcm;
    let initiator = Initiator::new(&client, cipher, b"prologue", b"hello").unwrap();
    for bit in 0..8 * 8 {
        let other = flipped(b"prologue", bit);
        let answering = answer_to(&server, cipher, &other, initiator.message());
        assert_eq!(initiator.read_2(answering.message()).err(), Some(HandshakeError::Forged));
    }
}

const HEADER: usize = 17;

fn sealed(cipher: Cipher) -> (Sealed, Sealed) {
    let crypto: Arc<dyn Crypto> = Arc::new(AwsLc);
    let (client, server) = handshake(cipher);
    let limits = Limits::new(cipher).lowered(3, u64::MAX, u64::MAX);
    (Sealed::new(&crypto, client, limits), Sealed::new(&crypto, server, limits))
}

/// Computed by another implementation (Python's hmac and cryptography).
const SEALED: [(Cipher, [&str; 3]); 2] = [
    (
        Cipher::Aes256Gcm,
        [
            "2424a00252a3fedbd2108b876673aabfee877d4f",
            "d56880c57cdaff9805e2c5da2bc5c064b13d02cd",
            "c30296b035d693879e509d3cd6ec09547c21d750",
        ],
    ),
    (
        Cipher::ChaCha20Poly1305,
        [
            "b2bda589f74df59bc5869b7806fe77bb99c2041d",
            "e6bb7ce9985243e99a69a6a4bb65b6fd170742e5",
            "8ddb680f8164cdd37c3e670a8fb9090f4e80e46c",
        ],
    ),
];

/// The keys of packets are derived as the specification says, so that another implementation finds the same.
#[test]
fn packet_keys_are_those_of_the_specification() {
    let crypto: Arc<dyn Crypto> = Arc::new(AwsLc);
    let secret = |byte: u8| Secret::take(&mut [byte; 32]);
    for (cipher, packets) in SEALED {
        let keys = Keys { cipher, send: secret(1), receive: secret(2), transcript: [3; 32] };
        let limits = Limits::new(cipher).lowered(0, u64::MAX, u64::MAX);
        let mut sealed = Sealed::new(&crypto, keys, limits);
        for (number, expected) in (0..).zip(packets) {
            let mut packet = [&b"header"[..], b"text", &[0; TAG_LEN]].concat();
            sealed.seal(number, 6, &mut packet).unwrap();
            assert_eq!(packet[6..], hex(expected), "number {number}");
        }
    }
}

proptest! {
    #[test]
    fn packets_cross_generations_and_no_changed_bit_gets_through(
        aes: bool, steps in prop::collection::vec((1u64..4, any::<prop::sample::Index>(), 0usize..1500), 1..40),
    ) {
        let cipher = if aes { Cipher::Aes256Gcm } else { Cipher::ChaCha20Poly1305 };
        let (mut client, mut server) = sealed(cipher);
        let mut number = 0;
        for (skip, flip, len) in steps {
            number += skip;
            let bare = vec![len as u8; HEADER + len + TAG_LEN];
            let mut packet = bare.clone();
            client.seal(number, HEADER, &mut packet).unwrap();
            let mut changed = flipped(&packet, flip.index(packet.len() * 8));
            prop_assert_eq!(server.open(number, HEADER, &mut changed), Err(OpenError::Forged));
            let opened = server.open(number, HEADER, &mut packet);
            prop_assert_eq!(opened, Ok(&bare[HEADER..HEADER + len]));
        }
    }
}
