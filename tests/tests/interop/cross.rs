//! The case of a path that others use as well.

use std::time::Duration;

use gannet_tests::{
    content::Content,
    scenario::Way,
    world::{ClientId, Direction, World},
};

use crate::{
    MB, SECOND, case,
    hosts::{Hosts, start},
    path,
};

/// How long both run before their shares are measured, and for how long that is.
const SETTLING: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(60);

/// The file of a flow that does not end.
fn endless() -> Content {
    Content::pattern(1, 1000 * MB)
}

/// Packets of a file that arrived.
fn arrived(world: &mut World, client: ClientId, way: Way) -> u64 {
    let stats = match way {
        Way::Get => world.client_stats(client),
        Way::Put => world.server_stats(),
    };
    stats.expect("it lives").packets_received
}

/// Beside a flow of TCP with CUBIC, whichever comes first.
#[test]
fn crosstraffic() {
    case("crosstraffic", 10, |seed| {
        for (way, direction) in [(Way::Get, Direction::Down), (Way::Put, Direction::Up)] {
            let hosts = Hosts::new(seed);
            let mut world = hosts.world();
            let path = world.add_path(path());
            let lead = SECOND * (seed % 4) as u32;
            let (cross, client) = if seed % 3 == 0 {
                let cross = world.add_cross_traffic(path, direction);
                world.run_for(lead);
                let client = hosts.client_on(&mut world, path);
                start(&mut world, client, way, "file", &endless());
                (cross, client)
            } else {
                let client = hosts.client_on(&mut world, path);
                start(&mut world, client, way, "file", &endless());
                world.run_for(lead);
                (world.add_cross_traffic(path, direction), client)
            };
            world.run_for(SETTLING);
            let before = (arrived(&mut world, client, way), world.cross_arrived(cross));
            world.run_for(MEASURED);
            let after = (arrived(&mut world, client, way), world.cross_arrived(cross));
            let (ours, theirs) = (after.0 - before.0, after.1 - before.1);
            let share = ours as f64 / (ours + theirs) as f64;
            assert!((0.3..=0.7).contains(&share), "{way:?}: {ours} and {theirs} packets, {share}");
        }
    });
}

/// Two of our own share a path as well.
#[test]
fn crosstraffic_of_our_own() {
    case("crosstraffic_of_our_own", 10, |seed| {
        let hosts = Hosts::new(seed);
        let mut world = hosts.world();
        let path = world.add_path(path());
        let clients = [(); 2].map(|()| {
            let client = hosts.client_on(&mut world, path);
            start(&mut world, client, Way::Get, "file", &endless());
            world.run_for(2 * SECOND);
            client
        });
        let all = |world: &mut World| clients.map(|client| arrived(world, client, Way::Get));
        world.run_for(SETTLING);
        let before = all(&mut world);
        world.run_for(MEASURED);
        let after = all(&mut world);
        let [first, second] = [after[0] - before[0], after[1] - before[1]];
        let share = first as f64 / (first + second) as f64;
        assert!((0.3..=0.7).contains(&share), "{first} and {second} packets, {share}");
    });
}
