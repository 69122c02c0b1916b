//! What a client's time goes by.

use std::{ops::Sub, time::Duration};

use gannet_protocol::Instant;

/// Time of a connection by what its client did; time without anything to do is in none of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Phases {
    /// The server had yet to answer the first packets.
    pub handshake: Duration,
    /// Bytes of some file were on their way.
    pub transfer: Duration,
    /// All bytes were there, and one of the disks had yet to make them last.
    pub disk: Duration,
    /// All that was done was waiting for an answer.
    pub wait: Duration,
}

/// What passed since an earlier account; nothing where that has more.
impl Sub for Phases {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            handshake: self.handshake.saturating_sub(earlier.handshake),
            transfer: self.transfer.saturating_sub(earlier.transfer),
            disk: self.disk.saturating_sub(earlier.disk),
            wait: self.wait.saturating_sub(earlier.wait),
        }
    }
}

/// What a client does at a moment; of several things side by side the greatest.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Doing {
    #[default]
    Nothing,
    Wait,
    Disk,
    Transfer,
    Handshake,
}

/// Keeps the account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Diary {
    phases: Phases,
    doing: Doing,
    since: Instant,
}

impl Diary {
    /// From now on it does this.
    pub(super) fn note(&mut self, now: Instant, doing: Doing) {
        self.phases = self.phases(now);
        self.doing = doing;
        self.since = self.since.max(now);
    }

    /// The account as of `now`.
    pub(super) fn phases(&self, now: Instant) -> Phases {
        let mut phases = self.phases;
        let account = match self.doing {
            Doing::Nothing => return phases,
            Doing::Wait => &mut phases.wait,
            Doing::Disk => &mut phases.disk,
            Doing::Transfer => &mut phases.transfer,
            Doing::Handshake => &mut phases.handshake,
        };
        *account = account.saturating_add(now.saturating_since(self.since));
        phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_belongs_to_what_was_done() {
        let at = |ms| Instant::ZERO + Duration::from_millis(ms);
        let mut diary = Diary::default();
        for (ms, doing) in [
            (5, Doing::Handshake),
            (105, Doing::Nothing),
            (200, Doing::Wait),
            (300, Doing::Transfer),
            (350, Doing::Transfer),
            (800, Doing::Disk),
            (900, Doing::Transfer),
        ] {
            diary.note(at(ms), doing);
        }
        let ms = Duration::from_millis;
        let expected =
            Phases { handshake: ms(100), wait: ms(100), transfer: ms(550), disk: ms(100) };
        assert_eq!(diary.phases(at(950)), expected);
        assert_eq!(
            diary.phases(at(950)) - diary.phases(at(900)),
            Phases { transfer: ms(50), ..Phases::default() }
        );
    }
}
