//! Objects as text that a terminal can show, too.

use std::io::{self, Write};

use gannet_protocol::Escaped;
use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};

use super::Object;

/// Writes an object and an end of line.
pub(super) fn write(mut to: impl Write, object: &Object) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut to, Printable))?;
    to.write_all(b"\n")
}

/// Without blanks, and with what a terminal would obey, or readers cannot see, escaped: a stranger may have made a name of it.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|&(_, c)| Escaped::hides(c)) {
            let (shown, from) = rest.split_at(at);
            writer.write_all(shown.as_bytes())?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = from.get(hidden.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::Outcome;

    proptest! {
        /// `docs/hostile-input.md`, row 47.
        #[test]
        fn any_name_is_read_back_and_harmless(name in "\\PC{0,10}|[\u{1}-\u{2ff}\u{2000}-\u{206f}\u{e0000}-\u{e007f}]{0,20}") {
            let mut line = Vec::new();
            write(&mut line, &Object::of("stat", Outcome::Done).named(name.as_bytes())).unwrap();
            let text = String::from_utf8(line).unwrap();
            prop_assert!(!text.trim_end_matches('\n').chars().any(|c| c.is_control() || Escaped::hides(c)));
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["name"].as_str(), Some(&name[..]));
        }
    }
}
