//! Where the menu's lines come from: a prompt on a terminal, or a script on standard input.
//!
//! A thread of its own reads them, so that a lost connection and a signal are seen at once, and a name that is being
//! completed can be looked up on the connection while the user types.

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use gannet_protocol::{Entry, Name};

use super::{prompt, script};
use crate::{
    directory::LocalDirectory,
    errors::Error,
    session::{Session, TICK},
    terminal::Terminal,
};

/// How long a user waits for names after a Tab before it feels stuck.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the menu wants next.
#[derive(Debug)]
pub(super) enum Ask {
    /// A command, whose local names are relative to this.
    Command(LocalDirectory),
    /// An answer to this question.
    Answer(String),
}

/// What the reading thread has.
#[derive(Debug)]
pub(super) enum Said {
    /// A line without its end.
    Line(Vec<u8>),
    /// There are no more lines.
    End,
    /// The user pressed ctrl+c.
    Interrupted,
    /// Reading failed.
    Failed(io::Error),
    /// Which names are in a directory of the server?
    Names(Option<Name>, Sender<Vec<Entry>>),
}

/// What came first.
#[derive(Debug)]
pub(super) enum Next {
    /// A line without its end.
    Line(Vec<u8>),
    /// There are no more lines.
    End,
    /// The connection is over.
    Lost,
}

/// The reading thread.
#[derive(Debug)]
pub(super) struct Input {
    asks: Sender<Ask>,
    said: Receiver<Said>,
    /// Lines are typed at this terminal, if there is one.
    terminal: Option<Terminal>,
}

impl Input {
    /// Starts to read: with a prompt if standard input is a terminal.
    pub(super) fn start() -> Self {
        let (asks, asked) = mpsc::channel();
        let (say, said) = mpsc::channel();
        let terminal = Terminal::on_stdin();
        if terminal.is_some() {
            thread::spawn(move || prompt::read(&asked, &say));
        } else {
            thread::spawn(move || script::read(&asked, &say));
        }
        Self { asks, said, terminal }
    }

    /// Whether someone sits there who can answer questions.
    pub(super) fn is_interactive(&self) -> bool {
        self.terminal.is_some()
    }

    /// Waits for what `ask` wants.
    ///
    /// # Errors
    /// [`Error::Interrupted`], [`Error::Stdio`]
    pub(super) fn next(&self, session: &Session, ask: Ask) -> Result<Next, Error> {
        // A reading thread that ended is noticed below.
        let _ = self.asks.send(ask);
        loop {
            match self.said.recv_timeout(TICK) {
                Ok(Said::Line(line)) => return Ok(Next::Line(line)),
                Ok(Said::End) | Err(RecvTimeoutError::Disconnected) => return Ok(Next::End),
                Ok(Said::Interrupted) => return Err(Error::Interrupted),
                Ok(Said::Failed(error)) => return Err(Error::Stdio(error)),
                Ok(Said::Names(dir, answer)) => {
                    let _ = answer.send(session.glance(dir, PATIENCE));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if session.interrupt.heard() {
                self.leave_prompt();
                return Err(Error::Interrupted);
            }
            if session.lost().is_some() {
                self.leave_prompt();
                return Ok(Next::Lost);
            }
        }
    }

    /// Gives the terminal back while the prompt still waits for a line.
    fn leave_prompt(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.restore();
        }
    }
}
