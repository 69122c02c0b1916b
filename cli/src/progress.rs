//! The progress bar on stderr.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use gannet_driver_mio::{
    client::{Progress, Syncing},
    trust::HostPort,
    units::{format_duration, format_rate, format_size},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    console::{Console, say},
    transfer::Seen,
};

/// Silence of a server that is told while something is to come: longer than it takes to repair what was lost.
const TOLD_SILENCE: Duration = Duration::from_secs(3);
/// Columns that the name of what is moved may take.
const NAME_COLUMNS: usize = 24;
/// Redraws a second: smooth to look at, and nothing beside a transfer's work.
const REDRAWS: u8 = 10;
/// What the rate is the average of: long enough to read it, short enough to see a link change.
const RATE_WINDOW: Duration = Duration::from_secs(3);

const WITH_TOTAL: &str = "{prefix} [{wide_bar}] {percent:>3}% {msg}";
const WITHOUT_TOTAL: &str = "{prefix} {msg}";
const WAITING: &str = "waiting for {prefix}, {elapsed}";
/// How often the seconds that were waited are looked at.
const WAITING_TICK: Duration = Duration::from_millis(200);

/// A bar that shows how far some transfers are; invisible if there is no terminal or the user wants quiet.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    /// Whether it tells how many files are done, in the place of a name.
    counts: bool,
    total: Option<u64>,
    pace: Pace,
}

impl Bar {
    /// Shows a bar named `label`, or one of so many files; while something is printed, only where that is not the same terminal.
    pub(crate) fn new(console: Console, label: Option<&str>, printing: bool) -> Self {
        let is_free = !printing || !io::stdout().is_terminal();
        let target = if console.shows_bars() && is_free {
            ProgressDrawTarget::stderr_with_hz(REDRAWS)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style(WITHOUT_TOTAL))
            .with_prefix(label.map(shortened).unwrap_or_default());
        Self { bar, counts: label.is_none(), total: None, pace: Pace::default() }
    }

    /// Shows how far they are.
    pub(crate) fn update(&mut self, so_far: &SoFar) {
        let SoFar { done, total, travelled, .. } = *so_far;
        if total != self.total {
            self.total = total;
            match total {
                Some(total) => self.bar.set_length(total),
                None => self.bar.unset_length(),
            }
            let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
            self.bar.set_style(style(template));
        }
        self.pace.note(Instant::now(), travelled);
        self.bar.set_message(so_far.figures(self.pace.rate()));
        self.bar.set_position(done);
        self.bar.tick();
    }

    /// Shows how many files are done, in the place of a name.
    pub(crate) fn count(&self, files: &Files) {
        if self.counts {
            self.bar.set_prefix(files.to_string());
        }
    }

    /// What was moved so far says nothing of how fast it goes from now on.
    pub(crate) fn restart(&mut self) {
        self.pace = Pace::default();
    }

    /// Writes a line above the bar.
    pub(crate) fn suspend<T>(&self, say: impl FnOnce() -> T) -> T {
        self.bar.suspend(say)
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A line that tells that a server is waited for, and for how long so far; gone when dropped.
#[derive(Debug)]
pub(crate) struct Waiting(ProgressBar);

impl Waiting {
    /// Shows it, where bars are shown.
    pub(crate) fn show(console: Console, server: &HostPort) -> Self {
        let target = if console.shows_bars() {
            ProgressDrawTarget::stderr_with_hz(REDRAWS)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style(WAITING))
            .with_prefix(server.to_string());
        bar.enable_steady_tick(WAITING_TICK);
        Self(bar)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|error| {
            say(format_args!("the progress bar's template is wrong: {error}"));
            ProgressStyle::default_bar()
        })
        .progress_chars("=> ")
}

/// How many files are done: `312 of 1000 files`, `312 of 16384 files or more, 2 failed`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) seen: Seen,
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, seen } = self;
        write!(f, "{done} of {} files", seen.files)?;
        if seen.bytes.is_some() && seen.more {
            f.write_str(" or more")?;
        }
        if *failed > 0 { write!(f, ", {failed} failed") } else { Ok(()) }
    }
}

