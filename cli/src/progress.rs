//! The progress bar on stderr.

use gannet_driver_mio::units::{format_duration, format_rate, format_size};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::console::{Console, say};

/// Columns that the name of what is moved may take.
const NAME_COLUMNS: usize = 24;
/// Redraws a second: smooth to look at, and nothing beside a transfer's work.
const REDRAWS: u8 = 10;

const WITH_TOTAL: &str = "{prefix} [{wide_bar}] {percent:>3}% {amount} {rate}{left}";
const WITHOUT_TOTAL: &str = "{prefix} {amount} {rate}";

/// A bar that shows how far some transfers are; invisible if there is no terminal or the user wants quiet.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    total: Option<u64>,
}

impl Bar {
    /// Shows a bar named `label`.
    pub(crate) fn new(console: Console, label: &str) -> Self {
        let target = if console.shows_bars() {
            ProgressDrawTarget::stderr_with_hz(REDRAWS)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style(WITHOUT_TOTAL))
            .with_prefix(shortened(label));
        Self { bar, total: None }
    }

    /// Shows that `done` bytes of `total`, if that is known, are at the other side.
    pub(crate) fn update(&mut self, done: u64, total: Option<u64>) {
        if total != self.total {
            self.total = total;
            match total {
                Some(total) => self.bar.set_length(total),
                None => self.bar.unset_length(),
            }
            let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
            self.bar.set_style(style(template));
        }
        self.bar.set_position(done);
        self.bar.tick();
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|error| {
            say(format_args!("the progress bar's template is wrong: {error}"));
            ProgressStyle::default_bar()
        })
        .progress_chars("=> ")
        .with_key("amount", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&format_size(state.pos()));
            if let Some(total) = state.len() {
                let _ = write!(out, " of {}", format_size(total));
            }
        })
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Bits per second; the conversion saturates.
            let _ = out.write_str(&format_rate((state.per_sec() * 8.0) as u64));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let seconds = state.eta().as_secs();
            if seconds > 0 {
                let left = std::time::Duration::from_secs(seconds);
                let _ = write!(out, " {} left", format_duration(left));
            }
        })
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
        for template in [WITH_TOTAL, WITHOUT_TOTAL] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
