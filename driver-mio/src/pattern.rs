//! Patterns of names, as shells know them.
//!
//! Of the crates that match such patterns none takes names that are not UTF-8, leaves braces and a leading `!` alone, and knows of
//! leading dots; this is less code than to work around that.

use gannet_protocol::MAX_COMPONENT;

/// A pattern of one component of a name.
///
/// `*` stands for any characters or none, `?` for one, `[a-z]` for one of these and `[!a-z]` or `[^a-z]` for one of no other; a
/// backslash takes its meaning from the character behind it, and so does `]` where no class is open. A dot at the beginning of a
/// name is matched by a dot alone. A character is one of UTF-8, or a byte where that is none.
///
/// ```
/// use gannet_driver_mio::pattern::Pattern;
///
/// let pattern = Pattern::parse(b"run-*.cs[vw]");
/// assert!(pattern.matches(b"run-7.csv"));
/// assert!(!pattern.matches(b"run-7.txt"));
/// assert!(!Pattern::parse(b"*").matches(b".hidden"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(Vec<Token>);

/// A character: its number, or for a byte that belongs to none, that byte behind all of them.
type Character = u32;

const STRAY: Character = char::MAX as Character + 1;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    One(Character),
    Any,
    Star,
    /// One of these, or one of no other.
    Class {
        ranges: Vec<(Character, Character)>,
        negated: bool,
    },
}

/// Whether a component of `text`, between its slashes, is a pattern of anything but itself.
#[must_use]
pub fn is_pattern(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'/').any(|component| {
        let may_be = component.iter().any(|byte| b"*?[\\".contains(byte));
        may_be && Pattern::parse(component).literal().as_deref() != Some(component)
    })
}

impl Pattern {
    /// Reads a pattern. Every text is one: a bracket that is not closed, and a backslash at the end, stand for themselves.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let characters: Vec<Character> = characters(text).collect();
        let (mut tokens, mut rest) = (Vec::new(), &characters[..]);
        while let Some((&first, behind)) = rest.split_first() {
            let class = if first == of('[') { class(behind) } else { None };
            let (token, left) = match (class, behind) {
                (Some((class, left)), _) => (class, left),
                (None, [escaped, left @ ..]) if first == of('\\') => (Token::One(*escaped), left),
                _ if first == of('*') => (Token::Star, behind),
                _ if first == of('?') => (Token::Any, behind),
                _ => (Token::One(first), behind),
            };
            rest = left;
            // Several stars mean no more than one.
            if token != Token::Star || tokens.last() != Some(&Token::Star) {
                tokens.push(token);
            }
        }
        Self(tokens)
    }

    /// The only name that it matches, if it is one without any pattern in it.
    #[must_use]
    pub fn literal(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for token in &self.0 {
            let Token::One(character) = token else { return None };
            match char::from_u32(*character) {
                Some(character) => {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => text.push(u8::try_from(character.saturating_sub(STRAY)).unwrap_or(0)),
            }
        }
        Some(text)
    }

    /// Whether a component of a name, of at most [`MAX_COMPONENT`] bytes, is one of these. Takes a time of both lengths multiplied
    /// at most.
    #[must_use]
    pub fn matches(&self, component: &[u8]) -> bool {
        if component.len() > MAX_COMPONENT {
            return false;
        }
        let name: Vec<Character> = characters(component).collect();
        let shows_dot = self.0.first() == Some(&Token::One(of('.')));
        (name.first() != Some(&of('.')) || shows_dot) && matches(&self.0, &name)
    }
}

/// Goes on behind the last star alone when a way ends: what an earlier one could take the last one can.
fn matches(mut tokens: &[Token], mut name: &[Character]) -> bool {
    let mut behind_star: Option<(&[Token], &[Character])> = None;
    loop {
        match (tokens.split_first(), name.split_first()) {
            (Some((Token::Star, rest)), _) => {
                behind_star = Some((rest, name));
                tokens = rest;
                continue;
            }
            (Some((token, rest)), Some((&character, left))) if token.is(character) => {
                (tokens, name) = (rest, left);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((rest, from)) = behind_star else { return false };
        let Some((_, left)) = from.split_first() else { return false };
        behind_star = Some((rest, left));
        (tokens, name) = (rest, left);
    }
}

impl Token {
    /// Whether it stands for this character.
    fn is(&self, character: Character) -> bool {
        match self {
            Self::One(one) => *one == character,
            Self::Any => true,
            Self::Star => false,
            Self::Class { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&character)) != *negated
            }
        }
    }
}

/// Reads what is behind a bracket up to the one that closes it, and gives the rest; nothing if none does.
fn class(text: &[Character]) -> Option<(Token, &[Character])> {
    let (negated, mut rest) = match text {
        [first, rest @ ..] if *first == of('!') || *first == of('^') => (true, rest),
        _ => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let (from, behind) = match rest {
            // At the beginning it is one of the characters.
            [end, left @ ..] if *end == of(']') && !ranges.is_empty() => {
                return Some((Token::Class { ranges, negated }, left));
            }
            _ => one_of_class(rest)?,
        };
        (rest, ranges) = match behind {
            [dash, left @ ..] if *dash == of('-') && left.first() != Some(&of(']')) => {
                let (to, left) = one_of_class(left)?;
                ranges.push((from, to));
                (left, ranges)
            }
            _ => {
                ranges.push((from, from));
                (behind, ranges)
            }
        };
    }
}

