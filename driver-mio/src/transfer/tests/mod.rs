//! Transfers on real files, with the disk's jobs run one by one in an order of the test's choosing.

mod collecting;
mod end_to_end;
mod hollow;
mod keeping;
mod pouring;
mod receiving;
mod sending;
mod shortage;
mod streaming;

use std::{fs, path::PathBuf};

use gannet_protocol::{
    BLOCK_LEN, BodyId, BodyLen, End, FileDone, FileTime, Hash, Held, Identity, Instant, Meta, Mode,
    Name, Note, Status,
};
use tempfile::TempDir;

use super::{Job, Limits, Output, Stream, Transfers};
use crate::{
    files::{Placing, Root, SourceFile},
    hash::{HashTree, hash_piece},
};

/// Memory that is short after four spans or two blocks.
const TIGHT: Limits = Limits {
    sending: 256 << 10,
    streams: 256 << 10,
    receiving: 2 << 20,
    overdraft: 1 << 20,
    loose: 1 << 20,
    backlog: 4 << 20,
};

/// Transfers, a directory, and what came of all so far.
struct Rig {
    dir: TempDir,
    root: Root,
    transfers: Transfers,
    jobs: Vec<Job>,
    outputs: Vec<Output>,
    /// What was said to senders of what is here.
    held: Vec<(BodyId, Held)>,
    /// Bytes whose tickets came back.
    settled: u64,
    /// Bodies that were told to be readable since they were last looked at.
    readable: Vec<BodyId>,
    random: u64,
    now: Instant,
    /// How often bytes were asked for.
    asked: u32,
}

impl Rig {
    fn new(limits: &Limits, seed: u64) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let root = Root::open(dir.path()).unwrap();
        Self {
            dir,
            root,
            transfers: Transfers::with_limits(limits),
            jobs: Vec::new(),
            outputs: Vec::new(),
            held: Vec::new(),
            settled: 0,
            readable: Vec::new(),
            random: seed | 1,
            now: Instant::ZERO,
            asked: 0,
        }
    }

    /// A number below `limit`.
    fn random(&mut self, limit: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % limit.max(1)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How many files there are, hidden ones included.
    fn files(&self) -> usize {
        fs::read_dir(self.dir.path()).unwrap().count()
    }

    fn source(&self, name: &str, content: &[u8]) -> SourceFile {
        fs::write(self.path(name), content).unwrap();
        self.root.open_source(&Name::parse(name.as_bytes()).unwrap()).unwrap()
    }

    fn open(&mut self, body: BodyId, name: &str, len: BodyLen) {
        let placing = Placing::Replace(Name::parse(name.as_bytes()).unwrap());
        let partial = self.root.create_partial(&placing, len);
        self.transfers.open(self.now, body, partial);
    }

    /// Takes what the transfers tell and want.
    fn drain(&mut self) {
        while let Some(output) = self.transfers.poll_output() {
            match output {
                Output::File(FileDone::Settled(ticket)) => self.settled += ticket.len(),
                Output::File(FileDone::Readable(body)) => self.readable.push(body),
                Output::Held { body, held } => self.held.push((body, held)),
                other => self.outputs.push(other),
            }
        }
        while let Some(job) = self.transfers.poll_job() {
            self.jobs.push(job);
        }
    }

    /// Runs any one of the jobs that wait.
    fn run_one(&mut self) -> bool {
        self.drain();
        if self.jobs.is_empty() {
            return false;
        }
        let pick = self.random(self.jobs.len());
        let done = self.jobs.swap_remove(pick).run();
        self.transfers.handle_done(self.now, done);
        self.drain();
        true
    }

    /// Runs the jobs that are `wanted`, until there are no more.
    fn run_some(&mut self, wanted: impl Fn(&Job) -> bool) {
        self.drain();
        while let Some(pick) = self.jobs.iter().position(&wanted) {
            let done = self.jobs.swap_remove(pick).run();
            self.transfers.handle_done(self.now, done);
            self.drain();
        }
    }

    fn run_all(&mut self) {
        while self.run_one() {}
    }

    /// How many bytes of a body are there, and how many of them travelled.
    fn progress(&self, of: BodyId) -> Option<(u64, u64)> {
        self.transfers.progress(of).map(|progress| (progress.done, progress.travelled))
    }

    /// Why a body failed, if it did.
    fn failure(&self, of: BodyId) -> Option<Status> {
        self.outputs.iter().find_map(|output| match output {
            Output::Failed { body, status } if *body == of => Some(*status),
            _ => None,
        })
    }

    /// The groups of which a body wants the bytes again; asked once.
    fn wanted_again(&mut self, of: BodyId) -> Vec<u64> {
        let mut wanted = Vec::new();
        self.held.retain(|(body, held)| match held {
            Held::Again(index) if *body == of => {
                wanted.push(*index);
                false
            }
            _ => true,
        });
        wanted
    }

    /// The notes of a body that is sent.
    fn notes(&self, of: BodyId) -> Vec<Note> {
        let notes = self.outputs.iter().filter_map(|output| match output {
            Output::Note { body, note } if *body == of => Some(*note),
            _ => None,
        });
        notes.collect()
    }

    /// Length and hash of a file that was stored.
    fn stored(&self, of: BodyId) -> Option<(u64, Hash)> {
        self.outputs.iter().find_map(|output| match output {
            Output::Stored { body, received } if *body == of => {
                Some((received.len, received.hash?))
            }
            _ => None,
        })
    }

    /// Forgets all bodies, and checks that no memory is left taken.
    fn finish(mut self, bodies: impl IntoIterator<Item = BodyId>) -> Self {
        bodies.into_iter().for_each(|body| self.transfers.forget(body));
        self.run_all();
        assert_eq!(self.transfers.senders.memory_used(), 0);
        assert_eq!(self.transfers.streams.memory_used(), 0);
        assert_eq!(self.transfers.receivers.memory_used(), [0; 3]);
        self
    }
}

fn body(number: u32) -> BodyId {
    BodyId::unowned(number)
}

fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn hash_of(content: &[u8]) -> Hash {
    blake3::hash(content).into()
}

const IDENTITY: Identity = Identity([7; 16]);

fn meta(len: BodyLen) -> Meta {
    Meta { len, mode: Mode::from_bits(0o640), modified: FileTime::new(5, 5), identity: IDENTITY }
}

fn end_of(content: &[u8]) -> Note {
    Note::End(End { len: content.len() as u64, identity: IDENTITY, stable: true })
}

/// What a sender says of the groups of `content`.
fn group_notes(content: &[u8], len: BodyLen) -> Vec<Note> {
    let mut tree = HashTree::new(len);
    let mut groups = Vec::new();
    for (start, block) in (0..).step_by(BLOCK_LEN as usize).zip(content.chunks(BLOCK_LEN as usize))
    {
        groups.extend(tree.insert(start, block.len() as u64, hash_piece(start, block)));
    }
    groups.extend(tree.end(content.len() as u64));
    groups.iter().map(|group| Note::Group { index: group.index, hash: group.hash }).collect()
}
