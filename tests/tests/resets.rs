//! Packets for connections that a server does not know, and what endpoints say that know nothing of each other.

use std::{cell::RefCell, collections::BTreeSet, net::SocketAddr, rc::Rc, time::Duration};

use gannet_protocol::{
    BodyId, CloseReason, Config, Datagram, Endpoint, Instant, Security, Unread, crypto::Identity,
};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    forge::{
        self, DATA, ForgedClient, Frame, Parameters, RESET, hello_with, sealed_hello, stranger,
    },
    host::{Job, Outcome},
    world::{ClientId, Direction, Path, Rebind, SERVER, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn sealed(identity: &Identity) -> Config {
    let mut config = Config::default();
    config.security = Security::Sealed(identity.clone());
    config
}

/// A world with a sealed server that has a file, and a client.
fn world(seed: u64, server: &Identity) -> (World, ClientId) {
    let mut world = World::with_server(seed, sealed(server));
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 2_000_000));
    let path = world.add_path(Path::new(20_000_000, 40 * MS));
    let config = sealed(&Seeded::new(2).identity());
    let client = world.add_client_to(path, config, *server.public());
    (world, client)
}

#[track_caller]
fn gets_the_file(world: &mut World, client: ClientId) {
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(10 * SECOND);
    let outcome = world.outcome(client, get);
    assert!(matches!(outcome, Some(Outcome::Got(_))), "{outcome:?}");
}

/// A client of a server that starts again learns it with its next packet, whichever way its bytes go, and wherever it is by
/// then.
#[test]
fn a_client_of_a_restarted_server_learns_it_at_once() {
    let identity = Seeded::new(1).identity();
    for (moves, moved) in [(true, false), (true, true), (false, false)] {
        let (mut world, client) = world(12, &identity);
        gets_the_file(&mut world, client);
        if moved {
            world.rebind(client, Rebind::Address);
        }
        world.restart_server(sealed(&identity));
        let content = Content::pattern(3, 50_000_000);
        let job = if moves { Job::put(&name("up"), content) } else { Job::Get(name("file")) };
        let job = world.start(client, job);
        let told = |world: &mut World| world.close_reason(client).is_some();
        assert!(world.run_until(told, 50 * MS), "{moves}");
        assert_eq!(world.close_reason(client), Some(CloseReason::Reset));
        let outcome = world.outcome(client, job);
        assert!(matches!(outcome, Some(Outcome::Lost(CloseReason::Reset))), "{outcome:?}");
        // It is left alone, and so is the server.
        world.run_for(40 * SECOND);
        assert!(world.server().endpoint.poll_timeout().is_none());
    }
}

/// `docs/hostile-input.md`, row 19: only the right token from the right place ends a connection.
#[test]
fn a_forged_reset_ends_nothing() {
    let identity = Seeded::new(1).identity();
    let (mut world, client) = world(13, &identity);
    let ids = Rc::new(RefCell::new((0, 0)));
    let eye = Rc::clone(&ids);
    world.set_filter(move |passing| {
        if passing.payload[0] == DATA {
            let id = u64::from_be_bytes(passing.payload[1..9].try_into().unwrap());
            let mut ids = eye.borrow_mut();
            if passing.direction == Direction::Up { ids.0 = id } else { ids.1 = id }
        }
        true
    });
    gets_the_file(&mut world, client);
    let (at_server, at_client) = *ids.borrow();
    let reset =
        |id: u64, token: &[u8]| forge::seal([&[RESET][..], &id.to_be_bytes(), token].concat());
    for id in [at_server, at_client, 0, u64::MAX] {
        for byte in 0..=255 {
            world.spoof_down(client, &reset(id, &[byte; 16]));
            world.spoof(world.address(client), &reset(id, &[byte; 16]));
        }
        world.spoof_down(client, &reset(id, &[]));
    }
    assert_eq!(world.close_reason(client), None);
    assert!(world.server().closed.is_empty());
    gets_the_file(&mut world, client);
    // The server says the token of no connection that lives, whoever asks.
    let before = world.strays().len();
    let mut probe = [&[DATA][..], &at_server.to_be_bytes(), &[0; 100]].concat();
    world.spoof(stranger(1), &probe);
    assert_eq!(world.strays().len(), before);
    // That of another id is not this connection's.
    probe[8] ^= 1;
    world.spoof(stranger(1), &probe);
    let mut other = world.take_strays(stranger(1)).remove(0);
    assert_eq!(other[0], RESET);
    other.truncate(other.len() - 4);
    other[1..9].copy_from_slice(&at_server.to_be_bytes());
    world.spoof_down(client, &forge::seal(other));
    assert_eq!(world.close_reason(client), None);
}

