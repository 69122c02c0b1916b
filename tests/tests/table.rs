//! Goodput by loss and delay, as a table that reviewers see change.
//!
//! The worlds repeat to the nanosecond, so the table is compared exactly. `UPDATE_SNAPSHOTS=1` writes it anew.

use std::{fmt::Write as _, fs, path::Path as FilePath, thread, time::Duration};

use gannet_protocol::{Config, CongestionKind};
use gannet_tests::{
    content::Content,
    directory::name,
    host::Job,
    world::{Path, World},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/goodput.txt");

/// The rate of the paths, in bits a second.
const RATE: u64 = 50_000_000;
/// How long each transfer is watched.
const TIME: Duration = Duration::from_secs(5);

const LOSSES: [f64; 7] = [0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3];
const DELAYS: [u64; 6] = [1, 10, 30, 100, 300, 600];

/// Megabits a second that arrive while a file without end is fetched, from when the client is connected.
fn goodput(congestion: CongestionKind, loss: f64, delay: u64) -> f64 {
    let mut config = Config::default();
    config.congestion = congestion;
    // Each cell has losses of its own, lest the luck of one seed shows in all.
    let seed = delay + 1000 * (loss * 1000.0).round() as u64;
    let mut world = World::with_server(seed, config.clone());
    world.set_grain(Duration::from_micros(100));
    world.server_mut().files.insert(&name("file"), Content::pattern(1, 1 << 40));
    let path = world.add_path(Path::new(RATE, Duration::from_millis(delay)).loss(loss));
    let client = world.add_client_on(path, config);
    world.client_mut(client).max_stored = u64::MAX;
    world.start(client, Job::Get(name("file")));
    let connected = |world: &mut World| !world.client(client).connected.is_empty();
    assert!(world.run_until(connected, Duration::from_secs(10)));
    world.run_for(TIME);
    let received = world.client(client).disk().written();
    received as f64 * 8.0 / TIME.as_secs_f64() / 1e6
}

/// The rows of a controller, each in a thread of its own: worlds do not meet.
fn rows(congestion: CongestionKind) -> Vec<String> {
    thread::scope(|scope| {
        let row = |loss| {
            scope.spawn(move || {
                let mut out = format!("{:>5}%", loss * 100.0);
                for delay in DELAYS {
                    write!(out, "{:>10.2}", goodput(congestion, loss, delay)).unwrap();
                }
                out.push('\n');
                out
            })
        };
        let threads = LOSSES.map(row);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn table() -> String {
    let mut out = String::from(
        "Goodput in Mbit/s of a get over its first 5 s, by loss (both ways) and round-trip time.\n\
         The path carries 50 Mbit/s in packets of 1500 bytes and queues a round trip's worth.\n",
    );
    for (title, congestion) in [
        ("CUBIC", CongestionKind::Cubic),
        ("BBR", CongestionKind::Bbr),
        ("Fixed at 45 Mbit/s", CongestionKind::Fixed(45_000_000)),
    ] {
        write!(out, "\n{title}\n  loss").unwrap();
        DELAYS.iter().for_each(|delay| write!(out, "{delay:>7} ms").unwrap());
        out.push('\n');
        for row in rows(congestion) {
            out.push_str(&row);
        }
    }
    out
}

#[test]
fn goodput_by_loss_and_delay() {
    let now = table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(FilePath::new(FILE).parent().expect("it has one")).unwrap();
        fs::write(FILE, &now).unwrap();
    }
    let before = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        now == before,
        "goodput changed; if that is meant, run with UPDATE_SNAPSHOTS=1 and commit the new table.\n\
         {before}\nis now\n{now}"
    );
}
