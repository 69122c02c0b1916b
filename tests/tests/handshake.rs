//! What a server gives to strangers, and a client to servers that are none.

use std::{net::SocketAddr, time::Duration};

use gannet_protocol::{CloseReason, Config};
use gannet_tests::{
    content::Content,
    directory::name,
    forge::{
        self, ForgedClient, ForgedServer, Frame, MIN_DATAGRAM, Parameters, VERSIONS, finish, hello,
        hello_of_version, stranger,
    },
    host::{Job, Outcome},
    world::{Direction, Path, World},
};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn path() -> Path {
    Path::new(50_000_000, 20 * MS)
}

/// A client that is served as ever shows that nothing is broken.
#[track_caller]
fn check_alive(world: &mut World) {
    let client = world.add_client(path());
    world.server_mut().files.insert(&name("alive"), Content::pattern(1, 10_000));
    let get = world.start(client, Job::Get(name("alive")));
    world.run_until_idle(5 * SECOND);
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(_))));
}

#[test]
fn a_handshake_takes_one_round_trip() {
    let mut world = World::new(1);
    let client = world.add_client(path());
    assert!(world.run_until(|world| !world.client(client).connected.is_empty(), SECOND));
    assert!(world.elapsed() < 22 * MS, "{:?}", world.elapsed());
}

/// A client without an answer says hello soon and often, and gives up in time.
#[test]
fn no_answer() {
    let mut world = World::new(2);
    world.set_filter(|passing| passing.direction == Direction::Up);
    let client = world.add_client(path());
    assert!(world.run_until(|world| world.close_reason(client).is_some(), 60 * SECOND));
    assert_eq!(world.close_reason(client), Some(CloseReason::NoAnswer(10 * SECOND)));
    assert_eq!(world.elapsed(), 10 * SECOND);
    let (up, _) = world.counters(client);
    assert!((10..15).contains(&up.packets), "{up:?}");
    // The server forgets it too.
    world.run_for(12 * SECOND);
    assert!(world.server().endpoint.poll_timeout().is_none());
    assert!(world.server().closed.is_empty() && world.server().connected.is_empty());
}

#[test]
fn a_connect_timeout_of_ones_own() {
    let mut config = Config::default();
    config.connect_timeout = 3 * SECOND;
    let mut world = World::new(2);
    world.set_filter(|_| false);
    let path = world.add_path(path());
    let client = world.add_client_on(path, config);
    world.run_for(4 * SECOND);
    assert_eq!(world.close_reason(client), Some(CloseReason::NoAnswer(3 * SECOND)));
}

