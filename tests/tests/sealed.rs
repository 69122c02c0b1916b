//! Sealed connections: who may talk to whom, and what others can see and do.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gannet_protocol::{
    CloseReason, Config, Security,
    crypto::{Identity, PublicKey},
};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    host::{Job, Outcome},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const SECRET_NAME: &str = "a name that nobody else should read.txt";

fn config(identity: &Identity) -> Config {
    let mut config = Config::default();
    config.security = Security::Sealed(identity.clone());
    config
}

fn server() -> Identity {
    Seeded::new(1).identity()
}

/// A world with a sealed server that has a file.
fn world(seed: u64, server: Config) -> World {
    let mut world = World::with_server(seed, server);
    world.server_mut().files.insert(&name(SECRET_NAME), Content::pattern(7, 1_000_000));
    world
}

fn client(world: &mut World, path: Path, identity: &Identity, key: PublicKey) -> ClientId {
    let path = world.add_path(path);
    world.add_client_to(path, config(identity), key)
}

fn moves_both_ways(world: &mut World, client: ClientId) {
    let got = world.start(client, Job::Get(name(SECRET_NAME)));
    let put = world.start(client, Job::put(&name("up"), Content::pattern(8, 300_000)));
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, got), Some(Outcome::Got(_))));
    assert!(matches!(world.outcome(client, put), Some(Outcome::Stored(_))));
}

#[test]
fn both_ciphers_carry_files_over_a_bad_path() {
    let path = || Path::new(20_000_000, 50 * MS).loss(0.05).duplicate(0.02).corrupt(0.02);
    for identity in [Seeded::new(2).identity(), Seeded::new(3).without_aes().identity()] {
        let mut world = world(1, config(&server()));
        let client = client(&mut world, path(), &identity, *server().public());
        moves_both_ways(&mut world, client);
    }
}

#[test]
fn each_end_knows_whom_it_talks_to() {
    let identity = Seeded::new(2).identity();
    let mut world = world(2, config(&server()));
    let client = client(&mut world, Path::new(20_000_000, 50 * MS), &identity, *server().public());
    moves_both_ways(&mut world, client);
    let at_server = world.server_connection(client).unwrap();
    let session = world.server_mut().endpoint.session(at_server).unwrap();
    assert_eq!(session.peer_key(), Some(*identity.public()));
    let connection = world.client(client).connection();
    let session = world.client_mut(client).endpoint.session(connection).unwrap();
    assert_eq!(session.peer_key(), Some(*server().public()));
}

/// Row 39: nothing is said to a server that is not the right one. The right one gets some seconds to answer yet.
#[test]
fn another_server_is_not_talked_to() {
    let (identity, other) = (Seeded::new(2).identity(), Seeded::new(99).identity());
    let mut world = world(3, config(&other));
    let client = client(&mut world, Path::new(20_000_000, 50 * MS), &identity, *server().public());
    world.start(client, Job::Get(name(SECRET_NAME)));
    assert!(world.run_until(|world| world.close_reason(client).is_some(), 15 * SECOND));
    assert_eq!(world.close_reason(client), Some(CloseReason::WrongKey(*other.public())));
    assert!((3 * SECOND..4 * SECOND).contains(&world.elapsed()));
    assert!(world.server_connection(client).is_none());
}

#[test]
fn an_unknown_server_tells_its_key() {
    let identity = Seeded::new(2).identity();
    let mut world = world(4, config(&server()));
    let path = world.add_path(Path::new(20_000_000, 50 * MS));
    let client = world.add_client_on(path, config(&identity));
    world.run_for(SECOND);
    assert_eq!(world.close_reason(client), Some(CloseReason::UnknownKey(*server().public())));
}

#[test]
fn neither_mode_is_talked_down_to_the_other() {
    let identity = Seeded::new(2).identity();
    for (server_config, client_config) in
        [(config(&server()), Config::default()), (Config::default(), config(&identity))]
    {
        let mut world = world(5, server_config);
        let path = world.add_path(Path::new(20_000_000, 50 * MS));
        let client = world.add_client_to(path, client_config, *server().public());
        world.run_for(15 * SECOND);
        assert!(matches!(world.close_reason(client), Some(CloseReason::NoAnswer(_))));
    }
}

/// All that goes over the path while a file is fetched, and a piece of that file.
fn captured(world: &mut World, client: ClientId) -> (Vec<u8>, [u8; 32]) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&seen);
    world.set_filter(move |passing| {
        eye.borrow_mut().extend_from_slice(passing.payload);
        true
    });
    let job = world.start(client, Job::Get(name(SECRET_NAME)));
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
    let mut piece = [0; 32];
    Content::pattern(7, 1_000_000).fill(500, &mut piece);
    (seen.take(), piece)
}

#[test]
fn a_capture_shows_neither_names_nor_content() {
    let shows = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
    let path = || Path::new(20_000_000, 20 * MS);
    let identity = Seeded::new(2).identity();
    let mut sealed = world(6, config(&server()));
    let client = client(&mut sealed, path(), &identity, *server().public());
    let (bytes, piece) = captured(&mut sealed, client);
    assert!(!shows(&bytes, SECRET_NAME.as_bytes()) && !shows(&bytes, &piece));
    assert!(
        !shows(&bytes, identity.public().as_bytes())
            && !shows(&bytes, server().public().as_bytes())
    );
    // The same eye sees all of it in plain mode.
    let mut plain = world(6, Config::default());
    let client = plain.add_client(path());
    let (bytes, piece) = captured(&mut plain, client);
    assert!(shows(&bytes, SECRET_NAME.as_bytes()) && shows(&bytes, &piece));
}

/// Rows 21 and 22: whatever a man on the path makes of the packets that he saw, it changes nothing.
#[test]
fn replays_and_flipped_bits_change_nothing() {
    let identity = Seeded::new(2).identity();
    let mut world = world(7, config(&server()));
    let path = Path::new(20_000_000, 20 * MS).loss(0.01);
    let client = client(&mut world, path, &identity, *server().public());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&seen);
    world.set_filter(move |passing| {
        eye.borrow_mut().push((passing.from, passing.payload.to_vec()));
        true
    });
    let job = world.start(client, Job::Get(name(SECRET_NAME)));
    for step in 0..400_usize {
        world.run_for(MS);
        let Some((from, mut packet)) = seen.borrow().get(step).cloned() else { continue };
        let at_client = from != world.address(client);
        for flip in [false, true] {
            if flip {
                let at = (step * 7919) % packet.len();
                packet[at] ^= 1 << (step % 8);
            }
            if at_client { world.spoof_down(client, &packet) } else { world.spoof(from, &packet) }
        }
    }
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
    assert_eq!(world.close_reason(client), None);
}
