use super::*;
use crate::Plain;
use crate::crypto::{AeadFailed, HASH_LEN, KeyPair, NONCE_LEN, NoRandom, toy::Toy};
use alloc::{collections::BTreeMap, collections::BTreeSet, format, vec};
use core::hash::Hasher as _;
use proptest::prelude::*;
use std::{
    hash::DefaultHasher,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const HEADER: usize = 17;
const CIPHER: Cipher = Cipher::Aes256Gcm;
/// Eight packets to a generation.
const BITS: u8 = 3;

/// Watches every AEAD of another provider.
struct Watched {
    crypto: Toy,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The nonces that each key sealed.
    sealed: Mutex<BTreeMap<u64, BTreeSet<[u8; NONCE_LEN]>>>,
    alive: AtomicUsize,
}

struct WatchedAead {
    aead: Box<dyn Aead>,
    key: u64,
    seen: Arc<Seen>,
}

impl Crypto for Watched {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        self.crypto.random(out)
    }
    fn has_aes(&self) -> bool {
        true
    }
    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        self.crypto.key_pair(secret)
    }
    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        self.crypto.sha256(data)
    }
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        self.crypto.hmac_sha256(key, parts, out);
    }
    fn aead(&self, cipher: Cipher, key: &Secret) -> Box<dyn Aead> {
        self.seen.alive.fetch_add(1, Ordering::Relaxed);
        let mut hasher = DefaultHasher::new();
        hasher.write(key.expose());
        let (aead, seen) = (self.crypto.aead(cipher, key), Arc::clone(&self.seen));
        Box::new(WatchedAead { aead, key: hasher.finish(), seen })
    }
}

impl Aead for WatchedAead {
    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        let fresh = self.seen.sealed.lock().unwrap().entry(self.key).or_default().insert(nonce);
        assert!(fresh, "a nonce came twice");
        self.aead.seal(nonce, aad, in_out, tag)
    }
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        self.aead.open(nonce, aad, in_out, tag)
    }
}

