//! Where a sender's time went: for what it waited, and how long.

use core::{ops::Sub, time::Duration};

use crate::Instant;

/// Why a connection does not send more at a moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Cause {
    /// There is nothing to send: the other side, or the application, has the next word.
    #[default]
    Idle,
    /// The congestion window, the pacer, or the round trip that the last bytes take.
    Path,
    /// The receiver has room for no more.
    Credit,
    /// The source has not read the next bytes yet.
    Source,
    /// Nothing: packets are being made.
    Busy,
}

/// Time of a connection by what kept it from sending more; each moment counts once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Spent {
    /// There was nothing to send: the other side, or the application, had the next word.
    pub idle: Duration,
    /// By the congestion window, the pacer, or the round trip that the last bytes take.
    pub path: Duration,
    /// By the receiver's credit: it had room for no more.
    pub credit: Duration,
    /// By the source, which had not read the next bytes yet.
    pub source: Duration,
    /// By nothing but the making and sending of packets.
    pub busy: Duration,
}

impl Spent {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        let Self { idle, path, credit, source, busy } = *self;
        [path, credit, source, busy].into_iter().fold(idle, Duration::saturating_add)
    }

    const fn of(&mut self, cause: Cause) -> &mut Duration {
        match cause {
            Cause::Idle => &mut self.idle,
            Cause::Path => &mut self.path,
            Cause::Credit => &mut self.credit,
            Cause::Source => &mut self.source,
            Cause::Busy => &mut self.busy,
        }
    }
}

/// What was spent since an earlier account; nothing where that has more.
impl Sub for Spent {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            idle: self.idle.saturating_sub(earlier.idle),
            path: self.path.saturating_sub(earlier.path),
            credit: self.credit.saturating_sub(earlier.credit),
            source: self.source.saturating_sub(earlier.source),
            busy: self.busy.saturating_sub(earlier.busy),
        }
    }
}

/// Keeps the account. It costs a comparison where nothing changes, and an addition where something does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ledger {
    spent: Spent,
    cause: Cause,
    /// Since when that is so; none before the connection can send.
    since: Option<Instant>,
}

impl Ledger {
    /// From now on it is this.
    pub(crate) fn note(&mut self, now: Instant, cause: Cause) {
        if self.since.is_some() && self.cause == cause {
            return;
        }
        self.spent = self.spent(now);
        self.cause = cause;
        // A clock that goes back counts nothing twice.
        self.since = self.since.max(Some(now));
    }

    /// The account as of `now`.
    pub(crate) fn spent(&self, now: Instant) -> Spent {
        let mut spent = self.spent;
        if let Some(since) = self.since {
            let account = spent.of(self.cause);
            *account = account.saturating_add(now.saturating_since(since));
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAUSES: [Cause; 5] =
        [Cause::Idle, Cause::Path, Cause::Credit, Cause::Source, Cause::Busy];

    proptest! {
        /// The shares are as long as the time, however it is cut, and none of them ever shrinks.
        #[test]
        fn every_moment_counts_once(
            start in 0..1u64 << 50,
            steps in prop::collection::vec((0usize..5, 0u64..1 << 40), 1..100),
        ) {
            let start = Instant::from_nanos(start);
            let (mut ledger, mut now) = (Ledger::default(), start);
            let mut expected = Spent::default();
            let mut last = Spent::default();
            for (cause, nanos) in steps {
                let cause = CAUSES[cause];
                ledger.note(now, cause);
                prop_assert_eq!(ledger.spent(now), expected, "to note spends nothing");
                now = now + Duration::from_nanos(nanos);
                *expected.of(cause) += Duration::from_nanos(nanos);
                let spent = ledger.spent(now);
                prop_assert_eq!(spent, expected);
                prop_assert_eq!(spent.total(), now.saturating_since(start));
                prop_assert_eq!((spent - last).total(), Duration::from_nanos(nanos));
                last = spent;
            }
        }

        /// A clock that jumps does not make the account longer than the time up to the latest moment.
        #[test]
        fn a_clock_that_jumps_counts_nothing_twice(
            steps in prop::collection::vec((0usize..5, any::<u64>()), 1..50),
        ) {
            let mut ledger = Ledger::default();
            let (mut first, mut latest) = (None, Instant::ZERO);
            for (cause, at) in steps {
                let now = Instant::from_nanos(at / 2);
                ledger.note(now, CAUSES[cause]);
                let first = *first.get_or_insert(now);
                latest = latest.max(now);
                let total = ledger.spent(now).total();
                prop_assert!(total <= latest.saturating_since(first));
            }
        }
    }

    #[test]
    fn nothing_is_spent_before_the_first_note() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.spent(Instant::from_nanos(5)), Spent::default());
        ledger.note(Instant::from_nanos(5), Cause::Idle);
        ledger.note(Instant::from_nanos(7), Cause::Path);
        let spent = ledger.spent(Instant::from_nanos(10));
        assert_eq!((spent.idle.as_nanos(), spent.path.as_nanos()), (2, 3));
    }
}
