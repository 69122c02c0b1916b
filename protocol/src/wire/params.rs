//! Transport parameters: what each side tells in the handshake (docs/protocol.md, "Parameters").

use core::{num::NonZeroU64, ops::RangeInclusive, time::Duration};

use super::{
    cursor::{Malformed, Reader, VARINT_MAX, Writer},
    frame::Credit,
    packet::{MIN_DATAGRAM, TOKEN_LEN},
};
use crate::MIN_RATE;

const MAX_DATAGRAM: u64 = 1;
const IDLE_TIMEOUT: u64 = 2;
const BODY_CREDIT: u64 = 3;
const EXCHANGES: u64 = 4;
const MESSAGE_CREDIT: u64 = 5;
const WINDOW_OF_A_BODY: u64 = 6;
const RESET_TOKEN: u64 = 7;
const PATH: u64 = 8;
const MAX_RATE: u64 = 9;
const BACKGROUND: u64 = 10;

/// Shortest idle timeout that is believed: below it ordinary blackouts would end connections.
const MIN_IDLE_TIMEOUT_MS: u64 = 1_000;
/// Longest: an hour holds a dead peer's state long enough.
const MAX_IDLE_TIMEOUT_MS: u64 = 3_600_000;
/// Longest value of an unknown parameter, and most of them: room for later versions.
const MAX_UNKNOWN: usize = 64;

/// What one side is ready to receive, and how the other is to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Parameters {
    /// Largest UDP payload that it takes.
    pub(crate) max_datagram: u16,
    /// Silence after which it gives up.
    pub(crate) idle_timeout: Duration,
    /// What may be sent at first.
    pub(crate) credit: Credit,
    /// What may be sent of each body at first.
    pub(crate) body_window: u64,
    /// What a server's RESET of this connection will carry.
    pub(crate) reset_token: Option<[u8; TOKEN_LEN]>,
    /// What the path gave when a client last received over it.
    pub(crate) path: Option<PathHint>,
    /// Most bits a second that the other side is to send.
    pub(crate) max_rate: Option<NonZeroU64>,
    /// Whether the other side is to yield to everything else.
    pub(crate) background: bool,
}

/// What a path gave when it was last used, as the receiver of what it carried tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PathHint {
    /// UDP payload bytes a second.
    pub(crate) rate: u64,
    /// The least round-trip time.
    pub(crate) rtt: Duration,
    /// UDP payload bytes of a full packet.
    pub(crate) mtu: u16,
}

impl PathHint {
    fn write(&self, w: &mut Writer<'_>) {
        let micros = u64::try_from(self.rtt.as_micros()).unwrap_or(VARINT_MAX).min(VARINT_MAX);
        let mut bytes = [0; 24];
        let mut value = Writer::new(&mut bytes);
        value.varint(self.rate.min(VARINT_MAX));
        value.varint(micros);
        value.varint(u64::from(self.mtu));
        let len = value.finish().unwrap_or_default();
        w.prefixed(bytes.get(..len).unwrap_or_default());
    }

    fn read(value: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (rate, micros) = (value.varint()?, value.varint()?);
        let mtu = u16::try_from(value.varint()?).map_err(|_| Malformed)?;
        Ok(Self { rate, rtt: Duration::from_micros(micros), mtu })
    }
}

