//! Every verb, files of every size, and what becomes of bad sources and disks.

use std::time::Duration;

use gannet_protocol::{
    Config, CongestionKind, Destination, EntryKind, MAX_BODY, MAX_COMPONENT, MAX_NAME, Name, Status,
};
use gannet_tests::{
    content::Content,
    directory::name,
    disk::DiskConfig,
    host::{Job, Outcome},
    outgoing::SourceFault,
    scenario::{Scenario, Way},
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

fn world() -> (World, ClientId) {
    let mut world = World::new(1);
    let client = world.add_client(Path::new(100_000_000, 20 * MS).loss(0.002));
    (world, client)
}

#[track_caller]
fn outcome(world: &mut World, client: ClientId, job: Job) -> Outcome {
    let job = world.start(client, job);
    world.run_until_idle(60 * SECOND);
    world.outcome(client, job).cloned().expect("it is idle")
}

fn failed(status: Status) -> Outcome {
    Outcome::Failed { status, detail: 0 }
}

/// Row 57: files of no bytes, of few, of whole groups, one more and one less.
#[test]
fn sizes() {
    let (mut world, client) = world();
    let around = [0, 1, 1000, 1024, 1400, 3000, MIB, 2 * MIB, 5 * MIB];
    for len in around.into_iter().flat_map(|len: u64| [len.saturating_sub(1), len, len + 1]) {
        let content = Content::pattern(len, len);
        let put = outcome(&mut world, client, Job::put(&name("file"), content.clone()));
        let Outcome::Stored(stored) = put else { panic!("{len}: {put:?}") };
        assert_eq!((stored.len, stored.hash), (len, Some(content.root())));
        let got = outcome(&mut world, client, Job::Get(name("file")));
        assert!(matches!(got, Outcome::Got(got) if got.is(&content)), "{len}");
    }
}

/// Row 57: more bytes than 32 bits count.
#[test]
fn over_4_gib() {
    let mut config = Config::default();
    config.congestion = CongestionKind::Fixed(20_000_000_000);
    let path = Path::new(25_000_000_000, 2 * MS).both(|link| link.mtu = None);
    let len = (4 << 30) + 12_345;
    let mut scenario = Scenario::with_config(2, path, Way::Get, len, &config);
    scenario.world.set_grain(MS / 10);
    scenario.run(30 * SECOND);
}

/// Row 57: a length that no disk holds is refused before its bytes travel.
#[test]
fn too_large() {
    let (mut world, client) = world();
    for len in [(1 << 40) + 1, 1 << 59, MAX_BODY] {
        world.server_mut().files.insert(&name("huge"), Content::pattern(1, len));
        let got = outcome(&mut world, client, Job::Get(name("huge")));
        assert_eq!(got, failed(Status::TooLarge));
        let put = outcome(&mut world, client, Job::put(&name("put"), Content::pattern(1, len)));
        assert_eq!(put, failed(Status::TooLarge));
    }
    // What was under way when it was refused: a first window at most, each time.
    let (up, down) = world.counters(client);
    assert!(up.bytes + down.bytes < 6 * 200_000, "{up:?} {down:?}");
}

#[test]
fn what_is_not_there_is_told_and_nothing_else_happens() {
    let (mut world, client) = world();
    world.server_mut().files.make_directory(&name("directory"));
    world.server_mut().files.insert(&name("file"), Content::bytes(b"content"));
    for (job, status) in [
        (Job::Get(name("missing")), Status::NotFound),
        (Job::Get(name("directory")), Status::IsDirectory),
        (Job::put(&name("directory/no/file"), Content::bytes(b"x")), Status::NotFound),
        (Job::put(&name("file/file"), Content::pattern(1, 3_000_000)), Status::NotDirectory),
        (Job::Rename(name("missing"), name("other")), Status::NotFound),
        (Job::Rename(name("file"), name("directory")), Status::Exists),
        (Job::Stat(name("missing")), Status::NotFound),
        (Job::Remove(name("missing")), Status::NotFound),
        (Job::MakeDirectory(name("file")), Status::Exists),
        (Job::MakeDirectory(name("directory")), Status::Exists),
        (Job::MakeDirectory(name("missing/directory")), Status::NotFound),
        (Job::List(Some(name("missing"))), Status::NotFound),
        (Job::List(Some(name("file"))), Status::NotDirectory),
    ] {
        assert_eq!(outcome(&mut world, client, job.clone()), failed(status), "{job:?}");
    }
    assert_eq!(world.server().files.iter().count(), 1);
    assert_eq!(
        outcome(&mut world, client, Job::Rename(name("file"), name("other"))),
        Outcome::Done
    );
    assert!(world.server().files.get(&name("other")).is_ok());
    world.run_for(SECOND);
    assert_eq!(world.server().running() + world.client(client).running(), 0);
}

#[test]
fn a_directory_is_made_told_and_removed_once_it_is_empty() {
    let (mut world, client) = world();
    let mut done = |job| outcome(&mut world, client, job);
    assert_eq!(done(Job::MakeDirectory(name("d"))), Outcome::Done);
    assert!(matches!(done(Job::put(&name("d/f"), Content::bytes(b"five5"))), Outcome::Stored(_)));
    let Outcome::Stat(stat) = done(Job::Stat(name("d/f"))) else { panic!("no stat") };
    assert_eq!((stat.kind, stat.len), (EntryKind::File, 5));
    let Outcome::Stat(stat) = done(Job::Stat(name("d"))) else { panic!("no stat") };
    assert_eq!((stat.kind, stat.len), (EntryKind::Directory, 0));
    assert_eq!(done(Job::Remove(name("d"))), failed(Status::NotEmpty));
    assert_eq!(done(Job::Remove(name("d/f"))), Outcome::Done);
    assert_eq!(done(Job::Remove(name("d"))), Outcome::Done);
    assert_eq!(done(Job::Stat(name("d"))), failed(Status::NotFound));
}

#[test]
fn puts_land_where_the_server_finds_directories() {
    let (mut world, client) = world();
    world.server_mut().files.make_directory(&name("dir"));
    for (path, into_directory, expected) in [
        (None, false, Ok("leaf")),
        (Some("dir"), false, Ok("dir/leaf")),
        (Some("dir"), true, Ok("dir/leaf")),
        (Some("other"), false, Ok("other")),
        (Some("other2"), true, Err(Status::NotFound)),
    ] {
        let to = Destination { path: path.map(name), leaf: name("leaf"), into_directory };
        let put = Job::Put(to, Content::bytes(b"content"), SourceFault::None);
        match (outcome(&mut world, client, put), expected) {
            (Outcome::Stored(stored), Ok(expected)) => assert_eq!(stored.name, name(expected)),
            (outcome, Err(status)) => assert_eq!(outcome, failed(status)),
            (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn listings_of_every_length() {
    let (mut world, client) = world();
    let files = &mut world.server_mut().files;
    files.make_directory(&name("empty"));
    files.make_directory(&name("full"));
    for i in 0..60_000u64 {
        files.insert(
            &name(&format!("full/a file with a name of some length {i:05}")),
            Content::pattern(i, i),
        );
    }
    let root = outcome(&mut world, client, Job::List(None));
    let Outcome::Listed(Some(entries)) = root else { panic!("{root:?}") };
    let kinds: Vec<_> = entries.iter().map(|e| (e.name.as_bytes(), e.kind)).collect();
    assert_eq!(
        kinds,
        [(&b"empty"[..], EntryKind::Directory), (&b"full"[..], EntryKind::Directory)]
    );
    assert_eq!(
        outcome(&mut world, client, Job::List(Some(name("empty")))),
        Outcome::Listed(Some(vec![]))
    );
    let full = outcome(&mut world, client, Job::List(Some(name("full"))));
    let Outcome::Listed(Some(entries)) = full else { panic!("{full:?}") };
    assert_eq!(Ok(entries), world.server().files.list(Some(&name("full"))));
}

#[test]
fn names_of_the_greatest_length() {
    let (mut world, client) = world();
    let component = vec![b'x'; MAX_COMPONENT];
    let long = |end: u8| {
        let mut bytes = [&component[..]; MAX_NAME / (MAX_COMPONENT + 1)].join(&b'/');
        *bytes.last_mut().unwrap() = end;
        Name::parse(&bytes).unwrap()
    };
    let mut parent = long(b'1').parent();
    while let Some(directory) = parent {
        parent = directory.parent();
        world.server_mut().files.make_directory(&directory);
    }
    let content = Content::pattern(1, 100_000);
    let put = outcome(&mut world, client, Job::put(&long(b'1'), content.clone()));
    assert!(matches!(put, Outcome::Stored(_)));
    assert_eq!(outcome(&mut world, client, Job::Rename(long(b'1'), long(b'2'))), Outcome::Done);
    let got = outcome(&mut world, client, Job::Get(long(b'2')));
    assert!(matches!(got, Outcome::Got(got) if got.is(&content)));
}

#[test]
fn exit_is_heard() {
    let (mut world, client) = world();
    assert_eq!(outcome(&mut world, client, Job::Exit), Outcome::Done);
    assert!(world.server().exit_asked);
}

/// Row 54: the source changes while it is sent, at its start, within and at its end.
#[test]
fn a_source_that_changes_is_told_and_nothing_is_stored() {
    let len = 3 * MIB + 5;
    // Which side notices first is a matter of time.
    let either = [Status::Changed, Status::Corrupt];
    faulty(len, &[0, 1, MIB, len / 2, len - 1], &either, |at| SourceFault::Changes { at });
}

#[test]
fn a_source_that_fails_is_told_and_nothing_is_stored() {
    let (len, status) = (3 * MIB + 5, Status::Io);
    faulty(len, &[0, 1, MIB, len / 2, len - 1], &[status], |at| SourceFault::Fails { at, status });
}

/// Row 52: bytes that are not those that were hashed.
#[test]
fn content_that_does_not_verify_is_told_and_nothing_is_stored() {
    let len = 3 * MIB + 5;
    faulty(len, &[0, MIB - 1, MIB, len - 1], &[Status::Corrupt], |at| SourceFault::Lies { at });
}

#[track_caller]
fn faulty(len: u64, places: &[u64], statuses: &[Status], fault: impl Fn(u64) -> SourceFault) {
    let (mut world, client) = world();
    let content = Content::pattern(3, len);
    world.server_mut().files.insert(&name("bad"), content.clone());
    world.server_mut().files.insert(&name("good"), content.clone());
    for at in places {
        world.server_mut().faults.insert(name("bad"), fault(*at));
        let good = world.start(client, Job::Get(name("good")));
        let got = outcome(&mut world, client, Job::Get(name("bad")));
        assert!(statuses.iter().any(|status| got == failed(*status)), "at {at}: {got:?}");
        assert!(matches!(world.outcome(client, good), Some(Outcome::Got(got)) if got.is(&content)));
        let put = Job::faulty_put(&name("put"), content.clone(), fault(*at));
        let put = outcome(&mut world, client, put);
        assert!(statuses.iter().any(|status| put == failed(*status)), "at {at}: {put:?}");
        assert_eq!(world.server().files.get(&name("put")).err(), Some(Status::NotFound));
    }
    world.run_for(SECOND);
    assert_eq!(world.server().running() + world.client(client).running(), 0);
}

/// Row 53: a full disk is told within a round trip, and other transfers go on.
#[test]
fn a_full_disk_is_told_at_once() {
    let (mut world, client) = world();
    let full = DiskConfig { fails_at: Some(MIB), ..DiskConfig::default() };
    world.server_mut().set_disk(full);
    let small = world.start(client, Job::put(&name("small"), Content::pattern(2, MIB)));
    let put = world.start(client, Job::put(&name("large"), Content::pattern(3, 100 * MIB)));
    let refused = |world: &mut World| world.outcome(client, put).is_some();
    assert!(world.run_until(refused, 2 * SECOND));
    assert_eq!(world.outcome(client, put), Some(&failed(Status::Full)));
    world.run_until_idle(5 * SECOND);
    assert!(matches!(world.outcome(client, small), Some(Outcome::Stored(_))));
    world.client_mut(client).set_disk(full);
    world.server_mut().files.insert(&name("big"), Content::pattern(1, 10 * MIB));
    assert_eq!(outcome(&mut world, client, Job::Get(name("big"))), failed(Status::Full));
    world.run_for(SECOND);
    assert_eq!(world.server().running() + world.client(client).running(), 0);
}

#[test]
fn cancelled_by_the_user() {
    let (mut world, client) = world();
    world.server_mut().files.insert(&name("big"), Content::pattern(1, 100 * MIB));
    for job in [Job::Get(name("big")), Job::put(&name("up"), Content::pattern(1, 100 * MIB))] {
        let job = world.start(client, job);
        world.run_for(300 * MS);
        assert_eq!(world.server().running(), 1);
        world.client_mut(client).cancel(job);
        assert_eq!(world.outcome(client, job), Some(&failed(Status::Cancelled)));
        // Told within a round trip, and what it needed is free.
        world.run_for(200 * MS);
        assert_eq!(world.server().running(), 0);
    }
}

#[test]
fn a_client_that_leaves() {
    let (mut world, client) = world();
    world.server_mut().files.insert(&name("big"), Content::pattern(1, 100 * MIB));
    let other = world.add_client(Path::new(50_000_000, 10 * MS));
    let lost = world.start(client, Job::Get(name("big")));
    let kept = world.start(other, Job::Get(name("big")));
    world.run_for(SECOND);
    world.client_mut(client).disconnect();
    world.run_until_idle(60 * SECOND);
    assert!(matches!(world.outcome(client, lost), Some(Outcome::Lost(_))));
    assert!(matches!(world.outcome(other, kept), Some(Outcome::Got(_))));
    assert_eq!(world.server().closed.len(), 1);
    world.run_for(SECOND);
    assert_eq!(world.server().running(), 0);
}