/// Row 1: whatever comes, there is no answer, unless it is a whole hello.
#[test]
fn noise_gets_no_reply() {
    let mut world = World::new(3);
    let whole = hello(1);
    let mut longer = whole.clone();
    longer.push(0);
    let mut corrupt = whole.clone();
    corrupt[700] ^= 1;
    let mut other_suite = whole[..whole.len() - 4].to_vec();
    other_suite[13] = 9;
    let mut noise = vec![
        vec![],
        vec![0; 1],
        vec![0; 65_507],
        vec![0xff; 1200],
        vec![1; 1200],
        longer,
        corrupt,
        forge::seal(other_suite),
        forge::seal(whole[..whole.len() - 5].to_vec()),
        forge::seal(whole[..100].to_vec()),
        finish(0, &Parameters::default()),
        finish(1 << 32, &Parameters::default()),
        forge::data(0, 0, &[Frame::Ping]),
        forge::data(1 << 32, 0, &[Frame::Ping]),
        forge::data(u64::MAX, u64::MAX, &[Frame::Ping]),
    ];
    for kind in (0..=255).filter(|kind| *kind != forge::HELLO) {
        noise.push(forge::seal([&[kind][..], &[0; 1195]].concat()));
    }
    for (number, payload) in (0..).zip(&noise) {
        world.spoof(stranger(number), payload);
    }
    world.run_for(SECOND);
    let answered: Vec<_> = world.strays().iter().map(|(to, _)| to).collect();
    assert!(answered.is_empty(), "{answered:?}");
    assert!(world.server().endpoint.poll_timeout().is_none(), "something is remembered");
    check_alive(&mut world);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Row 1, with any bytes.
    #[test]
    fn any_bytes_get_no_reply(
        mut bytes in prop::collection::vec(any::<u8>(), 0..1500), kind in 0u8..9, sealed: bool,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if sealed {
            bytes = forge::seal(bytes);
        }
        // What is a hello of another version after all is told so.
        let other = kind == 1 && sealed && bytes.len() >= MIN_DATAGRAM;
        let mut world = World::new(4);
        world.spoof(stranger(1), &bytes);
        prop_assert!(other || world.strays().is_empty());
        let mut client_world = World::new(4);
        let client = client_world.add_client(path());
        client_world.spoof_down(client, &bytes);
        client_world.run_for(SECOND);
        prop_assert_eq!(client_world.client(client).connected.len(), 1);
    }

    /// Row 2: a real hello, cut or with one bit flipped, is noise.
    #[test]
    fn damaged_hellos_get_no_reply(cut in 0usize..1199, bit in 0usize..9600) {
        let mut world = World::new(5);
        let whole = hello(1);
        world.spoof(stranger(1), &whole[..cut]);
        let mut flipped = whole;
        flipped[bit / 8] ^= 1 << (bit % 8);
        world.spoof(stranger(2), &flipped);
        prop_assert!(world.strays().is_empty());
    }
}

#[test]
fn unknown_versions_get_a_list() {
    let mut world = World::new(6);
    for (number, version) in (0..).zip([0, 2, 3, 0x1000_0000, u32::MAX]) {
        let hello = hello_of_version(version, 7, b"what only that version knows");
        world.spoof(stranger(number), &hello);
        let answers = world.take_strays(stranger(number));
        let [list] = &answers[..] else { panic!("{answers:?}") };
        assert!(list.len() < 100 && forge::is_intact(list));
        assert_eq!(list[0], VERSIONS);
        assert_eq!(list[1..9], 7u64.to_be_bytes());
        assert_eq!(list[9..list.len() - 4], 1u32.to_be_bytes());
    }
    assert!(world.server().endpoint.poll_timeout().is_none(), "something is remembered");
    check_alive(&mut world);
}

#[test]
fn a_client_of_another_version_ends_at_once() {
    let versions = |client: u64, spoken: &[u32]| {
        let mut packet = vec![VERSIONS];
        packet.extend_from_slice(&client.to_be_bytes());
        spoken.iter().for_each(|version| packet.extend_from_slice(&version.to_be_bytes()));
        forge::seal(packet)
    };
    for (spoken, ends) in [(&[2, 3][..], true), (&[1, 2][..], false)] {
        let mut world = World::new(7);
        let client = world.add_client(path());
        let server = ForgedServer::replace(&mut world, client);
        world.run_for(MS);
        let hello = server.receive().remove(0);
        let id = u64::from_be_bytes(hello[14..22].try_into().unwrap());
        world.spoof_down(client, &versions(id ^ 1, spoken));
        world.spoof_down_from(stranger(1), client, &versions(id, spoken));
        assert_eq!(world.close_reason(client), None);
        world.spoof_down(client, &versions(id, spoken));
        assert_eq!(world.close_reason(client), ends.then_some(CloseReason::Version));
    }
}

