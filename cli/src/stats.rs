//! `--stats`: how a connection did while files were moved, and what limited it.

use std::{fmt, rc::Rc, time::Duration};

use gannet_driver_mio::{
    client::{Client, Figures, Job, Limit, Phases, Verdict, Way},
    units::{format_duration, format_rate, format_size},
};
use gannet_protocol::Report;
use serde_json::{Map, Value};

use crate::{
    args::Verb, errors::Error, json::Object, session::Session, summary::Moved, telling::Telling,
};

/// How long the server is waited for to tell how its end does: several round trips of the longest paths.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was known when the moving began, to be told apart from what comes of it.
#[derive(Debug)]
pub(crate) struct Measuring {
    client: Rc<Client>,
    here: Option<Figures>,
    there: Job<Report>,
    way: Way,
}

impl Measuring {
    /// Begins, if `verb` is to be measured. The server is asked beside all else, so that nothing waits for that.
    pub(crate) fn of(verb: &Verb, session: &Session) -> Option<Self> {
        let way = match verb {
            Verb::Get(get) if get.stats => Way::Down,
            Verb::Put(put) if put.stats => Way::Up,
            _ => return None,
        };
        let client = session.client();
        Some(Self { here: client.figures(), there: client.report(), client, way })
    }

    /// Tells what came of it.
    ///
    /// # Errors
    /// [`Error::Stdio`]
    pub(crate) fn tell(self, session: &Session, telling: Telling) -> Result<(), Error> {
        let client = session.client();
        let there = client.report();
        let (Some(now), there) = (client.figures(), answered(there)) else {
            telling.note("no figures: the connection is over");
            return Ok(());
        };
        // Where the connection was made again, what is told is of the last one.
        let is_same = Rc::ptr_eq(&client, &self.client);
        let before = self.here.filter(|_| is_same);
        let here = before.map_or(now.report, |before| now.report.since(&before.report));
        let mut phases = before.map_or(now.phases, |before| now.phases - before.phases);
        // That was before anything was asked.
        phases.handshake = now.phases.handshake;
        let there = match answered(self.there).filter(|_| is_same) {
            Some(before) => there.map(|there| there.since(&before)),
            None => there,
        };
        let Some(told) = Told::new(self.way, here, there, phases) else {
            telling.note("no figures: the server does not tell how its end does");
            return Ok(());
        };
        match telling.is_json() {
            false => telling.note(told),
            true => telling.objects([told.object(telling)])?,
        }
        Ok(())
    }
}

fn answered(mut job: Job<Report>) -> Option<Report> {
    job.wait_timeout(PATIENCE)?.ok()
}

/// What is told.
#[derive(Debug)]
struct Told {
    way: Way,
    /// As the sending side sees it.
    sent: Report,
    phases: Phases,
    verdict: Verdict,
}

impl Told {
    fn new(way: Way, here: Report, there: Option<Report>, phases: Phases) -> Option<Self> {
        let (sent, receiver) = match way {
            Way::Up => (here, there.unwrap_or_else(|| idle(here.spent.total()))),
            Way::Down => (there?, here),
        };
        Some(Self { way, sent, phases, verdict: Verdict::new(way, &sent, &receiver, phases) })
    }

    /// Bits a second of the content that came over while there was any on the way.
    fn rate(&self) -> Option<u64> {
        Moved { bytes: self.sent.body_sent, elapsed: self.phases.transfer }.rate()
    }

    fn object(&self, telling: Telling) -> Object {
        let Self { sent, phases, .. } = self;
        let times = [
            ("min_rtt_seconds", sent.min_rtt),
            ("rtt_seconds", sent.rtt),
            ("latest_rtt_seconds", sent.latest_rtt),
            ("handshake_seconds", phases.handshake),
            ("transfer_seconds", phases.transfer),
            ("disk_seconds", phases.disk),
            ("wait_seconds", phases.wait),
        ];
        let object = telling
            .object("stats")
            .with("sender", if self.way == Way::Up { "local" } else { "server" })
            .with("packets_sent", sent.packets_sent)
            .with("packets_lost", sent.packets_lost)
            .with("bytes_sent", sent.body_sent)
            .with("bytes_resent", sent.body_resent)
            .with("window", sent.window)
            .with_some("bits_per_second", self.rate())
            .with("packet_bytes", sent.mtu)
            .with_some("congestion", sent.algorithm.name())
            .with_some("ecn_marked", sent.ecn_marked);
        let object = times
            .into_iter()
            .fold(object, |object, (key, time)| object.with(key, time.as_secs_f64()));
        let shares = self.verdict.shares();
        let limits: Map<_, _> = shares
            .into_iter()
            .map(|(limit, share)| (limit.word().to_owned(), Value::from(share)))
            .collect();
        object.with("limited_by", limits)
    }
}

