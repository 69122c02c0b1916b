//! Flipping bits.

/// Flips one bit of `bytes`; `place` chooses which, evenly. False when there is none to flip.
pub(super) fn flip_bit(bytes: &mut [u8], place: u64) -> bool {
    let (at, mask) = bit_at(bytes.len(), place);
    let Some(byte) = bytes.get_mut(at) else { return false };
    *byte ^= mask;
    true
}

/// Flips two bits of `bytes` such that the Internet checksum over them stays the same. That
/// adds 16-bit words (RFC 1071), so the same bit is set in one word and cleared in another.
/// False when no two bits fit.
pub(super) fn flip_bits_unseen(bytes: &mut [u8], place: u64) -> bool {
    let (at, bit) = bit_at(bytes.len(), place);
    let Some(first) = bytes.get(at).copied() else { return false };
    // Bytes of equal parity are the same half of their words; the bit there must differ.
    let partner = |mask: u8| {
        let mut halves = bytes.iter().enumerate().skip(at % 2).step_by(2);
        halves.find(|(_, byte)| (**byte ^ first) & mask != 0).map(|(i, _)| (i, mask))
    };
    let Some((other, mask)) = (0..8).find_map(|turn| partner(bit.rotate_left(turn))) else {
        return false;
    };
    for i in [at, other] {
        if let Some(byte) = bytes.get_mut(i) {
            *byte ^= mask;
        }
    }
    true
}

/// The byte, below `len` unless that is 0, and the bit in it.
fn bit_at(len: usize, place: u64) -> (usize, u8) {
    let bit = (u128::from(place) * (len as u128 * 8)) >> 64;
    let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
    (at, 1 << (bit % 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071, section 4.1, without the final complement.
    fn internet_sum(bytes: &[u8]) -> u16 {
        let word = |pair: &[u8]| {
            u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default())
        };
        let mut sum: u32 = bytes.chunks(2).map(word).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).expect("folded")
    }

    fn flipped(before: &[u8], after: &[u8]) -> u32 {
        before.iter().zip(after).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    proptest! {
        #[test]
        fn one_bit_is_flipped(before: Vec<u8>, place: u64) {
            let mut after = before.clone();
            let done = flip_bit(&mut after, place);
            prop_assert_eq!(done, !before.is_empty());
            prop_assert_eq!(flipped(&before, &after), u32::from(done));
        }

        #[test]
        fn two_bits_are_flipped_and_the_checksum_stays(before: Vec<u8>, place: u64) {
            let mut after = before.clone();
            let done = flip_bits_unseen(&mut after, place);
            prop_assert_eq!(flipped(&before, &after), 2 * u32::from(done));
            prop_assert_eq!(internet_sum(&before), internet_sum(&after));
        }
    }

    #[test]
    fn equal_words_cannot_change_unseen() {
        assert!(!flip_bits_unseen(&mut [7, 8, 7, 8], u64::MAX));
        // Any bit of the second or fourth byte leads to the one that differs.
        assert!(flip_bits_unseen(&mut [7, 8, 7, 9], 1 << 62));
        assert!(flip_bits_unseen(&mut [7, 8, 7, 9], u64::MAX));
    }
}
