//! The results as text.

use crate::results::{Outcome, Results, Runs};
use std::{fmt::Write as _, time::Duration};

/// A link's runs, the fastest first, with how many times as long as gannet's each took.
pub(crate) fn table(results: &Results, cap: Duration) -> String {
    let mut lines = format!(
        "{}\n\n| | seconds | fastest to slowest | beside gannet | Mbit/s | CPU seconds |\n|---|---:|---:|---:|---:|---:|\n",
        results.title
    );
    let gannet = results.gannet();
    for runs in &results.sorted() {
        let _ = writeln!(lines, "{}", line(results, runs, gannet, cap));
    }
    lines
}

fn line(results: &Results, runs: &Runs, gannet: Option<Duration>, cap: Duration) -> String {
    let name = runs.peer.title();
    let taken = match runs.median() {
        Outcome::Done(taken) => taken,
        Outcome::TooLong => return format!("| {name} | over {} | | | | |", cap.as_secs()),
        Outcome::Failed => return format!("| {name} | failed | | | | |"),
    };
    let seconds = taken.time.as_secs_f64();
    let range = runs.range().map_or_else(String::new, |(fastest, slowest)| {
        format!("{:.2} to {:.2}", fastest.as_secs_f64(), slowest.as_secs_f64())
    });
    let ratio =
        gannet.map_or_else(String::new, |gannet| format!("{:.2}", seconds / gannet.as_secs_f64()));
    let rate = results.rate_of(taken.time) / 1e6;
    let cpu = taken.cpu.as_secs_f64();
    format!("| {name} | {seconds:.2} | {range} | {ratio} | {rate:.0} | {cpu:.2} |")
}
