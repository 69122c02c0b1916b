//! What strangers cost a server: cookies and limits, and that none of it can be turned against others.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use gannet_protocol::{Config, Instant, Security, crypto::Identity};
use gannet_tests::{
    content::Content,
    crypto::{Operations, Seeded},
    directory::name,
    forge::{
        self, ANSWER, FINISH, ForgedClient, HELLO, MIN_DATAGRAM, Parameters, hello_with,
        sealed_hello, stranger,
    },
    host::{Job, Outcome},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Public-key operations of a server for one handshake: its key of the day, two secrets for the ANSWER, one for the FINISH.
const PER_HANDSHAKE: u64 = 4;

fn sealed(identity: &Identity) -> Config {
    let mut config = Config::default();
    config.security = Security::Sealed(identity.clone());
    config
}

fn always_retry(mut config: Config) -> Config {
    config.always_retry = true;
    config
}

/// A server's identity, and what counts its public-key operations from now on.
fn server() -> (Identity, impl Fn() -> u64) {
    let seeded = Seeded::new(1);
    let operations: Operations = seeded.operations();
    let identity = seeded.identity();
    let before = operations.count();
    (identity, move || operations.count() - before)
}

fn path() -> Path {
    Path::new(20_000_000, 40 * MS)
}

/// A world with a sealed server that has a file.
fn world(seed: u64, config: Config) -> World {
    let mut world = World::with_server(seed, config);
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 2_000_000));
    world
}

fn honest(world: &mut World, path: Path, server: &Identity) -> ClientId {
    let path = world.add_path(path);
    world.add_client_to(path, sealed(&Seeded::new(2).identity()), *server.public())
}

#[track_caller]
fn gets_the_file(world: &mut World, client: ClientId, limit: Duration) {
    let get = world.start(client, Job::Get(name("file")));
    world.run_until_idle(limit);
    let outcome = world.outcome(client, get);
    assert!(matches!(outcome, Some(Outcome::Got(_))), "{outcome:?}");
}

#[test]
fn retry_over_a_bad_path() {
    let (identity, _) = server();
    for seed in 0..40 {
        let mut world = world(seed, always_retry(sealed(&identity)));
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 1000));
        let bad = path().loss(0.3).duplicate(0.1).reorder(0.1, 300 * MS);
        let client = honest(&mut world, bad, &identity);
        gets_the_file(&mut world, client, 60 * SECOND);
    }
}

/// A round trip longer than the pauses between hellos: several RETRYs come for the first one.
#[test]
fn retry_over_a_long_path() {
    let (identity, _) = server();
    let mut world = world(2, always_retry(sealed(&identity)));
    let client = honest(&mut world, Path::new(20_000_000, 1500 * MS), &identity);
    gets_the_file(&mut world, client, 60 * SECOND);
    assert!(world.client(client).closed.is_empty());
}

/// Who sees the hello and forges a RETRY delays nobody: the answer to the hello without a cookie is taken as ever.
#[test]
fn a_forged_retry_keeps_nobody_from_connecting() {
    let (identity, _) = server();
    let mut world = world(3, sealed(&identity));
    let client = honest(&mut world, path(), &identity);
    let hellos = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&hellos);
    world.set_filter(move |passing| {
        if passing.payload.first() == Some(&HELLO) {
            eye.borrow_mut().push(passing.payload.to_vec());
        }
        true
    });
    world.run_for(MS);
    let id = u64::from_be_bytes(hellos.borrow()[0][14..22].try_into().unwrap());
    for forged in 0..100 {
        world.spoof_down(client, &forge::retry(id, &[forged; 16]));
    }
    world.run_for(5 * MS);
    assert!(hellos.borrow().len() <= 5, "each RETRY that is taken costs a hello");
    assert!(world.run_until(|world| !world.client(client).connected.is_empty(), 50 * MS));
    gets_the_file(&mut world, client, 10 * SECOND);
}

/// A cookie that the server does not take is given up, and the client begins anew.
#[test]
fn a_cookie_that_opens_no_door_is_given_up() {
    let (identity, _) = server();
    let mut world = world(4, always_retry(sealed(&identity)));
    let client = honest(&mut world, path(), &identity);
    world.run_for(25 * MS);
    // The server starts again with another clock: what it made before is worth nothing any more.
    let mut later = always_retry(sealed(&identity));
    later.epoch = 1000 * SECOND;
    world.restart_server(later);
    let connected = |world: &mut World| !world.client(client).connected.is_empty();
    assert!(world.run_until(connected, 5 * SECOND), "{:?}", world.elapsed());
    assert!(world.elapsed() > 3 * SECOND);
}

