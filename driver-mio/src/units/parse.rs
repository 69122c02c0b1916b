//! From text.

use std::{fmt, time::Duration};

/// Fractional digits that are looked at; the 18th of the largest unit is about a byte.
const MOST_DECIMALS: usize = 18;

/// What is wrong with a size, a rate or a time that someone wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnitError {
    /// There is no number where one belongs.
    NotANumber {
        /// What stands there instead.
        text: String,
    },
    /// A number without a unit, where that could mean anything.
    NoUnit {
        /// The units that are known, in words.
        known: &'static str,
    },
    /// A unit of something else, or of nothing.
    UnknownUnit {
        /// The unit as it was written.
        unit: String,
        /// The units that are known, in words.
        known: &'static str,
    },
    /// A second part of a size or rate, or of a time in a unit that is not smaller than the last.
    OutOfOrder {
        /// The text from that part on.
        text: String,
    },
    /// More than 64 bits hold, for a time in nanoseconds.
    TooLarge,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber { text } if text.is_empty() => write!(f, "a number is missing"),
            Self::NotANumber { text } => write!(f, "'{text}' is not a number"),
            Self::NoUnit { known } => write!(f, "a unit is missing: {known}"),
            Self::UnknownUnit { unit, known } => {
                write!(f, "'{unit}' is not a unit for this: {known}")
            }
            Self::OutOfOrder { text } => write!(f, "'{text}' is one part too many"),
            Self::TooLarge => write!(f, "the number is too large"),
        }
    }
}

impl std::error::Error for UnitError {}

/// A size in bytes. A number alone counts bytes; parts of a byte are rounded.
///
/// ```
/// # use gannet_driver_mio::units::parse_size;
/// assert_eq!(parse_size("1.5MB"), Ok(1_500_000));
/// assert_eq!(parse_size("10 MiB"), Ok(10_485_760));
/// ```
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    SIZE.parse(text)
}

/// A rate in bits per second, with a unit.
///
/// ```
/// # use gannet_driver_mio::units::parse_rate;
/// assert_eq!(parse_rate("100mbit"), Ok(100_000_000));
/// assert_eq!(parse_rate("2.5 Gbit/s"), Ok(2_500_000_000));
/// ```
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_rate(text: &str) -> Result<u64, UnitError> {
    RATE.parse(text)
}

/// A time, exact to the nanosecond, with a unit unless it is 0.
///
/// ```
/// # use gannet_driver_mio::units::parse_duration;
/// # use std::time::Duration;
/// assert_eq!(parse_duration("50ms"), Ok(Duration::from_millis(50)));
/// assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
/// ```
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    TIME.parse(text).map(Duration::from_nanos)
}

/// What one kind of quantity is written in.
struct Quantity {
    /// In lower case, with what each is worth.
    units: &'static [(&'static str, u64)],
    known: &'static str,
    /// Whether it may have several parts, as in `1h30m`.
    compound: bool,
}

const SIZE: Quantity = Quantity {
    units: &[
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("pb", 1_000_000_000_000_000),
        ("eb", 1_000_000_000_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("pib", 1 << 50),
        ("eib", 1 << 60),
    ],
    known: "a size is in bytes, as 1500, 10kB, 10MB, 10GB, or 10KiB, 10MiB, 10GiB",
    compound: false,
};

const RATE: Quantity = Quantity {
    units: &[
        ("bit", 1),
        ("kbit", 1_000),
        ("mbit", 1_000_000),
        ("gbit", 1_000_000_000),
        ("tbit", 1_000_000_000_000),
        ("bit/s", 1),
        ("kbit/s", 1_000),
        ("mbit/s", 1_000_000),
        ("gbit/s", 1_000_000_000),
        ("tbit/s", 1_000_000_000_000),
    ],
    known: "a rate is in bits per second, as 500kbit, 100mbit or 2.5gbit",
    compound: false,
};

const TIME: Quantity = Quantity {
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60 * 1_000_000_000),
        ("h", 3_600 * 1_000_000_000),
        ("d", 86_400 * 1_000_000_000),
    ],
    known: "a time is in ns, us, ms, s, m (minutes), h or d, as 50ms or 10m",
    compound: true,
};

impl Quantity {
    fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let (mut rest, mut sum, mut last_worth) = (text.trim(), 0_u64, u64::MAX);
        loop {
            let (value, worth, after) = self.part(rest)?;
            if worth >= last_worth {
                return Err(UnitError::OutOfOrder { text: rest.to_owned() });
            }
            sum = sum.checked_add(value).ok_or(UnitError::TooLarge)?;
            if after.is_empty() {
                return Ok(sum);
            }
            if !self.compound {
                return Err(UnitError::OutOfOrder { text: after.to_owned() });
            }
            (rest, last_worth) = (after, worth);
        }
    }

    /// A number and its unit: their value, what the unit is worth, and the text behind them.
    fn part<'a>(&self, text: &'a str) -> Result<(u64, u64, &'a str), UnitError> {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, rest) = split_at(text, |c| !is_number(c));
        let number = Decimal::parse(number)
            .ok_or_else(|| UnitError::NotANumber { text: first_word(text).to_owned() })?;
        let (unit, rest) = split_at(rest.trim_start(), is_number);
        let unit = unit.trim_end();
        let Some((_, worth)) = self.units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))
        else {
            return Err(match unit {
                "" => UnitError::NoUnit { known: self.known },
                _ => UnitError::UnknownUnit { unit: unit.to_owned(), known: self.known },
            });
        };
        let value = number.times(*worth).ok_or(UnitError::TooLarge)?;
        Ok((value, *worth, rest))
    }
}

/// `digits` divided by `one`, a power of ten.
struct Decimal {
    digits: Option<u128>,
    one: u128,
}

impl Decimal {
    /// Digits, and maybe a point and more digits.
    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        if whole.is_empty() || decimals.is_empty() || decimals.contains('.') {
            return None;
        }
        let (mut digits, mut one) = (Some(0_u128), 1_u128);
        let mut push = |digit: char| {
            let value = u128::from(digit.to_digit(10).unwrap_or(0));
            digits = digits.and_then(|digits| digits.checked_mul(10)?.checked_add(value));
        };
        whole.chars().for_each(&mut push);
        for digit in decimals.chars().take(MOST_DECIMALS) {
            push(digit);
            one *= 10;
        }
        Some(Self { digits, one })
    }

    /// The product rounded to a whole number, if that is not too large.
    fn times(&self, worth: u64) -> Option<u64> {
        let product = self.digits?.checked_mul(u128::from(worth))?.checked_add(self.one / 2)?;
        u64::try_from(product / self.one).ok()
    }
}

fn split_at(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}
