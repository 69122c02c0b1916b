//! The results as bars.

use crate::results::{Outcome, Results, Runs};
use std::{fmt::Write as _, time::Duration};

/// Pixels.
const WIDTH: u32 = 860;
const NAMES: u32 = 210;
const FIGURES: u32 = 110;
const BAR: u32 = 16;
const LINE: u32 = 20;
const TITLE: u32 = 34;
const MARGIN: u32 = 16;
const LEGEND: u32 = 44;

/// Colours that stand out on white and on black.
const OURS: &str = "#1f8a70";
const OTHERS: &str = "#8a97a6";

/// A group of bars for each link: how much of the link's rate each peer reached, the best first.
pub(crate) fn draw(all: &[Results], cap: Duration) -> String {
    let mut bars = String::new();
    let mut top = MARGIN + LEGEND;
    for results in all {
        let title_at = top + TITLE - 12;
        let _ = writeln!(
            bars,
            r#"<text x="{MARGIN}" y="{title_at}" font-weight="bold">{}</text>"#,
            escape(&results.title)
        );
        top += TITLE;
        let scale = scale_of(results);
        for runs in &results.sorted() {
            bars.push_str(&bar(results, runs, scale, top, cap));
            top += LINE;
        }
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n\
         <title>How fast files are fetched, the whole command timed</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" font-size=\"16\">Fetching files, nothing tuned, the whole command timed: longer bars are faster</text>\n\
         <text x=\"{MARGIN}\" y=\"{}\" fill=\"#555\">A full bar is the link's rate; on loopback, the fastest</text>\n\
         {bars}</svg>\n",
        MARGIN + 14,
        MARGIN + 34,
    )
}

/// What a full bar stands for, in bits a second: the link's rate, or the fastest where there is no link.
fn scale_of(results: &Results) -> f64 {
    let rates = results.runs.iter().filter_map(|runs| runs.median().time());
    let fastest = rates.map(|time| results.rate_of(time)).fold(1.0, f64::max);
    results.rate.map_or(fastest, |rate| rate as f64)
}

fn bar(results: &Results, runs: &Runs, scale: f64, top: u32, cap: Duration) -> String {
    let (share, figure) = match runs.median() {
        Outcome::Done(taken) => (
            (results.rate_of(taken.time) / scale).clamp(0.0, 1.0),
            format!("{:.2} s", taken.time.as_secs_f64()),
        ),
        Outcome::TooLong => (0.0, format!("over {} s", cap.as_secs())),
        Outcome::Failed => (0.0, "failed".into()),
    };
    let colour = if runs.peer.is_ours() { OURS } else { OTHERS };
    let full = f64::from(WIDTH - NAMES - FIGURES - 2 * MARGIN);
    let (left, length) = (MARGIN + NAMES, (full * share).max(1.0));
    let text_at = top + 13;
    let figure_at = f64::from(left) + length + 8.0;
    format!(
        "<text x=\"{MARGIN}\" y=\"{text_at}\">{}</text>\
         <rect x=\"{left}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{figure_at:.1}\" y=\"{text_at}\">{figure}</text>\n",
        escape(runs.peer.title())
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
