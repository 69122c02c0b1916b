//! A trace of a connection's packets in a file, in the format qlog (draft-ietf-quic-qlog-main-schema): JSON text sequences of
//! version 0.3, which the usual viewers open.

mod text;
mod writer;

use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use gannet_protocol::{Instant, Traced};

use text::Text;
use writer::Writer;

/// Text that is handed to the thread that writes it at once.
const CHUNK: usize = 64 * 1024;

/// Where traces go: each connection's to a file of its own, the first one to that very path and the others to the same with `.2`,
/// `.3` and so on behind it.
#[derive(Clone, Debug)]
pub struct TraceFiles {
    path: PathBuf,
    made: Arc<AtomicU32>,
}

impl TraceFiles {
    /// At `path`; what is there is replaced when the first connection is established.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, made: Arc::default() }
    }

    fn next(&self) -> PathBuf {
        let number = self.made.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if number == 1 {
            return self.path.clone();
        }
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

/// The trace of a connection. It never makes its connection wait, nor fail: where it cannot go on it ends, with a warning.
#[derive(Debug)]
pub(crate) struct Trace {
    text: Text,
    writer: Option<Writer>,
    path: PathBuf,
}

impl Trace {
    /// Begins one of a connection that this side made to `remote`.
    pub(crate) fn begin(files: &TraceFiles, remote: SocketAddr, now: Instant) -> Self {
        let path = files.next();
        let mut trace = Self { text: Text::new(remote, now), writer: None, path };
        match Writer::start(&trace.path) {
            Ok(writer) => trace.writer = Some(writer),
            Err(error) => trace.warn(&error),
        }
        trace
    }

    /// Takes an event in.
    pub(crate) fn note(&mut self, traced: &Traced) {
        if self.writer.is_some() {
            self.text.add(traced);
            self.flush(CHUNK);
        }
    }

    /// The connection is over.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.writer.is_some() {
            self.text.close(now);
            self.flush(0);
        }
        if let Some(Err(error)) = self.writer.take().map(Writer::finish) {
            self.warn(&error);
        }
    }

    /// Hands over what there is, if it is so much.
    fn flush(&mut self, least: usize) {
        if self.text.len() < least {
            return;
        }
        let Some(writer) = &mut self.writer else { return };
        if let Err(error) = writer.write(self.text.take()) {
            self.writer = None;
            self.warn(&error);
        }
    }

    fn warn(&self, error: &dyn fmt::Display) {
        log::warn!("the trace {} ends here: {error}", self.path.display());
    }
}
