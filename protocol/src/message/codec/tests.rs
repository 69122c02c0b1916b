//! Messages come back from their bytes; and any message, for other tests.

use core::time::Duration;

use super::*;
use crate::{Algorithm, MAX_GROUPS, MAX_HASHES, Spent, wire::cursor::VARINT_MAX};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Name> {
    prop::collection::vec("[a-zA-Z0-9 é._~]{1,40}", 1..5)
        .prop_filter_map("a name", |parts| Name::parse(parts.join("/").as_bytes()).ok())
}

fn meta() -> impl Strategy<Value = Meta> {
    let len = prop_oneof![
        Just(BodyLen::Open),
        (0..=MAX_BODY).prop_map(BodyLen::Known),
        (0..5000u64).prop_map(BodyLen::Known)
    ];
    (len, any::<u32>(), any::<i64>(), any::<u32>(), any::<[u8; 16]>()).prop_map(
        |(len, mode, secs, nanos, identity)| Meta {
            len,
            mode: Mode::from_bits(mode),
            modified: FileTime::new(secs, nanos),
            identity: Identity(identity),
        },
    )
}

fn have() -> impl Strategy<Value = Have> {
    let ranges = prop::collection::vec((0..MAX_GROUPS, 0..200u64), 0..20);
    (any::<[u8; 16]>(), ranges).prop_map(|(identity, ranges)| Have {
        identity: Identity(identity),
        groups: ranges.into_iter().map(|(at, len)| at..at + len).collect(),
    })
}

fn get() -> impl Strategy<Value = Get> {
    let version = (0..=MAX_BODY, any::<i64>(), any::<u32>())
        .prop_map(|(len, secs, nanos)| Version { len, modified: FileTime::new(secs, nanos) });
    (name(), prop::option::of(version), prop::option::of(have()))
        .prop_map(|(name, unless, have)| Get { name, unless, have })
}

fn put() -> impl Strategy<Value = Put> {
    let how = any::<[bool; 4]>().prop_map(|[no_clobber, fresh, check, discard]| How {
        no_clobber,
        fresh,
        check,
        discard,
    });
    (prop::option::of(name()), name(), any::<bool>(), meta(), how).prop_map(
        |(path, leaf, into_directory, meta, how)| Put {
            to: Destination { path, leaf: leaf.leaf(), into_directory },
            meta,
            how,
        },
    )
}

fn stored() -> impl Strategy<Value = Stored> {
    (name(), 0..=MAX_BODY, any::<u64>(), prop::option::of(any::<[u8; 32]>()))
        .prop_map(|(name, len, kept, hash)| Stored { name, len, hash, kept: kept % (len + 1) })
}