impl Parameters {
    /// Writes each parameter as number, length and value, in the order of their numbers.
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        let millis = u64::try_from(self.idle_timeout.as_millis()).unwrap_or(MAX_IDLE_TIMEOUT_MS);
        for (number, value) in [
            (MAX_DATAGRAM, u64::from(self.max_datagram)),
            (IDLE_TIMEOUT, millis.clamp(MIN_IDLE_TIMEOUT_MS, MAX_IDLE_TIMEOUT_MS)),
            (BODY_CREDIT, self.credit.body),
            (EXCHANGES, self.credit.exchanges),
            (MESSAGE_CREDIT, self.credit.messages),
            (WINDOW_OF_A_BODY, self.body_window),
        ] {
            write_number(w, number, value);
        }
        if let Some(token) = &self.reset_token {
            w.varint(RESET_TOKEN);
            w.prefixed(token);
        }
        if let Some(path) = &self.path {
            w.varint(PATH);
            path.write(w);
        }
        if let Some(rate) = self.max_rate {
            write_number(w, MAX_RATE, rate.get());
        }
        if self.background {
            write_number(w, BACKGROUND, 1);
        }
    }

    /// Reads all that is left. Numbers must rise, so that none comes twice; each known one must be there and in
    /// its range; unknown ones are skipped.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut values = [None; 11];
        let (mut reset_token, mut path) = (None, None);
        let mut last = None;
        while !r.is_empty() {
            let number = r.varint()?;
            if last.is_some_and(|last| number <= last) {
                return Err(Malformed);
            }
            last = Some(number);
            let mut value = Reader::new(r.prefixed(MAX_UNKNOWN)?);
            if number == RESET_TOKEN {
                reset_token = Some(value.array()?);
                value.finish()?;
                continue;
            }
            if number == PATH {
                path = Some(PathHint::read(&mut value)?);
                value.finish()?;
                continue;
            }
            let known = usize::try_from(number).ok().and_then(|n| values.get_mut(n));
            if let Some(place) = known.filter(|_| number != 0) {
                *place = Some(value.varint()?);
                value.finish()?;
            }
        }
        let given = |number: u64, range: RangeInclusive<u64>| {
            let value = values.get(number as usize).copied().flatten();
            if value.is_none_or(|value| range.contains(&value)) {
                Ok(value)
            } else {
                Err(Malformed)
            }
        };
        let get = |number: u64, range| given(number, range)?.ok_or(Malformed);
        let max_datagram = get(MAX_DATAGRAM, MIN_DATAGRAM as u64..=u64::from(u16::MAX))?;
        let idle = get(IDLE_TIMEOUT, MIN_IDLE_TIMEOUT_MS..=MAX_IDLE_TIMEOUT_MS)?;
        Ok(Self {
            max_datagram: u16::try_from(max_datagram).map_err(|_| Malformed)?,
            idle_timeout: Duration::from_millis(idle),
            credit: Credit {
                body: get(BODY_CREDIT, 0..=VARINT_MAX)?,
                exchanges: get(EXCHANGES, 0..=VARINT_MAX)?,
                messages: get(MESSAGE_CREDIT, 0..=VARINT_MAX)?,
            },
            body_window: get(WINDOW_OF_A_BODY, 0..=VARINT_MAX)?,
            reset_token,
            path,
            max_rate: given(MAX_RATE, MIN_RATE..=VARINT_MAX)?.and_then(NonZeroU64::new),
            background: given(BACKGROUND, 1..=1)?.is_some(),
        })
    }
}

