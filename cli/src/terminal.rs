//! The terminal as it was before a prompt changed its settings.

use std::io::{self, IsTerminal as _, Write as _};

/// Turns off bracketed paste, which a prompt turns on.
const PASTE_OFF: &str = "\x1b[?2004l";

/// The settings of the terminal on standard input.
#[derive(Debug)]
pub(super) struct Terminal {
    #[cfg(unix)]
    settings: rustix::termios::Termios,
}

impl Terminal {
    /// Reads the settings, if standard input is a terminal.
    pub(super) fn on_stdin() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        Some(Self {
            #[cfg(unix)]
            settings: rustix::termios::tcgetattr(io::stdin()).ok()?,
        })
    }

    /// Puts them back, on a line of its own.
    pub(super) fn restore(&self) {
        #[cfg(unix)]
        {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, &self.settings);
        }
        if io::stdout().is_terminal() {
            let _ = writeln!(io::stdout().lock(), "{PASTE_OFF}");
        }
    }
}
