use super::*;
use crate::crypto::{Crypto, toy::Toy};
use alloc::{format, vec};
use proptest::prelude::*;

const PROLOGUE: &[u8] = b"version, suite, cookie, id";

struct Ends {
    client: Identity,
    server: Identity,
}

impl Ends {
    fn new() -> Self {
        let crypto: Arc<dyn Crypto> = Arc::new(Toy::new(1));
        let client = Identity::random(Arc::clone(&crypto)).unwrap();
        Self { client, server: Identity::random(crypto).unwrap() }
    }

    fn greet(&self, cipher: Cipher) -> Initiator {
        Initiator::new(&self.client, cipher, PROLOGUE, b"hello").unwrap()
    }

    fn answer(&self, cipher: Cipher, prologue: &[u8], greeting: &[u8]) -> Answering {
        let responder = Responder::read_1(&self.server, cipher, prologue, greeting).unwrap();
        responder.write_2(b"answer").unwrap()
    }

    /// Both ends before the last message, and that.
    fn last(&self, cipher: Cipher) -> (Answering, Vec<u8>, Keys) {
        let initiator = self.greet(cipher);
        let answering = self.answer(cipher, PROLOGUE, initiator.message());
        let answer = initiator.read_2(answering.message()).unwrap();
        let (message, keys) = answer.write_3(b"finish").unwrap();
        (answering, message, keys)
    }
}

fn flipped(message: &[u8], bit: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    message[bit / 8] ^= 1 << (bit % 8);
    message
}

fn same(keys: &Keys, theirs: &Keys) -> bool {
    keys.send.expose() == theirs.receive.expose()
        && keys.receive.expose() == theirs.send.expose()
        && keys.transcript == theirs.transcript
        && keys.cipher == theirs.cipher
}

#[test]
fn both_ends_know_each_other_and_nobody_else_knows_the_keys() {
    let ends = Ends::new();
    for cipher in [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
        let initiator = ends.greet(cipher);
        let responder =
            Responder::read_1(&ends.server, cipher, PROLOGUE, initiator.message()).unwrap();
        assert_eq!(responder.payload(), b"hello");
        let mut answering = responder.write_2(b"answer").unwrap();
        let answer = initiator.read_2(answering.message()).unwrap();
        assert_eq!((answer.payload(), answer.peer()), (&b"answer"[..], ends.server.public()));
        let (message, keys) = answer.write_3(b"finish").unwrap();
        let confirmed = answering.read_3(&message).unwrap();
        assert_eq!(
            (&confirmed.payload[..], &confirmed.peer),
            (&b"finish"[..], ends.client.public())
        );
        assert!(same(&keys, &confirmed.keys));
        assert_ne!(keys.send.expose(), keys.receive.expose());
        let (_, _, others) = ends.last(cipher);
        assert_ne!(keys.send.expose(), others.send.expose());
        assert_ne!(keys.transcript, others.transcript);
    }
}

#[test]
fn messages_have_the_lengths_that_noise_says() {
    let ends = Ends::new();
    let initiator = ends.greet(Cipher::Aes256Gcm);
    assert_eq!(initiator.message().len(), 32 + 5);
    let answering = ends.answer(Cipher::Aes256Gcm, PROLOGUE, initiator.message());
    assert_eq!(answering.message().len(), 96 + 6);
    let (message, _) = initiator.read_2(answering.message()).unwrap().write_3(b"finish").unwrap();
    assert_eq!(message.len(), 64 + 6);
    // Neither the client's key nor what it says is to be seen, nor what the server says.
    for secret in [&ends.client.public().as_bytes()[..8], b"finish"] {
        assert!(!message.windows(secret.len()).any(|w| w == secret));
    }
    for secret in [&ends.server.public().as_bytes()[..8], b"answer"] {
        assert!(!answering.message().windows(secret.len()).any(|w| w == secret));
    }
}

#[test]
fn any_bit_of_the_first_message_counts() {
    let ends = Ends::new();
    let initiator = ends.greet(Cipher::Aes256Gcm);
    for bit in 0..initiator.message().len() * 8 {
        let greeting = flipped(initiator.message(), bit);
        let answering = ends.answer(Cipher::Aes256Gcm, PROLOGUE, &greeting);
        let result = initiator.read_2(answering.message());
        assert_eq!(result.err(), Some(HandshakeError::Forged), "bit {bit}");
    }
}

#[test]
fn any_bit_of_the_second_message_counts_and_the_right_one_can_still_come() {
    let ends = Ends::new();
    let initiator = ends.greet(Cipher::Aes256Gcm);
    let mut answering = ends.answer(Cipher::Aes256Gcm, PROLOGUE, initiator.message());
    for bit in 0..answering.message().len() * 8 {
        let result = initiator.read_2(&flipped(answering.message(), bit));
        assert_eq!(result.err(), Some(HandshakeError::Forged), "bit {bit}");
    }
    let answer = initiator.read_2(answering.message()).unwrap();
    let (message, keys) = answer.write_3(b"finish").unwrap();
    assert!(same(&keys, &answering.read_3(&message).unwrap().keys));
}

