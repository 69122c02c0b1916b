//! A block of a file that is received, on its way from datagrams to the disk.

use std::{fs::File, mem, ops::Range, sync::Arc};

use gannet_protocol::Status;

use super::{
    buffers::{Buffer, Grant, Pool},
    job::Work,
};
use crate::{files::status_of, sys::files::write_all_at};

/// Most ranges that are told apart in a block; bytes that would make another one are written on their own. A sender
/// leaves a gap for each packet lost: at a loss of 10% there are a hundred or so.
const MAX_RANGES: usize = 512;

/// Bytes of a loose piece up to which its neighbours are added to it.
const MAX_LOOSE: usize = 64 * 1024;

/// What a loose piece costs beyond its bytes.
const LOOSE_OVERHEAD: u64 = 64;

/// A block that is not whole yet, or not written.
///
/// As long as there is memory its bytes gather in a buffer, and the whole block is hashed and written at once. When
/// memory is short, what there is of it is written in pieces, and so is what follows; once whole it is read back
/// to be hashed.
#[derive(Debug)]
pub(super) struct Block {
    start: u64,
    len: u64,
    /// Bytes that arrived for the first time.
    fresh: u64,
    gathered: Option<Gathered>,
    /// What waits to be written in pieces.
    loose: Vec<Piece>,
    /// Whether any of it went, or goes, to the file in pieces.
    is_scattered: bool,
    /// Whether a job of this block is under way: there is one at a time.
    is_busy: bool,
}

/// The bytes of a block in memory, and where they are.
#[derive(Debug)]
pub(super) struct Gathered {
    buffer: Buffer,
    ranges: Ranges,
}

/// A part of a block to be written.
#[derive(Debug)]
pub(super) enum Piece {
    /// What was gathered.
    Gathered(Gathered),
    /// Some bytes at an offset in the block.
    Loose(Loose),
}

/// Bytes at an offset in a block.
#[derive(Debug)]
pub(super) struct Loose {
    at: usize,
    bytes: Vec<u8>,
    grant: Grant,
}

/// What blocks are written with.
pub(super) struct Means<'a> {
    /// Where to write, once that is open.
    pub(super) file: Option<&'a Arc<File>>,
    /// The account of loose pieces.
    pub(super) loose: &'a Pool,
    /// The account of whole blocks on their way to the disk.
    pub(super) backlog: &'a Pool,
}

impl Block {
    /// The block of `len` bytes at `start`, which gather in `buffer` if there is one.
    pub(super) fn new(start: u64, len: u64, buffer: Option<Buffer>) -> Self {
        Self {
            start,
            len,
            fresh: 0,
            gathered: buffer.map(|buffer| Gathered { buffer, ranges: Ranges::default() }),
            loose: Vec::new(),
            is_scattered: false,
            is_busy: false,
        }
    }

    /// Tells how long the block is after all, when it is the last of a body of open length.
    pub(super) fn settle_len(&mut self, len: u64) {
        self.len = len;
    }

    /// Whether all of it is there.
    fn is_whole(&self) -> bool {
        self.fresh >= self.len
    }

    /// Whether its buffer can be had back by [`Self::scatter`].
    pub(super) fn can_scatter(&self) -> bool {
        self.gathered.is_some() && !self.is_whole()
    }

    /// Gives the buffer up: what is in it is to be written in pieces.
    pub(super) fn scatter(&mut self) {
        if let Some(gathered) = self.gathered.take() {
            self.is_scattered = true;
            self.loose.push(Piece::Gathered(gathered));
        }
    }

    /// Takes bytes, of which `fresh` are new, at an offset in the block.
    ///
    /// # Errors
    /// [`Status::Overloaded`] if they cannot be kept, [`Status::Corrupt`] if they are beyond the block; the system's.
    pub(super) fn write(
        &mut self,
        at: usize,
        data: &[u8],
        fresh: u64,
        means: &Means<'_>,
    ) -> Result<(), Status> {
        if at.saturating_add(data.len()) as u64 > self.len {
            return Err(Status::Corrupt);
        }
        self.fresh = self.fresh.saturating_add(fresh);
        if let Some(gathered) = &mut self.gathered
            && gathered.write(at, data)
        {
            return Ok(());
        }
        self.is_scattered = true;
        if means.loose.used() < means.loose.cap() {
            self.add_loose(at, data, means.loose);
            return Ok(());
        }
        // Memory is used up because the disk is behind. Only waiting for it here, with the whole event loop, slows
        // every sender down and keeps every transfer going.
        let file = means.file.ok_or(Status::Overloaded)?;
        write_all_at(file, data, self.start + at as u64).map_err(|error| status_of(&error))
    }

