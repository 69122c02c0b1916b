//! Files with holes.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use gannet_driver_mio::{
    client::{Client, Job, Transferred},
    netem::{LinkConfig, Relay},
    partials,
};

use gannet_protocol::How;

use super::world::{World, assert_holds, content, finish, name, root_as};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes of a file, and where they start.
type Data<'a> = (u64, &'a [u8]);

/// A file of `len` bytes that holds `data` at these places. False if its file system does not tell of holes.
fn sparse(path: &Path, len: u64, data: &[Data<'_>]) -> bool {
    let file = File::create(path).unwrap();
    file.set_len(MIB).unwrap();
    let is_told = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)).is_ok_and(|at| at == 0);
    if !is_told || file.metadata().unwrap().blocks() != 0 {
        eprintln!("SKIPPED: the file system at {} tells of no holes", path.display());
        return false;
    }
    file.set_len(len).unwrap();
    data.iter().for_each(|(at, bytes)| file.write_all_at(bytes, *at).unwrap());
    true
}

/// Bytes that it takes on the disk.
fn allocated(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// Compares two files where either holds data.
fn assert_same(a: &Path, b: &Path) {
    let files = [a, b].map(|path| File::open(path).unwrap());
    let [len, other] = files.each_ref().map(|file| file.metadata().unwrap().len());
    assert_eq!(len, other);
    let mut at = 0;
    loop {
        let data = |file| rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)).unwrap_or(len);
        at = files.iter().map(data).min().unwrap();
        if at >= len {
            return;
        }
        let [left, right] = files.each_ref().map(|file| {
            let mut bytes = vec![0; MIB.min(len - at) as usize];
            file.read_exact_at(&mut bytes, at).unwrap();
            bytes
        });
        let is_zero = [&left, &right].map(|bytes| bytes.iter().all(|byte| *byte == 0));
        assert!(left == right, "near {at}; all zeros: {is_zero:?}");
        at += MIB;
    }
}

/// What went through a relay, both ways.
fn travelled(world: &World, start: impl FnOnce(&Client) -> Job<Transferred>) -> (Transferred, u64) {
    let link = LinkConfig::default();
    let relay = Relay::start(world.address, link.clone(), link).unwrap();
    let client = world.client_over(relay.address());
    let done = finish(start(&client)).unwrap();
    drop(client);
    let report = relay.stop();
    (done, report.forward.delivered_bytes + report.back.delivered_bytes)
}

#[test]
fn a_sparse_file_costs_what_it_holds() {
    let world = World::new();
    let bytes = content(1, 300_000);
    let data = [(0, &bytes[..]), (GIB + 5, &bytes[7..]), (3 * GIB + 12_345, &bytes[..])];
    if !sparse(&world.there("get"), 4 * GIB, &data) || !sparse(&world.here("put"), 4 * GIB, &data) {
        return;
    }
    let (got, cost_of_get) = travelled(&world, |client| client.get(name("get"), world.here("got")));
    let (put, cost_of_put) =
        travelled(&world, |client| client.put(world.here("put"), root_as("stored")));
    for (done, cost) in [(got, cost_of_get), (put, cost_of_put)] {
        assert_eq!((done.len, done.hash, done.kept), (4 * GIB, None, 0));
        let travelled = done.len - done.holes;
        assert!((900_000..5 * MIB).contains(&travelled), "{travelled}");
        assert!(cost < 5 * MIB, "{cost}");
    }
    for (from, to) in [("get", "got"), ("put", "stored")] {
        let (from, to) = if from == "get" {
            (world.there(from), world.here(to))
        } else {
            (world.here(from), world.there(to))
        };
        assert_same(&from, &to);
        assert!(allocated(&to) < 5 * MIB, "{}", allocated(&to));
    }
}

