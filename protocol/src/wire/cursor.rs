//! Reading from and writing into byte slices, with nothing taken that is not there.

/// The rest of some bytes from the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes end before what they promise, or promise what cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes all that is left.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// A variable-length integer (RFC 9000, section 16), in its shortest form only, so that a value has
    /// one encoding.
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let first = self.u8()?;
        let (value, least) = match first >> 6 {
            0 => (u64::from(first), 0),
            1 => (u64::from(u16::from_be_bytes([first & 0x3f, self.u8()?])), 1 << 6),
            2 => {
                let [b, c, d] = self.array()?;
                (u64::from(u32::from_be_bytes([first & 0x3f, b, c, d])), 1 << 14)
            }
            _ => {
                let [b, c, d, e, f, g, h] = self.array()?;
                (u64::from_be_bytes([first & 0x3f, b, c, d, e, f, g, h]), 1 << 30)
            }
        };
        if value < least { Err(Malformed) } else { Ok(value) }
    }

    /// A length-prefixed run of at most `cap` bytes.
    pub(crate) fn prefixed(&mut self, cap: usize) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        if len > cap {
            return Err(Malformed);
        }
        self.bytes(len)
    }

    /// Succeeds if nothing is left.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// The largest value that a variable-length integer holds.
pub(crate) const VARINT_MAX: u64 = (1 << 62) - 1;

/// Bytes that `value` takes as a variable-length integer.
pub(crate) const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Bytes written into a slice of the caller's.
///
/// Writing past the end writes nothing and is remembered: [`Writer::finish`] tells. So a composite is
/// written without a check at each step.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
    overrun: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0, overrun: false }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buf.get_mut(self.len..end) {
            Some(place) if !self.overrun => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.overrun = true,
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes a variable-length integer; values over [`VARINT_MAX`] are clamped to it, which no caller reaches.
    pub(crate) fn varint(&mut self, value: u64) {
        let value = value.min(VARINT_MAX);
        let all = value.to_be_bytes();
        let len = varint_len(value);
        let mut short = [0; 8];
        let from = all.len().saturating_sub(len);
        if let (Some(to), Some(low)) = (short.get_mut(..len), all.get(from..)) {
            to.copy_from_slice(low);
            if let Some(first) = to.first_mut() {
                *first |= (len.trailing_zeros() as u8) << 6;
            }
            self.bytes(to);
        }
    }

    pub(crate) fn prefixed(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }

    /// Bytes written, if all found room.
    pub(crate) fn finish(self) -> Option<usize> {
        (!self.overrun).then_some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_varint_comes_back_and_is_canonical(value in prop_oneof![0..=VARINT_MAX, 0u64..20_000]) {
            let mut buf = [0; 8];
            let mut writer = Writer::new(&mut buf);
            writer.varint(value);
            let len = writer.finish().unwrap();
            prop_assert_eq!(len, varint_len(value));
            let mut reader = Reader::new(&buf[..len]);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_read_back_as_they_were_written(bytes in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint() {
                let used = bytes.len() - reader.remaining();
                let mut buf = [0; 8];
                let mut writer = Writer::new(&mut buf);
                writer.varint(value);
                let len = writer.finish().unwrap();
                prop_assert_eq!(&buf[..len], &bytes[..used]);
            }
        }
    }

    #[test]
    fn a_write_past_the_end_is_told() {
        let mut buf = [0; 3];
        let mut writer = Writer::new(&mut buf);
        writer.u32(7);
        writer.u8(1);
        assert_eq!(writer.finish(), None);
    }
}
