//! What a disk's thread does for a transfer.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    ops::Range,
    sync::Arc,
};

use gannet_protocol::{BLOCK_LEN, BodyId, BodyLen, End, Hash, Status};

use super::{
    basing::HashedBase,
    buffers::{Buffer, Grant},
    holes::hash_zeros,
    stage::Piece,
};
use crate::{
    disk::Pace,
    files::{Durability, JournalFile, Partial, Room, SourceFile, Whole, publish, status_of},
    hash::{GroupHash, HashTree, Hashed, PieceHasher, hash_group, hash_piece},
    sys::files::{clear, read_exact_at, write_all_at},
};

/// Bytes that are read back at once to be hashed: enough for the hash to be fast.
const READ_BACK: usize = 64 * 1024;

/// A piece of work that may block on the disk.
#[derive(Debug)]
#[must_use = "a transfer waits for it"]
pub(crate) struct Job {
    pub(super) body: BodyId,
    pub(super) work: Work,
}

/// What came of a [`Job`].
#[derive(Debug)]
#[must_use = "a transfer waits for it"]
pub(crate) struct Done {
    pub(super) body: BodyId,
    pub(super) outcome: Outcome,
}

/// Something that can be read once, from its start to its end.
pub(crate) struct Stream {
    read: Box<dyn Read + Send>,
    pace: Pace,
}

/// Something that can be written once, from its start to its end. A flush waits until all is where it goes.
pub(crate) struct Sink(Box<dyn Write + Send>);

/// A whole group to be verified and written.
pub(super) struct Group {
    pub(super) index: u64,
    /// How long groups of its body are.
    pub(super) len: u64,
    pub(super) expected: Hash,
    pub(super) blocks: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Poured {
    pub(super) sink: Sink,
    /// Where its pieces start, how long they are, and their hashes.
    pub(super) pieces: Vec<(u64, u64, Hashed)>,
}

impl Stream {
    /// What a disk gives.
    pub(crate) fn of_disk(read: impl Read + Send + 'static) -> Self {
        Self { read: Box::new(read), pace: Pace::Quick }
    }

    /// What others give when they like.
    pub(crate) fn of_others(read: impl Read + Send + 'static) -> Self {
        Self { read: Box::new(read), pace: Pace::Slow }
    }
}

impl Sink {
    pub(crate) fn new(write: impl Write + Send + 'static) -> Self {
        Self(Box::new(write))
    }
}

/// What to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Read a span for the first time, and hash it; the last one tells the file's end too.
    Read { file: Arc<SourceFile>, start: u64, buffer: Buffer, last: bool },
    /// Read a span again.
    ReadAgain { file: Arc<SourceFile>, start: u64, buffer: Buffer },
    /// See whether a file that was read is what it was.
    End { file: Arc<SourceFile> },
    /// Read on in a stream, as much as `buffer` takes.
    Produce { stream: Stream, start: u64, buffer: Vec<u8> },
    /// Hash and write a whole block.
    Write { file: Arc<File>, start: u64, len: u64, buffer: Buffer, backlog: Grant },
    /// Write parts of the block at `start`.
    WritePieces { file: Arc<File>, start: u64, pieces: Vec<Piece>, backlog: Grant },
    /// Hash a block that was written in pieces.
    ReadBack { file: Arc<File>, start: u64, len: u64 },
    /// Put files in place.
    Publish(Batch),
    /// Let go of a file that does not become whole, in which these groups are not written down yet.
    Discard { partial: Partial, verified: Vec<GroupHash> },
    /// Write down that groups are verified.
    Record { journal: Arc<JournalFile>, groups: Vec<GroupHash> },
    /// Make what is written durable.
    Sync { file: Arc<File>, journal: Arc<JournalFile> },
    /// Hash a group of a file's former state.
    HashBase { file: Arc<File>, index: u64, range: Range<u64> },
    /// Copy a group from a file's former state, or see that it is here.
    Copy { from: Arc<File>, to: Option<Arc<File>>, index: u64, range: Range<u64> },
    /// See that there is room for a file but for its holes.
    MakeRoom { room: Room, holes: u64 },
    /// Have a hole be one, whatever stood there.
    Punch { file: Arc<File>, range: Range<u64> },
    /// Hash zeros.
    Zeros { range: Range<u64> },
    /// Hash what was received into memory.
    Hash { bytes: Vec<u8> },
    /// Verify a group, and only then write it on.
    Pour { sink: Sink, group: Group },
    /// Write that many zeros on.
    PourZeros { sink: Sink, len: u64 },
    /// Wait until all that was written is where it goes.
    Drain { sink: Sink },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Read {
        start: u64,
        read: Result<ReadSpan, Status>,
    },
    ReadAgain {
        start: u64,
        read: Result<Buffer, Status>,
    },
    End(Result<End, Status>),
    Produced(Result<Produced, Status>),
    /// A block is in the file.
    Written {
        start: u64,
        len: u64,
        hashed: Result<Hashed, Status>,
    },
    PiecesWritten {
        start: u64,
        written: Result<(), Status>,
    },
    Published(Published),
    Discarded,
    Poured(Result<Poured, Status>),
    Drained(Result<(), Status>),
    Recorded,
    Synced(Result<(), Status>),
    BaseHashed {
        index: u64,
        hashed: Option<HashedBase>,
    },
    /// The hashes of its blocks.
    Copied {
        index: u64,
        copied: Result<Vec<Copied>, Status>,
    },
    RoomMade(Result<(), Status>),
    Punched {
        range: Range<u64>,
        punched: Result<(), Status>,
    },
    /// The hashes of their blocks.
    Zeros(Vec<Copied>),
    Hashed {
        bytes: Vec<u8>,
        hashes: Vec<Hashed>,
    },
}

