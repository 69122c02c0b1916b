use super::*;
use gannet_protocol::crypto::{AeadFailed, Identity, NONCE_LEN, PublicKey, TAG_LEN, WeakKey};
use proptest::prelude::*;

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}

#[test]
fn sha256_is_that_of_the_standard() {
    // FIPS 180-4, example of one block.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(AwsLc.sha256(b"abc"), hex(abc));
}

#[test]
fn hmac_is_that_of_the_standard_and_joins_its_parts() {
    // RFC 4231, section 4.3.
    let right = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    for parts in
        [&[&b"what do ya want for nothing?"[..]][..], &[b"what do ya ", b"", b"want for nothing?"]]
    {
        let mut out = [0; HASH_LEN];
        AwsLc.hmac_sha256(b"Jefe", parts, &mut out);
        assert_eq!(out, right);
    }
}

/// All points of low order, and those of them that are written as numbers above the prime.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn keys_that_agree_with_everybody_are_refused() {
    let pair = AwsLc.key_pair(&Secret::random(&AwsLc).unwrap());
    for point in LOW_ORDER {
        let result = pair.agree(&PublicKey::from_bytes(hex(point)));
        assert_eq!(result.err(), Some(WeakKey), "{point}");
    }
}

#[test]
fn two_key_pairs_agree_and_a_third_does_not() {
    let [a, b, c] = [(); 3].map(|()| AwsLc.key_pair(&Secret::random(&AwsLc).unwrap()));
    let shared = a.agree(b.public()).unwrap();
    assert_eq!(shared.expose(), b.agree(a.public()).unwrap().expose());
    assert_ne!(shared.expose(), c.agree(a.public()).unwrap().expose());
}

#[test]
fn identities_of_one_run_differ() {
    let identities = [(); 2].map(|()| Identity::random(Arc::new(AwsLc)).unwrap());
    assert_ne!(identities[0].public(), identities[1].public());
}

fn ciphers() -> impl Strategy<Value = Cipher> {
    prop_oneof![Just(Cipher::Aes256Gcm), Just(Cipher::ChaCha20Poly1305)]
}

proptest! {
    #[test]
    fn what_is_sealed_from_elsewhere_is_the_same(
        cipher in ciphers(), key: [u8; 32], nonce: [u8; NONCE_LEN], aad: [u8; 17],
        text in prop::collection::vec(any::<u8>(), 0..2000), at in any::<prop::sample::Index>(),
    ) {
        let aead = AwsLc.aead(cipher, &Secret::take(&mut key.clone()));
        let (mut sealed, mut tag) = (text.clone(), [0; TAG_LEN]);
        aead.seal(nonce, &aad, &mut sealed, &mut tag).unwrap();
        let (front, rest) = text.split_at(at.index(text.len() + 1));
        let mut out = [front, &vec![0xaa; rest.len() + TAG_LEN]].concat();
        prop_assert_eq!(aead.seal_with(nonce, &aad, &mut out, rest), Ok(()));
        prop_assert_eq!(out, [&sealed[..], &tag].concat());
        let mut short = vec![0; rest.len() + TAG_LEN - 1];
        prop_assert_eq!(aead.seal_with(nonce, &aad, &mut short, rest), Err(AeadFailed));
    }

    #[test]
    fn what_was_sealed_opens_unless_a_bit_changed(
        cipher in ciphers(), key: [u8; 32], nonce: [u8; NONCE_LEN], aad: [u8; 17],
        text in prop::collection::vec(any::<u8>(), 0..2000), flip in any::<prop::sample::Index>(),
    ) {
        let aead = AwsLc.aead(cipher, &Secret::take(&mut key.clone()));
        let (mut sealed, mut tag) = (text.clone(), [0; TAG_LEN]);
        aead.seal(nonce, &aad, &mut sealed, &mut tag).unwrap();
        let mut opened = sealed.clone();
        prop_assert_eq!(aead.open(nonce, &aad, &mut opened, &tag), Ok(()));
        prop_assert_eq!(&opened, &text);
        // Everything that goes in, side by side.
        let mut all = [&nonce[..], &aad, &tag, &sealed].concat();
        let bit = flip.index(all.len() * 8);
        all[bit / 8] ^= 1 << (bit % 8);
        let (nonce, rest) = all.split_first_chunk_mut().unwrap();
        let (aad, rest) = rest.split_at_mut(17);
        let (tag, sealed) = rest.split_first_chunk_mut().unwrap();
        prop_assert_eq!(aead.open(*nonce, aad, sealed, tag), Err(AeadFailed));
    }
}
