//! What a client's thread lets the others of its program know at any time.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::Lost;

/// How the connection is.
#[derive(Debug)]
pub(super) struct Fate {
    began: Instant,
    /// When the server was heard last, in milliseconds since then.
    heard: AtomicU64,
    lost: OnceLock<Lost>,
}

impl Fate {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), heard: AtomicU64::new(0), lost: OnceLock::new() }
    }

    /// The server was heard.
    pub(super) fn hear(&self) {
        self.heard.store(self.passed(), Ordering::Relaxed);
    }

    /// How long ago that was; at first, how long ago the connection was begun.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.passed().saturating_sub(self.heard.load(Ordering::Relaxed)))
    }

    /// The connection is lost. What is said first counts.
    pub(super) fn lose(&self, lost: Lost) {
        let _ = self.lost.set(lost);
    }

    /// Why it is.
    pub(super) fn lost(&self) -> Option<Lost> {
        self.lost.get().copied()
    }

    fn passed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
