//! Bodies on their way between files and the endpoint.

mod basing;
mod blank;
mod buffers;
mod checks;
mod collecting;
mod holes;
mod job;
mod known;
mod outbox;
mod pouring;
mod receivers;
mod receiving;
mod recording;
mod senders;
mod sending;
mod stage;
mod streaming;
#[cfg(test)]
mod tests;
mod twin;

use std::ops::Range;

use gannet_protocol::{
    BodyId, FileDone, Hash, Held, Instant, Meta, Note, Source, Status, Unread, Write,
};

use self::{
    blank::Blanks,
    collecting::Collectors,
    job::{Outcome, Work},
    outbox::Outbox,
    pouring::Pourings,
    receivers::Receivers,
    senders::Senders,
    streaming::Streams,
};
use crate::files::{Durability, Partial, SourceFile};

pub(crate) use job::{Done, Job, Sink, Stream};

/// How much memory all bodies together may take, in bytes. With what the socket and the connections need a server stays
/// below 64 MiB.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Spans of files that are sent.
    sending: u64,
    /// Spans of streams that are sent.
    streams: u64,
    /// Blocks that are received.
    receiving: u64,
    /// What blocks may take beyond that while others, which gave theirs up, are being written.
    overdraft: u64,
    /// Pieces of blocks for which there was no memory.
    loose: u64,
    /// What may be on its way to the disk before senders have to wait for it.
    backlog: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            sending: 20 * MIB,
            streams: 32 * MIB,
            receiving: 16 * MIB,
            overdraft: 4 * MIB,
            loose: 4 * MIB,
            backlog: 4 * MIB,
        }
    }
}

/// Every body that is being sent or received, in a bounded amount of memory.
///
/// A state machine like the endpoint: it never blocks. After any input take what [`Self::poll_output`] gives to the endpoint,
/// run what [`Self::poll_job`] gives on a [`crate::disk::Disk`], and bring the results to [`Self::handle_done`]. It reads
/// ahead, so give it the bodies before the endpoint asks for their bytes.
///
/// A body stays known, even when it failed or is complete, until [`Self::forget`]. Calls about bodies that are not known do
/// nothing.
#[derive(Debug)]
pub(crate) struct Transfers {
    senders: Senders,
    streams: Streams,
    receivers: Receivers,
    collectors: Collectors,
    pourings: Pourings,
    blanks: Blanks,
    out: Outbox,
    /// Whether something happened since those that wait for memory were looked at.
    is_stirred: bool,
}

/// What became of the bodies.
#[derive(Debug)]
pub(crate) enum Output {
    /// For [`gannet_protocol::Endpoint::handle_file`].
    File(FileDone),
    /// For [`gannet_protocol::Session::note`]: groups of a body that is sent, in the order in which they were read, then its end.
    Note {
        /// Which body.
        body: BodyId,
        /// What to say of it.
        note: Note,
    },
    /// For [`gannet_protocol::Session::skip`]: the receiver of a body has these bytes.
    Skip {
        /// Which body.
        body: BodyId,
        /// Which bytes.
        range: Range<u64>,
    },
    /// For [`gannet_protocol::Session::keep`]: these bytes of a body that is received are here.
    Keep {
        /// Which body.
        body: BodyId,
        /// Which bytes.
        range: Range<u64>,
    },
    /// For [`gannet_protocol::Session::held`]: what is here of a body that is received, or what was wrong. Not all senders want to
    /// know the former.
    Held {
        /// Which body.
        body: BodyId,
        /// What.
        held: Held,
    },
    /// A body that is sent was read to its end; this is its content's hash. It is not told of one with holes that nobody hashed.
    Read {
        /// Which body.
        body: BodyId,
        /// The BLAKE3 hash of its content.
        hash: Hash,
    },
    /// A file that was received is verified, and stands under its name, or is written to where it was to be.
    Stored {
        /// Which body.
        body: BodyId,
        /// How it came.
        received: Received,
    },
    /// A body that was received into memory is verified.
    Collected {
        /// Which body.
        body: BodyId,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// A body cannot be sent or received: for [`gannet_protocol::Session::fail`]. Nothing else follows of it; once the jobs have run,
    /// nothing is left of its partial file but what can be gone on with.
    Failed {
        /// Which body.
        body: BodyId,
        /// Why.
        status: Status,
    },
}

/// How far a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Progress {
    /// Bytes that were released, if it is sent, or that are here, if it is received.
    pub(crate) done: u64,
    /// Those of them that did travel.
    pub(crate) travelled: u64,
    /// Of a file that is received and all here: its bytes that may have to be synced yet.
    pub(crate) unsynced: Option<u64>,
}

impl Progress {
    /// Of what travels as a whole.
    const fn of_all(done: u64) -> Self {
        Self { done, travelled: done, unsynced: None }
    }
}

