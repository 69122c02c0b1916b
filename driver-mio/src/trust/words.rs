//! How the lines of our lists are written: words, values in quotes, comments.

use std::fmt;

/// Most bytes of a line: a key, an option with the longest path in escapes, and a comment.
const MAX_LINE: usize = 32 * 1024;

/// A word of a line: `text`, or `name=value`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Word<'a> {
    /// What stands before the first `=`, or all of it.
    pub(super) name: &'a str,
    /// What stands behind it: bytes, since paths are such.
    pub(super) value: Option<Vec<u8>>,
}

/// The lines of a file that say something, with their numbers from 1. A carriage return at the end is let pass.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(content.split(|&b| b == b'\n')).filter_map(|(number, line)| {
        let line = line.trim_ascii();
        (!line.is_empty() && !line.starts_with(b"#")).then_some((number, line))
    })
}

/// Splits a line at blanks. A `#` at the start of a word begins a comment. A value may stand in double quotes, within
/// which `\"`, `\\` and `\xNN` mean a quote, a backslash and any byte.
///
/// # Errors
/// [`BadWords`]
pub(super) fn split(line: &[u8]) -> Result<Vec<Word<'_>>, BadWords> {
    if line.len() > MAX_LINE {
        return Err(BadWords::TooLong);
    }
    let mut rest = std::str::from_utf8(line).map_err(|_| BadWords::NotText)?.trim_ascii();
    let mut words = Vec::new();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, behind) = first(rest)?;
        words.push(word);
        rest = behind.trim_ascii_start();
    }
    Ok(words)
}

/// The first word of `text`, and what is behind it.
fn first(text: &str) -> Result<(Word<'_>, &str), BadWords> {
    let is_blank = |c: char| c.is_ascii_whitespace();
    let end = text.find(is_blank).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let quoted = text.split_once("=\"").filter(|(name, _)| name.len() < end);
    let Some((name, quoted)) = quoted else { return Ok((plain(word)?, behind)) };
    check_plain(name)?;
    let (value, behind) = unquote(quoted)?;
    if !behind.is_empty() && !behind.starts_with(is_blank) {
        return Err(BadWords::BehindQuote);
    }
    Ok((Word { name, value: Some(value) }, behind))
}

fn plain(word: &str) -> Result<Word<'_>, BadWords> {
    check_plain(word)?;
    Ok(match word.split_once('=') {
        Some((name, value)) => Word { name, value: Some(value.into()) },
        None => Word { name: word, value: None },
    })
}

fn check_plain(word: &str) -> Result<(), BadWords> {
    if word.contains(['"', '\\']) { Err(BadWords::Unquoted) } else { Ok(()) }
}

/// What stands before the closing quote, and what is behind that.
fn unquote(text: &str) -> Result<(Vec<u8>, &str), BadWords> {
    let (mut value, mut rest) = (Vec::new(), text);
    loop {
        let end = rest.find(['"', '\\']).ok_or(BadWords::OpenQuote)?;
        let (before, from) = rest.split_at(end);
        value.extend_from_slice(before.as_bytes());
        if let Some(behind) = from.strip_prefix('"') {
            return Ok((value, behind));
        }
        let (byte, behind) = unescape(from).ok_or(BadWords::Escape)?;
        value.push(byte);
        rest = behind;
    }
}

fn unescape(text: &str) -> Option<(u8, &str)> {
    if let Some(rest) = text.strip_prefix("\\x") {
        let (digits, behind) = rest.split_at_checked(2)?;
        let are_digits = digits.bytes().all(|b| b.is_ascii_hexdigit());
        return Some((u8::from_str_radix(digits, 16).ok().filter(|_| are_digits)?, behind));
    }
    let rest = text.strip_prefix('\\')?;
    let byte = *rest.as_bytes().first().filter(|b| b"\"\\".contains(b))?;
    Some((byte, rest.get(1..)?))
}