/// Row 5: parameters that come twice, are missing, or out of range.
#[test]
fn bad_parameters_fail_the_handshake() {
    let good = Parameters::default;
    let changed = |number, value| {
        let mut parameters = good();
        parameters.set(number, value);
        parameters
    };
    let mut bad = vec![
        changed(1, 1199),
        changed(1, 65_536),
        changed(2, 999),
        changed(2, 3_600_001),
        Parameters(vec![]),
    ];
    for number in 1..=6 {
        let mut without = good();
        without.remove(number);
        bad.push(without);
        let mut twice = good();
        twice.0.insert(number as usize, twice.0[number as usize - 1].clone());
        bad.push(twice);
        let mut longer = good();
        longer.0[number as usize - 1].1.push(0);
        bad.push(longer);
        let mut empty = good();
        empty.0[number as usize - 1].1.clear();
        bad.push(empty);
    }
    // What the path gave: too little said, too much, and packets longer than there are.
    for path in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4], &[1, 2, 0x80, 1, 0, 0], &[0x40, 1, 2, 3]] {
        let mut with_path = good();
        with_path.0.push((8, path.to_vec()));
        bad.push(with_path);
    }
    let mut reversed = good();
    reversed.0.reverse();
    bad.push(reversed);
    for (number, parameters) in (0..).zip(bad) {
        let mut world = World::new(8);
        let address = stranger(number);
        let mut forged = ForgedClient::connect(&mut world, address, &parameters);
        forged.send(&mut world, &[Frame::Ping]);
        assert!(world.server().connected.is_empty(), "{parameters:?}");
        assert_eq!(world.take_strays(address), [[0; 0]; 0]);
        // A second, right attempt within the handshake's time succeeds.
        world.spoof(address, &finish(forged.server, &good()));
        assert_eq!(world.server().connected.len(), 1);

        let mut world = World::new(8);
        let client = world.add_client(path());
        let mut server = ForgedServer::replace(&mut world, client);
        server.answer(&mut world, &parameters);
        assert!(world.client(client).connected.is_empty(), "{parameters:?}");
    }
}

/// Row 35: parameters at their extremes, as far as they are allowed.
#[test]
fn extreme_parameters() {
    for (number, value) in [
        (1, 1200),
        (1, 65_535),
        (2, 1000),
        (2, 3_600_000),
        (3, 0),
        (3, (1 << 62) - 1),
        (4, 0),
        (4, (1 << 62) - 1),
        (5, 0),
        (5, (1 << 62) - 1),
        (6, 0),
        (6, (1 << 62) - 1),
        (77, (1 << 62) - 1),
    ] {
        let mut parameters = Parameters::default();
        parameters.set(number, value);
        let mut world = World::new(9);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 100_000_000));
        let mut forged = ForgedClient::connect(&mut world, stranger(1), &parameters);
        forged.send(&mut world, &[get(0, "file")]);
        world.run_for(5 * SECOND);
        assert_eq!(world.server().connected.len(), 1);
        let sent: usize = forged.receive(&mut world).len();
        assert!(sent < 1000, "{sent} packets to a client that acknowledges nothing");
        world.run_for(60 * SECOND);
        assert_eq!(world.server().closed.len(), 1);

        let mut world = World::new(9);
        let client = world.add_client(path());
        let mut server = ForgedServer::replace(&mut world, client);
        server.answer(&mut world, &parameters);
        world.start(client, Job::put(&name("file"), Content::pattern(1, 100_000_000)));
        world.run_for(60 * SECOND);
        assert!(server.receive().len() < 1000);
    }
}

fn get(exchange: u64, file: &str) -> Frame {
    let mut bytes = vec![file.len() as u8 + 4, 1, file.len() as u8];
    bytes.extend_from_slice(file.as_bytes());
    bytes.extend_from_slice(&[0, 0]);
    Frame::Message { exchange, offset: 0, fin: true, bytes }
}

/// Row 14: who says hello and no more is forgotten after 10 s, and gets one answer a hello.
#[test]
fn a_handshake_that_is_not_finished_is_dropped_after_10_s() {
    let mut world = World::new(10);
    let server = ForgedClient::greet(&mut world, stranger(1)).unwrap();
    world.run_for(9 * SECOND);
    // Hellos do not prolong it.
    assert_eq!(ForgedClient::greet(&mut world, stranger(1)), Some(server));
    world.run_for(2 * SECOND);
    assert!(world.server().endpoint.poll_timeout().is_none());
    world.spoof(stranger(1), &finish(server, &Parameters::default()));
    assert!(world.server().connected.is_empty());
    assert!(world.take_strays(stranger(1)).is_empty());
    // It may begin anew.
    let mut forged = ForgedClient::connect(&mut world, stranger(1), &Parameters::default());
    forged.send(&mut world, &[Frame::Ping]);
    assert_eq!(world.server().connected.len(), 1);
}

