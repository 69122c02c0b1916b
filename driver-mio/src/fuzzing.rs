//! What fuzzers and tests run on any bytes at all. Not for applications: it may change in every version.
//!
//! Each function takes bytes as they might stand on a disk and panics if reading them is not total, or if what was read is not
//! what was written.

use gannet_protocol::{BodyLen, Identity, MAX_COMPONENT, Name};

use crate::{
    journal::{BootId, Header, Journal, Record},
    pattern::Pattern,
};

const BOOTS: [BootId; 3] = [BootId::Known([1; 16]), BootId::Known([2; 16]), BootId::Unknown];

/// The journal of a partial file: any bytes, and records made of them, cut and damaged.
pub fn journal(bytes: &[u8]) {
    check(bytes);
    let Some((&[len, cut, at, bit], rest)) = bytes.split_first_chunk() else { return };
    let mut journal = Header {
        boot: BOOTS[0],
        len: BodyLen::Known(u64::from(len) << 19),
        identity: Identity([7; 16]),
        name: Name::parse(b"name").unwrap_or_else(|_| unreachable!("it is a name")),
    }
    .encode();
    for pair in rest.chunks_exact(2) {
        let end = journal.len() as u64;
        let record = match *pair {
            [which @ 0..=2, back] => Record::Synced {
                boot: BOOTS.into_iter().nth(which.into()).unwrap_or(BootId::Unknown),
                until: end.saturating_sub(back.into()),
            },
            [index, hash] => Record::Group { index: u64::from(index) - 3, hash: [hash; 32] },
            _ => break,
        };
        journal.extend(record.encode(end));
    }
    check(&journal);
    check(journal.get(..journal.len().saturating_sub(cut.into())).unwrap_or_default());
    let at = usize::from(at) * journal.len() / 256;
    if let Some(byte) = journal.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
    check(&journal);
}

/// A pattern and a name, with a NUL between them: any bytes, and the name with all that has a meaning escaped.
pub fn pattern(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let (Some(pattern), name) = (parts.next(), parts.next().unwrap_or_default()) else { return };
    let pattern = Pattern::parse(pattern);
    let matches = pattern.matches(name);
    if let Some(literal) = pattern.literal() {
        assert!(matches == (literal == name && name.len() <= MAX_COMPONENT), "another name");
    }
    let escaped = Pattern::parse(&escape(name));
    assert!(escaped.literal().as_deref() == Some(name), "another literal");
    assert!(escaped.matches(name) == (name.len() <= MAX_COMPONENT), "not itself");
}

/// The pattern of one name alone.
pub(crate) fn escape(name: &[u8]) -> Vec<u8> {
    let escaped = name.iter().flat_map(|&byte| {
        let needs = b"*?[\\".contains(&byte);
        needs.then_some(b'\\').into_iter().chain([byte])
    });
    escaped.collect()
}

fn check(bytes: &[u8]) {
    for boot in BOOTS {
        let Ok(journal) = Journal::decode(bytes, boot) else { continue };
        assert!(bytes.starts_with(&journal.header.encode()), "another header");
        assert!(journal.keep <= bytes.len() as u64, "more than there is");
        assert!(journal.durable.0 <= journal.keep, "more is durable than counts");
        assert!(journal.durable.1 <= journal.groups.len() as u64, "more is durable than counts");
        assert!(boot != BootId::Unknown || journal.rebooted, "who cannot tell must not say so");
        // As whoever goes on with it leaves it behind.
        let mut again =
            bytes.get(..usize::try_from(journal.keep).unwrap_or(0)).unwrap_or(bytes).to_vec();
        let end = again.len() as u64;
        again.extend(Record::Synced { boot, until: end }.encode(end));
        let again = Journal::decode(&again, boot).unwrap_or_else(|_| panic!("it was one before"));
        assert!(again.groups == journal.groups, "other groups count");
        assert!(again.durable.1 == again.groups.len() as u64, "not all is durable");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_replays() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/journal");
        let files: Vec<_> = fs::read_dir(&corpus).unwrap().collect();
        assert!(!files.is_empty());
        for file in files {
            journal(&fs::read(file.unwrap().path()).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_safely(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            journal(&bytes);
        }

        /// Mostly small groups, so that many count.
        #[test]
        fn any_records_are_read_safely(
            head: [u8; 4],
            records in prop::collection::vec((0..12_u8, any::<u8>()), 0..60),
        ) {
            let records = records.into_iter().flat_map(|(kind, value)| [kind, value]);
            journal(&head.into_iter().chain(records).collect::<Vec<_>>());
        }
    }
}
