//! What a server writes about requests.

use std::{
    fs,
    sync::{Mutex, Once},
};

use log::{LevelFilter, Log, Metadata, Record};

use super::world::{World, finish, name, root_as};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what is logged about requests.
struct Keeper;

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "gannet::request"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// The lines about `what`, without who and how long.
fn lines_about(what: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    let mut about: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(what))
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            assert!(words[0].starts_with("127.0.0.1:"), "{line}");
            let time = words.iter().position(|word| *word == "s:").unwrap() - 1;
            assert!(words[time].parse::<f64>().is_ok(), "{line}");
            [&words[1..time], &words[time + 2..]].concat().join(" ")
        })
        .collect();
    // Each is written when the other side has heard all, which may be later than the next is done.
    about.sort();
    about
}

/// `docs/hostile-input.md`, row 47: names are escaped.
#[test]
fn every_request_has_its_line() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
    let mut world = World::new();
    fs::write(world.there("logged\x1b[2J"), "12345").unwrap();
    fs::write(world.here("file"), "1234567").unwrap();
    fs::write(world.here("empty"), "").unwrap();
    fs::create_dir(world.there("logged-dir")).unwrap();
    let client = world.client();
    finish(client.get(name("logged\x1b[2J"), world.here("copy"))).unwrap();
    finish(client.get(name("logged-missing"), world.here("copy"))).unwrap_err();
    finish(client.list(Some(name("logged-dir")))).unwrap();
    finish(client.put(world.here("empty"), root_as("logged-none/x"))).unwrap_err();
    finish(client.put(world.here("file"), root_as("logged-dir"))).unwrap();
    finish(client.rename(name("logged-dir/logged-dir"), name("logged-moved"))).unwrap();
    drop(client);
    world.stopper.stop();
    world.join();
    let expected = [
        "get logged-missing 0 bytes not found",
        r"get logged\u{1b}[2J 5 bytes done",
        "list logged-dir 0 bytes done",
        "put logged-dir/logged-dir 7 bytes done",
        "put logged-none/x 0 bytes not found",
        "rename logged-dir/logged-dir -> logged-moved 0 bytes done",
    ];
    assert_eq!(lines_about("logged"), expected);
}