/// How far some transfers are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SoFar {
    /// Bytes that are at the other side.
    done: u64,
    /// Bytes of all, if that is known.
    total: Option<u64>,
    /// Bytes that travelled: neither there before nor of holes.
    travelled: u64,
    left: Left,
    /// Time since the server was last heard.
    silence: Duration,
}

/// What is left to do once all bytes are there.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    /// Whether not all are.
    more: bool,
    /// Bytes that this side has yet to sync.
    here: Option<u64>,
    /// Whether the server has, too.
    at_server: bool,
}

impl SoFar {
    /// Of files that are done: so many bytes of all, of which some travelled.
    pub(crate) fn after(done: u64, travelled: u64) -> Self {
        Self { done, total: Some(done), travelled, ..Self::default() }
    }

    /// Of one that runs.
    pub(crate) fn of(progress: Progress) -> Self {
        let mut so_far = Self::after(0, 0);
        so_far.add(progress);
        so_far
    }

    /// Others are to be moved of which nothing is known yet.
    pub(crate) fn expect_more(&mut self) {
        self.total = None;
        self.left.more = true;
    }

    /// All of them together have so many bytes.
    pub(crate) fn expect_in_all(&mut self, bytes: u64) {
        self.total = Some(bytes.max(self.done));
    }

    /// The server was last heard so long ago.
    pub(crate) fn heard_before(&mut self, silence: Duration) {
        self.silence = silence;
    }

    /// Adds a transfer that runs.
    pub(crate) fn add(&mut self, progress: Progress) {
        self.done = self.done.saturating_add(progress.done);
        self.total = self.total.and_then(|sum| sum.checked_add(progress.total?));
        self.travelled = self.travelled.saturating_add(progress.travelled);
        match progress.syncing {
            None => self.left.more = true,
            Some(Syncing::AtServer) => self.left.at_server = true,
            Some(Syncing::Here(left)) => {
                let before = self.left.here.unwrap_or_default();
                self.left.here = Some(before.saturating_add(left));
            }
        }
    }

    /// `40.0 MB of 50.0 MB  92.1 Mbit/s  1 s left`, as far as that is known, or `50.0 MB of 50.0 MB  syncing, 30.0 MB left`; `rate` is
    /// in bytes a second.
    fn figures(&self, rate: u64) -> String {
        let Self { done, total, left, .. } = *self;
        let mut text = format_size(done);
        if let Some(total) = total {
            text = format!("{text} of {}", format_size(total));
        }
        match left {
            Left { more: false, here: Some(left), .. } => {
                return format!("{text}  syncing, {} left", format_size(left));
            }
            Left { more: false, at_server: true, .. } => {
                return format!("{text}  syncing at the server");
            }
            _ => {}
        }
        if self.silence >= TOLD_SILENCE {
            return format!("{text}  waiting for the server, {} s", self.silence.as_secs());
        }
        text = format!("{text}  {}", format_rate(rate.saturating_mul(8)));
        let left = total.map(|total| total.saturating_sub(done)).filter(|_| rate > 0);
        match left.map(|left| left.div_ceil(rate)) {
            None | Some(0) => text,
            Some(seconds @ 1..60) => format!("{text}  {seconds} s left"),
            Some(seconds) => {
                format!("{text}  {} left", format_duration(Duration::from_secs(seconds)))
            }
        }
    }
}

/// How fast it went lately.
#[derive(Debug, Default)]
struct Pace {
    /// How much had travelled at some moments, the oldest first: those of [`RATE_WINDOW`], and one before.
    noted: VecDeque<(Instant, u64)>,
}

impl Pace {
    fn note(&mut self, now: Instant, travelled: u64) {
        self.noted.push_back((now, travelled));
        let is_old = |&(at, _): &(Instant, u64)| now.duration_since(at) >= RATE_WINDOW;
        while self.noted.get(1).is_some_and(is_old) {
            self.noted.pop_front();
        }
    }

    /// Bytes a second.
    fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, after))) = (self.noted.front(), self.noted.back())
        else {
            return 0;
        };
        let bytes = u128::from(after.saturating_sub(*before));
        let nanos = to.duration_since(*from).as_nanos();
        let rate = (bytes * 1_000_000_000).checked_div(nanos).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// The end of a long label, which tells more than its beginning.
