//! Transfers that were interrupted, and files that are there in part.

use std::{fs, os::unix::fs::FileExt, time::Duration};

use gannet_driver_mio::{
    client::{Client, Failure, Job, Transferred},
    netem::{LinkConfig, Relay, RelayReport},
    partials,
};
use gannet_protocol::{How, Status};

use super::world::{World, assert_holds, content, finish, name, root_as};

const MIB: u64 = 1 << 20;
const LEN: usize = (24 << 20) + 4321;

/// Half a second or so for what the tests move.
fn relay(world: &World) -> Relay {
    let link = LinkConfig { rate: Some(400_000_000), ..LinkConfig::default() };
    Relay::start(world.address, link.clone(), link).unwrap()
}

/// Waits until a third has come.
fn wait_for_some(job: &Job<Transferred>) {
    while job.progress().done < LEN as u64 / 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A put over a relay of its own of which some has come: its content, the relay, the client, and the job.
fn begun_put(world: &World) -> (Vec<u8>, Relay, Client, Job<Transferred>) {
    let bytes = content(1, LEN);
    fs::write(world.here("file"), &bytes).unwrap();
    let relay = relay(world);
    let client = world.client_over(relay.address());
    let job = client.put(world.here("file"), root_as("copy"));
    wait_for_some(&job);
    (bytes, relay, client, job)
}

/// A second try over a relay of its own, and what went through that.
fn again(
    world: &World,
    start: impl FnOnce(&Client) -> Job<Transferred>,
) -> (Transferred, RelayReport) {
    let relay = relay(world);
    let client = world.client_over(relay.address());
    let done = finish(start(&client)).unwrap();
    drop(client);
    (done, relay.stop())
}

/// Only the rest travelled, and what a sender that is in doubt sends ahead.
fn assert_rest(done: &Transferred, delivered: u64) {
    let rest = done.len - done.kept;
    assert!(done.kept >= 2 * MIB && !done.unchanged, "{done:?}");
    assert!(delivered >= rest && delivered < rest + rest / 5 + MIB, "{delivered} for {rest}");
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn a_get_goes_on_where_it_was_interrupted() {
    let world = World::new();
    let bytes = content(1, LEN);
    fs::write(world.there("file"), &bytes).unwrap();
    let first = relay(&world);
    let client = world.client_over(first.address());
    let job = client.get(name("file"), world.here("copy"));
    wait_for_some(&job);
    drop(first);
    assert!(matches!(finish(job), Err(Failure::Lost(_))));
    drop(client);
    let left = partials::find(&world.here("")).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((&left[0].target, left[0].len), (&Some(name("copy")), Some(LEN as u64)));
    let (done, report) = again(&world, |client| client.get(name("file"), world.here("copy")));
    assert_eq!(done.kept, left[0].kept);
    assert_rest(&done, report.back.delivered_bytes);
    assert_eq!(done.hash, Some(*blake3::hash(&bytes).as_bytes()));
    assert_holds(&world.here("copy"), &bytes);
    assert_eq!(world.names_here(), ["copy"]);
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn a_put_goes_on_where_it_was_interrupted() {
    let world = World::new();
    let (bytes, first, client, job) = begun_put(&world);
    client.abort();
    drop((job, first));
    wait_until_unused(&world);
    let left = partials::find(&world.there("")).unwrap();
    let (done, report) = again(&world, |client| client.put(world.here("file"), root_as("copy")));
    assert_eq!(done.kept, left[0].kept);
    assert_rest(&done, report.forward.delivered_bytes);
    assert_holds(&world.there("copy"), &bytes);
    assert_eq!(world.names_there(), ["copy"]);
}

/// The client comes back before the server has noticed that it was gone.
#[test]
fn a_put_goes_on_although_the_server_waits_for_the_former_client() {
    let world = World::new();
    let (bytes, first, client, job) = begun_put(&world);
    first.handle().set_blackout(true);
    let (done, report) = again(&world, |client| client.put(world.here("file"), root_as("copy")));
    assert_rest(&done, report.forward.delivered_bytes);
    assert_holds(&world.there("copy"), &bytes);
    assert_eq!(world.names_there(), ["copy"]);
    drop((job, client));
}

/// The server hears of the end when it does.
fn wait_until_unused(world: &World) {
    while partials::find(&world.there("")).unwrap().iter().any(|left| left.in_use) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An interrupted get, and what is left of it.
fn interrupted_get(world: &World) {
    let relay = relay(world);
    let client = world.client_over(relay.address());
    let job = client.get(name("file"), world.here("copy"));
    wait_for_some(&job);
    client.abort();
    drop(job);
    assert_eq!(partials::find(&world.here("")).unwrap().len(), 1);
}

#[test]
fn a_source_that_changed_meanwhile_sends_what_is_new() {
    let world = World::new();
    let mut bytes = content(1, LEN);
    fs::write(world.there("file"), &bytes).unwrap();
    interrupted_get(&world);
    bytes[3 << 20] ^= 1;
    fs::write(world.there("file"), &bytes).unwrap();
    let (done, report) = again(&world, |client| client.get(name("file"), world.here("copy")));
    assert_rest(&done, report.back.delivered_bytes);
    assert_holds(&world.here("copy"), &bytes);
    assert_eq!(world.names_here(), ["copy"]);
}

#[test]
fn a_partial_file_that_others_changed_is_not_gone_on_with() {
    let world = World::new();
    let bytes = content(1, LEN);
    fs::write(world.there("file"), &bytes).unwrap();
    for which in 0..3 {
        interrupted_get(&world);
        let part = world.here("").join(&partials::find(&world.here("")).unwrap()[0].path);
        let journal = part.with_extension("journal");
        match which {
            0 => fs::File::options().write(true).open(part).unwrap().set_len(5).unwrap(),
            1 => fs::remove_file(journal).unwrap(),
            _ => fs::remove_file(part).unwrap(),
        }
        let (done, _) = again(&world, |client| client.get(name("file"), world.here("copy")));
        assert_eq!(done.kept, 0);
        assert_holds(&world.here("copy"), &bytes);
        assert_eq!(world.names_here(), ["copy"]);
        fs::remove_file(world.here("copy")).unwrap();
    }
}

#[test]
fn only_groups_that_changed_travel() {
    let world = World::new();
    let mut bytes = content(1, LEN);
    fs::write(world.there("a"), &bytes).unwrap();
    fs::write(world.here("b"), &bytes).unwrap();
    let client = world.client();
    finish(client.get(name("a"), world.here("a"))).unwrap();
    finish(client.put(world.here("b"), root_as("b"))).unwrap();
    bytes[0] ^= 1;
    bytes[20 << 20] ^= 1;
    for path in [world.there("a"), world.here("b")] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.write_all_at(&bytes[..1], 0).unwrap();
        file.write_all_at(&bytes[20 << 20..][..1], 20 << 20).unwrap();
    }
    let (done, report) = again(&world, |client| client.get(name("a"), world.here("a")));
    assert_eq!(done.kept, LEN as u64 - 2 * MIB);
    assert_rest(&done, report.back.delivered_bytes);
    let (done, report) = again(&world, |client| client.put(world.here("b"), root_as("b")));
    assert_eq!(done.kept, LEN as u64 - 2 * MIB);
    assert_rest(&done, report.forward.delivered_bytes);
    assert_eq!(done.hash, Some(*blake3::hash(&bytes).as_bytes()));
    for path in [world.here("a"), world.there("b")] {
        assert_holds(&path, &bytes);
    }
}

#[test]
fn what_is_there_already_is_not_moved_unless_that_is_wanted() {
    let world = World::new();
    let client = world.client();
    for len in [0, 1000, LEN] {
        let bytes = content(1, len);
        fs::write(world.there("a"), &bytes).unwrap();
        fs::write(world.here("b"), &bytes).unwrap();
        let get = |how| finish(client.get_as(name("a"), world.here("a"), how)).unwrap();
        let put = |how| finish(client.put_as(world.here("b"), root_as("b"), how)).unwrap();
        let usual = How::default();
        for done in [get(usual), put(usual)] {
            assert_eq!((done.unchanged, done.len), (false, len as u64));
        }
        for done in [get(usual), put(usual)] {
            assert_eq!((done.unchanged, done.len, done.kept), (true, len as u64, len as u64));
        }
        let fresh = How { fresh: true, ..usual };
        for done in [get(fresh), put(fresh)] {
            assert_eq!((done.unchanged, done.len, done.kept), (false, len as u64, 0));
        }
        let check = How { check: true, ..usual };
        for done in [get(check), put(check)] {
            assert_eq!((done.unchanged, done.len, done.kept), (true, len as u64, len as u64));
            assert_eq!(done.hash, Some(*blake3::hash(&bytes).as_bytes()));
        }
        assert_holds(&world.here("a"), &bytes);
        assert_holds(&world.there("b"), &bytes);
    }
}

/// The clocks of file systems advance every few milliseconds only.
#[test]
fn files_of_one_length_and_moment_are_not_taken_for_each_other() {
    let world = World::new();
    let client = world.client();
    let time_of = |path| fs::metadata(path).unwrap().modified().unwrap();
    let [here, there] = [world.here("file"), world.there("file")];
    for is_put in [false, true] {
        let mut tries = 0..10_000;
        while tries.next().is_some() {
            let _ = [&here, &there].map(fs::remove_file);
            fs::write(&here, "ours").unwrap();
            fs::write(&there, "them").unwrap();
            if time_of(&here) == time_of(&there) {
                break;
            }
        }
        if tries.is_empty() {
            eprintln!("SKIPPED: no two files here have the same time");
            return;
        }
        let go = || match is_put {
            true => finish(client.put(here.clone(), root_as("file"))).unwrap(),
            false => finish(client.get(name("file"), here.clone())).unwrap(),
        };
        assert!(!go().unchanged);
        let bytes = if is_put { b"ours" } else { b"them" };
        [&here, &there].into_iter().for_each(|path| assert_holds(path, bytes));
        assert!(go().unchanged, "it has the time that it was given");
    }
}

#[test]
fn a_name_that_is_taken_is_refused_if_that_is_wanted() {
    let world = World::new();
    fs::write(world.there("file"), "theirs").unwrap();
    fs::write(world.here("file"), "ours").unwrap();
    let how = How { no_clobber: true, ..How::default() };
    let client = world.client();
    let local = Failure::Local { path: world.here("file"), status: Status::Exists };
    assert_eq!(finish(client.get_as(name("file"), world.here("file"), how)), Err(local));
    let remote = Failure::Remote { status: Status::Exists, detail: 0 };
    assert_eq!(finish(client.put_as(world.here("file"), root_as("file"), how)), Err(remote));
    finish(client.get_as(name("file"), world.here("new"), how)).unwrap();
    finish(client.put_as(world.here("file"), root_as("new"), how)).unwrap();
    assert_holds(&world.here("new"), b"theirs");
    assert_holds(&world.there("new"), b"ours");
    assert_holds(&world.there("file"), b"theirs");
}

/// `docs/hostile-input.md`, row 56.
#[test]
fn two_puts_of_one_name_at_once_never_mix() {
    let world = World::new();
    let contents: Vec<_> = (0..4).map(|seed| content(seed, LEN)).collect();
    let relay = relay(&world);
    let clients: Vec<_> = (0..4).map(|_| world.client_over(relay.address())).collect();
    let jobs: Vec<_> = clients
        .iter()
        .zip(&contents)
        .enumerate()
        .map(|(at, (client, bytes))| {
            fs::write(world.here(&format!("file-{at}")), bytes).unwrap();
            client.put(world.here(&format!("file-{at}")), root_as("file"))
        })
        .collect();
    jobs.into_iter().for_each(|job| drop(finish(job).unwrap()));
    let stored = fs::read(world.there("file")).unwrap();
    assert!(contents.contains(&stored));
    assert_eq!(world.names_there(), ["file"]);
}

/// `cargo test -p gannet-driver-mio --release --test together -- --ignored --nocapture a_thousand`, with TMPDIR on the disk.
#[test]
#[ignore = "measures a disk"]
fn a_thousand_small_files_are_stored_durably() {
    let world = World::new();
    let client = world.client();
    for at in 0..1000 {
        fs::write(world.here(&format!("file-{at}")), content(at, 10_000)).unwrap();
    }
    let begun = std::time::Instant::now();
    let put =
        |at: u64| client.put(world.here(&format!("file-{at}")), root_as(&format!("put-{at}")));
    let jobs: Vec<_> = (0..1000).map(put).collect();
    jobs.into_iter().for_each(|job| drop(finish(job).unwrap()));
    let taken = begun.elapsed();
    eprintln!("a thousand files of 10 kB in {:.2} s", taken.as_secs_f64());
    assert!(taken < Duration::from_secs(5));
}