fn one_of_class(text: &[Character]) -> Option<(Character, &[Character])> {
    match text {
        [backslash, escaped, rest @ ..] if *backslash == of('\\') => Some((*escaped, rest)),
        [one, rest @ ..] => Some((*one, rest)),
        [] => None,
    }
}

const fn of(character: char) -> Character {
    character as Character
}

fn characters(text: &[u8]) -> impl Iterator<Item = Character> + '_ {
    text.utf8_chunks().flat_map(|chunk| {
        let stray = chunk.invalid().iter().map(|byte| STRAY + Character::from(*byte));
        chunk.valid().chars().map(Character::from).chain(stray)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern.as_bytes()).matches(name.as_bytes())
    }

    #[test]
    fn each_sign_has_its_meaning() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("[.]a", ".a", false),
            ("?a", ".a", false),
            ("a*", "a.", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("caf?", "café", true),
            ("*.csv", "x.csv.gz", false),
            ("*a*b*c", "xxaxbxbxc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[!]a]", "]", false),
            ("[a-]", "-", true),
            ("[a\\]b]", "]", true),
            ("[\\a-\\c]", "b", true),
            ("[c-a]", "b", false),
            ("[é-ü]", "ö", true),
            ("a[b", "a[b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("{a,b}", "{a,b}", true),
            ("!a", "!a", true),
            ("**", "abc", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_has_no_pattern_in_it_is_a_literal() {
        let literal = |text: &[u8]| Pattern::parse(text).literal();
        assert_eq!(literal(b"a\\*b"), Some(b"a*b".to_vec()));
        assert_eq!(literal("café\\[".as_bytes()), Some("café[".as_bytes().to_vec()));
        assert_eq!(literal(b"caf\xe9[1"), Some(b"caf\xe9[1".to_vec()));
        assert_eq!(literal(b"a*"), None);
        for text in [&b"a\\*b"[..], b"[a]", b"x/a?/y", b"*"] {
            assert!(is_pattern(text), "{text:?}");
        }
        for text in [&b"a]{b}-!~"[..], b"a[b", b"a\\", b"a[/b]", b"x/y"] {
            assert!(!is_pattern(text), "{text:?}");
        }
    }

    #[test]
    fn a_byte_that_is_no_character_counts_as_one() {
        assert!(Pattern::parse(b"caf?").matches(b"caf\xe9"));
        assert!(Pattern::parse(b"caf\xe9").matches(b"caf\xe9"));
        assert!(!Pattern::parse(b"caf\xe9").matches(b"caf\xe8"));
        assert!(!Pattern::parse(b"caf[a-z]").matches(b"caf\xe9"));
    }

    /// As slow as it can be made.
    #[test]
    fn many_stars_cost_no_more_than_one() {
        let pattern = "*a".repeat(100) + "b";
        assert!(!matches(&pattern, &"a".repeat(255)));
        assert!(!matches("*", &"a".repeat(256)), "longer than any component");
    }

    /// What is meant, step by step: every way that a star can go is tried.
    fn plainly(tokens: &[Token], name: &[Character]) -> bool {
        match (tokens.split_first(), name.split_first()) {
            (None, left) => left.is_none(),
            (Some((Token::Star, rest)), _) => {
                (0..=name.len()).any(|taken| plainly(rest, &name[taken..]))
            }
            (Some((token, rest)), Some((&one, left))) => token.is(one) && plainly(rest, left),
            (Some(_), None) => false,
        }
    }

    #[test]
    fn the_corpus_replays() {
        let corpus =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/pattern");
        let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| crate::fuzzing::pattern(&std::fs::read(file.path()).unwrap()));
    }

    proptest! {
        /// The short way finds what the long one does.
        #[test]
        fn no_way_is_missed(pattern in "[ab*?.\\[\\]!\\\\-]{0,12}", name in "[ab.\\]-]{0,10}") {
            let pattern = Pattern::parse(pattern.as_bytes());
            let characters: Vec<_> = characters(name.as_bytes()).collect();
            let hidden = name.starts_with('.') && pattern.0.first() != Some(&Token::One(of('.')));
            let expected = !hidden && plainly(&pattern.0, &characters);
            prop_assert_eq!(pattern.matches(name.as_bytes()), expected);
        }

        /// What the system's own library says, where it has the same rules: it takes no lone backslash at the end, and reads classes
        /// with brackets, dashes or dots in them in ways of its own.
        #[cfg(target_os = "linux")]
        #[test]
        fn it_matches_as_the_system_does(
            parts in prop::collection::vec("[ab.]|\\*|\\?|\\\\[ab*?.]|\\[!?[ab]\\]|\\[a-b\\]", 0..8),
            name in "[ab.*]{0,8}",
        ) {
            let pattern = parts.concat();
            let c = |text: &str| std::ffi::CString::new(text).unwrap();
            let (c_pattern, c_name) = (c(&pattern), c(&name));
            // SAFETY: both are strings that end with a NUL and outlive the call.
            let found = unsafe {
                libc::fnmatch(c_pattern.as_ptr(), c_name.as_ptr(), libc::FNM_PERIOD)
            };
            prop_assert_eq!(matches(&pattern, &name), found == 0, "{} {}", pattern, name);
        }

        /// Any bytes are a pattern; a name with each sign escaped is one of itself alone.
        #[test]
        fn a_name_that_is_escaped_matches_itself(name in prop::collection::vec(any::<u8>(), 0..60)) {
            let escaped = Pattern::parse(&crate::fuzzing::escape(&name));
            prop_assert_eq!(escaped.literal(), Some(name.clone()));
            prop_assert!(escaped.matches(&name));
            crate::fuzzing::pattern(&name);
        }
    }
}
