//! Bodies on their way between files and the endpoint.

mod job;

use std::io::Read;

use gannet_protocol::{BodyId, FileDone, Hash, Meta, Note, Source, Status, Unread, Write};

use crate::files::{Partial, SourceFile};

pub(crate) use job::{Done, Job};

/// Every body that is being sent or received, in a bounded amount of memory.
///
/// A state machine like the endpoint: it never blocks. After any input run what [`Self::poll_job`] gives on a [`crate::disk::Disk`] and bring
/// the results to [`Self::handle_done`]; take what [`Self::poll_output`] gives to the endpoint. It reads ahead, so give it the bodies
/// before the endpoint asks for their bytes.
///
/// A body stays known, even when it failed or is complete, until [`Self::forget`]. Calls about bodies that are not known do nothing.
#[derive(Debug)]
pub(crate) struct Transfers {}

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
    /// A body that is sent was read to its end; this is its content's hash.
    Read {
        /// Which body.
        body: BodyId,
        /// The BLAKE3 hash of its content.
        hash: Hash,
    },
    /// A file that was received is verified, and stands under its name.
    Stored {
        /// Which body.
        body: BodyId,
        /// Its length in bytes.
        len: u64,
        /// The BLAKE3 hash of its content.
        hash: Hash,
    },
    /// A body that was received into memory is verified.
    Collected {
        /// Which body.
        body: BodyId,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// A body cannot be sent or received: for [`gannet_protocol::Session::fail`]. Nothing else follows of it, and nothing is left of its
    /// partial file once the jobs have run.
    Failed {
        /// Which body.
        body: BodyId,
        /// Why.
        status: Status,
    },
}

impl Transfers {
    /// Makes a table without bodies.
    pub(crate) fn new() -> Self {
        todo!()
    }

    /// Starts to send a file.
    pub(crate) fn send_file(&mut self, _body: BodyId, _file: SourceFile) {
        todo!()
    }

    /// Starts to send what can be read once, such as a [`crate::files::Listing`], as a body of open length.
    pub(crate) fn send_stream(&mut self, _body: BodyId, _stream: Box<dyn Read + Send>) {
        todo!()
    }

    /// Lets go of what is sent below this offset: [`gannet_protocol::Event::Released`].
    pub(crate) fn release(&mut self, _body: BodyId, _below: u64) {
        todo!()
    }

    /// Starts to receive a file. Writes are taken at once, and go to memory until [`Self::open`].
    pub(crate) fn receive_file(&mut self, _body: BodyId, _meta: &Meta) {
        todo!()
    }

    /// Tells where the file that is received goes, or why it cannot be written.
    pub(crate) fn open(&mut self, _body: BodyId, _partial: Result<Partial, Status>) {
        todo!()
    }

    /// Starts to receive a body into memory, such as a listing.
    pub(crate) fn receive_memory(&mut self, _body: BodyId) {
        todo!()
    }

    /// Takes bytes of a body that is received; they are discarded if it is not known.
    pub(crate) fn write(&mut self, _write: Write<'_>) {
        todo!()
    }

    /// Takes what the sender says of a body that is received.
    pub(crate) fn note(&mut self, _body: BodyId, _note: Note) {
        todo!()
    }

    /// Bytes of a body that were released, if it is sent, or that arrived, if it is received.
    pub(crate) fn progress(&self, _body: BodyId) -> Option<u64> {
        todo!()
    }

    /// Ends a body in whatever state it is: its memory is free, its partial file will be removed. Its writes' tickets are given back.
    pub(crate) fn forget(&mut self, _body: BodyId) {
        todo!()
    }

    /// Takes the result of a job.
    pub(crate) fn handle_done(&mut self, _done: Done) {
        todo!()
    }

    /// The next job to run on a disk's thread.
    #[must_use]
    pub(crate) fn poll_job(&mut self) -> Option<Job> {
        todo!()
    }

    /// The next thing to tell. Tickets of many writes come back as one, so ask once a turn, not after every write.
    #[must_use]
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        todo!()
    }
}

impl Source for Transfers {
    fn read(&mut self, _body: BodyId, _offset: u64, _buf: &mut [u8]) -> Result<(), Unread> {
        todo!()
    }
}
