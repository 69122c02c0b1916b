//! Links that nobody chose: rates, delays, losses, queues and packet sizes as a seed has them.
//!
//! `GANNET_LINKS=N` looks at the first N of them and prints what came of the worst, and `GANNET_LINK=SEED` at that one:
//!
//!     GANNET_LINKS=500 cargo test -p gannet-tests --test links -- --nocapture

use std::{
    cell::RefCell,
    env, fmt,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use gannet_driver_mio::netem::Queue;
use gannet_tests::{
    machines::Random,
    scenario::{Moved, Scenario, Way},
    world::{ClientId, Path, World},
};

/// What of a packet is no byte of a file: the headers of IP, UDP and gannet, and the tag.
const OVERHEAD: u64 = 72;
/// IP and UDP.
const HEADERS: u64 = 28;
/// Most packets of a file, so that a fast link takes no longer to look at than a slow one.
const PACKETS: u64 = 60_000;
/// Most bytes that a path holds: half of the largest window.
const MOST_HELD: f64 = 16e6;
const MBIT: f64 = 1e6;
/// Times what is allowed after which a transfer is given up.
const SLOWEST: u32 = 4;
/// Times what is allowed that a link may take: some have queues of five packets, or are so fast and long that to find the rate
/// takes twelve round trips.
const MOST: f64 = 1.4;
/// Between looks at the queue.
const GLANCE: Duration = Duration::from_millis(20);

/// A link, and a file that goes over it.
#[derive(Clone, Debug)]
struct Link {
    seed: u64,
    way: Way,
    path: Path,
    /// Bits a second on the way of the file, and back.
    rates: [f64; 2],
    rtt: Duration,
    /// Of the way of the file, and packets that are lost in a row.
    loss: f64,
    burst: f64,
    back_loss: f64,
    /// Bytes of a packet on the wire.
    mtu: u64,
    /// In packets, of the way of the file.
    queue: u64,
    len: u64,
}

/// What came of it.
struct Result {
    link: Link,
    /// Time, as a part of what is allowed; none if it did not end.
    ratio: Option<f64>,
    /// Bytes sent again for nothing, as a part of the file.
    wasted: f64,
    /// Packets that found the queue full, of all.
    overrun: f64,
    /// Mean round-trip time beyond the path's, in the path's.
    queued: f64,
}

impl Link {
    fn new(seed: u64) -> Self {
        let mut dice = Random::new(seed, 77);
        let mut between = |least: f64, most: f64| least * (most / least).powf(dice.share());
        let rate = between(1.0, 1000.0) * MBIT;
        let rtt = between(0.0005, 0.8).min(MOST_HELD * 8.0 / rate);
        let (loss, burst) = (between(0.001, 0.1), between(3.0, 20.0));
        let (back, round_trips) = (between(5.0, 50.0), between(0.1, 8.0));
        let (seconds, jitter, late) = (between(5.0, 20.0), between(0.01, 0.2), between(0.02, 0.5));
        let reordered = between(0.001, 0.02);
        let way = *dice.pick(&Way::BOTH);
        let mtu = *dice.pick(&[1500, 1500, 1500, 1280, 1400, 9000]);
        let loss = if dice.below(5) < 2 { 0.0 } else { loss };
        let burst = if loss > 0.0 && dice.one_in(3) { burst } else { 1.0 };
        let back_loss = *dice.pick(&[0.0, loss, loss.max(0.02)]);
        let back = if dice.one_in(3) { back } else { 1.0 };
        let held = rate * rtt / 8.0;
        let packets = (held * round_trips / mtu as f64) as u64;
        let queue = if dice.one_in(4) { 5 + dice.below(16) } else { packets.max(5) };
        let jitter = if dice.one_in(3) { jitter * rtt } else { 0.0 };
        let reordered = if dice.one_in(3) { reordered } else { 0.0 };
        let carried = rate / 8.0 * (1.0 - loss) * (mtu - OVERHEAD) as f64 / mtu as f64;
        let len = (carried * seconds) as u64;
        let rtt = Duration::from_secs_f64(rtt);
        let mut path = Path::new(rate as u64, rtt).mtu((mtu - HEADERS) as usize).both(|link| {
            link.jitter = Duration::from_secs_f64(jitter);
            link.queue = Queue::Bytes(queue * mtu);
        });
        if reordered > 0.0 {
            path = path.reorder(reordered, rtt.mul_f64(late));
        }
        let (up, down) = (&mut path.up, &mut path.down);
        let (out, home) = if way == Way::Get { (down, up) } else { (up, down) };
        if burst > 1.0 {
            out.burst = Path::default().bursts(loss, burst).up.burst;
        } else {
            out.loss = loss;
        }
        home.loss = back_loss;
        home.rate = Some((rate / back) as u64);
        home.queue = Queue::Bytes(((queue * mtu) as f64 / back).max(10.0 * mtu as f64) as u64);
        let len = len.min(PACKETS * (mtu - OVERHEAD));
        let rates = [rate, rate / back];
        Self { seed, way, path, rates, rtt, loss, burst, back_loss, mtu, queue, len }
    }

    /// The part of the link's rate that is to be used: 97% without loss, 85% at a tenth.
    fn part(&self) -> f64 {
        let points = [(0.0, 0.97), (0.01, 0.95), (0.05, 0.9), (0.1, 0.85)];
        let mut part = 0.85;
        for pair in points.windows(2) {
            let [(from, high), (to, low)] = [pair[0], pair[1]];
            if (from..=to).contains(&self.loss) {
                part = high + (low - high) * (self.loss - from) / (to - from);
            }
        }
        part
    }

    /// The time that the file may take.
    fn allowed(&self) -> Duration {
        let share = (self.mtu - OVERHEAD) as f64 / self.mtu as f64;
        let carried = self.part() * self.rates[0] * (1.0 - self.loss) * share;
        Duration::from_secs_f64(self.len as f64 * 8.0 / carried) + 10 * self.rtt
    }

    fn run(self) -> Result {
        let mut scenario = Scenario::new(self.seed, self.path.clone(), self.way, self.len);
        if self.rates[0] > 200.0 * MBIT {
            scenario.world.set_grain(Duration::from_micros(50));
        }
        let samples = Rc::default();
        watch(&mut scenario.world, (scenario.client, self.way), Rc::clone(&samples));
        let allowed = self.allowed();
        let moved = scenario.try_run(SLOWEST * allowed);
        let world = &scenario.world;
        let (up, down) = world.counters(scenario.client);
        let out = if self.way == Way::Get { down } else { up };
        let overrun = out.dropped_queue as f64 / out.packets as f64;
        let ratio = world.elapsed().as_secs_f64() / allowed.as_secs_f64();
        let samples: &Vec<Duration> = &samples.borrow();
        let mean = samples.iter().sum::<Duration>().as_secs_f64() / samples.len().max(1) as f64;
        let queued = mean / self.rtt.as_secs_f64() - 1.0;
        let wasted = |moved: Moved| moved.wasted() as f64 / moved.len as f64;
        let (ratio, wasted) = (moved.map(|_| ratio), moved.map_or(1.0, wasted));
        Result { link: self, ratio, wasted, overrun, queued }
    }
}

/// Notes the round-trip time now and then.
fn watch(world: &mut World, of: (ClientId, Way), samples: Rc<RefCell<Vec<Duration>>>) {
    let next = world.now() + GLANCE;
    world.at(next, move |world| {
        let stats = match of.1 {
            Way::Get => world.server_stats(),
            Way::Put => world.client_stats(of.0),
        };
        if let Some(stats) = stats {
            samples.borrow_mut().push(stats.latest_rtt);
        }
        watch(world, of, samples);
    });
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, ratio, wasted, overrun, queued } = self;
        let held = link.rates[0] * link.rtt.as_secs_f64() / 8.0 / link.mtu as f64;
        let jitter = link.path.up.jitter.as_secs_f64() * 1e3;
        let reorder = (link.path.up.reorder * 1e2, link.path.up.reorder_by.as_secs_f64() * 1e3);
        write!(f, "{:>5} {:>6.3} waste {:>5.2}% ", link.seed, ratio.unwrap_or(99.0), wasted * 1e2)?;
        write!(f, "overrun {:>5.2}% queued {queued:>5.2} | {:?} ", overrun * 1e2, link.way)?;
        let [rate, back] = link.rates.map(|rate| rate / MBIT);
        write!(f, "{rate:.1}/{back:.1} Mbit {:.1} ms, ", link.rtt.as_secs_f64() * 1e3)?;
        write!(f, "loss {:.2}%x{:.0}/{:.2}%, ", link.loss * 1e2, link.burst, link.back_loss * 1e2)?;
        let queue = link.queue as f64;
        write!(f, "queue {queue} ({:.2} BDP), mtu {}, ", queue / held, link.mtu)?;
        write!(f, "jitter {jitter:.2}, reorder {:.2}% by {:.1}, ", reorder.0, reorder.1)?;
        write!(
            f,
            "{:.2} of {:.2} s",
            ratio.unwrap_or(0.0) * link.allowed().as_secs_f64(),
            link.allowed().as_secs_f64()
        )
    }
}

