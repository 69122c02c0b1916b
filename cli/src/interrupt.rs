//! Ctrl+c, and the signals that mean the same.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::outcome::Outcome;

/// The signals that end a client. SIGHUP is not among them: to catch it would undo `nohup`.
pub(crate) const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Whether the user wants the client to end.
///
/// At first a signal ends the process at once. From [`defer`](Self::defer) on it is noted, so that whoever works can see
/// it and clean up; a second signal then still ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    heard: Arc<AtomicBool>,
    at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts to listen for signals.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        let this = Self { heard: Arc::default(), at_once: Arc::new(AtomicBool::new(true)) };
        let status = i32::from(Outcome::Interrupted.status());
        for signal in SIGNALS {
            // A signal's actions run in this order: the second signal finds what the first one left.
            flag::register_conditional_shutdown(signal, status, Arc::clone(&this.at_once))?;
            flag::register(signal, Arc::clone(&this.at_once))?;
            flag::register(signal, Arc::clone(&this.heard))?;
        }
        Ok(this)
    }

    /// From now on there is something to clean up.
    pub(crate) fn defer(&self) {
        self.at_once.store(false, Ordering::Relaxed);
    }

    /// From now on there is nothing to clean up.
    pub(crate) fn act_at_once(&self) {
        self.at_once.store(true, Ordering::Relaxed);
    }

    /// Whether a signal came.
    pub(crate) fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}