/// Row 12 and 13: a flood of hellos is bounded, silent once there is no room, and over after 10 s.
#[test]
fn half_open_handshakes_are_capped() {
    let mut world = World::new(11);
    for number in 0..5000 {
        world.spoof(stranger(number), &hello(1));
    }
    let answers =
        world.strays().iter().filter(|(_, packet)| forge::server_of(packet).is_some()).count();
    assert!((100..=256).contains(&answers), "{answers}");
    assert_eq!(world.strays().len(), 5000, "the others are asked for a cookie");
    let first = stranger(0);
    let id = forge::server_of(&world.take_strays(first)[0]).unwrap();
    let asked = world.strays().to_vec();
    asked.iter().for_each(|(to, _)| drop(world.take_strays(*to)));
    // All of them really are where they say.
    for (to, packet) in &asked {
        if let Some(cookie) = forge::cookie_of(packet) {
            world.spoof(*to, &forge::hello_with_cookie(1, &cookie));
            world.run_for(MS);
        }
    }
    assert_eq!(world.strays().len(), 1024);
    // When all places are taken there is not a word for anybody.
    world.spoof(stranger(6000), &hello(1));
    assert!(world.take_strays(stranger(6000)).is_empty());
    // Whoever is in can finish.
    world.spoof(first, &finish(id, &Parameters::default()));
    assert_eq!(world.server().connected.len(), 1);
    world.run_for(11 * SECOND);
    check_alive(&mut world);
}

/// Row 13: a server has room for so many connections, and is silent when it has none.
#[test]
fn connections_are_capped() {
    let mut world = World::new(18);
    let mut full = None;
    for number in 0..13_000 {
        let Some(id) = ForgedClient::greet(&mut world, stranger(number)) else {
            full = Some(number);
            break;
        };
        world.spoof(stranger(number), &finish(id, &Parameters::default()));
        // Slow enough for the limit of handshakes a second.
        world.run_for(2 * MS);
        world.take_strays(stranger(number));
    }
    assert_eq!(full, Some(12_288));
    assert_eq!(world.server().connected.len(), 12_288);
    // When they have gone there is room again.
    world.run_for(60 * SECOND);
    check_alive(&mut world);
}

/// Row 11: an address that has proved nothing gets no more than three times what it sent; the world watches that.
/// Nor does a flood of repeated hellos get more.
#[test]
fn repeated_hellos_amplify_nothing() {
    let mut world = World::new(12);
    for _ in 0..100 {
        world.spoof(stranger(1), &hello(1));
        world.run_for(10 * MS);
    }
    let answers = world.take_strays(stranger(1));
    assert!(answers.len() <= 100);
    assert!(answers.iter().map(Vec::len).sum::<usize>() < 100 * MIN_DATAGRAM / 3);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "answered byte for byte as before");
}

/// A client that is elsewhere by the end of its handshake is answered there; where it was, it is only asked whether it is there.
#[test]
fn an_address_that_changes_within_the_handshake() {
    for (before, after) in [(1, 1), (1, 2)] {
        let mut world = World::new(15);
        let before = stranger(before);
        let after = SocketAddr::new(stranger(after).ip(), 4001);
        let server = ForgedClient::greet(&mut world, before).expect("an answer");
        for _ in 0..3 {
            world.spoof(after, &finish(server, &Parameters::default()));
        }
        world.run_for(SECOND);
        assert!(!world.take_strays(after).is_empty());
        let asked = world.take_strays(before);
        assert!((1..=3).contains(&asked.len()), "{}", asked.len());
        for packet in asked {
            let (_, _, frames) = forge::data_parts(&packet).unwrap();
            assert!(matches!(frames[..], [Frame::PathChallenge(_)]), "{frames:?}");
        }
    }
}