impl Drop for WatchedAead {
    fn drop(&mut self) {
        self.seen.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

fn keys(send: u8, receive: u8, transcript: u8) -> Keys {
    let secret = |byte| Secret::take(&mut [byte; 32]);
    let transcript = [transcript; 32];
    Keys { cipher: CIPHER, send: secret(send), receive: secret(receive), transcript }
}

fn lowered(max_forged: u64) -> Limits {
    Limits::new(CIPHER).lowered(BITS, max_forged, MAX_NUMBER)
}

fn watched(limits: Limits) -> (Sealed, Sealed, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let crypto: Arc<dyn Crypto> =
        Arc::new(Watched { crypto: Toy::new(1), seen: Arc::clone(&seen) });
    let client = Sealed::new(&crypto, keys(1, 2, 9), limits);
    let server = Sealed::new(&crypto, keys(2, 1, 9), limits);
    (client, server, seen)
}

fn pair(limits: Limits) -> (Sealed, Sealed) {
    let (client, server, _) = watched(limits);
    (client, server)
}

fn text(number: u64) -> Vec<u8> {
    vec![number as u8; 20 + (number % 7) as usize]
}

/// A packet before it is sealed, its number in its header as on the wire.
fn bare(number: u64) -> Vec<u8> {
    let mut packet = vec![7; HEADER - 8];
    packet.extend(number.to_be_bytes());
    packet.extend(text(number));
    packet.extend([0; TAG_LEN]);
    packet
}

fn seal(from: &mut Sealed, number: u64) -> Vec<u8> {
    let mut packet = bare(number);
    from.seal(number, HEADER, &mut packet).unwrap();
    packet
}

fn open(at: &mut Sealed, number: u64, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
    at.open(number, HEADER, &mut packet.to_vec()).map(<[u8]>::to_vec)
}

#[test]
fn bytes_from_elsewhere_make_the_same_packet() {
    let ((mut here, _), (mut elsewhere, _)) =
        (pair(Limits::new(CIPHER)), pair(Limits::new(CIPHER)));
    for number in 0..80 {
        let len = text(number).len();
        let rest = text(number).split_off([0, 1, len - 1, len][number as usize % 4]);
        let mut packet = bare(number);
        let end = packet.len() - TAG_LEN;
        packet[end - rest.len()..].fill(0xaa);
        let (mut plain, mut same) = (packet.clone(), bare(number));
        elsewhere.seal_with(number, HEADER, &mut packet, &rest).unwrap();
        assert_eq!(packet, seal(&mut here, number));
        let end = end + Plain.tag_len();
        Plain.seal_with(number, HEADER, &mut plain[..end], &rest).unwrap();
        Plain.seal(number, HEADER, &mut same[..end]).unwrap();
        assert_eq!(plain[..end], same[..end]);
    }
    let (mut short, refused) = (bare(0), Err(SealError::TooShort));
    assert_eq!(elsewhere.seal_with(99, HEADER, &mut short, &[0; 21]), refused);
    assert_eq!(Plain.seal_with(99, HEADER, &mut short, &[0; 33]), refused);
}

#[test]
fn both_directions_cross_many_generations() {
    let (mut client, mut server, seen) = watched(lowered(u64::MAX));
    for number in 0..200 {
        let up = seal(&mut client, number);
        assert!(!up.windows(20).any(|w| w == &text(number)[..20]));
        assert_eq!(open(&mut server, number, &up), Ok(text(number)));
        let down = seal(&mut server, number);
        assert_eq!(open(&mut client, number, &down), Ok(text(number)));
        assert_ne!(up, down);
        // Each side: one to send, the last one and this one to receive.
        assert!(seen.alive.load(Ordering::Relaxed) <= 6);
    }
    assert_eq!(seen.sealed.lock().unwrap().len(), 2 * 200 / 8);
}

#[test]
fn the_real_generation_is_half_of_the_limit_of_aes_gcm() {
    let limits = Limits::new(CIPHER);
    assert_eq!(limits.generation((1 << 22) - 1), 0);
    assert_eq!(limits.generation(1 << 22), 1);
    let (mut client, mut server) = pair(limits);
    for number in [0, (1 << 22) - 1, 1 << 22, (2 << 22) - 1, 2 << 22] {
        let packet = seal(&mut client, number);
        assert_eq!(open(&mut server, number, &packet), Ok(text(number)));
    }
}

#[test]
fn limits_are_lowered_and_never_raised() {
    let real = Limits::new(CIPHER);
    assert_eq!(real.lowered(63, u64::MAX, u64::MAX), real);
    assert_eq!(Limits::new(Cipher::ChaCha20Poly1305).max_forged, 1 << 36);
}

#[test]
fn the_last_number_is_the_last() {
    let (mut client, mut server) = pair(Limits::new(CIPHER).lowered(BITS, u64::MAX, 9));
    for number in 0..=9 {
        let packet = seal(&mut client, number);
        assert!(open(&mut server, number, &packet).is_ok());
    }
    for number in [10, 11, MAX_NUMBER, u64::MAX] {
        let mut packet = bare(number);
        assert_eq!(client.seal(number, HEADER, &mut packet), Err(SealError::Exhausted));
        assert_eq!(packet, bare(number));
        assert_eq!(open(&mut server, number, &packet), Err(OpenError::Forged));
    }
    assert_eq!(server.receiver.forged, 0);
}

#[test]
fn a_sender_leaves_no_generation_out() {
    let (mut client, mut server) = pair(lowered(u64::MAX));
    seal(&mut client, 0);
    assert_eq!(client.seal(16, HEADER, &mut bare(16)), Err(SealError::Number));
    let packet = seal(&mut client, 15);
    assert_eq!(open(&mut server, 15, &packet), Ok(text(15)));
}

#[test]
fn a_packet_without_room_is_refused_and_its_number_stays() {
    let (mut client, mut server) = pair(lowered(u64::MAX));
    for len in 0..HEADER + TAG_LEN {
        let mut packet = vec![1; len];
        assert_eq!(client.seal(0, HEADER, &mut packet), Err(SealError::TooShort));
        assert_eq!(server.open(0, HEADER, &mut packet), Err(OpenError::Forged));
    }
    assert_eq!(server.receiver.forged, 0);
    let packet = seal(&mut client, 0);
    assert_eq!(open(&mut server, 0, &packet), Ok(text(0)));
}

#[test]
fn guesses_are_counted_over_all_keys_up_to_the_limit() {
    let (mut client, mut server) = pair(lowered(3));
    let packets: Vec<_> = (0..8).map(|number| seal(&mut client, number)).collect();
    let next = seal(&mut client, 8);
    let mut forged = packets[0].clone();
    forged[20] ^= 1;
    assert_eq!(open(&mut server, 0, &forged), Err(OpenError::Forged));
    assert_eq!(open(&mut server, 8, &next), Ok(text(8)));
    assert_eq!(open(&mut server, 9, &forged), Err(OpenError::Forged));
    // Of a generation that has no key here: nothing was tried.
    assert_eq!(open(&mut server, 800, &forged), Err(OpenError::Forged));
    assert_eq!(open(&mut server, 1, &packets[1]), Ok(text(1)));
    assert_eq!(open(&mut server, 0, &forged), Err(OpenError::Forged));
    assert_eq!(open(&mut server, 2, &packets[2]), Err(OpenError::IntegrityLimit));
    // To say goodbye is still possible.
    let close = seal(&mut server, 0);
    assert_eq!(open(&mut client, 0, &close), Ok(text(0)));
}

#[test]
fn keys_are_of_one_direction_one_handshake_and_one_generation() {
    let crypto: Arc<dyn Crypto> = Arc::new(Toy::new(1));
    let sealed = |keys| Sealed::new(&crypto, keys, lowered(u64::MAX));
    let mut client = sealed(keys(1, 2, 9));
    let packet = seal(&mut client, 0);
    assert!(open(&mut sealed(keys(2, 1, 9)), 0, &packet).is_ok());
    assert!(open(&mut client, 0, &packet).is_err());
    assert!(open(&mut sealed(keys(2, 1, 8)), 0, &packet).is_err());
    assert!(open(&mut sealed(keys(2, 3, 9)), 0, &packet).is_err());
    // The number is not only in the header.
    for other in [1, 8] {
        assert!(open(&mut sealed(keys(2, 1, 9)), other, &packet).is_err());
    }
}

#[test]
fn forged_packets_of_the_next_generation_do_not_bring_it_about() {
    let (mut client, mut server) = pair(lowered(u64::MAX));
    let packets: Vec<_> = (0..24).map(|number| seal(&mut client, number)).collect();
    assert!(open(&mut server, 8, &packets[8]).is_ok());
    for (number, packet) in (16..).zip(&packets[16..]) {
        let mut forged = packet.clone();
        forged[HEADER] ^= 1;
        assert_eq!(open(&mut server, number, &forged), Err(OpenError::Forged));
    }
    assert_eq!(open(&mut server, 7, &packets[7]), Ok(text(7)));
    assert_eq!(open(&mut server, 16, &packets[16]), Ok(text(16)));
    assert_eq!(open(&mut server, 6, &packets[6]), Err(OpenError::Forged));
}

#[test]
fn nothing_secret_is_printed() {
    let (client, _) = pair(lowered(5));
    let printed = format!("{client:?}");
    assert!(printed.contains("generation: 0") && !printed.contains("secret"), "{printed}");
}

proptest! {
    /// Whatever is asked to be sealed: no nonce comes twice (the watching AEAD would panic), and no key seals more than a
    /// generation.
    #[test]
    fn no_nonce_comes_twice(steps in prop::collection::vec((0u64..20, any::<bool>(), 0usize..60), 1..200)) {
        let (mut client, _, seen) = watched(lowered(u64::MAX));
        let (mut number, mut last) = (0u64, None);
        for (step, back, len) in steps {
            number = if back { number.saturating_sub(step) } else { number + step };
            let mut packet = vec![0; len];
            let sealed = client.seal(number, HEADER, &mut packet).is_ok();
            prop_assert!(!sealed || Some(number) > last);
            if sealed {
                last = Some(number);
            }
        }
        prop_assert!(seen.sealed.lock().unwrap().values().all(|nonces| nonces.len() <= 1 << BITS));
    }

    /// Under skipped numbers, loss, reordering, repetition and forgery, exactly those packets open that the window says.
    #[test]
    fn generations_follow_the_highest_number_opened(
        steps in prop::collection::vec((1u64..4, 0usize..12, 0u8..6), 1..300),
    ) {
        let (mut client, mut server) = pair(lowered(u64::MAX));
        let mut number = 0;
        let mut sent: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut reached = 0u64;
        let mut forged = 0;
        for (skip, back, fate) in steps {
            number += skip;
            sent.push((number, seal(&mut client, number)));
            // One that was sent lately arrives, or none does.
            let (number, packet) = &sent[sent.len().saturating_sub(1 + back)];
            let generation = number >> BITS;
            let in_window = generation.abs_diff(reached) <= 1;
            match fate {
                0 => {}
                1 => {
                    let mut other = packet.clone();
                    let bit = (back * 97) % (other.len() * 8);
                    other[bit / 8] ^= 1 << (bit % 8);
                    prop_assert_eq!(open(&mut server, *number, &other), Err(OpenError::Forged));
                    forged += u64::from(in_window);
                }
                _ => {
                    let opened = open(&mut server, *number, packet);
                    let expected = if in_window { Ok(text(*number)) } else { Err(OpenError::Forged) };
                    prop_assert_eq!(opened, expected);
                    if in_window {
                        reached = reached.max(generation);
                    }
                }
            }
            prop_assert_eq!((server.receiver.generation, server.receiver.forged), (reached, forged));
        }
    }

    #[test]
    fn any_changed_bit_is_noticed(number in 0u64..8, flip in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let (mut client, mut server) = pair(lowered(u64::MAX));
        let packet = seal(&mut client, number);
        let bit = flip.index(packet.len() * 8);
        let mut changed = packet.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(open(&mut server, number, &changed), Err(OpenError::Forged));
        let cut = cut.index(packet.len());
        prop_assert_eq!(open(&mut server, number, &packet[..cut]), Err(OpenError::Forged));
        prop_assert_eq!(open(&mut server, number, &packet), Ok(text(number)));
    }

    #[test]
    fn any_bytes_are_forged(number in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..100), header in 0usize..120) {
        let (_, mut server) = pair(lowered(u64::MAX));
        let mut bytes = bytes;
        prop_assert_eq!(server.open(number, header, &mut bytes), Err(OpenError::Forged));
    }
}
