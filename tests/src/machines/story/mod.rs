//! What happens in a world of machines, as a seed has it, and what has to be true all the time.

mod content;
mod ledger;
mod play;
mod setting;

use std::{collections::BTreeMap, path::Path, time::Duration};

use gannet_driver_mio::{client::Failure, partials};
use gannet_protocol::{How, Status};

use super::{Command, End, Fault, JobId, Random, World};
use content::{Contents, Version};
use ledger::{Change, Ledger, States};

/// Time in which all comes to its end: some restarts, and connections that are found to be lost.
const PATIENCE: Duration = Duration::from_secs(1800);
/// The same in events: a hundred times what most need.
const MAX_STEPS: u64 = 3_000_000;
/// Names at the server.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A world of machines in which files are put, fetched, renamed and removed, while calls fail, processes are killed and the power
/// fails, until all that was to be done is done.
#[derive(Debug)]
pub struct Story {
    world: World,
    random: Random,
    contents: Contents,
    ledger: Ledger,
    lanes: Vec<Lane>,
    /// What a client's files to be put hold now.
    sources: BTreeMap<(usize, String), Version>,
    /// What a client's fetched files may hold.
    fetched: BTreeMap<(usize, String), States>,
    /// Times of modification so far: no two are equal.
    times: u64,
    /// Changes of names that were looked at.
    looked: u64,
    /// Whether it is about long files of one name that are put again and again.
    is_narrow: bool,
    steps: u64,
    /// How often something goes wrong yet that is no call of a disk.
    troubles: u64,
    prints: bool,
}

/// Something that a client does one after the other.
#[derive(Debug)]
struct Lane {
    client: usize,
    /// How much is left to be done.
    left: u64,
    attempt: Option<Attempt>,
}

/// One attempt.
#[derive(Debug)]
struct Attempt {
    job: JobId,
    command: Command,
    change: Option<Change>,
    /// What may have been under its first name before and since.
    seen: States,
    /// Whether something else may have happened to its names meanwhile.
    is_contested: bool,
}

impl Story {
    /// Lets it happen. Tells a number that differs from another run's if anything does in it.
    ///
    /// # Panics
    /// If anything is not as it has to be.
    pub fn play(seed: u64, prints: bool) -> u64 {
        let mut story = Self::new(seed, prints);
        while story.lanes.iter().any(|lane| lane.left > 0) {
            story.go_on();
        }
        story.end()
    }

    fn go_on(&mut self) {
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].attempt.is_none() && self.lanes[lane].left > 0 {
                self.begin(lane);
            }
        }
        self.world.step();
        self.steps += 1;
        assert!(self.steps < MAX_STEPS, "it goes on and on: {:?}", self.lanes);
        assert!(self.world.elapsed() < PATIENCE, "it does not come to an end: {:?}", self.lanes);
        self.trouble();
        self.look();
        while let Some((job, end)) = self.world.take_ended() {
            let is = |lane: &Lane| lane.attempt.as_ref().is_some_and(|attempt| attempt.job == job);
            if let Some(lane) = self.lanes.iter().position(is) {
                self.ended(lane, &end);
            }
        }
    }

    /// Looks at every name, if any has changed.
    fn look(&mut self) {
        let named = self.world.disks().map(|disk| disk.named() + disk.restarts()).sum();
        if named == std::mem::replace(&mut self.looked, named) {
            return;
        }
        for name in self.ledger.names() {
            self.expect(
                &self.world.server_disk().visible(Path::new(name)),
                self.ledger.now(name),
                name,
            );
        }
        for ((client, name), states) in &self.fetched {
            self.expect(&self.world.client_disk(*client).visible(Path::new(name)), states, name);
        }
        for name in names(&self.world.server_disk().root()) {
            let is_known = name.starts_with(".gannet-") || self.ledger.names().any(|n| *n == name);
            assert!(is_known, "{name} is there, and nobody wanted it");
        }
    }

    fn expect(&self, content: &super::Content, states: &States, name: &str) {
        let is_right = match content {
            None => states.contains(&None),
            Some(content) => {
                self.contents.find(content, states.iter().copied().flatten()).is_some()
            }
        };
        assert!(
            is_right,
            "{name} is {:?}, and may be {states:?}",
            content.as_ref().map(|content| (content.len(), self.contents.find_any(content)))
        );
    }

    /// The power fails everywhere once more, and all that was told is still true. What is left of transfers can be swept away.
    fn end(mut self) -> u64 {
        let trace = self.world.trace();
        self.world.disks().for_each(|mut disk| disk.faults.clear());
        let before = self.world.disks().map(|disk| disk.restarts()).sum::<u64>();
        let disks = self.world.disks().count() as u64;
        self.world.fail_power();
        while self.world.disks().map(|disk| disk.restarts()).sum::<u64>() < before + disks {
            self.world.step();
        }
        self.look();
        for disk in self.world.disks() {
            partials::remove(&disk.root(), Duration::ZERO).expect("it can be looked through");
            let left: Vec<_> = names(&disk.root())
                .into_iter()
                .filter(|name| name.starts_with(".gannet-"))
                .collect();
            assert!(left.is_empty(), "{left:?} are left");
        }
        trace
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("it can be read").file_name().to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}