/// Looks at the links of these seeds, two at a time; the worst come first.
fn look_at(seeds: &[u64]) -> Vec<Result> {
    let next = AtomicU64::new(0);
    let mut results: Vec<_> = thread::scope(|scope| {
        let work = || {
            let take = || usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok();
            let mut results = Vec::new();
            while let Some(seed) = take().and_then(|at| seeds.get(at)) {
                results.push(Link::new(*seed).run());
            }
            results
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let badness = |result: &Result| result.ratio.unwrap_or(f64::INFINITY);
    results.sort_by(|a, b| badness(b).total_cmp(&badness(a)));
    results
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Fails with those that took longer than their part of the yardstick, or sent much for nothing.
fn check(results: &[Result], most: impl Fn(u64) -> f64) {
    let is_bad = |result: &&Result| {
        result.ratio.is_none_or(|ratio| ratio > most(result.link.seed)) || result.wasted > 0.02
    };
    let bad: Vec<_> = results.iter().filter(is_bad).map(ToString::to_string).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn links_that_nobody_chose_are_used() {
    let seeds: Vec<u64> = match (number("GANNET_LINK"), number("GANNET_LINKS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => (0..count).collect(),
        (None, None) => return check(&look_at(&Vec::from_iter(0..12)), |_| MOST),
    };
    let results = look_at(&seeds);
    results.iter().for_each(|result| println!("{result}"));
    let ratio = |result: &Result| result.ratio.unwrap_or(SLOWEST.into());
    let mean = results.iter().map(|result| ratio(result).ln()).sum::<f64>() / results.len() as f64;
    let late = results.iter().filter(|result| ratio(result) > 1.0).count();
    println!("{} links, {:.3} of the yardstick on average, {late} late", results.len(), mean.exp());
}

/// Queues of a few packets, jitter that looked like a queue, bursts of losses that took the whole window: each took two to five
/// times as long once, or never ended.
#[test]
fn links_that_were_used_badly_are_used() {
    let links = [(55, 1.1), (165, 1.6), (235, 1.1), (331, 1.2), (344, 1.6), (466, 1.1), (569, 1.0)];
    let results = look_at(&links.map(|(seed, _)| seed));
    check(&results, |seed| links.iter().find(|link| link.0 == seed).map_or(MOST, |link| link.1));
}
