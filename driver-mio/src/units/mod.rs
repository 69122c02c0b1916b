//! Sizes, rates and times as people write and read them: one parser and one format for each.
//!
//! A size counts bytes (`1500`, `10MB`, `10MiB`), a rate bits per second (`100mbit`), and a
//! time has a unit (`50ms`, `10m`, `1h30m`). Case does not matter, a blank before the unit
//! neither. What a format writes, its parser reads.

mod format;
mod parse;

pub use format::{format_duration, format_rate, format_size};
pub use parse::{UnitError, parse_duration, parse_rate, parse_size};
