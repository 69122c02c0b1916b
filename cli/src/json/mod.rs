//! What `--json` prints: an object a file or entry, one a line. `docs/json.md` tells what is in them.

mod failure;
mod text;

use std::{
    fmt::Write as _,
    io::{self, BufWriter, Write as _},
    time::Duration,
};

use gannet_protocol::{EntryKind, FileTime, Mode};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

pub(crate) use failure::failure;

use crate::{console::unless_closed, listing::moment, outcome::Outcome};

/// An object, with its members in the order in which they were added.
#[derive(Clone, Debug)]
pub(crate) struct Object(Vec<(&'static str, Value)>);

impl Object {
    /// What every object of a verb begins with.
    pub(crate) fn of(verb: &'static str, outcome: Outcome) -> Self {
        Self(vec![("verb", verb.into()), ("status", outcome.word().into())])
    }

    /// What an object of something that is left out begins with.
    pub(crate) fn skipped(verb: &'static str) -> Self {
        Self::about(verb, "skipped")
    }

    /// What an object begins with that tells of no outcome.
    pub(crate) fn about(verb: &'static str, status: &'static str) -> Self {
        Self(vec![("verb", verb.into()), ("status", status.into())])
    }

    /// Adds a member.
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// Adds a member if there is a value for it.
    pub(crate) fn with_some(self, key: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds the name of a file at the server.
    pub(crate) fn named(self, bytes: &[u8]) -> Self {
        self.with_bytes("name", "name_hex", bytes)
    }

    /// Adds the path of a file of this machine.
    pub(crate) fn at_path(self, path: &std::path::Path) -> Self {
        self.with_bytes("path", "path_hex", path.as_os_str().as_encoded_bytes())
    }

    /// Adds the path of the file of this machine that a partial one is for.
    pub(crate) fn for_target(self, path: &std::path::Path) -> Self {
        self.with_bytes("target", "target_hex", path.as_os_str().as_encoded_bytes())
    }

    /// Adds the new name of a file at the server.
    pub(crate) fn renamed_to(self, bytes: &[u8]) -> Self {
        self.with_bytes("to", "to_hex", bytes)
    }

    /// Adds the directory that a grant is for.
    pub(crate) fn in_directory(self, bytes: &[u8]) -> Self {
        self.with_bytes("dir", "dir_hex", bytes)
    }

    /// Adds bytes that should be UTF-8, and if they are not their hex digits too.
    fn with_bytes(self, key: &'static str, hex_key: &'static str, bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => self.with(key, text),
            Err(_) => self.with(key, String::from_utf8_lossy(bytes)).with(hex_key, hex(bytes)),
        }
    }

    pub(crate) fn of_kind(self, kind: EntryKind) -> Self {
        let word = match kind {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
            EntryKind::Other => "other",
        };
        self.with("kind", word)
    }

    /// Adds permission bits, in octal as `chmod` takes them.
    pub(crate) fn with_mode(self, mode: Mode) -> Self {
        self.with("mode", format!("{:04o}", mode.bits()))
    }

    pub(crate) fn modified(self, time: FileTime) -> Self {
        self.with("modified", moment(time).to_string())
    }

    pub(crate) fn with_seconds(self, elapsed: Duration) -> Self {
        self.with("seconds", elapsed.as_secs_f64())
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Prints objects, a line each. Nobody may want to read on: a closed pipe ends it quietly.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(objects: impl IntoIterator<Item = Object>) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let write = || {
        for object in objects {
            text::write(&mut stdout, &object)?;
        }
        stdout.flush()
    };
    unless_closed(write())
}

/// Bytes as hex digits, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &Object) -> String {
        let mut line = Vec::new();
        text::write(&mut line, object).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn members_keep_their_order() {
        let object = Object::of("get", Outcome::Done)
            .named(b"a/b")
            .with("bytes", u64::MAX)
            .with_some("code", None::<&str>)
            .with_seconds(Duration::from_millis(1500));
        assert_eq!(
            line(&object),
            "{\"verb\":\"get\",\"status\":\"done\",\"name\":\"a/b\",\"bytes\":18446744073709551615,\"seconds\":1.5}\n"
        );
    }

    #[test]
    fn bytes_that_are_no_unicode_are_told_in_hex() {
        let object = Object::of("stat", Outcome::Done).named(b"caf\xe9");
        assert!(
            line(&object).contains(r#""name":"caf\ufffd","name_hex":"636166e9""#)
                || line(&object).contains("\"name\":\"caf\u{fffd}\",\"name_hex\":\"636166e9\"")
        );
        let object = Object::of("stat", Outcome::Done).named("žluť".as_bytes());
        assert!(line(&object).contains("\"name\":\"žluť\"}"), "{}", line(&object));
    }

    #[test]
    fn times_have_the_fractions_that_they_have() {
        let time = |secs, nanos| {
            line(&Object::of("stat", Outcome::Done).modified(FileTime::new(secs, nanos)))
        };
        assert!(time(0, 0).contains("\"1970-01-01T00:00:00Z\""));
        assert!(time(1_700_000_000, 250_000_000).contains("\"2023-11-14T22:13:20.25Z\""));
        assert!(time(-1, 999_999_999).contains("\"1969-12-31T23:59:59.999999999Z\""));
    }
}