/// What is told of a file that was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    /// Its length in bytes.
    pub(crate) len: u64,
    /// The BLAKE3 hash of its content; none if there were holes that nobody hashed.
    pub(crate) hash: Option<Hash>,
    /// Bytes of it that were there before.
    pub(crate) kept: u64,
    /// Bytes of it that lie in holes, were not there before and did not come.
    pub(crate) holes: u64,
    /// Whether it stood there before: the very same, of this length and time.
    pub(crate) unchanged: bool,
}

impl Transfers {
    /// Makes a table without bodies.
    pub(crate) fn new() -> Self {
        Self::with_limits(&Limits::default())
    }

    /// Settles what files survive once they are stored.
    pub(crate) fn set_durability(&mut self, durability: Durability) {
        self.out.durability = durability;
    }

    /// What files survive once they are stored.
    pub(crate) fn durability(&self) -> Durability {
        self.out.durability
    }

    fn with_limits(limits: &Limits) -> Self {
        Self {
            senders: Senders::new(limits),
            streams: Streams::new(limits),
            receivers: Receivers::new(limits),
            collectors: Collectors::default(),
            pourings: Pourings::default(),
            blanks: Blanks::default(),
            out: Outbox::default(),
            is_stirred: false,
        }
    }

    /// A table without bodies and with little memory: as when many more share it.
    #[cfg(feature = "simulation")]
    pub(crate) fn with_little_memory() -> Self {
        const KIB: u64 = 1 << 10;
        Self::with_limits(&Limits {
            sending: 256 * KIB,
            streams: 256 * KIB,
            receiving: 2048 * KIB,
            overdraft: 1024 * KIB,
            loose: 1024 * KIB,
            backlog: 4096 * KIB,
        })
    }

    /// Bytes of memory that bodies take.
    #[cfg(feature = "simulation")]
    pub(crate) fn memory_used(&self) -> u64 {
        let [blocks, loose, _] = self.receivers.memory_used();
        self.senders.memory_used() + self.streams.memory_used() + blocks + loose
    }

    /// Starts to send a file. `is_awaited` says whether its receiver may say what the groups hash to that it has.
    pub(crate) fn send_file(&mut self, body: BodyId, file: SourceFile, is_awaited: bool) {
        self.senders.add(body, file, is_awaited, &mut self.out);
    }

    /// Takes what the receiver of a body says of what it has.
    pub(crate) fn held(&mut self, body: BodyId, held: Held) {
        if let Held::Again(index) = held {
            self.streams.again(body, index, &mut self.out);
        }
        self.senders.held(body, held, &mut self.out);
    }

    /// Starts to send what can be read once, such as a [`crate::files::Listing`], as a body of open length.
    pub(crate) fn send_stream(&mut self, body: BodyId, stream: Stream) {
        self.streams.add(body, stream, &mut self.out);
    }

    /// Lets go of what is sent below this offset: [`gannet_protocol::Event::Released`].
    pub(crate) fn release(&mut self, body: BodyId, below: u64) {
        self.senders.release(body, below, &mut self.out);
        self.streams.release(body, below, &mut self.out);
        self.blanks.release(body, below);
    }

    /// Starts to receive a file. Writes are taken at once, and go to memory until [`Self::open`].
    pub(crate) fn receive_file(&mut self, body: BodyId, meta: &Meta) {
        self.receivers.add(body, meta);
    }

    /// Has the hash of a file that is received be told even if it has holes, unless they are so large that it would take
    /// too long; what stands where it goes is left then if it is the very same file.
    pub(crate) fn want_hash(&mut self, body: BodyId) {
        self.receivers.want_hash(body);
    }

    /// Tells where the file that is received goes, or why it cannot be written.
    pub(crate) fn open(&mut self, now: Instant, body: BodyId, partial: Result<Partial, Status>) {
        if let Some(partial) = self.receivers.open(body, partial, now, &mut self.out) {
            self.out.job(body, Work::Discard { partial, verified: Vec::new() });
        }
    }

    /// Starts to receive a body into memory, such as a listing.
    pub(crate) fn receive_memory(&mut self, body: BodyId) {
        self.collectors.add(body);
    }

    /// Starts to receive a file into what is written in order.
    pub(crate) fn receive_stream(&mut self, body: BodyId, meta: &Meta, sink: Sink) {
        self.pourings.add(body, meta, sink, &mut self.out);
    }

    /// Sends zeros, to measure how fast they travel.
    pub(crate) fn send_zeros(&mut self, body: BodyId, len: u64) {
        self.blanks.send(body, len, &mut self.out);
    }

    /// Starts to receive what is forgotten as it comes. [`Output::Stored`] follows once all of it was here and it is allowed.
    pub(crate) fn receive_nothing(&mut self, body: BodyId, len: u64) {
        self.blanks.receive(body, len);
    }

