//! Cases of clients that come from elsewhere.

use gannet_tests::{
    scenario::Way,
    world::{Nat, Rebind},
};

use crate::{MB, SECOND, case, hosts::Hosts, path};

/// A client is rebound each 5 s and each 0.5 s, and goes on; gives the least goodput, in Mbit/s, that each may leave.
#[track_caller]
fn rebound(seed: u64, what: Rebind, least: [f64; 2]) {
    for nat in [Nat::Near, Nat::Halfway] {
        for (period, least) in [5 * SECOND, SECOND / 2].into_iter().zip(least) {
            for way in Way::BOTH {
                let mut scenario = Hosts::new(seed).scenario(path(), way, 10 * MB);
                scenario.world.set_nat(nat);
                scenario.world.rebind_every(scenario.client, what, period);
                let moved = scenario.run(60 * SECOND);
                assert_eq!(scenario.world.server().connected.len(), 1, "the connection goes on");
                assert!(moved.goodput() > least * 1e6, "{nat:?}, {way:?}, {period:?}: {moved}");
            }
        }
    }
}

#[test]
fn rebind_port() {
    case("rebind_port", 10, |seed| rebound(seed, Rebind::Port, [8.0, 7.0]));
}

#[test]
fn rebind_addr() {
    case("rebind_addr", 10, |seed| rebound(seed, Rebind::Address, [7.0, 4.0]));
}

#[test]
fn connectionmigration() {
    case("connectionmigration", 20, |seed| {
        for way in Way::BOTH {
            let mut scenario = Hosts::new(seed).scenario(path(), way, 2 * MB);
            scenario.world.run_for(SECOND * (1 + (seed % 10) as u32) / 10);
            scenario.world.rebind(scenario.client, Rebind::Address);
            let moved = scenario.run(10 * SECOND);
            assert!(moved.time < 4 * SECOND, "{way:?}: {moved}");
            assert_eq!(scenario.world.server().connected.len(), 1, "the connection goes on");
        }
    });
}
