//! How a story begins: machines, paths, files, and what will go wrong.

use std::time::{Duration, SystemTime};

use super::{Contents, Lane, Ledger, NAMES, Story};
use crate::{
    machines::{Fault, Faults, Random, World},
    world::Path,
};

/// Calls within which faults are: more than most machines make.
const MAX_CALL: u64 = 400;

impl Story {
    pub(super) fn new(seed: u64, prints: bool) -> Self {
        let mut random = Random::new(seed, 100);
        let (clients, is_narrow) = (1 + random.below(2), random.one_in(3));
        let paths: Vec<_> = (0..clients).map(|_| path(&mut random, is_narrow)).collect();
        let mut world = World::new(random.next(), &paths);
        if random.one_in(4) {
            world.tighten();
        }
        if random.one_in(8) {
            world.set_max_datagram(1472);
        }
        for mut disk in world.disks() {
            if prints {
                disk.print();
            }
            plan(&mut random, &mut disk.faults, is_narrow);
        }
        let troubles = random.below(4);
        let mut story = Self {
            world,
            random,
            contents: Contents::new(is_narrow),
            ledger: Ledger::default(),
            lanes: Vec::new(),
            sources: std::collections::BTreeMap::new(),
            fetched: std::collections::BTreeMap::new(),
            times: 0,
            looked: u64::MAX,
            is_narrow,
            steps: 0,
            troubles,
            prints,
        };
        story.furnish(clients);
        story
    }

    fn furnish(&mut self, clients: u64) {
        for name in NAMES {
            let version = self.random.one_in(2).then(|| self.contents.make(&mut self.random, None));
            self.ledger.settle(name, version);
            if let Some(version) = version {
                let (content, time) = (self.contents.get(version).clone(), self.next_time());
                let mut disk = self.world.server_disk();
                disk.install(name, &content, time).expect("there is room");
            }
        }
        for client in (0..).take(usize::try_from(clients).expect("few")) {
            for name in NAMES {
                self.fetched.insert((client, format!("got-{name}")), [None].into());
            }
            for _ in 0..=self.random.below(2) {
                let left = 1 + self.random.below(if self.is_narrow { 5 } else { 3 });
                self.lanes.push(Lane { client, left, attempt: None });
            }
        }
    }

    /// A time of modification that nothing else has.
    pub(super) fn next_time(&mut self) -> SystemTime {
        self.times += 1;
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + self.times)
    }
}

fn path(random: &mut Random, is_slow: bool) -> Path {
    let rtt = Duration::from_micros(200 + random.below(20_000));
    // A slow one takes longer than the time after which a part of a file is made durable.
    let rate = if is_slow { 4_000_000 + random.below(6_000_000) } else { 1_000_000_000 };
    let mut path = Path::new(rate, rtt).both(|link| link.mtu = None);
    if random.one_in(3) {
        path = path.loss(0.03);
    }
    if random.one_in(6) {
        path = path.reorder(0.05, rtt).duplicate(0.02).corrupt(0.01);
    }
    path
}

fn plan(random: &mut Random, faults: &mut Faults, is_narrow: bool) {
    let (least, most) = if is_narrow { (2, 6) } else { (0, 4) };
    for _ in 0..least + random.below(most - least) {
        let fault = match random.below(if is_narrow { 14 } else { 8 }) {
            0..=2 => Fault::Io,
            3 => Fault::Full,
            4 | 5 => Fault::Kill,
            _ => Fault::Power,
        };
        faults.plan(1 + random.below(MAX_CALL), fault);
    }
    if random.one_in(4) {
        faults.shorten_one_in(4);
    }
}
