//! Cases of clean links: whole windows, long round trips, many requests, keys, and what of a link is used.

use std::sync::Arc;

use gannet_driver_mio::netem::Queue;
use gannet_protocol::{
    Config, CongestionKind, Security,
    sealed::{Lowered, MAX_NUMBER},
};
use gannet_tests::{
    content::Content,
    crypto::{Seals, Seeded},
    scenario::{Scenario, Way},
    world::{Path, World},
};

use crate::{
    MB, MS, SECOND, case,
    hosts::{Hosts, move_all},
    path,
};

#[test]
fn transfer() {
    case("transfer", 10, |seed| {
        for way in Way::BOTH {
            let hosts = Hosts::new(seed);
            let mut world = hosts.world();
            let client = hosts.client(&mut world, path());
            move_all(&mut world, client, way, &[2 * MB, 3 * MB, 5 * MB], 10);
        }
    });
}

#[test]
fn longrtt() {
    case("longrtt", 6, |seed| {
        for way in Way::BOTH {
            let hosts = Hosts::new(seed);
            let mut world = hosts.world();
            let client = hosts.client(&mut world, path().both(|link| link.delay = 750 * MS));
            move_all(&mut world, client, way, &[1000], 5);
            move_all(&mut world, client, way, &[2 * MB, 3 * MB, 5 * MB], 120);
        }
    });
}

#[test]
fn multiplexing() {
    case("multiplexing", 10, |seed| {
        for (path, limit) in [(path(), 4), (path().loss(0.05), 60)] {
            let hosts = Hosts::new(seed);
            let mut world = hosts.world();
            let client = hosts.client(&mut world, path);
            move_all(&mut world, client, Way::Get, &[32; 2000], limit);
        }
    });
}

/// Sealed in any case.
#[test]
fn keyupdate() {
    // At most 512 packets of at most 1472 bytes to a key.
    const LOWERED: Lowered =
        Lowered { generation_bits: 9, max_forged: u64::MAX, max_number: MAX_NUMBER };
    case("keyupdate", 10, |seed| {
        for way in Way::BOTH {
            let seals = Arc::<Seals>::default();
            let identity = |of| Seeded::new(of).recorded(&seals).identity();
            let config = |of| {
                let mut config = Config::default();
                config.security = Security::Sealed(identity(of));
                config.lowered = Some(LOWERED);
                config
            };
            let mut world = World::with_server(seed, config(0));
            let path = world.add_path(path().loss(0.01));
            let key = *identity(0).public();
            let client = world.add_client_to(path, config(1), key);
            let content = Content::pattern(seed, 3 * MB);
            let moved = Scenario::start(world, client, way, content).run(30 * SECOND);
            let (packets, most) = seals.of_packets();
            assert!(
                packets.len() >= 5 && most <= 512,
                "{moved}: {packets:?} packets with each key"
            );
        }
    });
}

#[test]
fn goodput() {
    case("goodput", 10, |seed| {
        for way in Way::BOTH {
            let moved = Hosts::new(seed).scenario(path(), way, 10 * MB).run(12 * SECOND);
            assert!(moved.goodput() > 8.8e6, "{way:?}: {moved}");
        }
    });
}

#[test]
fn goodput_at_1_gbit_a_second() {
    case("goodput_at_1_gbit_a_second", 2, |seed| {
        for way in Way::BOTH {
            let path = Path::new(1_000_000_000, 30 * MS).queue(Queue::Bytes(2_000_000));
            let mut scenario = Hosts::new(seed).scenario(path, way, 200 * MB);
            scenario.world.set_grain(MS / 10);
            let moved = scenario.run(10 * SECOND);
            assert!(moved.goodput() > 500e6, "{way:?}: {moved}");
        }
    });
}

/// With the rate known nothing of it is left unused.
#[test]
fn goodput_at_a_fixed_rate() {
    case("goodput_at_a_fixed_rate", 10, |seed| {
        for way in Way::BOTH {
            let fixed = |config: &mut Config| config.congestion = CongestionKind::Fixed(9_500_000);
            let hosts = Hosts::new(seed).tuned(fixed);
            let moved = hosts.scenario(path(), way, 10 * MB).run(12 * SECOND);
            assert!(moved.goodput() > 8.8e6, "{way:?}: {moved}");
            assert_eq!(moved.resent, 0, "{way:?}: {moved}");
        }
    });
}