    fn add_loose(&mut self, at: usize, data: &[u8], account: &Pool) {
        if let Some(Piece::Loose(last)) = self.loose.last_mut()
            && last.at + last.bytes.len() == at
            && last.bytes.len() + data.len() <= MAX_LOOSE
        {
            last.bytes.extend_from_slice(data);
            last.grant.grow(data.len() as u64);
            return;
        }
        let grant = account.grant(data.len() as u64 + LOOSE_OVERHEAD);
        self.loose.push(Piece::Loose(Loose { at, bytes: data.to_vec(), grant }));
    }

    /// The next job of this block, if the file is open and it needs one.
    pub(super) fn next_work(&mut self, means: &Means<'_>) -> Option<Work> {
        if self.is_busy || (self.loose.is_empty() && !self.is_whole()) {
            return None;
        }
        let file = Arc::clone(means.file?);
        let (start, len) = (self.start, self.len);
        if self.is_whole() && self.is_scattered {
            self.scatter();
        }
        self.is_busy = true;
        if !self.loose.is_empty() {
            let pieces = mem::take(&mut self.loose);
            let gathered = pieces.iter().map(Piece::gathered_len).sum();
            let backlog = means.backlog.grant(gathered);
            return Some(Work::WritePieces { file, start, pieces, backlog });
        }
        Some(match self.gathered.take() {
            Some(Gathered { buffer, .. }) => {
                Work::Write { file, start, len, buffer, backlog: means.backlog.grant(len) }
            }
            None => Work::ReadBack { file, start, len },
        })
    }

    /// Takes note that pieces were written.
    pub(super) fn on_pieces_written(&mut self) {
        self.is_busy = false;
    }
}

impl Gathered {
    /// Keeps bytes; tells if it cannot, for their ranges would be too many.
    fn write(&mut self, at: usize, data: &[u8]) -> bool {
        let end = at.saturating_add(data.len());
        let Some(place) = self.buffer.get_mut(at..end) else { return false };
        if !self.ranges.insert(at..end) {
            return false;
        }
        place.copy_from_slice(data);
        true
    }
}

impl Piece {
    /// Its bytes, and where in the block they go.
    pub(super) fn parts(&self) -> Box<dyn Iterator<Item = (usize, &[u8])> + '_> {
        match self {
            Self::Loose(Loose { at, bytes, .. }) => Box::new(std::iter::once((*at, &bytes[..]))),
            Self::Gathered(Gathered { buffer, ranges }) => Box::new(
                ranges.0.iter().filter_map(|range| Some((range.start, buffer.get(range.clone())?))),
            ),
        }
    }

    /// Bytes that it holds of a buffer. Loose bytes have their own account.
    fn gathered_len(&self) -> u64 {
        match self {
            Self::Loose(_) => 0,
            Self::Gathered(gathered) => gathered.buffer.len() as u64,
        }
    }
}

/// Where bytes are: sorted, neither touching nor overlapping.
#[derive(Debug, Default)]
struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Adds a range; tells if it cannot, for there are too many.
    fn insert(&mut self, range: Range<usize>) -> bool {
        match self.0.last_mut() {
            // Nearly always.
            Some(last) if last.start <= range.start && range.start <= last.end => {
                last.end = last.end.max(range.end);
                return true;
            }
            _ => {}
        }
        let from = self.0.partition_point(|other| other.end < range.start);
        let to = self.0.partition_point(|other| other.start <= range.end);
        let touched = self.0.get(from..to).unwrap_or_default();
        let joined = match (touched.first(), touched.last()) {
            (Some(first), Some(last)) => range.start.min(first.start)..range.end.max(last.end),
            _ if self.0.len() >= MAX_RANGES => return false,
            _ => range,
        };
        self.0.splice(from..to, [joined]);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_what_was_put_into_them(
            inserted in prop::collection::vec((0_usize..300, 1_usize..40), 0..60),
        ) {
            let mut ranges = Ranges::default();
            let mut model = [false; 340];
            for (start, len) in inserted {
                prop_assert!(ranges.insert(start..start + len));
                model[start..start + len].fill(true);
            }
            let mut found = [false; 340];
            ranges.0.iter().for_each(|range| found[range.clone()].fill(true));
            prop_assert_eq!(found, model);
            prop_assert!(ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }

    #[test]
    fn ranges_are_bounded_and_still_grow_where_they_are() {
        let mut ranges = Ranges::default();
        for i in 0..MAX_RANGES {
            assert!(ranges.insert(4 * i..4 * i + 1));
        }
        assert!(!ranges.insert(2..3));
        assert!(!ranges.insert(4 * MAX_RANGES..4 * MAX_RANGES + 1));
        assert!(ranges.insert(1..4), "it joins two");
        assert!(ranges.insert(4 * MAX_RANGES..4 * MAX_RANGES + 1));
    }
}
