//! `gannet doctor`: measures the way to a server and this machine, and says what will limit transfers.

mod findings;

use std::time::{Duration, Instant};

use gannet_driver_mio::{
    client::{Failure, Job, Way},
    measure,
};
use gannet_protocol::{MAX_MEASURED, Report};

use crate::{
    args,
    console::print,
    errors::{Action, Error},
    outcome::Outcome,
    session::{Session, TICK},
    settings::Settings,
    telling::Telling,
};

use findings::{Findings, Network};

/// Questions that go one after the other, for the round trip, and how long they take at most.
const PINGS: usize = 20;
const PINGS_TAKE: Duration = Duration::from_secs(5);
/// Time between two of them at least.
const PING_EVERY: Duration = Duration::from_millis(20);
/// Questions that go without waiting for answers, for the losses: one packet in a hundred is found.
const BURST: usize = 300;
/// Time between two of them.
const BURST_EVERY: Duration = Duration::from_millis(5);
/// How long bytes go each way, and how long that gets for finding the rate before it counts.
const RATE_TIME: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_millis(1500);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the disk is written, and read, and at most how many bytes.
const DISK_TIME: Duration = Duration::from_secs(2);
const DISK_BYTES: u64 = 512 << 20;
/// How long packets are sealed, and content hashed.
const CPU_TIME: Duration = Duration::from_millis(300);

type OneShot = args::OneShot<args::Doctor, args::Once>;

/// Measures, and tells what was found.
pub(crate) fn run(one_shot: OneShot, settings: &Settings) -> Outcome {
    let telling = Telling::of("doctor", one_shot.verb.format.json, settings.console);
    let told = examine(one_shot, telling, settings).and_then(|findings| {
        telling.asked_for(|| print(&findings), |object| findings.describe(object))
    });
    match told {
        Ok(()) => Outcome::Done,
        Err(error) => telling.failed(&error),
    }
}

fn examine(one_shot: OneShot, telling: Telling, settings: &Settings) -> Result<Findings, Error> {
    let args::OneShot { server, reaching, options, verb } = one_shot;
    let settings = &settings.tracing(reaching.trace.clone());
    let begun = Instant::now();
    let session = Session::open(&server, reaching.with(options), settings)?;
    session.confirm()?;
    let connected = begun.elapsed();
    telling.note(format_args!("asking {server} for a few seconds"));
    let network = Asking(&session).network(connected)?;
    telling.note(format_args!("measuring this machine"));
    // There is nothing to clean up from here on.
    session.interrupt.act_at_once();
    drop(session);
    Ok(Findings {
        server,
        network,
        buffers: measure::buffers().map_err(Error::Stdio)?,
        disk: measure::disk(&verb.dir, DISK_TIME, DISK_BYTES),
        cpu: measure::cpu(CPU_TIME).map_err(Error::Stdio)?,
    })
}

/// What the server is asked.
struct Asking<'a>(&'a Session);

impl Asking<'_> {
    fn network(&self, connected: Duration) -> Result<Network, Error> {
        let client = self.0.client();
        let round_trips = self.ping()?;
        let (before, before_here) = (self.answer(client.report())?, self.here()?);
        let mut waiting = Vec::with_capacity(BURST);
        for _ in 0..BURST {
            waiting.push(client.report());
            self.pause(BURST_EVERY)?;
        }
        for job in waiting {
            self.answer(job)?;
        }
        let (after, here) = (self.answer(client.report())?, self.here()?);
        Ok(Network {
            remote: client.remote(),
            connected,
            round_trips,
            up: here.since(&before_here),
            down: after.since(&before),
            rate_down: self.rate(Way::Down)?,
            rate_up: self.rate(Way::Up)?,
        })
    }

    /// Bits a second that the path carries, as this version of congestion control finds it; nothing if the server does not let this
    /// client try.
    fn rate(&self, way: Way) -> Result<Option<u64>, Error> {
        let mut job = self.0.client().measure(way, MAX_MEASURED);
        let begun = Instant::now();
        let mut samples = Vec::new();
        while begun.elapsed() < RATE_TIME {
            match job.wait_timeout(TICK) {
                Some(Ok(())) => break,
                Some(Err(Failure::Remote { .. })) => return Ok(None),
                Some(Err(failure)) => return Err(self.0.error(Action::Doctor, failure)),
                None if self.0.interrupt.heard() => return Err(Error::Interrupted),
                None => {}
            }
            if begun.elapsed() >= WARM_UP {
                samples.push((begun.elapsed(), job.progress().done));
            }
        }
        Ok(Some(slope(&samples).saturating_mul(8)))
    }

    /// The times of questions and answers, one after the other, the shortest first.
    fn ping(&self) -> Result<Vec<Duration>, Error> {
        let (begun, client) = (Instant::now(), self.0.client());
        let mut times = Vec::new();
        while times.len() < PINGS && (times.is_empty() || begun.elapsed() < PINGS_TAKE) {
            let asked = Instant::now();
            self.answer(client.report())?;
            times.push(asked.elapsed());
            self.pause(PING_EVERY)?;
        }
        times.sort();
        Ok(times)
    }

    /// How the connection does here.
    fn here(&self) -> Result<Report, Error> {
        let client = self.0.client();
        let figures = client.figures().map(|figures| figures.report);
        figures.ok_or_else(|| client.lost().map_or(Error::Interrupted, Error::Lost))
    }

    fn answer(&self, mut job: Job<Report>) -> Result<Report, Error> {
        let begun = Instant::now();
        loop {
            match job.wait_timeout(TICK) {
                Some(result) => {
                    return result.map_err(|failure| self.0.error(Action::Doctor, failure));
                }
                None if self.0.interrupt.heard() => return Err(Error::Interrupted),
                None if begun.elapsed() > PATIENCE => job.cancel(),
                None => {}
            }
        }
    }

    fn pause(&self, time: Duration) -> Result<(), Error> {
        std::thread::sleep(time);
        if self.0.interrupt.heard() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Bytes a second that come nearest to these samples: bytes are told in leaps where some of them had to be sent again.
fn slope(samples: &[(Duration, u64)]) -> u64 {
    let points = || samples.iter().map(|(time, bytes)| (time.as_secs_f64(), *bytes as f64));
    let count = samples.len().max(1) as f64;
    let mean_time = points().map(|(time, _)| time).sum::<f64>() / count;
    let mean_bytes = points().map(|(_, bytes)| bytes).sum::<f64>() / count;
    let both = points().map(|(time, bytes)| (time - mean_time) * (bytes - mean_bytes)).sum::<f64>();
    let spread = points().map(|(time, _)| (time - mean_time).powi(2)).sum::<f64>();
    if spread > 0.0 { (both / spread).max(0.0) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_found_among_leaps() {
        let at = |n: u64, bytes| (Duration::from_millis(50 * n), bytes);
        let even: Vec<_> = (0..50).map(|n| at(n, 1000 + n * 500)).collect();
        assert!(slope(&even).abs_diff(10_000) <= 1);
        // Every tenth tells what the nine before it had yet to tell.
        let leaps: Vec<_> = (0..50).map(|n| at(n, n / 10 * 5000)).collect();
        assert!(slope(&leaps).abs_diff(10_000) < 500, "{}", slope(&leaps));
        assert_eq!((slope(&[]), slope(&[at(1, 5)])), (0, 0));
    }
}
