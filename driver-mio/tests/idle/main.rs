//! What an idle connection costs a real server. It stands alone, for memory is that of the process.
#![cfg(target_os = "linux")]

#[path = "../crowd/crowd.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod crowd;
#[path = "../together/world.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod world;

use std::{env, fs};

use crowd::{Crowd, Member};
use world::World;

/// Bytes of an idle connection.
const EACH: u64 = 16 << 10;

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// How many connections a test makes: so many, unless `GANNET_CROWD` says another number.
fn crowd_of(count: usize) -> usize {
    env::var("GANNET_CROWD").map_or(count, |text| text.parse().unwrap())
}

fn are_connected(members: &[Member]) -> bool {
    members.iter().all(|member| member.connected)
}

/// An idle connection takes little memory: even both its ends together no more than one of them may.
#[test]
fn idle_connections_are_small() {
    let count = crowd_of(2000);
    let world = World::new();
    // The first ones make what is there once.
    let mut first = Crowd::new(world.address, &world.key, 1, 10);
    first.run(&[], are_connected);
    let before = resident();
    let mut crowd = Crowd::new(world.address, &world.key, 10, count / 10);
    crowd.run(&[], are_connected);
    let each = resident().saturating_sub(before) / count as u64;
    println!("{each} bytes for both ends of a connection");
    assert!(each <= EACH, "{each}");
}
