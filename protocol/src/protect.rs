//! Protection of packets, in place.

use crc::{CRC_32_ISCSI, Crc, Table};

/// Seals and opens packets: the AEAD of a sealed connection and the checksum of a plain one stand behind it.
pub trait Protect {
    /// Bytes that sealing adds at the end.
    fn tag_len(&self) -> usize;

    /// Seals `packet` in place. Its first `header_len` bytes are authenticated and stay readable; its last
    /// [`Self::tag_len`] bytes are the tag's place. No `number` may ever be sealed twice.
    fn seal(&self, number: u64, header_len: usize, packet: &mut [u8]);

    /// Opens `packet` in place and gives what stands between header and tag.
    ///
    /// # Errors
    /// [`Forged`] if it is not as it was sealed; nothing may be concluded from its bytes then.
    fn open<'p>(
        &self,
        number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], Forged>;
}

/// The packet is not from our peer, or not as it was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forged;

/// Plain mode: CRC-32C over the whole packet. It guards against accidents and against nobody's ill will.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// Slicing by 16: the crate's default table is nine times slower and would be the bottleneck by itself.
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Bytes of a CRC-32C.
pub(crate) const CRC_LEN: usize = 4;

/// Writes the checksum of all before it into the last four bytes.
pub(crate) fn add_checksum(packet: &mut [u8]) {
    if let Some((covered, tag)) = packet.split_last_chunk_mut::<CRC_LEN>() {
        *tag = CRC.checksum(covered).to_be_bytes();
    }
}

/// What stands before the checksum, if that is right.
pub(crate) fn check_checksum(packet: &[u8]) -> Result<&[u8], Forged> {
    let (covered, tag) = packet.split_last_chunk::<CRC_LEN>().ok_or(Forged)?;
    if CRC.checksum(covered).to_be_bytes() == *tag { Ok(covered) } else { Err(Forged) }
}

impl Protect for Plain {
    fn tag_len(&self) -> usize {
        CRC_LEN
    }

    fn seal(&self, _number: u64, _header_len: usize, packet: &mut [u8]) {
        add_checksum(packet);
    }

    fn open<'p>(
        &self,
        _number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], Forged> {
        check_checksum(packet)?.get(header_len..).ok_or(Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        let mut packet = *b"123456789....";
        add_checksum(&mut packet);
        assert_eq!(packet[9..], 0xe306_9283_u32.to_be_bytes());
    }

    proptest! {
        #[test]
        fn a_packet_opens_unless_a_bit_changed(
            bytes in prop::collection::vec(any::<u8>(), 21..200), flip in any::<prop::sample::Index>(),
        ) {
            let mut packet = bytes;
            Plain.seal(7, 17, &mut packet);
            let body = packet[17..packet.len() - 4].to_vec();
            let mut copy = packet.clone();
            prop_assert_eq!(Plain.open(7, 17, &mut copy), Ok(&body[..]));
            let bit = flip.index(packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Plain.open(7, 17, &mut packet), Err(Forged));
        }
    }
}