fn held() -> impl Strategy<Value = Held> {
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 1..5);
    prop_oneof![
        have().prop_map(Held::Groups),
        (0..1u64 << 62, hashes).prop_map(|(first, hashes)| Held::Hashes { first, hashes }),
        Just(Held::Nothing),
        (0..1u64 << 62).prop_map(Held::Again),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    let times = prop::array::uniform9(0..=1u64 << 50);
    let marked = prop::option::of(0..MAX_BODY);
    let rest = (any::<u16>(), any::<u8>(), marked);
    (times, prop::array::uniform5(0..=MAX_BODY), rest).prop_map(
        |(times, counts, (mtu, algorithm, ecn_marked))| {
            let [min_rtt, rtt, latest_rtt, idle, path, credit, source, busy, waited] =
                times.map(Duration::from_micros);
            let [window, packets_sent, packets_lost, body_sent, body_resent] = counts;
            Report {
                min_rtt,
                rtt,
                latest_rtt,
                window,
                mtu,
                algorithm: Algorithm::from_number(algorithm),
                ecn_marked,
                packets_sent,
                packets_lost,
                body_sent,
                body_resent,
                spent: Spent { idle, path, credit, source, busy },
                waited,
            }
        },
    )
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let request = prop_oneof![
        get().prop_map(Request::Get),
        put().prop_map(Request::Put),
        prop::option::of(name()).prop_map(Request::List),
        (name(), name()).prop_map(|(from, to)| Request::Rename { from, to }),
        any::<bool>().prop_map(|force| Request::Exit { force }),
        (".{0,80}", ".{0,80}", 0..=VARINT_MAX)
            .prop_map(|(grant, via, seconds)| Request::Invite(Invite { grant, via, seconds })),
        any::<[u8; 32]>().prop_map(|proof| Request::Join { proof }),
        prop_oneof![
            Just(Request::Report),
            (0..=MAX_BODY).prop_map(|len| Request::Zeros { len }),
            name().prop_map(Request::Stat),
            name().prop_map(Request::Remove),
        ],
        (name(), prop::option::of(any::<u32>()))
            .prop_map(|(name, mode)| Request::Mkdir { name, mode: mode.map(Mode::from_bits) }),
    ];
    let reply = prop_oneof![
        meta().prop_map(Reply::Meta),
        Just(Reply::Listing),
        stored().prop_map(Reply::Stored),
        Just(Reply::Done),
        (0..3u8, 0..=MAX_BODY, any::<u32>(), any::<i64>(), any::<u32>()).prop_map(
            |(kind, len, mode, secs, nanos)| Reply::Stat(Stat {
                kind: EntryKind::from_number(kind).expect("one of three"),
                len,
                mode: Mode::from_bits(mode),
                modified: FileTime::new(secs, nanos),
            })
        ),
        Just(Reply::Unchanged),
        report().prop_map(|report| Reply::Report(Box::new(report))),
        ".{0,80}".prop_map(|text| Reply::Ticket(
            TicketText::new(Zeroizing::new(text)).expect("a short text")
        )),
    ];
    let note = prop_oneof![
        (0..1u64 << 62, any::<[u8; 32]>()).prop_map(|(index, hash)| Note::Group { index, hash }),
        (0..MAX_BODY, 1..=MAX_BODY)
            .prop_map(|(offset, len)| Note::Hole { offset, len: len.min(MAX_BODY - offset) }),
        (0..=MAX_BODY, any::<[u8; 16]>(), any::<bool>()).prop_map(|(len, identity, stable)| {
            Note::End(End { len, identity: Identity(identity), stable })
        }),
    ];
    prop_oneof![
        request.prop_map(Message::Request),
        reply.prop_map(Message::Reply),
        note.prop_map(Message::Note),
        held().prop_map(Message::Held),
    ]
}

#[test]
fn odd_modes_times_and_lengths_are_malformed() {
    let meta = |len: u64, mode: u64, secs: u64, nanos: u64| {
        let mut bytes = [0; 64];
        let mut w = Writer::new(&mut bytes);
        w.u8(META);
        [len, mode, secs, nanos].into_iter().for_each(|value| w.varint(value));
        w.bytes(&[0; 16]);
        let used = w.finish().unwrap();
        Message::decode(&bytes[..used])
    };
    assert!(meta(0, 0o777, 0, 999_999_999).is_ok());
    let (set_user_id, sticky) = (0o4755, 0o1777);
    for mode in [set_user_id, 0o2755, sticky, 0o10_0644, 1 << 40] {
        assert_eq!(meta(0, mode, 0, 0), Err(Malformed), "mode {mode:o}");
    }
    assert_eq!(meta(0, 0, 0, 1_000_000_000), Err(Malformed));
    // Zigzag: even numbers are not negative.
    for (secs, fine) in [(1 << 44, true), ((1 << 44) + 2, false), ((1 << 44) + 1, false)] {
        assert_eq!(meta(0, 0, secs, 0).is_ok(), fine, "{secs}");
    }
    for (len, fine) in [(MAX_BODY + 1, true), (MAX_BODY + 2, false), (VARINT_MAX, false)] {
        assert_eq!(meta(len, 0, 0, 0).is_ok(), fine, "{len}");
    }
}

