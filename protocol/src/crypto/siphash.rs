//! SipHash-2-4 (Aumasson and Bernstein, 2012): short keyed tags where there is no provider of cryptography.

/// The tag of `data` under the key whose halves, read as little-endian integers, are `key`.
pub(crate) fn siphash(key: [u64; 2], data: &[u8]) -> u64 {
    let [k0, k1] = key;
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = data.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    // The highest byte of the last word is the length.
    let last = u64::from_le_bytes(last) | (data.len() as u64) << 56;
    for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([last]) {
        absorb(&mut v, word);
    }
    let [_, _, v2, _] = &mut v;
    *v2 ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    v.iter().fold(0, |tag, word| tag ^ word)
}

fn absorb(v: &mut [u64; 4], word: u64) {
    let [_, _, _, v3] = v;
    *v3 ^= word;
    (0..2).for_each(|_| round(v));
    let [v0, ..] = v;
    *v0 ^= word;
}

const fn round([v0, v1, v2, v3]: &mut [u64; 4]) {
    *v0 = v0.wrapping_add(*v1);
    *v1 = v1.rotate_left(13) ^ *v0;
    *v0 = v0.rotate_left(32);
    *v2 = v2.wrapping_add(*v3);
    *v3 = v3.rotate_left(16) ^ *v2;
    *v0 = v0.wrapping_add(*v3);
    *v3 = v3.rotate_left(21) ^ *v0;
    *v2 = v2.wrapping_add(*v1);
    *v1 = v1.rotate_left(17) ^ *v2;
    *v2 = v2.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::hash::Hasher as _;

    /// The key and the message of the paper's appendix A.
    #[test]
    fn the_tag_is_the_published_one() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(key, &message), 0xa129_ca61_49be_45e5);
    }

    #[test]
    #[expect(deprecated, reason = "the only SipHash-2-4 of the standard library")]
    fn tags_of_any_length_are_those_of_the_standard_library() {
        let message: Vec<u8> = (0..100).collect();
        for len in 0..message.len() {
            let mut other = core::hash::SipHasher::new_with_keys(7, 8);
            other.write(&message[..len]);
            assert_eq!(siphash([7, 8], &message[..len]), other.finish());
        }
    }
}