/// Writes a parameter whose value is a number.
fn write_number(w: &mut Writer<'_>, number: u64, value: u64) {
    w.varint(number);
    let mut bytes = [0; 8];
    let mut value_writer = Writer::new(&mut bytes);
    value_writer.varint(value);
    let len = value_writer.finish().unwrap_or_default();
    w.prefixed(bytes.get(..len).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn parameters() -> impl Strategy<Value = Parameters> {
        let number = || 0..=VARINT_MAX;
        let millis = MIN_IDLE_TIMEOUT_MS..=MAX_IDLE_TIMEOUT_MS;
        let token = prop::option::of(prop::array::uniform16(0u8..));
        let path = (number(), number(), 0u16..).prop_map(|(rate, micros, mtu)| PathHint {
            rate,
            rtt: Duration::from_micros(micros),
            mtu,
        });
        let path = prop::option::of(path);
        let rate = prop::option::of(MIN_RATE..=VARINT_MAX);
        let limits = (1200u16.., millis, number(), number(), number(), number());
        let all = (limits, token, path, rate, any::<bool>());
        all.prop_map(|((size, ms, a, b, c, w), reset_token, path, rate, background)| Parameters {
            max_datagram: size,
            idle_timeout: Duration::from_millis(ms),
            credit: Credit { body: a, exchanges: b, messages: c },
            body_window: w,
            reset_token,
            path,
            max_rate: rate.and_then(NonZeroU64::new),
            background,
        })
    }

    fn encode(parameters: &Parameters) -> Vec<u8> {
        let mut buf = [0; 200];
        let mut w = Writer::new(&mut buf);
        parameters.write(&mut w);
        let len = w.finish().unwrap();
        buf[..len].to_vec()
    }

    proptest! {
        #[test]
        fn parameters_come_back_but_not_cut(parameters in parameters()) {
            let bytes = encode(&parameters);
            prop_assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Ok(parameters));
            // What may be missing comes last.
            let least = Parameters {
                reset_token: None,
                path: None,
                max_rate: None,
                background: false,
                ..parameters
            };
            for cut in 0..bytes.len() {
                if let Ok(read) = Parameters::read(&mut Reader::new(&bytes[..cut])) {
                    prop_assert_eq!(encode(&read), bytes[..cut].to_vec());
                    prop_assert!(cut >= encode(&least).len());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Parameters::read(&mut Reader::new(&bytes));
        }

        #[test]
        fn unknown_ones_are_skipped_and_doubles_refused(parameters in parameters(), number in 11u64..1000) {
            let mut bytes = encode(&parameters);
            let mut buf = [0; 20];
            let mut w = Writer::new(&mut buf);
            w.varint(number);
            w.prefixed(b"later");
            let len = w.finish().unwrap();
            bytes.extend_from_slice(&buf[..len]);
            prop_assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Ok(parameters));
            bytes.extend_from_slice(&buf[..len]);
            prop_assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Err(Malformed));
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        let bytes = [1, 2, 0x44, 0xaf, 2, 2, 0x43, 0xe8];
        assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Err(Malformed));
    }

    #[test]
    fn a_token_of_another_length_is_refused() {
        let parameters = Parameters {
            max_datagram: 1200,
            idle_timeout: Duration::from_secs(1),
            credit: Credit { body: 0, exchanges: 0, messages: 0 },
            body_window: 0,
            reset_token: Some([9; TOKEN_LEN]),
            path: None,
            max_rate: None,
            background: false,
        };
        let bytes = encode(&parameters);
        let before = bytes.len() - TOKEN_LEN - 1;
        for len in (0..=32).filter(|len| *len != TOKEN_LEN) {
            let mut bytes = bytes[..before].to_vec();
            bytes.push(len as u8);
            bytes.resize(bytes.len() + len, 9);
            assert_eq!(Parameters::read(&mut Reader::new(&bytes)), Err(Malformed), "{len}");
        }
    }

    #[test]
    fn a_manner_out_of_range_is_refused() {
        let least = Parameters {
            max_datagram: 1200,
            idle_timeout: Duration::from_secs(1),
            credit: Credit { body: 0, exchanges: 0, messages: 0 },
            body_window: 0,
            reset_token: None,
            path: None,
            max_rate: None,
            background: false,
        };
        for (number, value, is_right) in [
            (MAX_RATE, MIN_RATE, true),
            (MAX_RATE, MIN_RATE - 1, false),
            (BACKGROUND, 1, true),
            (BACKGROUND, 0, false),
            (BACKGROUND, 2, false),
        ] {
            let mut buf = [0; 20];
            let mut w = Writer::new(&mut buf);
            write_number(&mut w, number, value);
            let len = w.finish().unwrap();
            let bytes = [encode(&least).as_slice(), &buf[..len]].concat();
            let read = Parameters::read(&mut Reader::new(&bytes));
            assert_eq!(read.is_ok(), is_right, "{number} {value}");
        }
    }
}
