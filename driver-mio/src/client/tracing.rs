//! Whether what happens to a connection's packets is written down.

use std::net::SocketAddr;

use gannet_protocol::{Instant, Session};

use crate::qlog::{Trace, TraceFiles};

/// Whether what happens to a connection's packets is written down.
#[derive(Debug, Default)]
pub(super) enum Tracing {
    #[default]
    Off,
    /// From when the connection is established.
    Wanted(TraceFiles),
    On(Trace),
}

impl Tracing {
    /// The connection to `remote` is established.
    pub(super) fn begin(&mut self, remote: SocketAddr, now: Instant) {
        if let Self::Wanted(files) = self {
            *self = Self::On(Trace::begin(files, remote, now));
        }
    }

    /// Writes down what happened since the last time.
    pub(super) fn go_on(&mut self, session: Option<Session<'_>>) {
        if let (Self::On(trace), Some(mut session)) = (self, session) {
            while let Some(traced) = session.poll_trace() {
                trace.note(&traced);
            }
        }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self, now: Instant) {
        if let Self::On(mut trace) = std::mem::take(self) {
            trace.end(now);
        }
    }
}
