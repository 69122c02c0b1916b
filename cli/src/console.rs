//! What the user sees: messages on stderr, and what was asked for on stdout.

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal as _, Write as _},
};

use crate::{args::Verbosity, errors::Error, outcome::Outcome, terminal};

/// Where messages go. Nobody may be left to read them, so a failed write is no failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    quiet: bool,
    verbose: bool,
    terminal: bool,
}

impl Console {
    /// Looks at stderr.
    pub(crate) fn new(Verbosity { quiet, verbose }: Verbosity) -> Self {
        Self { quiet, verbose: verbose > 0, terminal: io::stderr().is_terminal() }
    }

    /// Columns that a line may have before it is better shortened; nothing if it is better whole.
    pub(crate) fn columns(self) -> Option<usize> {
        if self.verbose || !self.terminal { None } else { terminal::columns_of_stderr() }
    }

    /// Whether the user wants to hear of everything.
    pub(crate) const fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Whether a progress bar can be shown and is wanted.
    pub(crate) fn shows_bars(self) -> bool {
        self.terminal && !self.quiet
    }

    /// Tells of a success, unless the user wants quiet.
    pub(crate) fn note(self, text: impl fmt::Display) {
        if !self.quiet {
            say(text);
        }
    }

    /// Tells of a failure, and what it is as an exit status.
    pub(crate) fn report(self, error: &Error) -> Outcome {
        say(format_args!("gannet: {error}"));
        error.outcome()
    }
}

/// Writes a line to stderr.
pub(crate) fn say(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes what was asked for to stdout. Nobody may want to read on: a closed pipe ends it quietly.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(text: impl fmt::Display) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    unless_closed(write!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// That nobody reads on is no failure.
pub(crate) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