/// A cookie outlives a restart, and is all that is needed then.
#[test]
fn a_cookie_of_before_a_restart_is_good() {
    let (identity, _) = server();
    let mut world = world(5, always_retry(sealed(&identity)));
    let client = honest(&mut world, path(), &identity);
    // The RETRY is on its way.
    world.run_for(25 * MS);
    world.restart_server(always_retry(sealed(&identity)));
    let connected = |world: &mut World| !world.client(client).connected.is_empty();
    assert!(world.run_until(connected, 100 * MS), "{:?}", world.elapsed());
}

/// `docs/hostile-input.md`, row 18: not a byte for a wrong cookie, nor a public-key operation, nor memory.
#[test]
fn a_wrong_cookie_gets_not_a_byte() {
    let (identity, operations) = server();
    let mut world = world(6, always_retry(sealed(&identity)));
    let asked = stranger(1);
    world.spoof(asked, &sealed_hello(1, &[]));
    let cookie = forge::cookie_of(&world.take_strays(asked)[0]).unwrap();
    let mut wrong: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
    for bit in 0..cookie.len() * 8 {
        let mut other = cookie.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        wrong.push((asked, sealed_hello(1, &other)));
    }
    for len in (1..64).filter(|len| *len != cookie.len()) {
        let mut other = cookie.clone();
        other.resize(len, 0);
        wrong.push((asked, sealed_hello(1, &other)));
    }
    // The right one, from elsewhere, of another client, and for another suite.
    wrong.push((stranger(2), sealed_hello(1, &cookie)));
    wrong.push((SocketAddr::new(asked.ip(), 4001), sealed_hello(1, &cookie)));
    wrong.push((asked, sealed_hello(2, &cookie)));
    wrong.push((asked, hello_with(2, 1, &cookie, &[9; 32])));
    for (from, hello) in &wrong {
        world.spoof(*from, hello);
    }
    assert!(world.strays().is_empty());
    assert_eq!(operations(), 0);
    assert!(world.server().endpoint.poll_timeout().is_none(), "something is remembered");
    // A minute later so is the right one.
    let hello = sealed_hello(1, &cookie);
    world.run_for(60 * SECOND);
    world.spoof(asked, &hello);
    assert!(world.strays().is_empty());
    world.spoof(asked, &sealed_hello(1, &[]));
    let cookie = forge::cookie_of(&world.take_strays(asked)[0]).unwrap();
    world.spoof(asked, &sealed_hello(1, &cookie));
    assert_eq!(world.take_strays(asked)[0][0], ANSWER);
}

/// `docs/hostile-input.md`, rows 11 to 14: twenty thousand strangers within ten seconds, and one client that is none. Who does
/// not come back with a cookie costs neither memory nor a public-key operation, as soon as there are many.
#[test]
fn a_flood_of_strangers_disturbs_nobody() {
    let (identity, operations) = server();
    let mut world = world(7, sealed(&identity));
    for wave in 0..100_u32 {
        world.at(Instant::ZERO + 100 * MS * wave, move |world| {
            for number in wave * 200..wave * 200 + 200 {
                world.spoof(stranger(number), &sealed_hello(number, &[]));
            }
        });
    }
    world.run_for(SECOND);
    let client = honest(&mut world, path(), &identity);
    let get = world.start(client, Job::Get(name("file")));
    let started = world.elapsed();
    world.run_until_idle(5 * SECOND);
    assert!(matches!(world.outcome(client, get), Some(Outcome::Got(_))));
    assert!(world.elapsed() - started < 2 * SECOND, "{:?}", world.elapsed() - started);
    world.run_until(|world| world.elapsed() >= 10 * SECOND, 10 * SECOND);
    // 256 may wait for 10 s each, and the first make room at the end.
    assert!(operations() < PER_HANDSHAKE * 400, "{}", operations());
    let answers = world.strays().iter().filter(|(_, packet)| packet[0] == ANSWER).count();
    assert!((100..400).contains(&answers), "{answers}");
    world.run_for(45 * SECOND);
    assert_eq!(world.server().connected.len(), 1, "the flood is forgotten");
}

