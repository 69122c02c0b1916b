//! Files come and go whole.

use std::fs;

use gannet_protocol::{Destination, EntryKind};

use super::world::{World, assert_holds, content, finish, name, root_as};

/// Around the edges of packets, blocks and groups.
const LENGTHS: [usize; 9] =
    [0, 1, 1_000, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000, 40 << 20];

#[test]
fn files_of_any_length_are_fetched() {
    let world = World::new();
    let client = world.client();
    for (seed, len) in LENGTHS.into_iter().enumerate() {
        let bytes = content(seed as u64, len);
        fs::write(world.there("file"), &bytes).unwrap();
        let done = finish(client.get(name("file"), world.here("copy"))).unwrap();
        assert_eq!((done.len, done.name), (len as u64, None));
        assert_eq!(done.hash, Some(*blake3::hash(&bytes).as_bytes()));
        assert_holds(&world.here("copy"), &bytes);
    }
    assert_eq!(world.names_here(), ["copy"], "no partial file is left");
}

#[test]
fn files_of_any_length_are_stored() {
    let world = World::new();
    let client = world.client();
    for (seed, len) in LENGTHS.into_iter().enumerate() {
        let bytes = content(seed as u64, len);
        fs::write(world.here("file"), &bytes).unwrap();
        let done = finish(client.put(world.here("file"), root_as("copy"))).unwrap();
        assert_eq!((done.len, done.name), (len as u64, Some(name("copy"))));
        assert_eq!(done.hash, Some(*blake3::hash(&bytes).as_bytes()));
        assert_holds(&world.there("copy"), &bytes);
    }
    assert_eq!(world.names_there(), ["copy"], "no partial file is left");
}

#[test]
fn a_hundred_files_move_side_by_side_in_both_directions() {
    let world = World::new();
    let client = world.client();
    let file = |at: usize| content(at as u64, at * 7_919 % 300_000);
    for at in 0..100 {
        fs::write(world.there(&format!("get-{at}")), file(at)).unwrap();
        fs::write(world.here(&format!("put-{at}")), file(at)).unwrap();
    }
    let gets: Vec<_> = (0..100)
        .map(|at| client.get(name(&format!("get-{at}")), world.here(&format!("got-{at}"))))
        .collect();
    let puts: Vec<_> = (0..100)
        .map(|at| client.put(world.here(&format!("put-{at}")), root_as(&format!("stored-{at}"))))
        .collect();
    gets.into_iter().chain(puts).for_each(|job| drop(finish(job).unwrap()));
    for at in 0..100 {
        assert_holds(&world.here(&format!("got-{at}")), &file(at));
        assert_holds(&world.there(&format!("stored-{at}")), &file(at));
    }
}

#[test]
fn clients_are_served_side_by_side() {
    let world = World::new();
    let bytes = content(1, 8 << 20);
    fs::write(world.there("file"), &bytes).unwrap();
    let clients: Vec<_> = (0..8).map(|_| world.client()).collect();
    let jobs: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(at, client)| client.get(name("file"), world.here(&format!("copy-{at}"))))
        .collect();
    jobs.into_iter().for_each(|job| drop(finish(job).unwrap()));
    (0..8).for_each(|at| assert_holds(&world.here(&format!("copy-{at}")), &bytes));
}

#[test]
fn a_destination_may_be_a_directory() {
    let world = World::new();
    fs::create_dir(world.there("takes")).unwrap();
    let client = world.client();
    let to = |path: Option<&str>, into_directory| Destination {
        path: path.map(name),
        leaf: name("x"),
        into_directory,
    };
    let cases = [
        (to(Some("takes"), false), "takes/x"),
        (to(Some("takes"), true), "takes/x"),
        (to(Some("takes/y"), false), "takes/y"),
        (to(None, true), "x"),
    ];
    for (len, (to, stored)) in (1..).zip(cases) {
        let bytes = content(9, len);
        fs::write(world.here("x"), &bytes).unwrap();
        let done = finish(client.put(world.here("x"), to)).unwrap();
        assert_eq!(done.name, Some(name(stored)));
        assert_holds(&world.there(stored), &bytes);
    }
}

#[test]
fn a_file_that_exists_is_replaced() {
    let world = World::new();
    fs::write(world.there("file"), content(1, 100_000)).unwrap();
    fs::write(world.here("file"), content(2, 300_000)).unwrap();
    let client = world.client();
    finish(client.put(world.here("file"), root_as("file"))).unwrap();
    assert_holds(&world.there("file"), &content(2, 300_000));
}

#[test]
fn a_directory_is_listed() {
    let world = World::new();
    fs::create_dir_all(world.there("dir/sub")).unwrap();
    fs::write(world.there("dir/file"), "12345").unwrap();
    let client = world.client();
    let mut entries = finish(client.list(Some(name("dir")))).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let told: Vec<_> = entries.iter().map(|e| (e.name.to_string(), e.kind, e.len)).collect();
    assert_eq!(
        told,
        [("file".to_owned(), EntryKind::File, 5), ("sub".to_owned(), EntryKind::Directory, 0)]
    );
    assert_eq!(finish(client.list(Some(name("dir/sub")))).unwrap(), []);
    assert_eq!(finish(client.list(None)).unwrap().len(), 1);
}

/// `docs/hostile-input.md`, row 58.
#[test]
fn a_directory_of_many_names_is_listed_whole() {
    let many = 30_000;
    let world = World::with(
        |shared| {
            for at in 0..many {
                fs::write(shared.join(format!("a file with quite a long name, number {at}")), "")
                    .unwrap();
            }
        },
        || {},
    );
    let mut names: Vec<_> =
        finish(world.client().list(None)).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), many);
}

#[test]
fn a_file_is_renamed() {
    let world = World::new();
    fs::create_dir(world.there("dir")).unwrap();
    fs::write(world.there("old"), "content").unwrap();
    finish(world.client().rename(name("old"), name("dir/new"))).unwrap();
    assert_holds(&world.there("dir/new"), b"content");
    assert!(!world.there("old").exists());
}

#[test]
fn progress_ends_at_the_whole() {
    let world = World::new();
    fs::write(world.there("file"), content(1, 3_000_000)).unwrap();
    let client = world.client();
    let mut job = client.get(name("file"), world.here("copy"));
    let mut last = 0;
    let done = loop {
        let progress = job.progress();
        assert!(progress.done >= last && progress.total.is_none_or(|total| total == 3_000_000));
        last = progress.done;
        if let Some(result) = job.wait_timeout(std::time::Duration::from_millis(1)) {
            break result.unwrap();
        }
    };
    assert_eq!((job.progress().done, job.progress().total), (done.len, Some(done.len)));
    assert!(job.wait_timeout(std::time::Duration::ZERO).is_none());
    let stats = client.stats().unwrap();
    assert_eq!(stats.remote, client.remote());
    assert!(stats.packets_received > 0 && client.lost().is_none());
}
