//! Chances, bursts and spans as they are written on a command line.

use super::Burst;
use crate::units::{UnitError, parse_duration, parse_rate};
use std::{fmt, ops::Range, time::Duration};

/// What is wrong with a chance, a burst or a span that someone wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SpecError {
    /// Not a number from 0 to 1, or from 0% to 100%.
    NotAChance {
        /// What was written.
        text: String,
    },
    /// A burst has two to four chances.
    NotABurst {
        /// How many were written.
        chances: usize,
    },
    /// A span has a beginning and an end after it.
    NotASpan {
        /// What was written.
        text: String,
    },
    /// A rate change has a time and a rate.
    NotARateChange {
        /// What was written.
        text: String,
    },
    /// A time or rate in it is wrong.
    Unit(UnitError),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAChance { text } => {
                write!(f, "'{text}' is not a chance: from 0 to 1, or from 0% to 100%")
            }
            Self::NotABurst { chances } => write!(
                f,
                "{chances} chances where a burst has 2 to 4: \
                 GOOD_TO_BAD:BAD_TO_GOOD[:LOSS_IN_BAD[:LOSS_IN_GOOD]]"
            ),
            Self::NotASpan { text } => {
                write!(f, "'{text}' is not a span: FROM-TO, as 5s-7s, with FROM before TO")
            }
            Self::NotARateChange { text } => {
                write!(f, "'{text}' is not a rate change: TIME:RATE, as 10s:20mbit")
            }
            Self::Unit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SpecError {}

impl From<UnitError> for SpecError {
    fn from(error: UnitError) -> Self {
        Self::Unit(error)
    }
}

/// A chance: `0.01` or `1%`.
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_chance(text: &str) -> Result<f64, SpecError> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    // `f64` would also take "inf", "nan" and exponents.
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    match number.parse::<f64>() {
        Ok(number) if is_plain && number <= scale => Ok(number / scale),
        _ => Err(SpecError::NotAChance { text: text.to_owned() }),
    }
}

/// A burst: `GOOD_TO_BAD:BAD_TO_GOOD[:LOSS_IN_BAD[:LOSS_IN_GOOD]]`, four chances of which the
/// third is 1 and the fourth 0 unless given.
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_burst(text: &str) -> Result<Burst, SpecError> {
    let chances = text.split(':').map(parse_chance).collect::<Result<Vec<_>, _>>()?;
    let (good_to_bad, bad_to_good, loss_in_bad, loss_in_good) = match chances[..] {
        [good_to_bad, bad_to_good] => (good_to_bad, bad_to_good, 1.0, 0.0),
        [good_to_bad, bad_to_good, in_bad] => (good_to_bad, bad_to_good, in_bad, 0.0),
        [good_to_bad, bad_to_good, in_bad, in_good] => (good_to_bad, bad_to_good, in_bad, in_good),
        _ => return Err(SpecError::NotABurst { chances: chances.len() }),
    };
    Ok(Burst { good_to_bad, bad_to_good, loss_in_bad, loss_in_good })
}

/// A span of time: `5s-7s`.
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_span(text: &str) -> Result<Range<Duration>, SpecError> {
    let not_a_span = || SpecError::NotASpan { text: text.to_owned() };
    let (from, to) = text.split_once('-').ok_or_else(not_a_span)?;
    let span = parse_duration(from)?..parse_duration(to)?;
    if span.is_empty() { Err(not_a_span()) } else { Ok(span) }
}

/// A rate, in bits per second, from a moment on: `10s:20mbit`.
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_rate_change(text: &str) -> Result<(Duration, u64), SpecError> {
    let (at, rate) =
        text.split_once(':').ok_or_else(|| SpecError::NotARateChange { text: text.to_owned() })?;
    Ok((parse_duration(at)?, parse_rate(rate)?))
}