#[test]
fn any_bit_of_the_third_message_counts_and_the_right_one_can_still_come() {
    let ends = Ends::new();
    let (mut answering, message, keys) = ends.last(Cipher::ChaCha20Poly1305);
    for bit in 0..message.len() * 8 {
        let result = answering.read_3(&flipped(&message, bit));
        assert_eq!(result.err(), Some(HandshakeError::Forged), "bit {bit}");
    }
    for len in 0..message.len() {
        assert!(answering.read_3(&message[..len]).is_err());
    }
    assert!(same(&keys, &answering.read_3(&message).unwrap().keys));
    // It comes to the same if it comes again.
    assert!(same(&keys, &answering.read_3(&message).unwrap().keys));
}

#[test]
fn an_answer_of_somebody_else_leaves_the_way_open() {
    let ends = Ends::new();
    let initiator = ends.greet(Cipher::Aes256Gcm);
    let racer = Ends::new();
    let false_answer = racer.answer(Cipher::Aes256Gcm, PROLOGUE, initiator.message());
    let mut answering = ends.answer(Cipher::Aes256Gcm, PROLOGUE, initiator.message());
    let wrong = initiator.read_2(false_answer.message()).unwrap();
    assert_eq!(wrong.peer(), racer.server.public());
    let right = initiator.read_2(answering.message()).unwrap();
    assert_eq!(right.peer(), ends.server.public());
    let (message, keys) = right.write_3(b"finish").unwrap();
    assert!(same(&keys, &answering.read_3(&message).unwrap().keys));
    let (message, _) = wrong.write_3(b"finish").unwrap();
    assert_eq!(answering.read_3(&message).err(), Some(HandshakeError::Forged));
}

#[test]
fn ends_that_disagree_do_not_meet() {
    let ends = Ends::new();
    let initiator = ends.greet(Cipher::Aes256Gcm);
    for bit in 0..PROLOGUE.len() * 8 {
        let other = flipped(PROLOGUE, bit);
        let answering = ends.answer(Cipher::Aes256Gcm, &other, initiator.message());
        let result = initiator.read_2(answering.message());
        assert_eq!(result.err(), Some(HandshakeError::Forged), "bit {bit}");
    }
    let other = ends.answer(Cipher::ChaCha20Poly1305, PROLOGUE, initiator.message());
    assert_eq!(initiator.read_2(other.message()).err(), Some(HandshakeError::Forged));
}

#[test]
fn a_message_of_another_handshake_is_not_taken() {
    let ends = Ends::new();
    let (_, replayed, _) = ends.last(Cipher::Aes256Gcm);
    let (mut answering, message, _) = ends.last(Cipher::Aes256Gcm);
    assert_eq!(answering.read_3(&replayed).err(), Some(HandshakeError::Forged));
    assert!(answering.read_3(&message).is_ok());
}

#[test]
fn a_weak_key_is_refused() {
    let ends = Ends::new();
    let responder =
        Responder::read_1(&ends.server, Cipher::Aes256Gcm, PROLOGUE, &[0; KEY_LEN]).unwrap();
    assert_eq!(responder.write_2(b"").err(), Some(HandshakeError::WeakKey));
    let initiator = ends.greet(Cipher::Aes256Gcm);
    assert_eq!(initiator.read_2(&[0; 96]).err(), Some(HandshakeError::WeakKey));
}

#[test]
fn payloads_have_a_limit_at_both_ends() {
    let ends = Ends::new();
    let long = vec![1; MAX_PAYLOAD + 1];
    let cipher = Cipher::Aes256Gcm;
    let result = Initiator::new(&ends.client, cipher, PROLOGUE, &long);
    assert_eq!(result.err(), Some(HandshakeError::PayloadTooLong));
    let longest = &long[..MAX_PAYLOAD];
    let initiator = Initiator::new(&ends.client, cipher, PROLOGUE, longest).unwrap();
    let responder = Responder::read_1(&ends.server, cipher, PROLOGUE, initiator.message()).unwrap();
    let mut answering = responder.write_2(longest).unwrap();
    assert_eq!(answering.message().len(), MAX_PAYLOAD + MAX_OVERHEAD);
    let (message, _) = initiator.read_2(answering.message()).unwrap().write_3(longest).unwrap();
    assert_eq!(answering.read_3(&message).unwrap().payload, longest);
    for len in (0..KEY_LEN).chain([KEY_LEN + MAX_PAYLOAD + 1]) {
        let result = Responder::read_1(&ends.server, cipher, PROLOGUE, &vec![1; len]);
        assert_eq!(result.err(), Some(HandshakeError::Malformed));
    }
    let result = initiator.read_2(&vec![1; MAX_PAYLOAD + MAX_OVERHEAD + 1]);
    assert_eq!(result.err(), Some(HandshakeError::Malformed));
}

#[test]
fn nothing_secret_is_printed() {
    let ends = Ends::new();
    let (answering, _, keys) = ends.last(Cipher::Aes256Gcm);
    assert_eq!(format!("{answering:?}"), "Answering { .. }");
    assert!(format!("{keys:?}").contains("send: Secret(..), receive: Secret(..)"));
}

proptest! {
    #[test]
    fn any_bytes_are_noise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let ends = Ends::new();
        let (mut answering, message, _) = ends.last(Cipher::Aes256Gcm);
        prop_assert!(answering.read_3(&bytes).is_err());
        prop_assert!(answering.read_3(&message).is_ok());
        let initiator = ends.greet(Cipher::Aes256Gcm);
        prop_assert!(initiator.read_2(&bytes).is_err());
        if let Ok(responder) = Responder::read_1(&ends.server, Cipher::Aes256Gcm, PROLOGUE, &bytes) {
            let _ = responder.write_2(b"");
        }
    }
}
