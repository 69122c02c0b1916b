//! The settings of the terminal, to be put back.

use std::io::{self, IsTerminal as _, Write as _};

/// Turns off bracketed paste, which a prompt turns on.
const PASTE_OFF: &str = "\x1b[?2004l";

/// The settings of the terminal on standard input, as they were.
#[derive(Debug)]
pub(crate) struct Terminal {
    #[cfg(unix)]
    settings: rustix::termios::Termios,
}

impl Terminal {
    /// Reads the settings, if standard input is a terminal.
    pub(crate) fn on_stdin() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        Some(Self {
            #[cfg(unix)]
            settings: rustix::termios::tcgetattr(io::stdin()).ok()?,
        })
    }

    /// Does not show what is typed from now on.
    #[cfg(unix)]
    pub(crate) fn hide(&self) {
        use rustix::termios::{LocalModes, OptionalActions, tcsetattr};
        let mut hidden = self.settings.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // What was typed ahead was shown, and is no secret.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &hidden);
    }

    /// What is typed is shown: this system is not known.
    #[cfg(not(unix))]
    pub(crate) fn hide(&self) {}

    /// Puts them back.
    pub(crate) fn reset(&self) {
        #[cfg(unix)]
        {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, &self.settings);
        }
    }

    /// Puts them back after a prompt, on a line of its own.
    pub(crate) fn restore(&self) {
        self.reset();
        if io::stdout().is_terminal() {
            let _ = writeln!(io::stdout().lock(), "{PASTE_OFF}");
        }
    }
}
