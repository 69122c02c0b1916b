//! Clients that come from elsewhere, and whoever would have it look so.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use gannet_protocol::{Config, CongestionKind, Security};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    host::{Job, Outcome},
    scenario::{Scenario, Way},
    world::{ClientId, Nat, Path, Rebind, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;

/// A path of 50 ms.
fn path() -> Path {
    Path::new(20_000_000, 50 * MS)
}

const KINDS: [CongestionKind; 3] =
    [CongestionKind::Bbr, CongestionKind::Cubic, CongestionKind::Fixed(19_000_000)];

/// Goodput of 10 s of sending while the port changes each `period`, if it does.
fn goodput(seed: u64, way: Way, kind: CongestionKind, rebinds: Option<(Nat, Duration)>) -> f64 {
    let mut config = Config::default();
    config.congestion = kind;
    let mut scenario = Scenario::with_config(seed, path(), way, 25 * MB, &config);
    if let Some((nat, period)) = rebinds {
        scenario.world.set_nat(nat);
        scenario.world.rebind_every(scenario.client, Rebind::Port, period);
    }
    let moved = scenario.run(120 * SECOND);
    assert_eq!(scenario.world.server().connected.len(), 1, "the same connection goes on");
    moved.goodput()
}

/// The share of the goodput that this costs, for gets and puts, at the worst of some periods near half a second.
fn costs(kind: CongestionKind, nat: Nat) -> [f64; 2] {
    Way::BOTH.map(|way| {
        let honest = goodput(1, way, kind, None);
        let cost =
            |i: u32| 1.0 - goodput(1, way, kind, Some((nat, SECOND / 2 - 3 * i * MS))) / honest;
        (0..4).map(cost).fold(0.0, f64::max)
    })
}

/// `docs/hostile-input.md`, row 33: a change of the port keeps what is known of the path, and costs no more than what is lost: with
/// a NAT halfway, half a round trip of what comes down, of each half second, and what stands in the queue.
#[test]
fn a_change_of_port_each_half_second_costs_less_than_a_tenth() {
    for kind in KINDS {
        let [get, put] = costs(kind, Nat::Halfway);
        println!("{kind:?}: get {get:.3}, put {put:.3}");
        assert!(get < 0.1 && put < 0.01, "{kind:?}: get {get}, put {put}");
    }
}

/// With the NAT beside the client it is a whole round trip, a tenth of each half second, which nobody can save: of a get what is on
/// the way down, and what is sent until the server hears of the change; of a put nothing, but no acknowledgement
/// comes for a round trip, and a window that is just large enough is used up meanwhile.
#[test]
fn a_change_of_port_beside_the_client_costs_little_more_than_the_round_trip() {
    for (kind, most) in KINDS.into_iter().zip([[0.13, 0.11], [0.13, 0.11], [0.12, 0.01]]) {
        let [get, put] = costs(kind, Nat::Near);
        println!("{kind:?}: get {get:.3}, put {put:.3}");
        assert!(get < most[0] && put < most[1], "{kind:?}: get {get}, put {put}");
    }
}

/// A change of the port each 5 s is hardly felt.
#[test]
fn a_rare_change_of_port_costs_next_to_nothing() {
    for (way, nat) in Way::BOTH.into_iter().zip([Nat::Near, Nat::Halfway]) {
        let honest = goodput(2, way, CongestionKind::Cubic, None);
        let rarely = goodput(2, way, CongestionKind::Cubic, Some((nat, 5 * SECOND)));
        assert!(rarely > 0.97 * honest, "{way:?}: {rarely} of {honest}");
    }
}

/// However little the client owes when its port changes, and though what it waits for does not find it, the server soon hears
/// where it is: a quarter of a round trip later, and as long as a packet takes through a full queue.
#[test]
fn a_client_that_hears_nothing_shows_where_it_is() {
    for way in Way::BOTH {
        let mut scenario = Scenario::new(3, path(), way, 100 * MB);
        let client = scenario.client;
        scenario.world.run_for(2 * SECOND);
        for i in 0..40 {
            scenario.world.run_for(300 * MS + MS * i * 3 / 10);
            scenario.world.rebind(client, Rebind::Port);
            let address = scenario.world.address(client);
            let learned = |world: &mut World| world.server_stats().unwrap().remote == address;
            assert!(scenario.world.run_until(learned, 105 * MS), "{way:?}, change {i}");
        }
    }
}

/// Neither do losses keep client and server from finding each other.
#[test]
fn changes_of_port_cost_little_under_loss() {
    for way in Way::BOTH {
        for seed in 0..6 {
            let time = |rebinds: bool| {
                let path = Path::new(10_000_000, 40 * MS).loss(0.05);
                let mut scenario = Scenario::new(seed, path, way, 2 * MB);
                if rebinds {
                    scenario.world.rebind_every(scenario.client, Rebind::Port, SECOND / 2);
                }
                scenario.run(120 * SECOND).time
            };
            let (honest, often) = (time(false), time(true));
            assert!(
                often < honest * 3 / 2,
                "{way:?}, seed {seed}: {often:?} instead of {honest:?}"
            );
        }
    }
}

const ATTACKER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), 999);