/// Row 16: packets that overtake the handshake wait, a few of them; nothing is lost for good.
#[test]
fn packets_that_overtake_the_handshake() {
    let mut world = World::new(13);
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 1000));
    let server = ForgedClient::greet(&mut world, stranger(1)).unwrap();
    let mut forged = ForgedClient::plain(stranger(1), server);
    forged.send(&mut world, &[get(0, "file")]);
    for _ in 0..1000 {
        forged.send(&mut world, &[Frame::Ping]);
    }
    assert!(world.take_strays(stranger(1)).is_empty());
    world.spoof(stranger(1), &finish(server, &Parameters::default()));
    world.run_for(MS);
    let frames: Vec<_> = forged.receive(&mut world).into_iter().flat_map(|(_, f)| f).collect();
    assert!(frames.iter().any(|f| matches!(f, Frame::Data { exchange: 0, .. })), "{frames:?}");
    // What did not find a place is not acknowledged.
    let last = frames.iter().filter_map(|f| match f {
        Frame::Ack(ack) => Some(ack.ranges[0].1),
        _ => None,
    });
    assert!(last.max().is_none_or(|number| number < 32));
}

/// Row 19: packets to connections that are not there, or no more.
#[test]
fn a_packet_for_an_unknown_connection_gets_nothing() {
    let mut world = World::new(14);
    let mut forged = ForgedClient::connect(&mut world, stranger(1), &Parameters::default());
    forged.send(&mut world, &[Frame::Close(0)]);
    world.run_for(SECOND);
    world.take_strays(stranger(1));
    for _ in 0..100 {
        forged.send(&mut world, &[Frame::Ping]);
    }
    forged.server ^= 1;
    forged.send(&mut world, &[Frame::Ping]);
    world.run_for(SECOND);
    assert!(world.strays().is_empty());
}

/// Row 10: a server's packets to a server, a client's to a client.
#[test]
fn packets_of_the_wrong_side_are_noise() {
    let mut world = World::new(15);
    let client = world.add_client(path());
    world.spoof_down(client, &hello(9));
    world.spoof_down(client, &finish(0, &Parameters::default()));
    world.run_for(SECOND);
    assert_eq!(world.client(client).connected.len(), 1);
    world.spoof_down(client, &hello(9));
    let answer = forge::answer(&hello(9), 5, &Parameters::default());
    world.spoof(stranger(1), &answer);
    assert!(world.strays().is_empty());
    check_alive(&mut world);
}

/// An answer that does not give the hello's nonce back may come from anybody.
#[test]
fn an_answer_to_another_hello_is_noise() {
    let mut world = World::new(16);
    let client = world.add_client(path());
    let server = ForgedServer::replace(&mut world, client);
    world.run_for(MS);
    let mut hello = server.receive().remove(0);
    hello[30] ^= 1;
    world.spoof_down(client, &forge::answer(&hello, 5, &Parameters::default()));
    assert!(world.client(client).connected.is_empty());
    hello[30] ^= 1;
    world.spoof_down(client, &forge::answer(&hello, 5, &Parameters::default()));
    assert_eq!(world.client(client).connected.len(), 1);
}

/// A server that shuts down lets nobody in, and finishes what runs.
#[test]
fn shutting_down() {
    let mut world = World::new(17);
    let client = world.add_client(path());
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 5_000_000));
    let running = world.start(client, Job::Get(name("file")));
    world.run_for(300 * MS);
    world.server_mut().endpoint.shut_down();
    let refused = world.start(client, Job::Get(name("file")));
    let late = world.add_client(path());
    let lost = world.start(late, Job::Get(name("file")));
    world.run_until_idle(20 * SECOND);
    assert!(matches!(world.outcome(client, running), Some(Outcome::Got(_))));
    assert!(matches!(world.outcome(client, refused), Some(Outcome::Failed { .. })));
    assert!(matches!(world.outcome(late, lost), Some(Outcome::Lost(CloseReason::NoAnswer(_)))));
}