    /// Allows that.
    pub(crate) fn allow(&mut self, body: BodyId) {
        self.blanks.allow(body, &mut self.out);
    }

    /// Takes bytes of a body that is received; they are discarded if it is not known.
    pub(crate) fn write(&mut self, write: Write<'_>) {
        if self.blanks.knows(write.body) {
            self.blanks.write(write, &mut self.out);
        } else if self.collectors.knows(write.body) {
            self.collectors.write(write, &mut self.out);
        } else if self.pourings.knows(write.body) {
            self.pourings.write(write, &mut self.out);
        } else {
            self.receivers.write(write, &mut self.out);
        }
    }

    /// Takes what the sender says of a body that is received.
    pub(crate) fn note(&mut self, now: Instant, body: BodyId, note: Note) {
        if self.blanks.knows(body) {
            self.blanks.note(body, &note, &mut self.out);
        } else if self.collectors.knows(body) {
            self.collectors.note(body, note, &mut self.out);
        } else if self.pourings.knows(body) {
            self.pourings.note(body, note, &mut self.out);
        } else {
            self.receivers.note(body, note, now, &mut self.out);
        }
    }

    /// How far a body is.
    pub(crate) fn progress(&self, body: BodyId) -> Option<Progress> {
        let sent = self.senders.progress(body).or_else(|| self.streams.progress(body));
        let received = || self.receivers.progress(body).or_else(|| self.collectors.progress(body));
        let poured = || self.pourings.progress(body).or_else(|| self.blanks.progress(body));
        sent.or_else(received).or_else(poured)
    }

    /// Ends a body in whatever state it is: its memory is free, and of its partial file is left what can be gone on with. Its
    /// writes' tickets are given back.
    pub(crate) fn forget(&mut self, body: BodyId) {
        self.senders.forget(body, &mut self.out);
        self.streams.forget(body, &mut self.out);
        self.receivers.forget(body, &mut self.out);
        self.collectors.forget(body);
        self.pourings.forget(body, &mut self.out);
        self.blanks.forget(body);
    }

    /// Takes the result of a job.
    pub(crate) fn handle_done(&mut self, now: Instant, done: Done) {
        let Done { body, outcome } = done;
        let out = &mut self.out;
        match outcome {
            Outcome::Read { .. } | Outcome::ReadAgain { .. } | Outcome::End(_) => {
                self.senders.on_done(body, outcome, out);
            }
            Outcome::Zeros(_) if self.senders.knows(body) => {
                self.senders.on_done(body, outcome, out);
            }
            Outcome::Produced(produced) => self.streams.on_done(body, produced, out),
            Outcome::Written { .. }
            | Outcome::PiecesWritten { .. }
            | Outcome::Recorded
            | Outcome::BaseHashed { .. }
            | Outcome::Copied { .. }
            | Outcome::Punched { .. }
            | Outcome::RoomMade(_)
            | Outcome::Zeros(_)
            | Outcome::Synced(_) => self.receivers.on_done(body, &outcome, now, out),
            Outcome::Published(published) => self.receivers.on_published(published, out),
            Outcome::Poured(poured) => self.pourings.on_done(body, poured, out),
            Outcome::Drained(drained) => self.pourings.on_drained(body, drained, out),
            Outcome::Hashed { .. } => self.collectors.on_done(body, outcome, out),
            Outcome::Discarded => {}
        }
    }

    /// The next job to run on a disk's thread. Ask until there is none, the last thing before sleeping.
    #[must_use]
    pub(crate) fn poll_job(&mut self) -> Option<Job> {
        let job = self.out.next_job();
        if job.is_none() && self.is_stirred {
            self.is_stirred = false;
            self.senders.serve(&mut self.out);
            return self.out.next_job();
        }
        job
    }

    /// The next thing to tell. Tickets of many writes come back as one, so ask once a turn, not after every write.
    #[must_use]
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        let output = self.out.next_output();
        if output.is_none() {
            self.is_stirred = true;
            self.receivers.settle(&mut self.out);
            self.pourings.settle(&mut self.out);
            return self.out.next_output();
        }
        output
    }
}

impl Source for Transfers {
    fn read(&mut self, body: BodyId, offset: u64, buf: &mut [u8]) -> Result<(), Unread> {
        self.is_stirred = true;
        self.senders
            .read(body, offset, buf, &mut self.out)
            .or_else(|| self.streams.read(body, offset, buf))
            .or_else(|| self.blanks.read(body, buf))
            .unwrap_or(Err(Unread::Failed(Status::Cancelled)))
    }

    fn lend<R>(
        &mut self,
        body: BodyId,
        offset: u64,
        len: usize,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        self.is_stirred = true;
        self.senders.lend(body, (offset, len), take, &mut self.out)
    }
}