/// What an attacker sees of a client's packets.
fn tapped(world: &mut World, client: ClientId) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let address = world.address(client);
    let heard = Rc::new(RefCell::new(Vec::new()));
    let ear = Rc::clone(&heard);
    world.set_filter(move |passing| {
        if passing.from == address {
            ear.borrow_mut().push(passing.payload.to_vec());
        }
        true
    });
    heard
}

fn world(seed: u64, sealed: bool) -> (World, ClientId, Content) {
    let config = |seed| {
        let mut config = Config::default();
        if sealed {
            config.security = Security::Sealed(Seeded::new(seed).identity());
        }
        config
    };
    let content = Content::pattern(seed, 10 * MB);
    let mut world = World::with_server(seed, config(1));
    world.server_mut().files.insert(&name("file"), content.clone());
    let path = world.add_path(Path::new(20_000_000, 50 * MS));
    let key = *Seeded::new(1).identity().public();
    let client = world.add_client_to(path, config(2), key);
    world.run_for(SECOND);
    (world, client, content)
}

/// Fetches the file while an attacker copies each packet of the client to the server from `claimed`, ahead of the original, and
/// hands on what it gets for it as `relay` says. Gives how long it took, and how long of that the server sent to the attacker.
fn raced(seed: u64, claimed: SocketAddr, relay: bool) -> (Duration, Duration) {
    // The world holds the server to three times the bytes until it sees an answer to a challenge; sealed ones it cannot see.
    let (mut world, client, content) = world(seed, !relay);
    let heard = tapped(&mut world, client);
    let job = world.start(client, Job::Get(name("file")));
    let begin = world.elapsed();
    let mut diverted = Duration::ZERO;
    while world.outcome(client, job).is_none() {
        world.run_for(MS);
        let packets = std::mem::take(&mut *heard.borrow_mut());
        packets.iter().for_each(|packet| world.spoof(claimed, packet));
        for packet in world.take_strays(claimed).iter().filter(|_| relay) {
            world.spoof_down(client, packet);
        }
        if world.server_stats().is_some_and(|stats| stats.remote == claimed) {
            diverted += MS;
        }
        assert!(world.elapsed() < begin + 120 * SECOND, "the connection is stolen");
    }
    let outcome = world.outcome(client, job);
    assert!(matches!(outcome, Some(Outcome::Got(got)) if got.is(&content)), "{outcome:?}");
    assert_eq!(world.close_reason(client), None);
    (world.elapsed() - begin, diverted)
}

