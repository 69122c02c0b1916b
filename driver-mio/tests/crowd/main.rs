//! A real server with a crowd of clients, in one process.
#![cfg(target_os = "linux")]

mod crowd;
#[path = "../together/world.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod world;

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crowd::{Crowd, Member};
use world::{World, content};

/// Bytes that the server may have for all bodies together and for what it always has, whatever the crowd.
const SERVER: u64 = 64 << 20;
/// Bytes of an idle connection.
const EACH: u64 = 16 << 10;

/// One test at a time, for memory is that of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

fn are_connected(members: &[Member]) -> bool {
    members.iter().all(|member| member.connected)
}

/// All at the same time, and all from one address.
#[test]
fn a_thousand_clients_get_a_file_each() {
    let _alone = alone();
    let (world, bytes) = (World::new(), content(1, 100_000));
    fs::write(world.there("file"), &bytes).unwrap();
    let before = resident();
    let mut crowd = Crowd::new(world.address, &world.key, 1, 1000);
    crowd.run(&[], are_connected);
    crowd.get("file");
    crowd.run(&bytes, |members| members.iter().all(|member| member.done));
    assert!(crowd.members().iter().all(|member| member.bytes == bytes.len() as u64));
    // Both ends of each connection are here.
    let (grown, most) = (resident().saturating_sub(before), SERVER + 2 * 1000 * EACH);
    assert!(grown < most, "{grown} of {most}");
}

/// Each of a hundred clients gets nearly as much as any other of some hundred megabytes, once all have found their rate.
#[test]
fn a_hundred_clients_share_fairly() {
    let _alone = alone();
    let (world, bytes) = (World::new(), content(1, 50_000_000));
    fs::write(world.there("file"), &bytes).unwrap();
    let mut crowd = Crowd::new(world.address, &world.key, 1, 100);
    crowd.run(&[], are_connected);
    crowd.get("file");
    let total = |members: &[Member]| members.iter().map(|member| member.bytes).sum::<u64>();
    crowd.run(&bytes, |members| total(members) >= 200_000_000);
    let before = crowd.members();
    crowd.run(&bytes, |members| total(members) >= 800_000_000);
    // Jain's index.
    let shares: Vec<f64> = crowd
        .members()
        .iter()
        .zip(before)
        .map(|(after, before)| (after.bytes - before.bytes) as f64)
        .collect();
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share));
    let index = sum * sum / (shares.len() as f64 * squares.sum::<f64>());
    println!("index {index:.3}");
    assert!(index >= 0.95, "{index:.3}");
}