/// Above 16 GiB groups are longer than blocks.
#[test]
fn holes_of_every_kind_arrive_as_they_are() {
    let world = World::new();
    let client = world.client();
    let (bytes, long) = (content(2, 5), content(3, 3 << 20));
    let some = |at| (at, &bytes[..]);
    let cases: [(u64, Vec<Data<'_>>); 8] = [
        (MIB, vec![]),
        (7 * MIB + 5, vec![]),
        (7 * MIB + 5, vec![(0, &long)]),
        (7 * MIB + 5, vec![(4 * MIB + 5, &long)]),
        (5 * MIB, vec![some(100_000), some(MIB + 500_000), some(3 * MIB), some(4 * MIB + 9)]),
        (MIB - 1, vec![]),
        (17 * GIB + 9, vec![some(0), some(3 * MIB + 7), some(9 * GIB - 2), some(12 * GIB + MIB)]),
        (17 * GIB, vec![some(17 * GIB - 5)]),
    ];
    for (at, (len, data)) in cases.iter().enumerate() {
        let [a, b, c] = ["a", "b", "c"].map(|letter| format!("{letter}-{at}"));
        if !sparse(&world.here(&a), *len, data) {
            return;
        }
        let put = finish(client.put(world.here(&a), root_as(&b))).unwrap();
        let got = finish(client.get(name(&b), world.here(&c))).unwrap();
        assert_eq!((put.len, got.len, put.hash), (*len, *len, got.hash), "{at}");
        for path in [world.there(&b), world.here(&c)] {
            let end = fs::metadata(&path).unwrap().len();
            assert_eq!(end, *len, "{at}");
            let most = 9 * MIB.min(data.len() as u64 * 4 * MIB) + MIB;
            assert!(allocated(&path) <= most, "{at}: {}", allocated(&path));
            if *len < GIB {
                assert_same(&world.here(&a), &path);
            }
            let file = File::open(&path).unwrap();
            for (place, bytes) in data {
                let mut held = vec![0; bytes.len()];
                file.read_exact_at(&mut held, *place).unwrap();
                assert!(held == *bytes, "{at}");
            }
        }
        if put.hash.is_some() {
            assert_eq!(
                put.hash,
                Some(*blake3::hash(&fs::read(world.here(&a)).unwrap()).as_bytes())
            );
        }
    }
}

/// An image is often longer than the disk that it is on.
#[test]
fn a_sparse_file_need_not_fit_with_its_holes() {
    let world = World::new();
    let disk = rustix::fs::statvfs(world.there("")).unwrap();
    let len = disk.f_bavail * disk.f_frsize + GIB;
    let bytes = content(1, 100_000);
    if !sparse(&world.here("a"), len, &[(len / 2, &bytes)]) {
        return;
    }
    let client = world.client();
    finish(client.put(world.here("a"), root_as("b"))).unwrap();
    finish(client.get(name("b"), world.here("c"))).unwrap();
    let file = File::open(world.here("c")).unwrap();
    let mut held = vec![0; bytes.len()];
    file.read_exact_at(&mut held, len / 2).unwrap();
    assert!(held == bytes && file.metadata().unwrap().len() == len);
    assert!(allocated(&world.here("c")) < 3 * MIB);
}

#[test]
fn what_stood_where_a_hole_is_is_gone() {
    let world = World::new();
    let client = world.client();
    let old = content(5, 8 << 20);
    let mut new = old.clone();
    new[2 << 20..5 << 20].fill(0);
    if !sparse(&world.here("new"), 8 * MIB, &[(0, &new[..2 << 20]), (5 * MIB, &new[5 << 20..])]) {
        return;
    }
    fs::write(world.there("file"), &old).unwrap();
    let check = How { check: true, ..How::default() };
    let done = finish(client.put_as(world.here("new"), root_as("file"), check)).unwrap();
    let hash = Some(*blake3::hash(&new).as_bytes());
    assert_eq!((done.kept, done.holes, done.hash), (5 * MIB, 3 * MIB, hash));
    assert_holds(&world.there("file"), &new);
    assert!(allocated(&world.there("file")) <= 5 * MIB + 64 * 1024);
}

/// As `b3sum` would print it.
#[test]
fn the_hash_of_a_sparse_file_is_computed_only_by_wish() {
    let world = World::new();
    let bytes = content(1, 300_000);
    let len = 70 * MIB + 5;
    let data = [(3 * MIB, &bytes[..]), (20 * MIB + 5, &bytes[7..])];
    for (name, len) in [("long", len), ("empty", 3 * MIB), ("one", MIB)] {
        let data = if len > 20 * MIB { &data[..] } else { &[] };
        if !sparse(&world.there(name), len, data) || !sparse(&world.here(name), len, data) {
            return;
        }
    }
    let client = world.client();
    let check = How { check: true, ..How::default() };
    for file in ["long", "empty", "one"] {
        let hash = Some(*blake3::hash(&fs::read(world.here(file)).unwrap()).as_bytes());
        let ways: [(How, &str, Option<[u8; 32]>); 2] =
            [(How::default(), "plain", None), (check, "checked", hash)];
        for (how, to, expected) in ways {
            let (copy, stored) = (format!("{file}-{to}"), root_as(&format!("{file}-{to}")));
            let got = finish(client.get_as(name(file), world.here(&copy), how)).unwrap();
            let put = finish(client.put_as(world.here(file), stored, how)).unwrap();
            assert_eq!((got.hash, put.hash), (expected, expected), "{copy}");
            assert_same(&world.here(file), &world.there(&copy));
            assert_same(&world.there(file), &world.here(&copy));
            assert!(allocated(&world.here(&copy)) < 4 * MIB);
        }
        // The same once more is unchanged, holes and all.
        let (copy, stored) = (format!("{file}-checked"), root_as(&format!("{file}-checked")));
        let got = finish(client.get_as(name(file), world.here(&copy), check)).unwrap();
        let put = finish(client.put_as(world.here(file), stored, check)).unwrap();
        assert!(got.unchanged && put.unchanged, "{got:?} {put:?}");
        assert_eq!((got.hash, got.kept, got.holes), (hash, got.len, 0));
        // Nothing but bytes in place of a hole.
        let other = File::options().write(true).open(world.there(&copy)).unwrap();
        other.write_all_at(b"x", 9).unwrap();
        let modified = fs::metadata(world.here(file)).unwrap().modified().unwrap();
        other.set_modified(modified).unwrap();
        let stored = root_as(&copy);
        let put = finish(client.put_as(world.here(file), stored, check)).unwrap();
        assert!(!put.unchanged && put.hash == hash, "{put:?}");
        assert_same(&world.here(file), &world.there(&copy));
    }
}

/// Nothing of it has to be compared, but what stands there is hashed all the same, and that is told before the end.
#[test]
fn a_file_that_is_all_hole_takes_the_place_of_a_long_one() {
    let world = World::new();
    let old = content(7, 12 << 20);
    for at in [world.here("hollow"), world.there("hollow")] {
        if !sparse(&at, 12 * MIB, &[]) {
            return;
        }
    }
    let client = world.client();
    for check in [false, true] {
        let how = How { check, ..How::default() };
        for path in [world.there("stored"), world.here("got")] {
            fs::write(&path, &old).unwrap();
            // A file of the same length and time would be taken for the same, and the system's clock ticks slowly.
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        let put = finish(client.put_as(world.here("hollow"), root_as("stored"), how)).unwrap();
        let got = finish(client.get_as(name("hollow"), world.here("got"), how)).unwrap();
        println!("check {check}: {put:?}, {got:?}");
        assert_same(&world.here("hollow"), &world.there("stored"));
        assert_same(&world.there("hollow"), &world.here("got"));
    }
}

/// `docs/hostile-input.md`, row 55.
#[test]
fn a_sparse_file_is_gone_on_with() {
    let world = World::new();
    let bytes = content(1, 24 << 20);
    let data = [(GIB, &bytes[..12 << 20]), (3 * GIB / 2, &bytes[12 << 20..])];
    if !sparse(&world.there("file"), 2 * GIB, &data) {
        return;
    }
    let link = LinkConfig { rate: Some(400_000_000), ..LinkConfig::default() };
    let relay = Relay::start(world.address, link.clone(), link).unwrap();
    let client = world.client_over(relay.address());
    let job = client.get(name("file"), world.here("copy"));
    while job.progress().done < 2 * GIB - 14 * MIB {
        std::thread::sleep(Duration::from_millis(1));
    }
    client.abort();
    drop(job);
    drop(relay);
    let left = partials::find(&world.here("")).unwrap();
    assert!(left[0].kept >= 2 * MIB && left[0].kept <= 24 * MIB, "{left:?}");
    let (done, cost) = travelled(&world, |client| client.get(name("file"), world.here("copy")));
    assert_eq!(done.kept, left[0].kept);
    let rest = 24 * MIB - done.kept;
    assert!(cost < rest + rest / 5 + MIB, "{cost} for {rest}");
    assert_same(&world.there("file"), &world.here("copy"));
    assert!(allocated(&world.here("copy")) < 25 * MIB);
}

/// Compares what is written with a file, without keeping it.
struct Comparing(File, Arc<Mutex<u64>>);

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut expected = vec![0; bytes.len()];
        self.0.read_exact(&mut expected)?;
        assert!(expected == bytes);
        *self.1.lock().unwrap() += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn holes_are_zeros_in_a_pipe() {
    let world = World::new();
    let (bytes, len) = (content(1, 1_500_000), GIB + 77);
    if !sparse(&world.there("file"), len, &[(0, &bytes), (GIB / 2 + 3, &bytes)]) {
        return;
    }
    let written = Arc::new(Mutex::new(0));
    let file = File::open(world.there("file")).unwrap();
    let (done, cost) = travelled(&world, |client| {
        client.get_stream(name("file"), Comparing(file, Arc::clone(&written)))
    });
    assert_eq!((done.len, done.hash, *written.lock().unwrap()), (len, None, len));
    assert!(cost < 6 * MIB, "{cost}");
}