/// `docs/hostile-input.md`, row 33: an attacker whose copies of a client's packets come before the originals diverts a little,
/// now and then, and not the connection. Without it, the file takes some 4.4 s.
#[test]
fn who_copies_packets_cannot_take_a_connection_over() {
    let client = SocketAddr::from(([10, 0, 0, 0], 40_001));
    for (claimed, relay) in [(ATTACKER, false), (ATTACKER, true), (client, false), (client, true)] {
        let (time, diverted) = raced(3, claimed, relay);
        println!("{claimed} {relay}: {time:?}, {diverted:?}");
        assert!(time < 10 * SECOND, "{claimed} {relay}: {time:?}");
        // One round trip of 50 ms at first; by that time all may have come by way of the attacker.
        let most = (time / 5).max(60 * MS);
        assert!(diverted > Duration::ZERO && diverted < most, "{claimed} {relay}: {diverted:?}");
    }
}

/// `docs/hostile-input.md`, row 33: old packets from elsewhere move nothing: only the newest one tells where the client is.
#[test]
fn only_the_newest_packet_moves_a_connection() {
    let (mut world, client, content) = world(4, true);
    let heard = tapped(&mut world, client);
    let job = world.start(client, Job::Get(name("file")));
    let mut recent = Vec::new();
    while world.outcome(client, job).is_none() {
        world.run_for(60 * MS);
        // The originals of those before the last 60 ms have arrived by now.
        let packets = std::mem::replace(&mut recent, std::mem::take(&mut *heard.borrow_mut()));
        packets.iter().for_each(|packet| world.spoof(ATTACKER, packet));
        assert_eq!(world.server_stats().unwrap().remote, world.address(client));
    }
    assert!(matches!(world.outcome(client, job), Some(Outcome::Got(got)) if got.is(&content)));
    assert!(world.take_strays(ATTACKER).is_empty());
}

/// A copy that comes from elsewhere once, while the client is silent: the server is back with the client when that speaks or
/// is asked, and the connection lives.
#[test]
fn an_address_that_does_not_answer_is_given_up() {
    for claimed in [ATTACKER, SocketAddr::from(([10, 0, 0, 0], 50_000))] {
        let (mut world, client, content) = world(5, true);
        let address = world.address(client);
        let heard = Rc::new(RefCell::new(Vec::new()));
        let ear = Rc::clone(&heard);
        // The client's packets are lost, but for the copies.
        world.set_filter(move |passing| {
            if passing.from == address {
                ear.borrow_mut().push(passing.payload.to_vec());
            }
            passing.from != address
        });
        world.run_for(12 * SECOND);
        let packet = heard.borrow().last().cloned().expect("a keep-alive");
        world.spoof(claimed, &packet);
        assert_eq!(world.server_stats().unwrap().remote, claimed);
        world.run_for(4 * SECOND);
        assert_eq!(world.server_stats().unwrap().remote, address);
        world.set_filter(|_| true);
        let job = world.start(client, Job::Get(name("file")));
        world.run_until_idle(20 * SECOND);
        assert!(matches!(world.outcome(client, job), Some(Outcome::Got(got)) if got.is(&content)));
    }
}

/// `docs/hostile-input.md`, row 33: a change of the address starts afresh, and packets of the old path are not held against the
/// new one: the first window there is whole.
#[test]
fn a_change_of_address_starts_afresh_and_without_blame() {
    let mut scenario = Scenario::new(6, path(), Way::Get, 20 * MB);
    let client = scenario.client;
    scenario.world.run_for(2 * SECOND);
    let before = scenario.world.server_stats().unwrap();
    scenario.world.rebind(client, Rebind::Address);
    let address = scenario.world.address(client);
    let learned = |world: &mut World| world.server_stats().unwrap().remote == address;
    assert!(scenario.world.run_until(learned, 5 * SECOND));
    let after = scenario.world.server_stats().unwrap();
    assert!(after.window < before.window && after.mtu == 1200, "{before:?} {after:?}");
    let mut least = u64::MAX;
    for _ in 0..200 {
        scenario.world.run_for(MS);
        least = least.min(scenario.world.server_stats().unwrap().window);
    }
    assert!(least >= after.window, "{least} of {}", after.window);
    scenario.run(30 * SECOND);
}