/// `docs/hostile-input.md`, row 4.
#[test]
fn odd_claims_of_what_is_held_are_malformed() {
    let decode = |kind: u8, fields: &[u8]| Message::decode(&[&[kind], fields].concat());
    let (have, hashes, identity) = (0x13, 0x15, [7; 16]);
    let ranges = |numbers: &[u64]| {
        let mut bytes = [0; 128];
        let mut w = Writer::new(&mut bytes);
        w.bytes(&identity);
        numbers.iter().for_each(|number| w.varint(*number));
        let used = w.finish().unwrap();
        decode(have, &bytes[..used])
    };
    assert!(ranges(&[0]).is_ok() && ranges(&[1, MAX_GROUPS - 1, 0]).is_ok());
    assert!(ranges(&[2, 0, 0, MAX_GROUPS - 3, 0]).is_ok());
    for beyond in [&[1, MAX_GROUPS, 0][..], &[1, 0, MAX_GROUPS], &[2, 0, 0, MAX_GROUPS - 2, 0]] {
        assert_eq!(ranges(beyond), Err(Malformed), "{beyond:?}");
    }
    assert_eq!(ranges(&[1, VARINT_MAX, VARINT_MAX]), Err(Malformed));
    assert_eq!(ranges(&[4_097]), Err(Malformed));
    for (count, fine) in [(0, false), (1, true), (MAX_HASHES, true), (MAX_HASHES + 1, false)] {
        let mut bytes = alloc::vec![0; 8 + 32 * count];
        let mut w = Writer::new(&mut bytes);
        w.varint(0);
        w.varint(count as u64);
        w.bytes(&alloc::vec![3; 32 * count]);
        let used = w.finish().unwrap();
        assert_eq!(decode(hashes, &bytes[..used]).is_ok(), fine, "{count}");
        assert_eq!(decode(hashes, &bytes[..used - 1]), Err(Malformed), "{count}");
    }
}

/// `docs/hostile-input.md`, row 4.
#[test]
fn odd_reports_are_malformed() {
    const FIELDS: usize = 17;
    let decode = |field: usize, value: u64| {
        let mut bytes = [0; 160];
        let mut w = Writer::new(&mut bytes);
        w.u8(REPORTED);
        for at in 0..FIELDS {
            let value = if at == field { value } else { 0 };
            if at == 5 { w.u8(value as u8) } else { w.varint(value) }
        }
        let used = w.finish().unwrap();
        Message::decode(&bytes[..used])
    };
    for field in 0..FIELDS {
        assert!(decode(field, 0).is_ok() && decode(field, 255).is_ok(), "{field}");
        let most = match field {
            4 => u64::from(u16::MAX),
            5 => continue,
            0..=2 | 11.. => 1 << 50,
            _ => MAX_BODY,
        };
        assert!(decode(field, most).is_ok(), "{field}");
        for beyond in [most + 1, VARINT_MAX] {
            assert_eq!(decode(field, beyond), Err(Malformed), "{field}");
        }
    }
    // What a side has to tell beyond that is clamped.
    let spent = Spent { idle: Duration::MAX, ..Spent::default() };
    let report =
        Report { window: u64::MAX, ecn_marked: Some(u64::MAX), spent, ..Report::default() };
    let mut bytes = Vec::new();
    Message::Reply(Reply::Report(Box::new(report))).encode(&mut bytes);
    assert!(Message::decode(without_length(&bytes)).is_ok());
}

#[test]
fn odd_holes_and_ways_to_store_are_malformed() {
    let hole = |offset: u64, len: u64| {
        let mut bytes = [0; 32];
        let mut w = Writer::new(&mut bytes);
        w.u8(HOLE);
        w.varint(offset);
        w.varint(len);
        let used = w.finish().unwrap();
        Message::decode(&bytes[..used])
    };
    assert!(hole(0, 1).is_ok() && hole(MAX_BODY - 1, 1).is_ok());
    assert_eq!(hole(0, 0), Err(Malformed));
    assert_eq!(hole(MAX_BODY, 1), Err(Malformed));
    assert_eq!(hole(0, MAX_BODY + 1), Err(Malformed));
    for bits in 0..=u8::MAX {
        assert_eq!(read_how(&mut Reader::new(&[bits])).is_ok(), bits < 16, "{bits}");
    }
}

fn without_length(encoded: &[u8]) -> &[u8] {
    let mut reader = Reader::new(encoded);
    reader.varint().unwrap();
    reader.take_rest()
}

proptest! {
    #[test]
    fn a_message_comes_back_and_no_part_of_it_decodes(message in message()) {
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        prop_assert!(encoded.len() <= super::super::MAX_MESSAGE);
        let bytes = without_length(&encoded);
        prop_assert_eq!(Message::decode(bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert_eq!(Message::decode(&bytes[..cut]), Err(Malformed));
        }
    }

    #[test]
    fn whatever_decodes_has_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(message) = Message::decode(&bytes) {
            let mut encoded = Vec::new();
            message.encode(&mut encoded);
            prop_assert_eq!(without_length(&encoded), &bytes[..]);
        }
    }
}