/// A block that was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) hashed: Hashed,
}

/// Files that are whole.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) files: Vec<(BodyId, Whole)>,
    pub(super) durability: Durability,
    /// Whether there is one at a time of it.
    pub(super) is_common: bool,
}

/// What came of a [`Batch`].
#[derive(Debug)]
pub(super) struct Published {
    pub(super) files: Vec<(BodyId, Result<(), Status>)>,
    pub(super) is_common: bool,
}

/// A span of a file that was read for the first time.
#[derive(Debug)]
pub(super) struct ReadSpan {
    pub(super) buffer: Buffer,
    pub(super) hashed: Hashed,
    /// What the file's end is, if it was asked for.
    pub(super) end: Option<End>,
}

/// What a stream gave.
#[derive(Debug)]
pub(super) struct Produced {
    pub(super) stream: Stream,
    /// Less than was asked for only at its end.
    pub(super) bytes: Vec<u8>,
    /// Nothing for no bytes.
    pub(super) hashed: Option<Hashed>,
    pub(super) is_end: bool,
}

impl Job {
    /// How long it may take.
    pub(crate) fn pace(&self) -> Pace {
        match &self.work {
            // A reader may keep what is written waiting for as long as it likes.
            Work::Publish(_)
            | Work::Sync { .. }
            | Work::Pour { .. }
            | Work::PourZeros { .. }
            | Work::Drain { .. } => Pace::Slow,
            Work::Produce { stream, .. } => stream.pace,
            _ => Pace::Quick,
        }
    }

