//! Peers that lie about what is held: in the wrong role, twice, beyond the body, or without end.

use std::{net::SocketAddr, time::Duration};

use gannet_protocol::{CloseReason, How, Violation};
use gannet_tests::{
    content::Content,
    directory::name,
    forge::{
        ForgedClient, ForgedServer, Mode, Parameters,
        message::{
            again, done, end, get, get_rest, group, hashes, have, holds, hole, list, message,
            meta_reply, nothing, opening, put, unchanged,
        },
    },
    host::Job,
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const MIB: u64 = 1 << 20;

const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4000);

/// Says the first to a server that has a file of 10 MiB, lets it answer, and then says the second: how it closes, if it does.
fn server_hears(first: &[u8], second: &[u8]) -> Option<u64> {
    let mut world = Mode::Plain.world(1);
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 10 * MIB));
    let mut forged = ForgedClient::connect(&mut world, STRANGER, &Parameters::default());
    forged.send(&mut world, &[opening(0, first.to_vec())]);
    world.run_for(20 * MS);
    assert_eq!(forged.closed(&mut world), None, "too early");
    let offset = first.len() as u64;
    for (at, part) in (offset..).step_by(1000).zip(second.chunks(1000)) {
        forged.send(&mut world, &[message_frame(at, part)]);
    }
    forged.closed(&mut world)
}

fn message_frame(offset: u64, bytes: &[u8]) -> gannet_tests::forge::Frame {
    gannet_tests::forge::Frame::Message { exchange: 0, offset, fin: false, bytes: bytes.to_vec() }
}

#[track_caller]
fn server_refuses(first: &[u8], second: &[u8], violation: Violation) {
    assert_eq!(server_hears(first, second), Some(violation.code()), "{first:x?} {second:x?}");
}

/// A client that wants something, and a forged server in place of its own.
fn client_wants(
    job: Job,
    prepare: impl FnOnce(&mut World, ClientId),
) -> (World, ClientId, ForgedServer) {
    let mut world = Mode::Plain.world(1);
    let client = Mode::Plain.add_client(&mut world, Path::new(50_000_000, 20 * MS));
    prepare(&mut world, client);
    let mut forged = ForgedServer::replace(&mut world, client);
    forged.answer(&mut world, &Parameters::default());
    world.start(client, job);
    world.run_for(MS);
    (world, client, forged)
}

fn client_hears(
    job: Job,
    prepare: impl FnOnce(&mut World, ClientId),
    said: &[u8],
) -> Option<CloseReason> {
    let (mut world, client, mut forged) = client_wants(job, prepare);
    for (at, part) in (0..).step_by(1000).zip(said.chunks(1000)) {
        forged.send(&mut world, &[message_frame(at, part)]);
    }
    world.close_reason(client)
}

#[track_caller]
fn client_refuses(job: Job, said: &[u8], violation: Violation) {
    let closed = client_hears(job, |_, _| (), said);
    assert_eq!(closed, Some(CloseReason::Violation(violation)), "{said:x?}");
}

fn long_put() -> Job {
    Job::put(&name("file"), Content::pattern(1, 10 * MIB))
}

const WRONG: Violation = Violation::UnexpectedMessage;

/// `docs/hostile-input.md`, row 10.
#[test]
fn claims_of_the_wrong_side_or_at_the_wrong_time_are_refused() {
    // The sender of a body claims to hold it; there is no body; there is none yet.
    for claim in [holds(0, &[(0, 0)]), nothing(), hashes(0, 1), again(0)] {
        server_refuses(&put(b"new", 10 * MIB), &claim, WRONG);
        server_refuses(b"", &claim, WRONG);
        server_refuses(b"", &[get(b"file"), claim.clone()].concat(), WRONG);
        let job = Job::Get(name("file"));
        client_refuses(job.clone(), &[meta_reply(10 * MIB), claim.clone()].concat(), WRONG);
        client_refuses(job, &claim, WRONG);
        client_refuses(Job::Rename(name("a"), name("b")), &claim, WRONG);
        // A put is stored or unchanged, and then something is said of it after all.
        client_refuses(long_put(), &[unchanged(), claim].concat(), WRONG);
    }
    // A get did not say that it holds something, or it is of the same state, or the body is short.
    for claim in [nothing(), hashes(0, 1), holds(0, &[(0, 0)])] {
        server_refuses(&get(b"file"), &claim, WRONG);
        server_refuses(&list(), &claim, WRONG);
    }
    let short = Job::put(&name("file"), Content::pattern(1, MIB));
    client_refuses(short, &nothing(), WRONG);
}