/// A side of which nothing is known: that it had no time to rest cannot be said.
fn idle(time: Duration) -> Report {
    let mut report = Report::default();
    report.waited = time;
    report
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, sent, phases, verdict } = self;
        let sides = match way {
            Way::Up => "this side sent",
            Way::Down => "the server sent",
        };
        writeln!(
            f,
            "round trip: {} at least, {} smoothed, {} last",
            format_duration(sent.min_rtt),
            format_duration(sent.rtt),
            format_duration(sent.latest_rtt),
        )?;
        let (lost, packets) = (sent.packets_lost, sent.packets_sent);
        writeln!(
            f,
            "lost: {lost} of {packets} packets that {sides} ({}); {} sent again ({})",
            Percent(lost, packets),
            format_size(sent.body_resent),
            Percent(sent.body_resent, sent.body_sent),
        )?;
        write!(f, "window: {}", format_size(sent.window))?;
        if let Some(name) = sent.algorithm.name() {
            write!(f, " ({name})")?;
        }
        write!(f, ", packets of {} bytes, ", sent.mtu)?;
        match sent.ecn_marked {
            Some(marked) => write!(f, "{marked} marked (ECN)")?,
            None => f.write_str("no ECN")?,
        }
        match self.rate() {
            Some(rate) => writeln!(f, "; {} delivered", format_rate(rate))?,
            None => writeln!(f)?,
        }
        writeln!(
            f,
            "time: handshake {}, transfer {}, disk {}, wait {}",
            format_duration(phases.handshake),
            format_duration(phases.transfer),
            format_duration(phases.disk),
            format_duration(phases.wait),
        )?;
        f.write_str("limited by: ")?;
        shown(&verdict.shares(), f)
    }
}

/// `path 71%, receiver's disk 24%, 5% else`: what is less than a percent is not named.
fn shown(shares: &[(Limit, f64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let named = shares.iter().filter(|(_, share)| *share >= 0.01);
    let mut is_first = true;
    for (limit, share) in named {
        let comma = if is_first { "" } else { ", " };
        write!(f, "{comma}{limit} {:.0}%", share * 100.0)?;
        is_first = false;
    }
    if is_first { f.write_str("nothing that took time") } else { Ok(()) }
}

/// How much of a whole: `1.02%`.
pub(crate) struct Percent(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = if self.1 == 0 { 0.0 } else { self.0 as f64 / self.1 as f64 };
        write!(f, "{:.2}%", share * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_told_and_the_verdict_last() {
        let ms = Duration::from_millis;
        let mut sent = Report::default();
        (sent.min_rtt, sent.rtt, sent.latest_rtt) = (ms(100), ms(112), ms(120));
        (sent.packets_sent, sent.packets_lost) = (10_000, 102);
        (sent.body_sent, sent.body_resent) = (10_000_000, 102_000);
        (sent.window, sent.mtu, sent.ecn_marked) = (1_500_000, 1452, Some(0));
        (sent.spent.path, sent.spent.credit, sent.spent.busy) = (ms(710), ms(240), ms(46));
        sent.spent.idle = ms(4);
        sent.waited = ms(900);
        let mut phases = Phases::default();
        (phases.handshake, phases.transfer) = (ms(101), ms(800));
        let told = Told::new(Way::Up, sent, None, phases).unwrap();
        assert_eq!(
            told.to_string(),
            "round trip: 100 ms at least, 112 ms smoothed, 120 ms last\n\
             lost: 102 of 10000 packets that this side sent (1.02%); 102 kB sent again (1.02%)\n\
             window: 1.50 MB (cubic), packets of 1452 bytes, 0 marked (ECN); 100 Mbit/s delivered\n\
             time: handshake 101 ms, transfer 800 ms, disk 0 ns, wait 0 ns\n\
             limited by: path 71%, receiver's disk 24%, sender's CPU 5%"
        );
        assert!(Told::new(Way::Down, sent, None, phases).is_none());
    }

    #[test]
    fn nothing_is_limited_by_nothing() {
        let told = Told::new(Way::Up, Report::default(), None, Phases::default()).unwrap();
        assert!(told.to_string().ends_with("limited by: nothing that took time"));
    }
}