/// `docs/hostile-input.md`, rows 12 and 13: a flood from addresses that are real and prove it gets what the limits say, in
/// silence beyond, and no public-key operation more.
#[test]
fn a_flood_with_cookies_costs_what_the_limits_say() {
    let (identity, operations) = server();
    let mut world = world(8, always_retry(sealed(&identity)));
    let mut hellos = Vec::new();
    for number in 0..3000 {
        let from = stranger(number);
        world.spoof(from, &sealed_hello(number, &[]));
        let cookie = forge::cookie_of(&world.take_strays(from)[0]).unwrap();
        hellos.push((from, sealed_hello(number, &cookie)));
    }
    assert_eq!(operations(), 0, "a RETRY takes none");
    for (from, hello) in &hellos {
        world.spoof(*from, hello);
    }
    assert_eq!(world.strays().len(), 500, "the burst that is let through");
    assert_eq!(operations(), 500 * (PER_HANDSHAKE - 1));
    for (from, hello) in &hellos {
        world.run_for(MS);
        world.spoof(*from, hello);
    }
    // A repeated hello is answered with the same packet, and takes no place twice.
    assert_eq!(operations(), 1024 * (PER_HANDSHAKE - 1));
    let spent = operations();
    let answered = world.strays().len();
    for number in 5000..6000 {
        world.spoof(stranger(number), &sealed_hello(number, &[]));
    }
    assert_eq!((operations(), world.strays().len()), (spent, answered), "saturated: silence");
    world.run_for(11 * SECOND);
    let client = honest(&mut world, path(), &identity);
    gets_the_file(&mut world, client, 5 * SECOND);
}

/// `docs/hostile-input.md`, row 12: hellos in the name of a client's own address do not keep it out.
#[test]
fn a_flood_in_a_clients_own_name_does_not_keep_it_out() {
    let (identity, operations) = server();
    let mut world = world(9, sealed(&identity));
    // Where the first client of a world will be.
    let ip = IpAddr::from([10, 0, 0, 0]);
    for wave in 0..1000_u32 {
        world.at(Instant::ZERO + 5 * MS * wave, move |world| {
            let from = SocketAddr::new(ip, 1024 + wave as u16);
            world.spoof(from, &sealed_hello(wave, &[]));
        });
    }
    world.run_for(SECOND);
    let client = honest(&mut world, path(), &identity);
    assert_eq!(world.address(client).ip(), ip);
    gets_the_file(&mut world, client, 3 * SECOND);
    assert!(operations() < PER_HANDSHAKE * 100, "{}", operations());
}

/// A FINISH that was tampered with behind its first part makes the server repeat its work: not without end.
#[test]
fn a_finish_that_is_half_right_costs_a_bounded_number_of_operations() {
    let (identity, operations) = server();
    let mut world = world(10, sealed(&identity));
    let client = honest(&mut world, path(), &identity);
    let seen = Rc::new(RefCell::new(None));
    let eye = Rc::clone(&seen);
    world.set_filter(move |passing| {
        let is_finish = passing.payload.first() == Some(&FINISH);
        if is_finish {
            eye.borrow_mut().get_or_insert_with(|| passing.payload.to_vec());
        }
        !is_finish || passing.now > Instant::ZERO + SECOND
    });
    world.run_for(900 * MS);
    let mut finish = seen.take().expect("a finish");
    finish.truncate(finish.len() - 4);
    // The last byte of the payload's tag.
    *finish.last_mut().unwrap() ^= 1;
    let finish = forge::seal(finish);
    let from = world.address(client);
    for _ in 0..10_000 {
        world.spoof(from, &finish);
    }
    assert!(operations() < 400, "{}", operations());
    // The right one is still taken, as soon as the client repeats it.
    gets_the_file(&mut world, client, 5 * SECOND);
}

/// `docs/hostile-input.md`, row 11: repetitions of what made a connection draw next to nothing from the server, and nothing once
/// the client has acknowledged a packet.
#[test]
fn a_repeated_finish_draws_next_to_nothing() {
    let mut world = World::new(11);
    let mut forged = ForgedClient::connect(&mut world, stranger(1), &Parameters::default());
    let finish = forge::finish(forged.server, &Parameters::default());
    let (mut sent, mut got) = (0, 0);
    for _ in 0..1000 {
        world.spoof(forged.address, &finish);
        sent += finish.len();
        world.run_for(MS);
        got += world.take_strays(forged.address).iter().map(Vec::len).sum::<usize>();
    }
    assert!(got > 0 && got < sent / 20, "{got} bytes for {sent}");
    forged.send(&mut world, &[forge::ack(&[(0, 0)])]);
    world.run_for(SECOND);
    world.take_strays(forged.address);
    for _ in 0..1000 {
        world.spoof(forged.address, &finish);
    }
    assert!(world.take_strays(forged.address).is_empty());
}

/// `docs/hostile-input.md`, row 11: nothing that the server says to a stranger is longer than a third of what he said.
#[test]
fn answers_to_strangers_are_far_shorter_than_their_hellos() {
    let (identity, _) = server();
    for retry in [false, true] {
        let mut config = sealed(&identity);
        config.always_retry = retry;
        let mut world = world(17, config);
        world.spoof(stranger(1), &sealed_hello(1, &[]));
        world.spoof(stranger(2), &forge::hello_of_version(7, 1, b""));
        for (to, packet) in world.strays() {
            assert!(packet.len() * 3 < MIN_DATAGRAM, "{to}: {}", packet.len());
        }
        assert_eq!(world.strays().len(), 2);
    }
}
