//! A key that is confined to a directory, while what stands on the way there changes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gannet_driver_mio::{
    client::{Client, Failure},
    trust::{SecretKey, authorize},
};
use gannet_protocol::Status;
use rustix::fs::{RenameFlags, renameat_with};
use tempfile::TempDir;

use super::world::{World, finish, name, root_as};

/// What the key may see.
const PUBLIC: &str = "public";
/// What it may not.
const SECRET: &str = "secret";

/// A key with `dir=a/d`. Beside each directory on the way, and one below, stands a link that can change places with it: `a.out`,
/// `a/d.out` and `a/d/sub.out`. The first two lead to the same tree outside of all that is shared, with another content; the
/// last leads out of the key's directory, but not out of what is shared.
struct Confined {
    world: World,
    client: Client,
    outside: TempDir,
    /// Where the links stand, held, since the ways there change; and the names of what changes places with them.
    places: [(File, &'static str); 3],
}

fn plant(dir: &Path, content: &str) {
    fs::create_dir_all(dir.join("sub")).unwrap();
    for file in ["file", "sub/file"] {
        fs::write(dir.join(file), content).unwrap();
    }
}

impl Confined {
    fn new() -> Self {
        let key = Arc::new(SecretKey::generate().unwrap());
        let outside = tempfile::tempdir().unwrap();
        plant(&outside.path().join("d"), SECRET);
        fs::write(outside.path().join("d/theirs"), SECRET).unwrap();
        let world = World::of_clients(None, |shared, paths| {
            plant(&shared.join("a/d"), PUBLIC);
            plant(&shared.join("others"), SECRET);
            fs::write(shared.join("others/theirs"), SECRET).unwrap();
            symlink(outside.path(), shared.join("a.out")).unwrap();
            symlink(outside.path().join("d"), shared.join("a/d.out")).unwrap();
            symlink("../../others", shared.join("a/d/sub.out")).unwrap();
            let grant = "write dir=a/d".parse().unwrap();
            authorize(&paths.authorized_clients(), &key.public(), &grant, "").unwrap();
        });
        let places = [("", "a"), ("a", "d"), ("a/d", "sub")]
            .map(|(dir, name)| (File::open(world.there(dir)).unwrap(), name));
        let client = world.client_as(&key);
        fs::write(world.here("new"), "new").unwrap();
        Self { world, client, outside, places }
    }

    /// A directory and the link beside it change places.
    fn swap(&self, (dir, name): &(File, &str)) {
        let link = format!("{name}.out");
        renameat_with(dir, *name, dir, link, RenameFlags::EXCHANGE).unwrap();
    }

    /// Every verb, in the directory and below it; what came of each.
    fn try_all(&self, round: usize) -> Vec<Result<(), Status>> {
        let mut came = Vec::new();
        for place in ["", "sub/"] {
            let at = |leaf: &str| format!("{place}{leaf}");
            let got = told(finish(self.client.get(name(&at("file")), self.world.here("got"))));
            if got.is_ok() {
                assert_eq!(fs::read_to_string(self.world.here("got")).unwrap(), PUBLIC);
            }
            let dir = place.strip_suffix('/').map(name);
            let listed = told(finish(self.client.list(dir)));
            if let Ok(entries) = &listed {
                assert!(!entries.iter().any(|entry| entry.name == name("theirs")));
            }
            let put = finish(self.client.put(self.world.here("new"), root_as(&at("new"))));
            let to = name(&at(&format!("renamed{round}")));
            let renamed = finish(self.client.rename(name(&at("new")), to));
            came.extend([got.map(drop), listed.map(drop), told(put).map(drop), told(renamed)]);
        }
        came
    }

    /// All that the key must not change.
    fn rest(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        gather(self.outside.path(), &mut found);
        gather(&self.world.there("others"), &mut found);
        found
    }
}

fn gather(dir: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
}

fn told<T: std::fmt::Debug>(result: Result<T, Failure>) -> Result<T, Status> {
    result.map_err(|failure| match failure {
        Failure::Remote { status, .. } => status,
        failure => panic!("{failure:?}"),
    })
}

/// Ends another thread's loop, even when this one fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `docs/hostile-input.md`, row 43: once any directory on the way, the key's own or one below it has become a link that leads out,
/// no verb follows it; when it is a directory again, all is as before.
#[test]
fn a_confined_key_follows_no_way_that_became_a_link() {
    let confined = Confined::new();
    let before = confined.rest();
    for (round, place) in confined.places.iter().enumerate() {
        assert!(confined.try_all(round * 2).iter().all(Result::is_ok));
        confined.swap(place);
        let came = confined.try_all(round * 2 + 1);
        let (here, below) = came.split_at(came.len() / 2);
        let denied = |came: &[Result<(), Status>]| came.iter().all(|r| *r == Err(Status::Denied));
        assert!(denied(below), "{}: {below:?}", place.1);
        // A link below it does not concern the directory itself.
        let concerned = place.1 != "sub";
        assert!(if concerned { denied(here) } else { here.iter().all(Result::is_ok) }, "{here:?}");
        confined.swap(place);
    }
    assert_eq!(confined.rest(), before);
}

/// `docs/hostile-input.md`, row 44: the same while all of them change places all the time.
#[test]
fn a_confined_key_cannot_leave_at_the_wrong_moment() {
    const ROUNDS: usize = 100;
    // For a machine that runs one thread for long.
    const MOST_ROUNDS: usize = 20_000;
    let confined = Confined::new();
    let before = confined.rest();
    let stop = AtomicBool::new(false);
    let (mut allowed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for place in confined.places.iter().cycle() {
                // Each is a link for as long as it is a directory.
                confined.swap(place);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let _stop = Stop(&stop);
        for round in 0..MOST_ROUNDS {
            if round >= ROUNDS && allowed > 0 && refused > 0 {
                break;
            }
            let came = confined.try_all(round);
            let done = came.iter().filter(|came| came.is_ok()).count();
            allowed += done;
            refused += came.len() - done;
        }
    });
    println!("{allowed} allowed, {refused} refused");
    assert!(allowed > 0 && refused > 0, "both were met: {allowed} {refused}");
    assert_eq!(confined.rest(), before);
}
