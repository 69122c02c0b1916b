//! Directories and names as text: a line an entry, `SIZE  YYYY-MM-DDTHH:MM:SSZ  NAME`, with the mode before it for `stat`.

use std::{
    fmt::{self, Write as _},
    fs,
    io::{self, IsTerminal as _},
    path::Path,
    time::SystemTime,
};

use gannet_protocol::{Entry, EntryKind, FileTime, Mode, Name, Stat};
use jiff::Timestamp;

use crate::{console, names};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Prints entries, which are sorted by name.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(entries: &[Entry]) -> io::Result<()> {
    // People want columns, programs exactly two blanks.
    let width = if io::stdout().is_terminal() { widest(entries) } else { 0 };
    console::print(Lines { entries, width })
}

/// Prints what a name is.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print_stat(name: &Name, stat: &Stat) -> io::Result<()> {
    let Stat { kind, len, mode, modified } = *stat;
    let entry = Entry { name: name.clone(), kind, is_link: false, len, mode, modified };
    console::print(format_args!(
        "{}  {}",
        ModeShown(kind, mode),
        Lines { entries: &[entry], width: 0 }
    ))
}

/// A kind and permission bits as `ls` writes them: `-rw-r-----`.
struct ModeShown(EntryKind, Mode);

impl fmt::Display for ModeShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, mode) = self;
        f.write_char(match kind {
            EntryKind::File => '-',
            EntryKind::Directory => 'd',
            EntryKind::Other => '?',
        })?;
        for (place, letter) in "rwxrwxrwx".chars().enumerate() {
            let is_set = mode.bits() & (0o400 >> place) != 0;
            f.write_char(if is_set { letter } else { '-' })?;
        }
        Ok(())
    }
}

/// What is in a directory of this machine, but for what no name can stand for and our own partial files.
///
/// # Errors
/// It cannot be read.
pub(crate) fn of_local(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in fs::read_dir(directory)? {
        let found = found?;
        let Ok(name) = names::remote(&found.file_name()) else { continue };
        let Ok(metadata) = found.metadata() else { continue };
        let kind = match metadata.file_type() {
            kind if kind.is_file() => EntryKind::File,
            kind if kind.is_dir() => EntryKind::Directory,
            _ => EntryKind::Other,
        };
        let len = if kind == EntryKind::File { metadata.len() } else { 0 };
        let modified = metadata.modified().map(file_time).unwrap_or_default();
        let (is_link, mode) = (metadata.is_symlink(), mode_of(&metadata));
        entries.push(Entry { name, kind, is_link, len, mode, modified });
    }
    sort(&mut entries);
    Ok(entries)
}

#[cfg(unix)]
fn mode_of(metadata: &fs::Metadata) -> Mode {
    Mode::from_bits(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()))
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> Mode {
    Mode::from_bits(0o644)
}

/// Sorts entries by name.
pub(crate) fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
}

/// A time of the system's, within the years -9999 to 9999.
pub(crate) fn file_time(time: SystemTime) -> FileTime {
    let nanos = Timestamp::try_from(time).unwrap_or_default().as_nanosecond();
    let secs = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).unwrap_or_default();
    FileTime::new(secs, u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).unwrap_or_default())
}

fn widest(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.len).max().unwrap_or(0).to_string().len()
}

/// A line an entry, with sizes in a column of this width.
struct Lines<'a> {
    entries: &'a [Entry],
    width: usize,
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.width;
        for Entry { name, kind, len, modified, .. } in self.entries {
            let slash = if *kind == EntryKind::Directory { "/" } else { "" };
            writeln!(f, "{len:>width$}  {}  {name}{slash}", timestamp(*modified))?;
        }
        Ok(())
    }
}

/// A time to the nanosecond, within the years -9999 to 9999.
pub(crate) fn moment(time: FileTime) -> Timestamp {
    let nanos = i32::try_from(time.nanos()).unwrap_or_default();
    Timestamp::new(time.secs(), nanos).unwrap_or_else(|_| timestamp(time))
}

/// The second that `time` lies in, within the years -9999 to 9999.
fn timestamp(time: FileTime) -> Timestamp {
    let end = if time.secs() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    // The greatest has a fraction of a second, which would be printed.
    Timestamp::from_second(time.secs())
        .or_else(|_| Timestamp::from_second(end.as_second()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use gannet_protocol::Name;
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, kind: EntryKind, len: u64, secs: i64) -> Entry {
        let name = Name::parse(name.as_bytes()).unwrap();
        let (is_link, mode) = (false, Mode::from_bits(0o644));
        Entry { name, kind, is_link, len, mode, modified: FileTime::new(secs, 999_999_999) }
    }

    fn text(entries: &[Entry], width: usize) -> String {
        Lines { entries, width }.to_string()
    }

    #[test]
    fn a_line_has_size_time_and_escaped_name() {
        let entries = [
            entry("a\nb", EntryKind::File, 5, 0),
            entry("takes", EntryKind::Directory, 0, 1_700_000_000),
            entry("old", EntryKind::File, 1 << 40, -1),
        ];
        assert_eq!(
            text(&entries, 0),
            "5  1970-01-01T00:00:00Z  a\\nb\n\
             0  2023-11-14T22:13:20Z  takes/\n\
             1099511627776  1969-12-31T23:59:59Z  old\n"
        );
        assert!(text(&entries, 13).starts_with("            5  1970"));
        assert_eq!(widest(&entries), 13);
    }

    #[test]
    fn a_time_of_the_system_is_rounded_down() {
        let nanos = std::time::Duration::from_nanos;
        let after = SystemTime::UNIX_EPOCH + nanos(1_700_000_000_250_000_001);
        assert_eq!(file_time(after), FileTime::new(1_700_000_000, 250_000_001));
        let before = SystemTime::UNIX_EPOCH - nanos(1_000_000_001);
        assert_eq!(file_time(before), FileTime::new(-2, 999_999_999));
    }

    #[test]
    fn a_mode_is_written_as_ls_does() {
        for (kind, bits, text) in [
            (EntryKind::File, 0o640, "-rw-r-----"),
            (EntryKind::Directory, 0o755, "drwxr-xr-x"),
            (EntryKind::Other, 0o001, "?--------x"),
        ] {
            assert_eq!(ModeShown(kind, Mode::from_bits(bits)).to_string(), text);
        }
    }

    proptest! {
        /// Any time that a file system or a stranger can name is printed in the same form.
        #[test]
        fn any_time_has_a_form(secs in any::<i64>()) {
            let time = timestamp(FileTime::new(secs, 0)).to_string();
            prop_assert!(time.ends_with('Z') && time.contains('T') && !time.contains('.'), "{}", time);
        }
    }
}
