//! Any of the cases at once, as a seed has it.

use std::{ops::RangeInclusive, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_tests::{
    content::Content,
    scenario::Way,
    world::{Nat, Path, Rebind},
};

use crate::{
    MS, SECOND, case,
    hosts::{Hosts, check, start},
};

/// The slowest of thousands of stories took a third of it.
const LIMIT: Duration = Duration::from_secs(1800);

/// Draws from a seed: Steele, Lea and Flood's `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.next() % (range.end() - range.start() + 1)
    }

    fn ms(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// One time in three.
    fn happens(&mut self) -> bool {
        self.next().is_multiple_of(3)
    }

    /// Up to so many in a thousand, one time in three.
    fn chance(&mut self, most: u64) -> f64 {
        if self.happens() { self.within(1..=most) as f64 / 1000.0 } else { 0.0 }
    }

    fn of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[self.within(0..=N as u64 - 1) as usize]
    }
}

/// A path of anything that the other cases have, and what they have not: reordering, repetition and jitter.
fn weather(dice: &mut Dice) -> (Path, Duration) {
    let rtt = dice.of([2, 30, 100, 400]) * MS;
    let mut path = Path::new(dice.of([1, 5, 20, 100]) * 1_000_000, rtt);
    path = path.queue(dice.of([Queue::Packets(5), Queue::Packets(25), Queue::Bytes(1 << 18)]));
    path = path.loss(dice.chance(100)).corrupt(dice.chance(50)).duplicate(dice.chance(100));
    path = path.reorder(dice.chance(200), rtt / 4);
    if dice.happens() {
        path = path.bursts(dice.within(1..=80) as f64 / 1000.0, dice.within(2..=3) as f64);
    }
    if dice.happens() {
        path = path.both(|link| link.jitter = rtt / 5);
    }
    if dice.happens() {
        // No more than a quarter: with much less a server is right to give up what moves too little.
        let (first, on) = (dice.ms(0..=3000), dice.ms(2000..=6000));
        let off = on * dice.within(1..=8) as u32 / 24;
        let spans: Vec<_> = (0..200).map(|i| first + (on + off) * i).map(|s| s..s + off).collect();
        match dice.within(0..=2) {
            0 => path.up.blackouts = spans,
            1 => path.down.blackouts = spans,
            _ => path = path.blackouts(&spans),
        }
    }
    (path, rtt)
}

/// Up to three files each way.
fn files(dice: &mut Dice) -> Vec<(Way, u64)> {
    let ways = dice.of([&[Way::Get][..], &[Way::Put], &Way::BOTH]);
    let mut lens = || (0..dice.within(1..=3)).map(|_| dice.within(0..=400_000)).collect::<Vec<_>>();
    ways.iter().flat_map(|way| lens().into_iter().map(|len| (*way, len))).collect()
}

/// All files arrive over the one connection, whatever the weather.
#[test]
fn soak() {
    case("soak", 400, |seed| {
        let mut dice = Dice(seed);
        let (path, rtt) = weather(&mut dice);
        println!("{path:?}");
        // Losses are counted in packets, of which who waits sends few: one story in thousands would be silent for the usual 30 s.
        let hosts = Hosts::new(seed).tuned(|config| {
            config.connect_timeout = 300 * SECOND;
            config.idle_timeout = 300 * SECOND;
        });
        let mut world = hosts.world();
        let client = hosts.client(&mut world, path);
        if dice.happens() {
            let what = dice.of([Rebind::Port, Rebind::Address]);
            let nat = dice.of([Nat::Near, Nat::Halfway]);
            // A client that is never in a place for some round trips gets nowhere.
            let period = dice.ms(500..=4000) + rtt * dice.within(4..=10) as u32;
            println!("{what:?} each {period:?}, {nat:?}");
            world.set_nat(nat);
            world.rebind_every(client, what, period);
        }
        let files = files(&mut dice);
        println!("{files:?}");
        let jobs: Vec<_> = (0..)
            .zip(&files)
            .map(|(i, (way, len))| {
                let content = Content::pattern(i, *len);
                (start(&mut world, client, *way, &format!("{i}"), &content), content)
            })
            .collect();
        world.run_until_idle(LIMIT);
        for (job, content) in jobs {
            check(&world, client, job, &content);
        }
        assert_eq!(world.server().connected.len(), 1, "another connection was needed");
    });
}