    /// Does it.
    pub(crate) fn run(self) -> Done {
        let outcome = match self.work {
            Work::Read { file, start, buffer, last } => {
                Outcome::Read { start, read: read(&file, start, buffer, last) }
            }
            Work::ReadAgain { file, start, buffer } => {
                Outcome::ReadAgain { start, read: read_again(&file, start, buffer) }
            }
            Work::End { file } => Outcome::End(file.end()),
            Work::Produce { stream, start, buffer } => {
                Outcome::Produced(produce(stream, start, buffer))
            }
            Work::Write { file, start, len, buffer, backlog } => {
                let hashed = write(&file, start, len, &buffer);
                drop((buffer, backlog));
                Outcome::Written { start, len, hashed }
            }
            Work::WritePieces { file, start, pieces, backlog } => {
                let written = write_pieces(&file, start, &pieces);
                drop((pieces, backlog));
                Outcome::PiecesWritten { start, written }
            }
            Work::ReadBack { file, start, len } => {
                Outcome::Written { start, len, hashed: read_back(&file, start, len) }
            }
            Work::Publish(batch) => Outcome::Published(publish_all(batch)),
            Work::Discard { partial, verified } => {
                partial.let_go(&verified);
                Outcome::Discarded
            }
            Work::Record { journal, groups } => {
                journal.record(&groups);
                Outcome::Recorded
            }
            Work::Sync { file, journal } => {
                Outcome::Synced(journal.sync(&file).map_err(|error| status_of(&error)))
            }
            Work::HashBase { file, index, range } => {
                // What cannot be read is not the same.
                let blocks = copy(&file, None, range).unwrap_or_default();
                Outcome::BaseHashed { index, hashed: hash_base(&blocks) }
            }
            Work::Copy { from, to, index, range } => {
                Outcome::Copied { index, copied: copy(&from, to.as_deref(), range) }
            }
            Work::MakeRoom { room, holes } => Outcome::RoomMade(room.make(holes)),
            Work::Punch { file, range } => {
                let punched = clear(&file, range.clone()).map_err(|error| status_of(&error));
                Outcome::Punched { range, punched }
            }
            Work::Zeros { range } => Outcome::Zeros(hash_zeros(range)),
            Work::Pour { sink, group } => Outcome::Poured(pour(sink, group)),
            Work::PourZeros { sink, len } => Outcome::Poured(pour_zeros(sink, len)),
            Work::Drain { mut sink } => {
                Outcome::Drained(sink.0.flush().map_err(|error| status_of_sink(&error)))
            }
            Work::Hash { bytes } => {
                let blocks =
                    (0..).step_by(BLOCK_LEN as usize).zip(bytes.chunks(BLOCK_LEN as usize));
                let hashes = blocks.map(|(start, block)| hash_piece(start, block)).collect();
                Outcome::Hashed { bytes, hashes }
            }
        };
        Done { body: self.body, outcome }
    }
}

