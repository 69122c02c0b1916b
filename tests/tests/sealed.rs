//! Sealed connections: who may talk to whom, and what others can see and do.

use std::{
    cell::RefCell,
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use gannet_protocol::{
    CloseReason, Config, CongestionKind, Instant, Name, Security,
    crypto::{Identity, PublicKey},
};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    forge::{ANSWER, DATA, RESET},
    host::{Job, Outcome},
    world::{ClientId, Direction, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4000);
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

/// What is moved, asked and named in a session.
const SECRET_NEW_NAME: &str = "the name that it gets afterwards";
const SECRET_UP_NAME: &str = "what the client brings along";
const LEN: u64 = 1_000_000;
const UP_LEN: u64 = 654_321;

/// A datagram, as a man on the path sees it.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    direction: Direction,
    payload: Vec<u8>,
}

/// Sees all that is sent from now on.
fn watch(world: &mut World) -> Rc<RefCell<Vec<Seen>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&seen);
    world.set_filter(move |passing| {
        let (at, direction) = (passing.now, passing.direction);
        eye.borrow_mut().push(Seen { at, direction, payload: passing.payload.to_vec() });
        true
    });
    seen
}

/// A session with every verb that moves or names something.
fn session(world: &mut World, client: ClientId) {
    world.run_for(SECOND);
    let before = world.server().performed.len();
    for job in [
        Job::Get(name(SECRET_NAME)),
        Job::put(&name(SECRET_UP_NAME), Content::pattern(8, UP_LEN)),
        Job::Rename(name(SECRET_NAME), name(SECRET_NEW_NAME)),
        Job::List(None),
    ] {
        let job = world.start(client, job);
        world.run_until_idle(60 * SECOND);
        let outcome = world.outcome(client, job);
        assert!(!matches!(outcome, Some(Outcome::Failed { .. } | Outcome::Lost(_))), "{outcome:?}");
    }
    assert_eq!(world.server().performed.len(), before + 4);
}

fn shows(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}

/// Which eight bytes at a multiple of eight of a file are seen: of any run of fifteen there are such.
fn pieces_shown(bytes: &[u8], content: &Content) -> usize {
    let seen: HashSet<&[u8]> = bytes.windows(8).collect();
    let mut whole = vec![0; usize::try_from(content.len()).unwrap()];
    content.fill(0, &mut whole);
    whole.chunks_exact(8).filter(|piece| seen.contains(piece)).count()
}

/// How a length could stand in a packet.
fn encodings(len: u64) -> Vec<Vec<u8>> {
    let mut varint = Vec::new();
    gannet_tests::forge::put_varint(&mut varint, len);
    let be = len.to_be_bytes();
    vec![varint, be.to_vec(), len.to_le_bytes().to_vec(), be[4..].to_vec()]
}

/// What a man on the path sees of a session, all in a row.
fn capture(mut world: World, client: ClientId) -> Vec<u8> {
    let seen = watch(&mut world);
    session(&mut world, client);
    let seen = seen.borrow();
    seen.iter().flat_map(|seen| &seen.payload).copied().collect()
}

#[test]
fn a_capture_shows_neither_names_nor_content_nor_sizes() {
    let path = || Path::new(20_000_000, 20 * MS);
    let identity = Seeded::new(2).identity();
    let mut sealed = world(6, config(&server()));
    let client = client(&mut sealed, path(), &identity, *server().public());
    // The same eye sees all of it in plain mode.
    let mut plain = world(6, Config::default());
    let plain_client = plain.add_client(path());
    let [sealed, plain] = [capture(sealed, client), capture(plain, plain_client)];
    for secret in [SECRET_NAME, SECRET_NEW_NAME, SECRET_UP_NAME] {
        assert!(!shows(&sealed, secret.as_bytes()) && shows(&plain, secret.as_bytes()), "{secret}");
    }
    for content in [Content::pattern(7, LEN), Content::pattern(8, UP_LEN)] {
        assert_eq!(pieces_shown(&sealed, &content), 0);
        assert!(pieces_shown(&plain, &content) > 10_000);
        // A message tells one more than the length.
        let lens = [content.len(), content.len() + 1].map(encodings).concat();
        assert!(!lens.iter().any(|len| shows(&sealed, len)));
        assert!(lens.iter().any(|len| shows(&plain, len)));
    }
    for key in [identity.public(), server().public()] {
        assert!(!shows(&sealed, key.as_bytes()));
    }
}

