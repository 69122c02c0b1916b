//! The runs.

use crate::{
    args::Args,
    chart,
    lab::Lab,
    peer::{Peer, Setup},
    results::{Outcome, Results, Runs, Taken},
    scenario::{Trial, trials},
    side::Side,
    table::table,
};
use clap::{Parser, ValueEnum};
use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Where the files are, so that no disk is measured.
const MEMORY_DISK: &str = "/dev/shm";

/// What the file or directory is called that is fetched.
const NAME: &str = "load";

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let peers = present(&args.peers);
    let mut all = Vec::new();
    for trial in trials(&args) {
        let results = compare(&args, &trial, &peers)?;
        println!("{}", table(&results, args.cap));
        all.push(results);
    }
    if let Some(path) = &args.svg {
        fs::write(path, chart::draw(&all, args.cap))?;
    }
    Ok(())
}

/// Who of those asked for can take part; says of the others what is missing.
fn present(asked: &[Peer]) -> Vec<Peer> {
    let asked = if asked.is_empty() { Peer::value_variants() } else { asked };
    let is_present = |peer: &&Peer| match peer.missing() {
        None => true,
        Some(missing) => {
            eprintln!("compare: SKIPPED {}: needs {missing}", peer.title());
            false
        }
    };
    asked.iter().filter(is_present).copied().collect()
}

/// Has all take turns over one link.
fn compare(args: &Args, trial: &Trial, peers: &[Peer]) -> Result<Results, Box<dyn Error>> {
    let place = tempfile::tempdir_in(MEMORY_DISK)?;
    let shared = place.path().join("shared");
    fs::create_dir(&shared)?;
    trial.load.make(&shared.join(NAME))?;
    let lab = Lab::open(&args.name, trial.link.as_deref())?;
    let mut runs: Vec<Runs> =
        peers.iter().map(|peer| Runs { peer: *peer, outcomes: Vec::new() }).collect();
    for _ in 0..args.rounds {
        for runs in &mut runs {
            let outcome = one(args, trial, &lab, runs.peer, place.path())?;
            eprintln!("{}: {}: {outcome}", trial.title, runs.peer.title());
            runs.outcomes.push(outcome);
        }
    }
    Ok(Results { title: trial.title.clone(), rate: trial.rate, bytes: trial.load.bytes(), runs })
}

/// One run, with a server and a place of its own.
fn one(
    args: &Args,
    trial: &Trial,
    lab: &Lab,
    peer: Peer,
    place: &Path,
) -> Result<Outcome, Box<dyn Error>> {
    let own = tempfile::tempdir_in(place)?;
    let (work, target) = (own.path().join("work"), own.path().join("target"));
    fs::create_dir(&work)?;
    fs::create_dir(&target)?;
    let shared = place.join("shared");
    lab.use_congestion(peer.congestion())?;
    let setup =
        Setup { lab, work: &work, shared: &shared, name: NAME, target: &target, load: trial.load };
    let mut plan = peer.plan(&setup)?;

    let mut server = Side::start(&mut plan.server)?;
    server.wait_for_port(plan.port)?;
    if peer.goes_twice() {
        let before = own.path().join("before");
        fs::create_dir(&before)?;
        let mut client = peer.plan(&Setup { target: &before, ..setup })?.client;
        Side::start(&mut client)?.finish(args.cap)?;
    }
    let start = Instant::now();
    let ended = Side::start(&mut plan.client)?.finish(args.cap)?;
    let time = start.elapsed();
    let served = server.stop()?.map_or(Duration::ZERO, |ended| ended.cpu);

    let Some(ended) = ended else { return Ok(Outcome::TooLong) };
    if !ended.status.success() || !trial.load.is_same(&shared.join(NAME), &target.join(NAME)) {
        return Ok(Outcome::Failed);
    }
    Ok(Outcome::Done(Taken { time, cpu: ended.cpu.saturating_add(served) }))
}