fn publish_all(batch: Batch) -> Published {
    let Batch { files, durability, is_common } = batch;
    let (bodies, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let results = publish(files, durability);
    Published { files: bodies.into_iter().zip(results).collect(), is_common }
}

fn read(file: &SourceFile, start: u64, mut buffer: Buffer, last: bool) -> Result<ReadSpan, Status> {
    file.read_at(start, &mut buffer)?;
    let hashed = hash_piece(start, &buffer);
    let end = if last { Some(file.end()?) } else { None };
    Ok(ReadSpan { buffer, hashed, end })
}

/// What is read again has to be what was hashed.
fn read_again(file: &SourceFile, start: u64, mut buffer: Buffer) -> Result<Buffer, Status> {
    file.read_at(start, &mut buffer)?;
    if file.end()?.stable { Ok(buffer) } else { Err(Status::Changed) }
}

fn produce(mut stream: Stream, start: u64, mut bytes: Vec<u8>) -> Result<Produced, Status> {
    let mut filled = 0;
    let mut is_end = false;
    while let Some(rest) = bytes.get_mut(filled..)
        && !rest.is_empty()
    {
        match stream.read.read(rest) {
            Ok(0) => {
                is_end = true;
                break;
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(status_of(&error)),
        }
    }
    bytes.truncate(filled);
    bytes.shrink_to_fit();
    let hashed = (filled > 0).then(|| hash_piece(start, &bytes));
    Ok(Produced { stream, bytes, hashed, is_end })
}

fn pour(mut sink: Sink, group: Group) -> Result<Poured, Status> {
    let Group { index, len: group_len, expected, blocks } = group;
    let start = index.saturating_mul(group_len);
    let len: u64 = blocks.iter().map(|block| block.len() as u64).sum();
    let mut tree = HashTree::with_groups(BodyLen::Known(start.saturating_add(len)), group_len);
    let (mut at, mut pieces, mut whole) = (start, Vec::with_capacity(blocks.len()), None);
    for block in &blocks {
        let (len, hashed) = (block.len() as u64, hash_piece(at, block));
        whole = tree.insert(at, len, hashed);
        pieces.push((at, len, hashed));
        at += len;
    }
    if whole.is_none_or(|whole| whole.hash != expected) {
        return Err(Status::Corrupt);
    }
    let mut blocks = blocks.iter();
    blocks.try_for_each(|block| sink.0.write_all(block)).map_err(|error| status_of_sink(&error))?;
    Ok(Poured { sink, pieces })
}

fn pour_zeros(mut sink: Sink, len: u64) -> Result<Poured, Status> {
    io::copy(&mut io::repeat(0).take(len), &mut sink.0).map_err(|error| status_of_sink(&error))?;
    Ok(Poured { sink, pieces: Vec::new() })
}

/// Whoever reads may want no more, which is no fault.
fn status_of_sink(error: &io::Error) -> Status {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => Status::Cancelled,
        _ => status_of(error),
    }
}

fn write(file: &File, start: u64, len: u64, buffer: &Buffer) -> Result<Hashed, Status> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let bytes = buffer.get(..len).ok_or(Status::Io)?;
    let hashed = hash_piece(start, bytes);
    write_all_at(file, bytes, start).map_err(|error| status_of(&error))?;
    Ok(hashed)
}

fn write_pieces(file: &File, start: u64, pieces: &[Piece]) -> Result<(), Status> {
    pieces
        .iter()
        .flat_map(Piece::parts)
        .try_for_each(|(at, bytes)| write_all_at(file, bytes, start + at as u64))
        .map_err(|error: io::Error| status_of(&error))
}

fn read_back(file: &File, start: u64, len: u64) -> Result<Hashed, Status> {
    let mut hasher = PieceHasher::new(start);
    let mut buffer = vec![0; READ_BACK];
    let mut done = 0;
    while done < len {
        let step = usize::try_from(len - done).unwrap_or(usize::MAX).min(READ_BACK);
        let bytes = buffer.get_mut(..step).unwrap_or_default();
        read_exact_at(file, bytes, start + done).map_err(|error| status_of(&error))?;
        hasher.update(bytes);
        done += step as u64;
    }
    Ok(hasher.finish())
}

fn hash_base(blocks: &[Copied]) -> Option<HashedBase> {
    let hash = hash_group(blocks.iter().map(|block| (block.start, block.len, block.hashed)))?;
    let whole = blocks.first().filter(|_| blocks.len() == 1).and_then(|only| only.hashed.whole());
    Some(HashedBase { hash, whole })
}

/// Reads bytes that start and end with blocks, and writes them at the same place elsewhere.
fn copy(from: &File, to: Option<&File>, range: Range<u64>) -> Result<Vec<Copied>, Status> {
    let mut buffer = vec![0; READ_BACK];
    let mut blocks = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start.saturating_add(BLOCK_LEN));
        let mut hasher = PieceHasher::new(start);
        let mut at = start;
        while at < end {
            let step = usize::try_from(end - at).unwrap_or(READ_BACK).min(READ_BACK);
            let bytes = buffer.get_mut(..step).unwrap_or_default();
            read_exact_at(from, bytes, at).map_err(|error| status_of(&error))?;
            hasher.update(bytes);
            if let Some(to) = to {
                write_all_at(to, bytes, at).map_err(|error| status_of(&error))?;
            }
            at += step as u64;
        }
        blocks.push(Copied { start, len: end - start, hashed: hasher.finish() });
        start = end;
    }
    Ok(blocks)
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.index)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}
