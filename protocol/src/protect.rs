//! Protection of packets, in place.

use crc::{CRC_32_ISCSI, Crc, Table};

/// Seals and opens packets: the AEAD of a sealed connection and the checksum of a plain one stand behind it.
pub trait Protect {
    /// Bytes that sealing adds at the end.
    fn tag_len(&self) -> usize;

    /// Seals `packet` in place. Its first `header_len` bytes are authenticated and stay readable; its last
    /// [`Self::tag_len`] bytes are the tag's place. Numbers have to grow.
    ///
    /// # Errors
    /// Says why `packet` is not protected: it must not be sent.
    fn seal(&mut self, number: u64, header_len: usize, packet: &mut [u8]) -> Result<(), SealError>;

    /// As [`Self::seal`], with `rest` as the last bytes before the tag, where `packet` has room for it.
    ///
    /// # Errors
    /// As [`Self::seal`].
    fn seal_with(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &mut [u8],
        rest: &[u8],
    ) -> Result<(), SealError> {
        let end = packet.len().checked_sub(self.tag_len()).ok_or(SealError::TooShort)?;
        let start = end.checked_sub(rest.len()).filter(|start| *start >= header_len);
        let place = start.and_then(|start| packet.get_mut(start..end));
        place.ok_or(SealError::TooShort)?.copy_from_slice(rest);
        self.seal(number, header_len, packet)
    }

    /// Opens `packet` in place and gives what stands between header and tag. A packet may come twice: to see that is
    /// the caller's matter.
    ///
    /// # Errors
    /// Nothing may be concluded from the bytes then, which need not be what they were.
    fn open<'p>(
        &mut self,
        number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], OpenError>;
}

/// Why a packet could not be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealError {
    /// The caller's mistake: the number is not above all before it, or the peer could not open it.
    Number,
    /// The caller's mistake: there is no room for header and tag.
    TooShort,
    /// There are no more numbers: the connection has to close.
    Exhausted,
    /// The cryptography failed.
    Cipher,
}

/// Why a packet could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// It is not from our peer, or not as it was sent: noise.
    Forged,
    /// So many were forged that the keys deserve no more trust: the connection has to close (RFC 9001, section 6.6).
    IntegrityLimit,
}

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
pub(crate) fn check_checksum(packet: &[u8]) -> Result<&[u8], OpenError> {
    let (covered, tag) = packet.split_last_chunk::<CRC_LEN>().ok_or(OpenError::Forged)?;
    if CRC.checksum(covered).to_be_bytes() == *tag { Ok(covered) } else { Err(OpenError::Forged) }
}

impl Protect for Plain {
    fn tag_len(&self) -> usize {
        CRC_LEN
    }

    fn seal(
        &mut self,
        _number: u64,
        header_len: usize,
        packet: &mut [u8],
    ) -> Result<(), SealError> {
        if packet.len() < header_len.saturating_add(CRC_LEN) {
            return Err(SealError::TooShort);
        }
        add_checksum(packet);
        Ok(())
    }

    fn open<'p>(
        &mut self,
        _number: u64,
        header_len: usize,
        packet: &'p mut [u8],
    ) -> Result<&'p [u8], OpenError> {
        check_checksum(packet)?.get(header_len..).ok_or(OpenError::Forged)
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
            Plain.seal(7, 17, &mut packet).unwrap();
            let body = packet[17..packet.len() - 4].to_vec();
            let mut copy = packet.clone();
            prop_assert_eq!(Plain.open(7, 17, &mut copy), Ok(&body[..]));
            let bit = flip.index(packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Plain.open(7, 17, &mut packet), Err(OpenError::Forged));
        }
    }
}
