use gannet_protocol::MAX_BODY;
use proptest::{collection::vec, prelude::*};

use super::*;

const BOOT: BootId = BootId::Known([1; 16]);
const NEXT: BootId = BootId::Known([2; 16]);

fn header(len: BodyLen) -> Header {
    let name = Name::parse(b"disk.img").unwrap();
    Header { boot: BOOT, len, identity: Identity([7; 16]), name }
}

fn bytes_of(header: &Header, records: &[Record]) -> Vec<u8> {
    let mut bytes = header.encode();
    for record in records {
        let end = bytes.len() as u64;
        let record = match *record {
            // As if the sync had begun just now, where nothing else is said.
            Record::Synced { boot, until } => Record::Synced { boot, until: until.min(end) },
            group @ Record::Group { .. } => group,
        };
        bytes.extend(record.encode(end));
    }
    bytes
}

fn group(index: u64) -> Record {
    Record::Group { index, hash: [index as u8; 32] }
}

fn synced(boot: BootId) -> Record {
    Record::Synced { boot, until: u64::MAX }
}

fn indices(bytes: &[u8], boot: BootId) -> Vec<u64> {
    Journal::decode(bytes, boot).unwrap().groups.into_keys().collect()
}

#[test]
fn after_a_kill_all_counts_and_after_a_restart_what_was_synced() {
    let head = header(BodyLen::Known(10 << 20));
    let records = [group(3), group(1), synced(BOOT), group(2)];
    let bytes = bytes_of(&head, &records);
    let killed = Journal::decode(&bytes, BOOT).unwrap();
    assert_eq!(killed.groups.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((killed.keep, killed.rebooted), (bytes.len() as u64, false));
    let kept = bytes_of(&head, &records[..3]);
    for boot in [NEXT, BootId::Unknown] {
        let restarted = Journal::decode(&bytes, boot).unwrap();
        assert_eq!(restarted.groups.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!((restarted.keep, restarted.rebooted), (kept.len() as u64, true));
    }
    // Cut there, and with the word that it is durable, it goes on in the next run.
    let records = [group(3), group(1), synced(BOOT), synced(NEXT), group(5)];
    assert_eq!(indices(&bytes_of(&head, &records), NEXT), [1, 3, 5]);
    assert_eq!(indices(&bytes_of(&head, &records), BOOT), [1, 3]);
}

/// Groups are written down while a sync runs that began before.
#[test]
fn a_sync_tells_of_what_was_there_when_it_began() {
    let head = header(BodyLen::Known(10 << 20));
    let began = bytes_of(&head, &[group(3), group(1)]).len() as u64;
    let records = [group(3), group(1), group(2), Record::Synced { boot: BOOT, until: began }];
    let bytes = bytes_of(&head, &records);
    assert_eq!(indices(&bytes, BOOT), [1, 2, 3]);
    let restarted = Journal::decode(&bytes, NEXT).unwrap();
    assert_eq!(restarted.groups.into_keys().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(restarted.keep, began);
    // A word of what comes later, or of less than before, is none.
    for until in [began + 500, began - 1] {
        let mut bytes = bytes_of(&head, &[group(3), group(1), synced(BOOT), group(2)]);
        let at = bytes.len() as u64;
        bytes.extend(Record::Synced { boot: NEXT, until }.encode(at));
        assert_eq!(indices(&bytes, BOOT), [1, 2, 3], "{until}");
        assert_eq!(indices(&bytes, NEXT), [1, 3], "{until}");
    }
}

#[test]
fn without_boot_ids_only_what_was_synced_counts() {
    let head = Header { boot: BootId::Unknown, ..header(BodyLen::Open) };
    let records = [group(0), synced(BootId::Unknown), group(1)];
    assert_eq!(indices(&bytes_of(&head, &records), BootId::Unknown), [0]);
}

#[test]
fn a_group_beyond_the_file_is_no_journal() {
    let head = header(BodyLen::Known((3 << 20) + 1));
    assert_eq!(indices(&bytes_of(&head, &[group(3)]), BOOT), [3]);
    assert_eq!(Journal::decode(&bytes_of(&head, &[group(4)]), BOOT), Err(NoJournal));
}

#[test]
fn records_at_another_place_do_not_count() {
    let head = header(BodyLen::Open);
    let mut bytes = bytes_of(&head, &[group(0), group(1)]);
    let start = head.encode().len();
    let len = (bytes.len() - start) / 2;
    bytes.copy_within(start..start + len, start + len);
    assert_eq!(indices(&bytes, BOOT), [0]);
}

fn lens() -> impl Strategy<Value = BodyLen> {
    prop_oneof![Just(BodyLen::Open), (0..=MAX_BODY).prop_map(BodyLen::Known)]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record = prop_oneof![
        4 => (0..20_u64, any::<[u8; 32]>()).prop_map(|(index, hash)| Record::Group { index, hash }),
        1 => prop_oneof![Just(BOOT), Just(NEXT)].prop_map(synced),
    ];
    vec(record, 0..30)
}

/// What counts of `records`, in plain words.
fn expected(records: &[Record], boot: BootId) -> BTreeMap<u64, Hash> {
    let synced = records.iter().rposition(|record| matches!(record, Record::Synced { .. }));
    let last = match synced.map(|at| records[at]) {
        Some(Record::Synced { boot, .. }) => boot,
        _ => BOOT,
    };
    let counted = if last == boot { records.len() } else { synced.unwrap_or(0) };
    let groups = records[..counted].iter().filter_map(|record| match record {
        Record::Group { index, hash } => Some((*index, *hash)),
        Record::Synced { .. } => None,
    });
    groups.collect()
}

proptest! {
    /// However short it was cut, what is whole counts, and nothing else.
    #[test]
    fn a_torn_tail_is_ignored(records in records(), cut in any::<prop::sample::Index>(), next: bool) {
        let head = header(BodyLen::Known(20 << 20));
        let boot = if next { NEXT } else { BOOT };
        let mut ends = vec![head.encode().len()];
        for at in 0..records.len() {
            ends.push(bytes_of(&head, &records[..=at]).len());
        }
        let mut bytes = bytes_of(&head, &records);
        bytes.truncate(cut.index(bytes.len() + 1));
        let whole = ends.iter().filter(|end| **end <= bytes.len()).count();
        match Journal::decode(&bytes, boot) {
            Err(NoJournal) => prop_assert_eq!(whole, 0),
            Ok(journal) => {
                prop_assert_eq!(&journal.groups, &expected(&records[..whole - 1], boot));
                prop_assert!(ends.contains(&(journal.keep as usize)));
                // What is kept says the same.
                let kept = Journal::decode(&bytes[..journal.keep as usize], boot).unwrap();
                prop_assert_eq!(kept.groups, journal.groups);
            }
        }
    }

    /// A changed bit ends it there, or makes it none.
    #[test]
    fn damage_is_noticed(records in records(), bit in any::<prop::sample::Index>()) {
        let head = header(BodyLen::Known(20 << 20));
        let mut bytes = bytes_of(&head, &records);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let whole = (0..records.len())
            .take_while(|at| bytes_of(&head, &records[..=*at]).len() <= bit / 8)
            .count();
        match Journal::decode(&bytes, BOOT) {
            Err(NoJournal) => prop_assert!(bit / 8 < head.encode().len()),
            Ok(journal) => prop_assert_eq!(journal.groups, expected(&records[..whole], BOOT)),
        }
    }

    #[test]
    fn a_header_comes_back(len in lens(), boot in any::<[u8; 16]>(), identity in any::<[u8; 16]>()) {
        let boot = BootId::from_bytes(boot);
        let head = Header { boot, identity: Identity(identity), ..header(len) };
        prop_assert_eq!(Journal::decode(&head.encode(), boot).unwrap().header, head);
    }

    #[test]
    fn any_bytes_are_read_safely(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Journal::decode(&bytes, BOOT);
    }
}