/// `docs/hostile-input.md`, row 19: a reset is smaller than what it answers, rare, and goes to no service that answers anything.
#[test]
fn resets_are_smaller_than_their_triggers_and_rare() {
    let server = Seeded::new(1);
    let operations = server.operations();
    let mut world = World::with_server(14, sealed(&server.identity()));
    let before = operations.count();
    let data = |len: usize| [&[DATA][..], &[7; 1500]].concat()[..len].to_vec();
    for len in 0..=1400 {
        world.spoof(stranger(len), &data(len as usize));
        let answers = world.take_strays(stranger(len));
        assert!(answers.iter().all(|answer| answer.len() < len as usize), "{len}");
        let due = len > 29;
        assert_eq!(answers.len(), usize::from(due), "{len}");
        world.run_for(50 * MS);
    }
    for port in [0, 7, 17, 19, 53, 123] {
        let service = SocketAddr::new(stranger(1).ip(), port);
        world.spoof(service, &data(1000));
        world.spoof(service, &sealed_hello(1, &[]));
        world.spoof(service, &forge::hello_of_version(9, 1, b""));
        assert!(world.take_strays(service).is_empty(), "{port}");
    }
    // One address, then many.
    for _ in 0..1000 {
        world.spoof(stranger(1), &data(1000));
    }
    assert_eq!(world.take_strays(stranger(1)).len(), 10);
    for number in 2..2000 {
        world.spoof(stranger(number), &data(1000));
    }
    assert!(world.strays().len() <= 250, "{}", world.strays().len());
    assert_eq!(operations.count(), before);
}

/// In plain mode anybody on the way could read a token: there are no resets.
#[test]
fn plain_servers_send_no_resets() {
    let mut world = World::new(15);
    world.spoof(stranger(1), &[&[DATA][..], &[7; 1000]].concat());
    assert!(world.strays().is_empty());
}

/// All that an endpoint says to a datagram.
fn hear(endpoint: &mut Endpoint, now: Instant, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
    let payload = &mut datagram.to_vec()[..];
    let write =
        endpoint.handle_datagram(now, Datagram { remote: from, local: None, ecn: None, payload });
    assert!(write.is_none());
    let mut nothing = |_: BodyId, _: u64, _: &mut [u8]| Err(Unread::Pending);
    let mut out = vec![0; 65_400];
    let mut said = Vec::new();
    while let Some(sent) = endpoint.poll_transmit(now, &mut nothing, &mut out) {
        assert_eq!(sent.remote, from);
        said.extend(out[..sent.len].chunks(sent.segment_len).map(<[u8]>::to_vec));
    }
    said
}

/// `docs/hostile-input.md`, row 17: whatever two servers are made to say to each other, they fall silent within two packets.
#[test]
fn two_servers_fall_silent() {
    let server = |seed: u8, retry: bool| {
        let mut config = sealed(&Seeded::new(u64::from(seed)).identity());
        config.accept = true;
        config.always_retry = retry;
        Endpoint::new(config, [seed; 32])
    };
    let mut triggers = vec![
        sealed_hello(1, &[]),
        sealed_hello(2, &[7; 16]),
        forge::hello_of_version(9, 3, b""),
        forge::retry(1, &[7; 16]),
        forge::finish(1 << 32, &Parameters::default()),
        forge::data(1 << 32, 0, &[Frame::Ping]),
        vec![DATA; 1200],
    ];
    for kind in 0..10 {
        triggers.push(forge::seal([&[kind][..], &[0; 1195]].concat()));
        triggers.push(forge::seal(vec![kind; 25]));
        triggers.push(forge::seal(vec![kind; 60]));
    }
    for retry in [false, true] {
        for trigger in &triggers {
            let mut servers = [server(1, retry), server(2, retry)];
            let addresses = [SERVER, stranger(1)];
            let mut on_the_way = vec![trigger.clone()];
            let mut packets = 0;
            for turn in 0.. {
                let to = turn % 2;
                let mut answers = Vec::new();
                for packet in &on_the_way {
                    let said = hear(&mut servers[to], Instant::ZERO, addresses[1 - to], packet);
                    assert!(said.iter().map(Vec::len).sum::<usize>() < packet.len());
                    answers.extend(said);
                }
                packets += answers.len();
                on_the_way = answers;
                if on_the_way.is_empty() {
                    break;
                }
            }
            assert!(packets <= 1, "{packets} packets after {:?}", &trigger[..9.min(trigger.len())]);
        }
    }
}

/// `docs/hostile-input.md`, row 20: clients that all choose the same id, or ids that differ in few bits, are told apart by their
/// addresses, and one of them does not slow another down or take its place. (Nothing hashes ids: those of clients are keys of a
/// search tree, bounded as half-open handshakes are; those of servers name a slot.)
#[test]
fn ids_that_collide_are_told_apart() {
    let mut world = World::new(16);
    let mut servers = BTreeSet::new();
    for number in 0..100 {
        let id = ForgedClient::greet(&mut world, stranger(number)).expect("an answer");
        assert!(servers.insert(id), "the server's own ids differ");
    }
    // All ids of one address too.
    for client in 0..16_u64 {
        world.spoof(stranger(200), &hello_with(0, client << 60, &[], b"a forged nonce!!"));
        let answers = world.take_strays(stranger(200));
        assert_eq!(answers[0][1..9], (client << 60).to_be_bytes());
        assert!(servers.insert(forge::server_of(&answers[0]).unwrap()));
    }
    // Each can finish its own, and packets with the ids of others and next to them reach nobody.
    for (number, id) in (0..100).zip(&servers) {
        world.spoof(stranger(number), &forge::data(id ^ 1, 0, &[Frame::Ping]));
        world.spoof(stranger(number), &forge::data(id ^ (1 << 32), 0, &[Frame::Ping]));
    }
    assert!(world.strays().is_empty());
    for number in 0..100 {
        let id = ForgedClient::greet(&mut world, stranger(number)).expect("the same answer");
        world.spoof(stranger(number), &forge::finish(id, &Parameters::default()));
    }
    assert_eq!(world.server().connected.len(), 100);
}
