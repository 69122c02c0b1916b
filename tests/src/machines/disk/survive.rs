//! What of that which is not durable reached the disk when the power failed.

use crate::machines::Random;

/// What reached the disk when the power failed, as a seed has it.
#[derive(Debug)]
pub(super) struct Survival {
    random: Random,
    /// The last change of names, lengths and the like that the file system's log has.
    last: u64,
    /// Of eight writes, so many are there.
    writes: u64,
    /// Whether some of them are there in parts.
    tears: bool,
}

impl Survival {
    /// Of changes up to the number `end`.
    pub(super) fn new(random: &mut Random, begin: u64, end: u64) -> Self {
        let last = match random.below(4) {
            0 => begin,
            1 => end,
            _ => begin + random.below(end.saturating_sub(begin) + 1),
        };
        let writes = *random.pick(&[0, 4, 7, 8]);
        let tears = random.one_in(2);
        Self { random: Random::new(random.next(), 0), last, writes, tears }
    }

    /// If nothing did.
    pub(super) fn nothing() -> Self {
        Self { random: Random::new(0, 0), last: 0, writes: 0, tears: false }
    }

    /// Whether the log has that change.
    pub(super) const fn keeps_record(&self, number: u64) -> bool {
        number <= self.last
    }

    /// Whether the next write is there, at least in part.
    pub(super) fn keeps_write(&mut self) -> bool {
        self.random.below(8) < self.writes
    }

    /// Whether it is in part.
    pub(super) fn tears(&mut self) -> bool {
        self.tears && self.random.one_in(2)
    }

    /// Whether the next sector of it is there.
    pub(super) fn keeps_sector(&mut self) -> bool {
        self.random.one_in(2)
    }
}
