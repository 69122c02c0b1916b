//! The words of a line, as a POSIX shell quotes them.

use std::ffi::OsString;

use crate::names;

/// Splits a line into its words; `None` if it ends within quotes or after a backslash.
///
/// As in a shell, a `#` at the beginning of a word starts a comment.
pub(super) fn split(line: &[u8]) -> Option<Vec<OsString>> {
    let words = shlex::bytes::split(line)?;
    Some(words.into_iter().map(names::os_string).collect())
}

/// Quotes a word so that [`split`] gives it back; `None` if no line can hold it.
pub(super) fn quote(word: &str) -> Option<String> {
    if word.contains(|c: char| c.is_control()) {
        return None;
    }
    shlex::try_quote(word).ok().map(Into::into)
}

/// What stands before the cursor: whole words, and the one that is being written.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Unfinished {
    /// The words before the last one.
    pub(super) before: Vec<String>,
    /// Where the last one starts in the line, with its quotes.
    pub(super) start: usize,
    /// What the last one says so far; empty after a blank.
    pub(super) word: String,
}

/// Reads a line that may end within quotes or in the middle of a word.
pub(super) fn unfinished(line: &str) -> Unfinished {
    let mut found = Unfinished { before: Vec::new(), start: 0, word: String::new() };
    let (mut quote, mut within) = (None, false);
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if !within && !is_blank(c) {
            (found.start, within) = (at, true);
        }
        match (quote, c) {
            (None, blank) if is_blank(blank) => {
                if std::mem::take(&mut within) {
                    found.before.push(std::mem::take(&mut found.word));
                }
                found.start = at + c.len_utf8();
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '\\') => found.word.extend(chars.next().map(|(_, c)| c)),
            (Some('"'), '\\') => match chars.next() {
                Some((_, c @ ('$' | '`' | '"' | '\\'))) => found.word.push(c),
                Some((_, c)) => found.word.extend(['\\', c]),
                None => {}
            },
            _ => found.word.push(c),
        }
    }
    found
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes_hold_blanks_together() {
        let words = split(br#"get 'a b' "c d" e\ f"#).unwrap();
        assert_eq!(words, ["get", "a b", "c d", "e f"]);
        assert_eq!(split(b"get 'a b"), None);
        assert_eq!(split(b"get a\\"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_line_need_not_be_unicode() {
        use std::os::unix::ffi::OsStrExt as _;
        assert_eq!(split(b"get caf\xe9").unwrap()[1].as_bytes(), b"caf\xe9");
    }

    #[test]
    fn the_last_word_may_be_unfinished() {
        let read = |line| {
            let Unfinished { before, start, word } = unfinished(line);
            (before.len(), start, word)
        };
        assert_eq!(read(""), (0, 0, String::new()));
        assert_eq!(read("ge"), (0, 0, "ge".into()));
        assert_eq!(read("get "), (1, 4, String::new()));
        assert_eq!(read("get a"), (1, 4, "a".into()));
        assert_eq!(read("get 'a b"), (1, 4, "a b".into()));
        assert_eq!(read(r"get a\ b"), (1, 4, "a b".into()));
        assert_eq!(read(r"get 'my dir/'fi"), (1, 4, "my dir/fi".into()));
        assert_eq!(read("  put  é"), (1, 7, "é".into()));
    }

    proptest! {
        #[test]
        fn a_quoted_word_comes_back(word in "[^\\p{Cc}]{0,20}") {
            let quoted = quote(&word).unwrap();
            prop_assert_eq!(split(quoted.as_bytes()).unwrap(), [OsString::from(word)]);
        }

        /// Completion reads a line as the menu will read it.
        #[test]
        fn a_finished_line_reads_the_same(line in "[ab $`\t'\"\\\\/]{0,24}") {
            if let Some(words) = split(line.as_bytes()) {
                let Unfinished { mut before, word, .. } = unfinished(&format!("{line} "));
                prop_assert_eq!(word, "");
                let words: Vec<_> =
                    words.into_iter().map(|word| word.into_string().unwrap()).collect();
                prop_assert_eq!(std::mem::take(&mut before), words);
            }
        }
    }
}
