//! How near transfers come to what their links carry.
//!
//! The yardstick of a link is the time in which its rate, less what it loses, carries the bytes of a file in packets of 1500
//! bytes, at a part of that rate that the link says, and ten round trips for connecting, asking and finding the rate.

use std::{thread, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_tests::{
    scenario::{Moved, Scenario, Way},
    world::Path,
};

/// Bytes of a file in a packet of 1500: less the headers of IP, UDP and gannet, and the tag.
const PAYLOAD: f64 = 1428.0 / 1500.0;

/// A link, what it loses, the part of its rate that is to be used, and megabytes of a file.
struct Link {
    name: &'static str,
    rate: u64,
    rtt: Duration,
    path: Path,
    loss: f64,
    part: f64,
    megabytes: u64,
}

impl Link {
    fn new(name: &'static str, mbit: u64, rtt: u64, part: f64) -> Self {
        let (rate, rtt) = (mbit * 1_000_000, Duration::from_millis(rtt));
        Self { name, rate, rtt, path: Path::new(rate, rtt), loss: 0.0, part, megabytes: 25 }
    }

    fn loss(self, loss: f64) -> Self {
        Self { path: self.path.loss(loss), loss, ..self }
    }

    fn bursts(self, loss: f64) -> Self {
        Self { path: self.path.bursts(loss, 10.0), loss, ..self }
    }

    fn queue(self, queue: Queue) -> Self {
        Self { path: self.path.queue(queue), ..self }
    }

    fn megabytes(self, megabytes: u64) -> Self {
        Self { megabytes, ..self }
    }

    fn unsteady(self) -> Self {
        let path = self.path.reorder(0.01, Duration::from_millis(1));
        Self { path: path.both(|link| link.jitter = Duration::from_micros(500)), ..self }
    }

    fn allowed(&self) -> Duration {
        let carried = self.part * self.rate as f64 * (1.0 - self.loss) * PAYLOAD;
        let bits = (self.megabytes * 8_000_000) as f64;
        Duration::from_secs_f64(bits / carried) + 10 * self.rtt
    }

    /// From the start of the client to the end.
    fn run(&self, seed: u64) -> (Duration, Moved) {
        let len = self.megabytes * 1_000_000;
        let mut scenario = scenario(seed, self.path.clone(), len);
        let moved = scenario.run(Duration::from_secs(120));
        (scenario.world.elapsed(), moved)
    }
}

/// A get.
fn scenario(seed: u64, path: Path, len: u64) -> Scenario {
    Scenario::new(seed, path, Way::Get, len)
}

fn links() -> Vec<Link> {
    let shallow = |mbit: u64, rtt: u64| Queue::Bytes(mbit * 125 * rtt / 4);
    vec![
        Link::new("clean, 10 ms", 100, 10, 0.97),
        Link::new("clean, 100 ms", 100, 100, 0.97),
        Link::new("reordering and jitter", 100, 30, 0.97).unsteady(),
        Link::new("0.1% at 100 ms", 100, 100, 0.95).loss(0.001),
        Link::new("1% at 100 ms", 100, 100, 0.95).loss(0.01),
        Link::new("5% at 200 ms", 100, 200, 0.9).loss(0.05).megabytes(50),
        Link::new("1% at 600 ms", 20, 600, 0.9).loss(0.01).megabytes(20),
        Link::new("10% at 30 ms", 100, 30, 0.9).loss(0.1),
        Link::new("bursts of 2%", 100, 50, 0.95).bursts(0.02),
        Link::new("bursts of 10%", 100, 50, 0.85).bursts(0.1),
        Link::new("a short queue, 40 ms", 100, 40, 0.97).queue(shallow(100, 40)),
        Link::new("1% and a short queue", 100, 40, 0.95).loss(0.01).queue(shallow(100, 40)),
    ]
}

/// Of three seeds, the middle one counts: a transfer may have bad luck in its first round trips.
#[test]
fn transfers_come_near_what_links_carry() {
    let links = links();
    let late: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            links.iter().map(|link| scope.spawn(move || check(link).err())).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(late.is_empty(), "{}", late.join("\n"));
}

fn check(link: &Link) -> Result<(), String> {
    let allowed = link.allowed();
    let mut times = Vec::new();
    for seed in 1..=3 {
        let (time, moved) = link.run(seed);
        // What nothing was dropped for, beside a file's bytes.
        let wasted = moved.wasted() as f64 / moved.len as f64;
        if wasted > 0.02 {
            return Err(format!("{}, seed {seed}: {wasted:.4} wasted", link.name));
        }
        times.push(time);
    }
    times.sort();
    match times.get(1) {
        Some(middle) if *middle <= allowed => Ok(()),
        _ => Err(format!("{}: {times:.2?} of {allowed:.2?}", link.name)),
    }
}

/// A rate that doubles or halves while a file moves is followed within ten round trips, from what was used of it before.
#[test]
fn a_rate_that_changes_is_followed() {
    let rtt = Duration::from_millis(100);
    for (from, to) in [(50, 100), (100, 50)] {
        let at = Duration::from_secs(8);
        let path = Path::new(from * 1_000_000, rtt)
            .both(|link| link.rate_changes = vec![(at, to * 1_000_000)]);
        let mut scenario = scenario(1, path, 1 << 40);
        let world = &mut scenario.world;
        world.client_mut(scenario.client).max_stored = u64::MAX;
        world.run_for(at + 12 * rtt - world.elapsed());
        let before = world.client(scenario.client).disk().written();
        world.run_for(10 * rtt);
        let bits = (world.client(scenario.client).disk().written() - before) * 8;
        let used = bits as f64 / (10 * rtt).as_secs_f64() / (to as f64 * 1e6 * PAYLOAD);
        assert!(used > 0.85, "{from} to {to}: {used:.2}");
    }
}
