//! A name that is not taken.

use gannet_protocol::{MAX_COMPONENT, Name};

/// The largest number that is put behind a name: more files of one name are no accident.
const MAX_NUMBER: u32 = 99_999;

/// The first of `NAME`, `NAME.1`, `NAME.2` ... that is not taken, where there are no gaps; otherwise one that is not. None
/// if all that were looked at are taken. `name` is one component.
///
/// It looks at a few dozen names at most, however many are taken. A long name loses bytes at its end to the number.
/// Whoever then creates the file must see to it that it replaces none, and ask again otherwise.
///
/// # Errors
/// The first of `is_taken`.
pub fn free_name<E>(
    name: &Name,
    mut is_taken: impl FnMut(&Name) -> Result<bool, E>,
) -> Result<Option<Name>, E> {
    if !is_taken(name)? {
        return Ok(Some(name.clone()));
    }
    // Doubles until one is free, then halves the gap between the last taken and the first free one.
    let (mut taken, mut probe) = (0, 1);
    let mut free = loop {
        let Some(numbered) = numbered(name, probe) else { return Ok(None) };
        if !is_taken(&numbered)? {
            break numbered;
        }
        taken = probe;
        if probe >= MAX_NUMBER {
            return Ok(None);
        }
        probe = (probe * 2).min(MAX_NUMBER);
    };
    while probe - taken > 1 {
        let middle = taken + (probe - taken) / 2;
        let Some(numbered) = numbered(name, middle) else { break };
        if is_taken(&numbered)? {
            taken = middle;
        } else {
            (probe, free) = (middle, numbered);
        }
    }
    Ok(Some(free))
}

/// `NAME.number`; what is too long for a component is cut, not within a character.
fn numbered(name: &Name, number: u32) -> Option<Name> {
    let suffix = format!(".{number}");
    let bytes = name.as_bytes();
    let mut end = bytes.len().min(MAX_COMPONENT.checked_sub(suffix.len())?);
    let is_inside = |end: usize| bytes.get(end).is_some_and(|b| b & 0xc0 == 0x80);
    // No character of UTF-8 is longer than four bytes; other encodings are cut where it comes.
    if let Some(start) = (end.saturating_sub(3)..=end).rev().find(|end| !is_inside(*end)) {
        end = start;
    }
    Name::parse(&[bytes.get(..end)?, suffix.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, convert::Infallible};

    use proptest::prelude::*;

    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::parse(bytes).unwrap()
    }

    /// The name found, and how many were looked at.
    fn find(asked: &[u8], taken: &BTreeSet<Name>) -> (Option<Name>, usize) {
        let mut looks = 0;
        let found = free_name(&name(asked), |name| {
            looks += 1;
            Ok::<_, Infallible>(taken.contains(name))
        });
        (found.unwrap(), looks)
    }

    #[test]
    fn the_next_number_is_found_with_few_looks() {
        let mut taken = BTreeSet::new();
        for expected in ["f", "f.1", "f.2", "f.3", "f.4", "f.5"] {
            assert_eq!(find(b"f", &taken).0, Some(name(expected.as_bytes())));
            taken.insert(name(expected.as_bytes()));
        }
        taken.extend((0..=MAX_NUMBER).map(|n| name(format!("f.{n}").as_bytes())));
        let (found, looks) = find(b"f", &taken);
        assert_eq!(found, None);
        assert!(looks < 40, "{looks}");
        taken.remove(&name(b"f.70000"));
        taken.retain(|name| name.as_bytes().len() < b"f.70000".len());
        let (found, looks) = find(b"f", &taken);
        assert_eq!(found, Some(name(b"f.10000")));
        assert!(looks < 40, "{looks}");
    }

    #[test]
    fn long_names_make_room_and_stay_whole_characters() {
        let mut taken = BTreeSet::from([name(&[b'x'; 255])]);
        let (found, _) = find(&[b'x'; 255], &taken);
        assert_eq!(found.unwrap().as_bytes(), [&[b'x'; 253][..], b".1"].concat());
        // 85 characters of three bytes each.
        let long = "\u{20ac}".repeat(85);
        taken.insert(name(long.as_bytes()));
        let (found, _) = find(long.as_bytes(), &taken);
        assert_eq!(found.unwrap().as_bytes(), ["\u{20ac}".repeat(84).as_bytes(), b".1"].concat());
        taken.insert(name(&[0xbf; 255]));
        assert_eq!(find(&[0xbf; 255], &taken).0.unwrap().as_bytes().len(), 255);
    }

    proptest! {
        /// Whatever is taken, what is found is not, and is the name with a number behind it.
        #[test]
        fn what_is_found_is_free(
            bytes in prop::collection::vec(any::<u8>(), 1..256),
            numbers in prop::collection::btree_set(0..40_u32, 0..40),
        ) {
            let Ok(asked) = Name::parse(&bytes) else { return Ok(()) };
            prop_assume!(asked.components().count() == 1);
            let mut taken: BTreeSet<_> = numbers.iter().filter_map(|n| numbered(&asked, *n)).collect();
            taken.insert(asked);
            let (found, looks) = find(&bytes, &taken);
            let found = found.unwrap();
            prop_assert!(!taken.contains(&found) && looks < 40);
            prop_assert!(found.components().count() == 1);
        }
    }
}