/// Rows 21 and 22: whatever a man on the path makes of the packets that he saw, while they are on their way and after, it
/// changes nothing.
#[test]
fn replays_and_flipped_bits_change_nothing() {
    let identity = Seeded::new(2).identity();
    let mut world = world(7, config(&server()));
    let path = Path::new(20_000_000, 20 * MS).loss(0.01);
    let client = client(&mut world, path, &identity, *server().public());
    let seen = watch(&mut world);
    let job = world.start(client, Job::Get(name(SECRET_NAME)));
    for step in 0..400_usize {
        world.run_for(MS);
        let Some(mut packet) = seen.borrow().get(step).cloned() else { continue };
        for flip in [false, true] {
            if flip {
                let at = (step * 7919) % packet.payload.len();
                packet.payload[at] ^= 1 << (step % 8);
            }
            play(&mut world, client, &packet, None);
        }
    }
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
    assert_eq!(world.close_reason(client), None);
}

/// Sends a packet once more to whom it was sent, from where it came or from elsewhere.
fn play(world: &mut World, client: ClientId, packet: &Seen, from: Option<SocketAddr>) {
    match packet.direction {
        Direction::Down => world.spoof_down(client, &packet.payload),
        Direction::Up => {
            let from = from.unwrap_or_else(|| world.address(client));
            world.spoof(from, &packet.payload);
        }
    }
}

/// Runs a transfer into which packets are thrown that `forge` makes of those that arrived a while ago; gives what tells it from
/// others.
fn disturbed(forge: impl Fn(usize, &Seen) -> Vec<u8>) -> (u64, Duration) {
    let identity = Seeded::new(2).identity();
    // Each packet that is sent arrives, and soon: no probe is larger than the path, no queue grows.
    let gentle = |identity: &Identity| {
        let mut config = config(identity);
        config.max_datagram = 1400;
        config.congestion = CongestionKind::Fixed(1_500_000);
        config
    };
    let mut world = world(8, gentle(&server()));
    let path = world.add_path(Path::new(2_000_000, 20 * MS));
    let client = world.add_client_to(path, gentle(&identity), *server().public());
    let seen = watch(&mut world);
    let job = world.start(client, Job::Get(name(SECRET_NAME)));
    let mut thrown = 0;
    for step in 0..6000 {
        world.run_for(MS);
        let next = seen.borrow().get(thrown).cloned();
        // Longer ago than any was on its way.
        let Some(packet) = next.filter(|seen| seen.at + 500 * MS <= world.now()) else { continue };
        thrown += 1;
        let payload = forge(step, &packet);
        for from in [None, Some(STRANGER)] {
            play(&mut world, client, &Seen { payload: payload.clone(), ..packet }, from);
        }
    }
    assert!(thrown > 800, "{thrown}");
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
    assert_eq!(world.strays(), []);
    let (up, down) = world.counters(client);
    assert_eq!(up.dropped() + down.dropped(), 0);
    let trace = world.trace_hash();
    // They are no sign of life either.
    let last = [Direction::Up, Direction::Down].map(|direction| {
        let seen = seen.borrow();
        let of = |packet: &&Seen| packet.direction == direction && packet.payload[0] == DATA;
        seen.iter().rfind(of).cloned().expect("there is one")
    });
    world.set_blackout(client, true);
    while world.close_reason(client).is_none() || world.server().closed.is_empty() {
        world.run_for(100 * MS);
        assert!(world.elapsed() < 100 * SECOND, "kept alive");
        for packet in &last {
            let payload = forge(thrown, packet);
            play(&mut world, client, &Seen { payload, ..packet.clone() }, None);
        }
    }
    assert!(matches!(world.close_reason(client), Some(CloseReason::Silence(_))));
    (trace, world.elapsed())
}

