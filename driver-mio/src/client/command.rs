//! How the threads of a program speak to the one that drives the connection.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

use gannet_protocol::{CloseReason, Stats};
use mio::Waker;

use crate::event_loop;

use super::{Figures, Lost, fate::Fate, job::Number, task::Task};

/// What a program wants of its connection.
#[derive(Debug)]
pub(super) enum Command {
    /// Do this.
    Start(Number, Box<Task>),
    /// Give this up, if it is not over.
    Cancel(Number),
    /// Tell the figures.
    Stats(Sender<Stats>),
    /// Tell how the connection does, and what the time went by.
    Figures(Sender<Figures>),
    /// Tell when the server was heard; drop it unanswered if that never happens.
    Confirm(Sender<()>),
    /// Give up all that runs, let what is done be heard, and end.
    Close,
    /// End at once.
    Abort,
}

/// The way to the thread that drives a connection.
#[derive(Clone)]
pub(super) struct Line {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    remote: SocketAddr,
    fate: Arc<Fate>,
}

impl Line {
    pub(super) fn new(
        commands: Sender<Command>,
        waker: Arc<Waker>,
        remote: SocketAddr,
        fate: Arc<Fate>,
    ) -> Self {
        Self { commands, waker, remote, fate }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Sends a command. Once the thread has ended the command is dropped, and so is what it would have answered with.
    pub(super) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            event_loop::wake(&self.waker);
        }
    }

    /// Why the connection was lost, if it was.
    pub(super) fn fate(&self) -> Option<Lost> {
        self.fate.lost()
    }

    /// Time since the server was last heard.
    pub(super) fn silence(&self) -> Duration {
        self.fate.silence()
    }

    /// Why a job without a result has none: the connection was lost, or we closed it.
    pub(super) fn lost(&self) -> Lost {
        self.fate().unwrap_or(Lost {
            remote: self.remote,
            reason: CloseReason::Local,
            refused: false,
            silent: Duration::ZERO,
        })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("remote", &self.remote).finish_non_exhaustive()
    }
}
