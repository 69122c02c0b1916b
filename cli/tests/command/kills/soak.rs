//! Kills at random, in gets and puts of several files, by clients that connect again.
//!
//! `GANNET_KILLS=500` tries as many seeds, `GANNET_KILLS_SEED=7` that one alone.

use std::{env, fmt::Write as _, panic, path::Path};

use gannet_driver_mio::partials;
use rustix::process::Signal;

use super::{litter, sizes};
use crate::common::{Here, Process, Server, Slow, bytes};

/// Seeds that are tried unless more are wanted.
const SEEDS: u64 = 8;
/// Most kills of a seed.
const KILLS: u64 = 3;
/// Bits per second.
const RATE: u64 = 100_000_000;

/// Numbers that follow from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// `docs/hostile-input.md`, rows 52 and 55.
#[test]
fn files_arrive_whoever_is_killed_at_random() {
    let number = |name| env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let seeds = match number("GANNET_KILLS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GANNET_KILLS").unwrap_or(SEEDS),
    };
    let mut kills = 0;
    for seed in seeds {
        kills += panic::catch_unwind(|| soak(seed)).unwrap_or_else(|_| {
            panic!(
                "seed {seed} fails; GANNET_KILLS_SEED={seed} cargo test -p gannet --test command \
                 files_arrive_whoever_is_killed_at_random repeats it"
            )
        });
    }
    eprintln!("{kills} kills");
}

/// Moves some files, killing someone now and then; gives the number of kills.
fn soak(seed: u64) -> u64 {
    let mut chance = Chance(seed);
    let (mut server, here) = (Server::start(), Here::new());
    let is_get = chance.below(2) == 0;
    let files = files(&mut chance);
    for (name, content) in &files {
        if is_get {
            server.write(name, content)
        } else {
            here.write(name, content)
        };
    }
    let to = if is_get { here.path().join("in") } else { server.root().join("in") };
    std::fs::create_dir(&to).unwrap();
    let link = Slow::at(&server, RATE, std::time::Duration::from_millis(2));
    let mut arguments = vec![if is_get { "get" } else { "put" }.to_owned(), link.target()];
    arguments.extend(files.iter().map(|(name, _)| name.clone()));
    arguments.extend(["--to", "in/"].map(str::to_owned));
    let total: u64 = files.iter().map(|(_, content)| content.len() as u64).sum();
    let mut story = String::new();
    let mut running = here.start(&arguments);
    let mut kills = 0;
    for _ in 0..=chance.below(KILLS) {
        let at = chance.below(total + 1);
        while running.runs() && came(&to) < at {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        kills += 1;
        let is_client = chance.below(2) == 0;
        let _ =
            write!(story, "kills the {} at {at}; ", if is_client { "client" } else { "server" });
        if is_client {
            running.signal(Signal::KILL);
            check(&to, &files, &story);
            running = here.start(&arguments);
        } else {
            server = server.killed_and_started_again();
            check(&to, &files, &story);
        }
    }
    finish(running, &story);
    // What is done counts as done, and what a client was told of is not there to be told again.
    finish(here.start(&arguments), &story);
    for (name, content) in &files {
        assert!(std::fs::read(to.join(name)).unwrap() == *content, "{name} differs: {story}");
    }
    // A server that has yet to hear of a client's end holds its files until then.
    let held = partials::find(&to).unwrap();
    let is_held = |name: &String| held.iter().any(|it| it.in_use && it.path == Path::new(name));
    let mut left = litter(&to);
    left.retain(|name| !is_held(name) && to.join(name).exists());
    assert_eq!(left, [""; 0], "{story}");
    kills
}

fn finish(running: Process, story: &str) {
    let ran = running.ran();
    assert_eq!(ran.status, Some(0), "{story}{ran:#?}");
}

fn files(chance: &mut Chance) -> Vec<(String, Vec<u8>)> {
    let count = 3 + chance.below(5);
    let file = |at: u64| {
        let len = match chance.below(5) {
            0 => chance.below(3),
            1 => chance.below(100_000),
            2 => (1 << 20) - 1 + chance.below(3),
            3 => 1_000_000 + chance.below(2_000_000),
            _ => 3_000_000 + chance.below(6_000_000),
        };
        (format!("file-{at}"), bytes(usize::try_from(len).unwrap(), at + 1))
    };
    (0..count).map(file).collect()
}

/// Bytes that came so far.
fn came(to: &Path) -> u64 {
    sizes(to, "").sum()
}

/// What has its name is whole.
fn check(to: &Path, files: &[(String, Vec<u8>)], story: &str) {
    for (name, content) in files {
        if let Ok(found) = std::fs::read(to.join(name)) {
            assert!(found == *content, "{name} is published and differs: {story}");
        }
    }
}