/// Row 21: a wrong tag changes no state at all. Not one packet of the session is another, or comes at another time, than if the
/// forged ones had been empty datagrams.
#[test]
fn a_wrong_tag_changes_nothing_to_the_nanosecond() {
    let undisturbed = disturbed(|_, _| Vec::new());
    let flipped = disturbed(|step, packet| {
        let mut bytes = packet.payload.clone();
        // Behind the receiver's id: with another one it is a packet for somebody else.
        let bit = 72 + step * 7919 % ((bytes.len() - 9) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    assert_eq!(flipped, undisturbed);
    let cut = disturbed(|step, packet| {
        let len = packet.payload.len();
        packet.payload[..len - 1 - step % 16].to_vec()
    });
    assert_eq!(cut, undisturbed);
    // Of a number that is still to come, which would be the newest.
    let ahead = disturbed(|step, packet| {
        let mut bytes = packet.payload.clone();
        if bytes[0] == DATA {
            bytes[9..17].copy_from_slice(&(5000 + step as u64).to_be_bytes());
        } else {
            bytes.clear();
        }
        bytes
    });
    assert_eq!(ahead, undisturbed);
}

/// Row 22: DATA packets that come again change no state at all either.
#[test]
fn a_replay_changes_nothing_to_the_nanosecond() {
    let undisturbed = disturbed(|_, _| Vec::new());
    let replayed = disturbed(|_, packet| match packet.payload[0] {
        DATA => packet.payload.clone(),
        _ => Vec::new(),
    });
    assert_eq!(replayed, undisturbed);
}

/// What a server has and did, as far as clients can change it.
fn state(world: &World) -> (Vec<(Name, Content)>, [usize; 3]) {
    let host = world.server();
    let files = host.files.iter().map(|(name, file)| (name.clone(), file.content.clone()));
    (files.collect(), [host.performed.len(), host.stored.len(), host.connected.len()])
}

/// Plays a whole session again, each packet as it was and with some bits flipped, one at a time.
fn play_all(world: &mut World, client: ClientId, seen: &[Seen], from: Option<SocketAddr>) {
    for (number, packet) in seen.iter().enumerate() {
        play(world, client, packet, from);
        for flip in 0..4 {
            let mut packet = packet.clone();
            let bit = (number * 7919 + flip * 2003) % (packet.payload.len() * 8);
            packet.payload[bit / 8] ^= 1 << (bit % 8);
            play(world, client, &packet, from);
        }
    }
    world.run_for(SECOND);
}

/// Rows 21 and 22: a session that is played again as a whole, from where it came and from elsewhere, while it lasts, when it is
/// over, and to a server that was started anew, has no file changed, no request performed and nobody connected.
#[test]
fn a_recorded_session_changes_nothing() {
    let identity = Seeded::new(2).identity();
    let mut world = world(9, config(&server()));
    let path = Path::new(20_000_000, 20 * MS);
    let client = client(&mut world, path, &identity, *server().public());
    let recording = watch(&mut world);
    session(&mut world, client);
    let seen = recording.borrow().clone();
    assert!(seen.len() > 1000);
    let before = state(&world);
    // The owner had its name changed back meanwhile: a rename that was done again would be seen.
    world.server_mut().files.rename(&name(SECRET_NEW_NAME), &name(SECRET_NAME)).unwrap();
    let renamed = state(&world);
    assert_ne!(before, renamed);
    for from in [None, Some(STRANGER)] {
        play_all(&mut world, client, &seen, from);
        assert_eq!(state(&world), renamed, "{from:?}");
        assert_eq!(world.close_reason(client), None);
        assert!(world.server().closed.is_empty());
    }
    moves_both_ways(&mut world, client);
    world.client_mut(client).disconnect();
    world.run_for(20 * SECOND);
    let over = state(&world);
    for restarted in [false, true] {
        if restarted {
            world.restart_server(config(&server()));
        }
        for from in [None, Some(STRANGER)] {
            play_all(&mut world, client, &seen, from);
            world.run_for(20 * SECOND);
            let now = state(&world);
            assert_eq!(now.0, over.0);
            assert_eq!(now.1, if restarted { [0; 3] } else { over.1 }, "{restarted} {from:?}");
        }
    }
    // Whoever plays it learns nothing but an answer to its hello and that there is no such connection.
    let played: usize = seen.iter().map(|seen| seen.payload.len()).sum();
    let heard = world.take_strays(STRANGER);
    assert!(heard.iter().all(|packet| [ANSWER, RESET].contains(&packet[0])));
    assert!(heard.iter().map(Vec::len).sum::<usize>() < played / 20);
}
