//! Whether those who fill the queue are deaf to loss.
//!
//! By what is lost they cannot be told from a crowd that shares fairly: the law that all keep to gives each the same product of
//! loss and squared window. What tells is when the queue empties. BBR, version 1, keeps it full for ten seconds and drains
//! its own part of it for a moment then, when nobody asked for it; whoever else drains theirs finds it still there. Those who keep
//! to this model drain all together, since each takes the moment when the queue was last seen empty as the beginning of its wait.

use core::time::Duration;

use crate::Instant;

/// Rounds after the pipe was drained, in which an empty queue is what that left behind.
const OURS: u32 = 4;

/// Signs that are no chance: of those who have only come, not all know when the queue was empty.
const SIGNS: u32 = 2;

/// Time after which what was found by draining says no more: longer than BBR, version 1, goes on filling the queue.
const MEMORY: Duration = Duration::from_secs(15);

/// What became of the queue when we drained our part of it, and when we did not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rivals {
    /// When we last drained ours, if the queue stayed.
    stayed: Option<Instant>,
    /// Rounds since then, and whether it was empty in one that is not our doing.
    rounds: u32,
    emptied: bool,
    /// How often in a row it was found again after that.
    signs: u32,
}

impl Rivals {
    /// We have drained our part of the queue; `stays`: others' is much of it.
    pub(super) fn on_drained(&mut self, stays: bool, now: Instant) {
        let recent = self.stayed.is_some_and(|stayed| now.saturating_since(stayed) < MEMORY);
        self.signs = match stays {
            true if recent => self.signs.saturating_add(u32::from(self.emptied)),
            _ => 0,
        };
        self.stayed = stays.then_some(now);
        self.rounds = 0;
        self.emptied = false;
    }

    /// A round is over in which we did not drain; `empty`: the queue was.
    pub(super) fn end_round(&mut self, empty: bool) {
        self.rounds = self.rounds.saturating_add(1);
        self.emptied |= empty && self.rounds > OURS;
    }

    /// Whether others fill the queue whatever is lost, as far as is known.
    pub(super) fn are_deaf(&self) -> bool {
        self.signs >= SIGNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    /// Drains at each of these seconds; the queue `stays` each time and is empty in that round before each but the first.
    fn drains(rivals: &mut Rivals, seconds: &[u64], round: u32, stays: bool) {
        for second in seconds {
            rivals.on_drained(stays, at(*second));
            (1..=20).for_each(|now| rivals.end_round(now == round));
        }
    }

    #[test]
    fn who_empties_the_queue_only_when_we_do_not_is_deaf() {
        let are_deaf = |round, then| {
            let mut rivals = Rivals::default();
            drains(&mut rivals, &[5, 15], round, true);
            assert!(!rivals.are_deaf());
            rivals.on_drained(then, at(25));
            rivals.are_deaf()
        };
        assert!(are_deaf(OURS + 1, true));
        // What we have left behind is no doing of theirs.
        assert!(!are_deaf(OURS, true));
        assert!(!are_deaf(0, true));
        // A crowd drains together.
        assert!(!are_deaf(OURS + 1, false));
    }

    #[test]
    fn what_was_long_ago_tells_nothing() {
        let mut rivals = Rivals::default();
        drains(&mut rivals, &[5, 15, 30, 40], OURS + 1, true);
        assert!(!rivals.are_deaf());
        // From there on it counts again.
        drains(&mut rivals, &[50], OURS + 1, true);
        assert!(rivals.are_deaf());
    }
}