/// Writes `bytes` as a value that [`split`] reads back: as they are if nothing in them needs quotes.
pub(super) struct Value<'a>(pub(super) &'a [u8]);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./+,:@%~".contains(b);
        if !self.0.is_empty() && self.0.iter().all(is_plain) {
            return self.0.iter().try_for_each(|b| fmt::Write::write_char(f, char::from(*b)));
        }
        f.write_str("\"")?;
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Why a line is not a sequence of words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadWords {
    /// It is over 32 KiB long.
    TooLong,
    /// It is not UTF-8.
    NotText,
    /// A quote or backslash outside of quotes.
    Unquoted,
    /// A quote is not closed.
    OpenQuote,
    /// Something follows a closing quote at once.
    BehindQuote,
    /// A backslash within quotes, and not one of `\"`, `\\`, `\xNN` behind it.
    Escape,
}

impl fmt::Display for BadWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is over 32 KiB long",
            Self::NotText => "it is not UTF-8",
            Self::Unquoted => "quotes and backslashes belong into quotes right after '=', as in dir=\"a \\\"b\\\"\"",
            Self::OpenQuote => "a quote is not closed",
            Self::BehindQuote => "a blank is missing behind a quote",
            Self::Escape => "a backslash in quotes needs one of \\\", \\\\ and \\xNN",
        })
    }
}

impl std::error::Error for BadWords {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word<'a>(name: &'a str, value: &str) -> Word<'a> {
        Word { name, value: Some(value.into()) }
    }

    #[test]
    fn lines_are_split_into_words() {
        let bare = |name| Word { name, value: None };
        for (line, words) in [
            ("", vec![]),
            ("a  b\tc # d \"", vec![bare("a"), bare("b"), bare("c")]),
            ("a#b #c", vec![bare("a#b")]),
            ("dir=a=b x=", vec![word("dir", "a=b"), word("x", "")]),
            (r#"dir="a b" max=1"#, vec![word("dir", "a b"), word("max", "1")]),
            (r#"dir="\"\\\x41#" #"#, vec![word("dir", "\"\\A#")]),
            (r#"a dir="""#, vec![bare("a"), word("dir", "")]),
            (r#"dir="=" d="=""#, vec![word("dir", "="), word("d", "=")]),
        ] {
            assert_eq!(split(line.as_bytes()), Ok(words), "{line}");
        }
    }

    #[test]
    fn each_mistake_is_told_apart() {
        for (line, why) in [
            ("a\"b", BadWords::Unquoted),
            ("\"a b\"", BadWords::Unquoted),
            ("a\\ b", BadWords::Unquoted),
            ("x\"=\"a\"", BadWords::Unquoted),
            ("dir=\"a b", BadWords::OpenQuote),
            ("dir=\"a b\\\"", BadWords::OpenQuote),
            ("dir=\"a\"b", BadWords::BehindQuote),
            ("dir=\"\\n\"", BadWords::Escape),
            ("dir=\"\\x4\"", BadWords::Escape),
            ("dir=\"\\x+1\"", BadWords::Escape),
            ("dir=\"\\xä\"", BadWords::Escape),
            ("dir=\"\\ä\"", BadWords::Escape),
        ] {
            assert_eq!(split(line.as_bytes()), Err(why), "{line}");
        }
        assert_eq!(split(b"a \xff"), Err(BadWords::NotText));
        assert_eq!(split(&[b'a'; MAX_LINE + 1]), Err(BadWords::TooLong));
    }

    #[test]
    fn lines_have_the_numbers_that_editors_show() {
        let content = b"\n# a\nb\r\n  \n c d\n  # e\nf";
        let found: Vec<_> = lines(content).collect();
        assert_eq!(found, [(3, &b"b"[..]), (5, b"c d"), (7, b"f")]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: Vec<u8>) {
            let line = format!("a dir={} b", Value(&value));
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let words = split(line.as_bytes()).unwrap();
            prop_assert_eq!(words.len(), 3);
            prop_assert_eq!(&words[1], &Word { name: "dir", value: Some(value) });
        }

        #[test]
        fn any_line_is_words_or_told_why_not(line in "[a\"\\\\= #x4\\PC]{0,40}") {
            if let Ok(words) = split(line.as_bytes()) {
                prop_assert!(words.len() <= line.len());
            }
        }
    }
}