/// `docs/hostile-input.md`, row 10.
#[test]
fn claims_beyond_the_body_or_told_twice_are_refused() {
    // No state of a file has this identity.
    let first = get_rest(b"file", &have(0xee, &[(0, 3)]));
    assert_eq!(server_hears(&first, &[hashes(0, 10), nothing(), again(9)].concat()), None);
    for second in [
        hashes(10, 1),
        hashes(9, 2),
        hashes(0, 11),
        hashes((1 << 62) - 1, 1),
        [hashes(0, 2), hashes(1, 1)].concat(),
        [nothing(), nothing()].concat(),
        [nothing(), hashes(0, 1)].concat(),
        holds(0xee, &[(0, 0)]),
        again(10),
        again((1 << 62) - 1),
    ] {
        server_refuses(&first, &second, WRONG);
    }
    let put_zero = |said: &[u8], fine: bool| {
        let closed = client_hears(
            long_put(),
            |world, client| {
                world.client_mut(client).put_state = Some(0);
            },
            said,
        );
        let wrong = Some(CloseReason::Violation(WRONG));
        assert_eq!(closed, if fine { None } else { wrong }, "{said:x?}");
    };
    put_zero(&holds(0, &[(0, 0), (7, 0)]), true);
    put_zero(&holds(0, &[(0, 10)]), false);
    put_zero(&holds(0, &[(10, 0)]), false);
    put_zero(&holds(1, &[(0, 0)]), false);
    put_zero(&[holds(0, &[(0, 0)]), holds(0, &[(0, 0)])].concat(), false);
    put_zero(&[holds(0, &[(0, 0)]), nothing()].concat(), false);
    put_zero(&[hashes(0, 1), holds(0, &[(0, 0)])].concat(), false);
    // A get claims groups that the file does not have: they are not there to be left out.
    for pairs in [&[(10, 3)][..], &[(0, 16_383)]] {
        let mut world = Mode::Plain.world(1);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 10 * MIB));
        let mut forged = ForgedClient::connect(&mut world, STRANGER, &Parameters::default());
        let identity = world.server().files.get(&name("file")).unwrap().identity.0;
        let mut claim = have(0, pairs);
        claim[..16].copy_from_slice(&identity);
        forged.send(&mut world, &[opening(0, get_rest(b"file", &claim))]);
        world.run_for(20 * MS);
        assert_eq!(forged.closed(&mut world), None);
    }
}

/// `docs/hostile-input.md`, row 4.
#[test]
fn claims_over_the_caps_are_malformed() {
    let alternating: Vec<_> = (0..4_097).map(|_| (0, 0)).collect();
    for bytes in [
        get_rest(b"file", &have(0, &alternating)),
        get_rest(b"file", &have(0, &[(0, 16_384)])),
        get_rest(b"file", &have(0, &[(1 << 61, 1 << 61)])),
        // More are promised than there are.
        message(1, &[&[1, b'x'], &[0, 1], &[0; 16], &[9, 0, 0]]),
        message(1, &[&[1, b'x'], &[0, 2]]),
        message(2, &[&[0, 16, 0, 1, b'x'], &gannet_tests::forge::message::meta(5)]),
    ] {
        server_refuses(b"", &bytes, Violation::Message);
    }
    let first = get_rest(b"file", &have(0xee, &[]));
    for count in [0, 257] {
        server_refuses(&first, &hashes(0, count), Violation::Message);
    }
    client_refuses(long_put(), &holds(0, &alternating), Violation::Message);
}

#[test]
fn asking_again_without_end_is_refused() {
    let many = |count: u64| (0..count).flat_map(|n| again(n / 3)).collect::<Vec<_>>();
    assert_eq!(server_hears(&get(b"file"), &many(30)), None);
    server_refuses(&get(b"file"), &[many(3), again(0)].concat(), WRONG);
    server_refuses(&get(b"file"), &many(31), WRONG);
    let mut world = Mode::Plain.world(1);
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 2_000 * MIB));
    let mut forged = ForgedClient::connect(&mut world, STRANGER, &Parameters::default());
    let first = get(b"file");
    forged.send(&mut world, &[opening(0, first.clone())]);
    world.run_for(20 * MS);
    let flood: Vec<_> = (0..1_025).flat_map(again).collect();
    let mut closed = None;
    for (at, part) in (first.len() as u64..).step_by(1000).zip(flood.chunks(1000)) {
        assert_eq!(closed, None, "too early");
        forged.send(&mut world, &[message_frame(at, part)]);
        closed = forged.closed(&mut world);
    }
    assert_eq!(closed, Some(WRONG.code()));
}

/// `docs/hostile-input.md`, row 10.
#[test]
fn holes_that_cannot_be_are_refused() {
    let body = put(b"new", 10 * MIB + 5);
    let fine =
        [hole(0, MIB), hole(MIB, MIB), hole(5 * MIB, 5 * MIB + 5), end(10 * MIB + 5)].concat();
    assert_eq!(server_hears(&body, &fine), None);
    for second in [
        hole(1, MIB),
        hole(0, MIB + 1),
        hole(0, 10 * MIB + 6),
        hole(10 * MIB, 6),
        hole(11 * MIB, MIB),
        [hole(MIB, MIB), hole(0, MIB)].concat(),
        [hole(0, 2 * MIB), hole(MIB, MIB)].concat(),
        [end(10 * MIB + 5), hole(0, MIB)].concat(),
    ] {
        server_refuses(&body, &second, WRONG);
    }
    server_refuses(&body, &hole(0, 0), Violation::Message);
    server_refuses(&get(b"file"), &hole(0, MIB), WRONG);
    let job = Job::List(None);
    let listing = message(0x21, &[]);
    client_refuses(job, &[listing, hole(0, MIB)].concat(), WRONG);
    client_refuses(Job::Get(name("x")), &hole(0, MIB), WRONG);
}

/// `docs/hostile-input.md`, row 10.
#[test]
fn nothing_is_unchanged_unless_that_was_asked() {
    client_refuses(Job::Get(name("x")), &unchanged(), WRONG);
    client_refuses(Job::Rename(name("a"), name("b")), &unchanged(), WRONG);
    client_refuses(Job::List(None), &unchanged(), WRONG);
    let fresh = |world: &mut World, client| {
        world.client_mut(client).how = How { fresh: true, ..How::default() };
    };
    let closed = client_hears(long_put(), fresh, &unchanged());
    assert_eq!(closed, Some(CloseReason::Violation(WRONG)));
    assert_eq!(client_hears(long_put(), |_, _| (), &unchanged()), None);
    // Nothing comes after it.
    for more in [unchanged(), done(), group(0, [0; 32])] {
        client_refuses(long_put(), &[unchanged(), more].concat(), WRONG);
    }
}