fn shortened(label: &str) -> String {
    let count = label.chars().count();
    if count <= NAME_COLUMNS {
        return label.into();
    }
    let tail: String = label.chars().skip(count - (NAME_COLUMNS - 3)).collect();
    format!("...{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shortened("short.iso"), "short.iso");
        let long = shortened("a-very-long-name-of-a-directory/and-a-file.iso");
        assert_eq!(long.chars().count(), NAME_COLUMNS);
        assert!(long.starts_with("...") && long.ends_with("and-a-file.iso"));
    }

    #[test]
    fn the_templates_are_valid() {
        for template in [WITH_TOTAL, WITHOUT_TOTAL, WAITING] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    fn figures(done: u64, total: Option<u64>, rate: u64) -> String {
        SoFar { done, total, ..SoFar::default() }.figures(rate)
    }

    #[test]
    fn what_is_known_is_shown() {
        assert_eq!(figures(0, None, 0), "0 B  0 bit/s");
        assert_eq!(figures(5_000_000, None, 1_000_000), "5.00 MB  8.00 Mbit/s");
        let shown = figures(40_000_000, Some(50_000_000), 10_000_000);
        assert_eq!(shown, "40.0 MB of 50.0 MB  80.0 Mbit/s  1 s left");
        let shown = figures(0, Some(1_000_000_000), 1_000_000);
        assert_eq!(shown, "0 B of 1.00 GB  8.00 Mbit/s  16m40s left");
    }

    #[test]
    fn a_silent_server_is_told_instead_of_a_rate() {
        let mut so_far = SoFar::after(5_000_000, 0);
        so_far.expect_more();
        so_far.heard_before(Duration::from_millis(2999));
        assert_eq!(so_far.figures(1_000_000), "5.00 MB  8.00 Mbit/s");
        so_far.heard_before(Duration::from_millis(12_999));
        assert_eq!(so_far.figures(1_000_000), "5.00 MB  waiting for the server, 12 s");
    }

    #[test]
    fn a_sync_is_shown_once_nothing_else_is_left() {
        let shown = |syncing: &[Option<Syncing>]| {
            let mut so_far = SoFar::after(0, 0);
            for &syncing in syncing {
                let (done, total) = (10_000_000, Some(10_000_000));
                so_far.add(Progress { done, total, travelled: 0, syncing });
            }
            so_far.figures(0)
        };
        let (here, server) = (Some(Syncing::Here(3_000_000)), Some(Syncing::AtServer));
        assert_eq!(shown(&[here]), "10.0 MB of 10.0 MB  syncing, 3.00 MB left");
        assert_eq!(shown(&[here, here]), "20.0 MB of 20.0 MB  syncing, 6.00 MB left");
        assert_eq!(shown(&[server, server]), "20.0 MB of 20.0 MB  syncing at the server");
        assert_eq!(shown(&[here, None]), "20.0 MB of 20.0 MB  0 bit/s");
    }

    #[test]
    fn files_are_counted() {
        let files = |failed, bytes, more| {
            Files { done: 312, failed, seen: Seen { files: 1000, bytes, more } }.to_string()
        };
        assert_eq!(files(0, Some(5), false), "312 of 1000 files");
        assert_eq!(files(0, None, true), "312 of 1000 files");
        assert_eq!(files(2, Some(5), true), "312 of 1000 files or more, 2 failed");
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (start, mut pace, mut done) = (Instant::now(), Pace::default(), 0);
        assert_eq!(pace.rate(), 0);
        for tick in 0..200 {
            // Ten seconds at 1000 bytes a tick, then at 10.
            pace.note(start + Duration::from_millis(100 * tick), done);
            done += if tick < 100 { 1000 } else { 10 };
            match tick {
                1..100 => assert_eq!(pace.rate(), 10_000),
                131.. => assert_eq!(pace.rate(), 100),
                _ => {}
            }
        }
        assert!(pace.noted.len() <= 32);
    }
}
