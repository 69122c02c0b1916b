//! What the runs took.

use crate::peer::Peer;
use std::{cmp::Ordering, fmt, time::Duration};

/// What became of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Done(Taken),
    /// It was ended at the cap.
    TooLong,
    /// It failed, or what arrived was not what was sent.
    Failed,
}

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// From the start of the client to its exit.
    pub(crate) time: Duration,
    /// Processor time of both programs.
    pub(crate) cpu: Duration,
}

/// The runs of one peer over one link.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    pub(crate) peer: Peer,
    pub(crate) outcomes: Vec<Outcome>,
}

/// All runs over one link.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) title: String,
    /// Bits a second, where there is a limit.
    pub(crate) rate: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) runs: Vec<Runs>,
}

impl Runs {
    /// The run in the middle, those that did not end well being the slowest.
    pub(crate) fn median(&self) -> Outcome {
        let mut sorted = self.outcomes.clone();
        sorted.sort_by(Outcome::compare);
        sorted.get(sorted.len() / 2).copied().unwrap_or(Outcome::Failed)
    }

    /// The fastest and the slowest run that ended well.
    pub(crate) fn range(&self) -> Option<(Duration, Duration)> {
        let times = || self.outcomes.iter().filter_map(|outcome| outcome.time());
        Some((times().min()?, times().max()?))
    }
}

impl Results {
    /// The peers, the fastest first.
    pub(crate) fn sorted(&self) -> Vec<Runs> {
        let mut sorted = self.runs.clone();
        sorted.sort_by(|one, other| one.median().compare(&other.median()));
        sorted
    }

    /// What gannet took.
    pub(crate) fn gannet(&self) -> Option<Duration> {
        self.runs.iter().find(|runs| runs.peer == Peer::Gannet)?.median().time()
    }

    /// Bits a second of what is fetched in `time`.
    pub(crate) fn rate_of(&self, time: Duration) -> f64 {
        self.bytes as f64 * 8.0 / time.as_secs_f64()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(taken) => write!(f, "{:.2} s", taken.time.as_secs_f64()),
            Self::TooLong => f.write_str("takes too long"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl Outcome {
    pub(crate) const fn time(&self) -> Option<Duration> {
        match self {
            Self::Done(taken) => Some(taken.time),
            Self::TooLong | Self::Failed => None,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let key = |outcome: &Self| match outcome {
            Self::Done(taken) => (0, taken.time),
            Self::TooLong => (1, Duration::ZERO),
            Self::Failed => (2, Duration::ZERO),
        };
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(peer: Peer, outcomes: &[Option<u64>]) -> Runs {
        let outcome = |seconds: &Option<u64>| match seconds {
            Some(seconds) => {
                let time = Duration::from_secs(*seconds);
                Outcome::Done(Taken { time, cpu: Duration::ZERO })
            }
            None => Outcome::TooLong,
        };
        Runs { peer, outcomes: outcomes.iter().map(outcome).collect() }
    }

    #[test]
    fn the_median_counts_what_did_not_end_as_the_slowest() {
        let median = |outcomes: &[Option<u64>]| {
            runs(Peer::Scp, outcomes).median().time().map(|time| time.as_secs())
        };
        assert_eq!(median(&[Some(9), Some(2), Some(3)]), Some(3));
        assert_eq!(median(&[None, Some(2), Some(3)]), Some(3));
        assert_eq!(median(&[None, Some(2), None]), None);
    }

    #[test]
    fn the_fastest_stands_first_and_what_did_not_end_last() {
        let results = Results {
            title: String::new(),
            rate: None,
            bytes: 1_000_000,
            runs: vec![
                runs(Peer::Scp, &[None]),
                runs(Peer::Gannet, &[Some(4)]),
                runs(Peer::Rsyncd, &[Some(2)]),
            ],
        };
        let order: Vec<Peer> = results.sorted().iter().map(|runs| runs.peer).collect();
        assert_eq!(order, [Peer::Rsyncd, Peer::Gannet, Peer::Scp]);
        assert_eq!(results.gannet(), Some(Duration::from_secs(4)));
        assert_eq!(results.rate_of(Duration::from_secs(4)), 2e6);
    }
}
