//! What limited a transfer.

use std::{fmt, time::Duration};

use gannet_protocol::{Report, Spent};

use super::{Phases, Way};

/// A loop that waits less than this share of the time is what limits all it has to do with, in percent.
const LEAST_WAIT: u32 = 5;

/// What can limit a transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// The network between the two sides: its rate, its losses, its round trips.
    Path,
    /// The disk of the side that sends.
    SendersDisk,
    /// The disk of the side that receives, and what verifies what is written there.
    ReceiversDisk,
    /// The processor of the side that sends.
    SendersCpu,
    /// The processor of the side that receives.
    ReceiversCpu,
    /// Waiting for answers, with nothing to send.
    Waiting,
}

impl Limit {
    /// A word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::SendersDisk => "sender_disk",
            Self::ReceiversDisk => "receiver_disk",
            Self::SendersCpu => "sender_cpu",
            Self::ReceiversCpu => "receiver_cpu",
            Self::Waiting => "waiting",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "path",
            Self::SendersDisk => "sender's disk",
            Self::ReceiversDisk => "receiver's disk",
            Self::SendersCpu => "sender's CPU",
            Self::ReceiversCpu => "receiver's CPU",
            Self::Waiting => "waiting for answers",
        })
    }
}

/// What limited a transfer, and for how long each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict([(Limit, Duration); 6]);

impl Verdict {
    /// Of what the two sides of a transfer that went this way spent meanwhile, and what the client's time went by.
    #[must_use]
    pub fn new(way: Way, sender: &Report, receiver: &Report, phases: Phases) -> Self {
        let Spent { idle, path, credit, source, busy, .. } = sender.spent;
        let total = sender.spent.total();
        let is_saturated =
            |side: &Report| side.waited.saturating_mul(100) < total.saturating_mul(LEAST_WAIT);
        // Its last bytes are there, and are stored: all that the sender can do is wait. A client that fetches knows of each
        // moment whether it waits for an answer; one that sends hears when all is stored.
        let storing = match way {
            Way::Up => idle.min(phases.disk),
            Way::Down => idle.saturating_sub(phases.wait),
        };
        let mut shares = [
            (Limit::Path, path),
            (Limit::SendersDisk, source),
            (Limit::ReceiversDisk, credit.saturating_add(storing)),
            (Limit::SendersCpu, busy),
            (Limit::ReceiversCpu, Duration::ZERO),
            (Limit::Waiting, idle.saturating_sub(storing)),
        ];
        let [(_, on_path), _, (_, at_receiver), (_, sending), (_, receiving), _] = &mut shares;
        // What a loop that never rests does not get to looks to the other side like a slow path.
        if is_saturated(sender) {
            *sending = sending.saturating_add(std::mem::take(on_path));
        } else if is_saturated(receiver) {
            let credit = credit.min(*at_receiver);
            *at_receiver -= credit;
            *receiving = credit.saturating_add(std::mem::take(on_path));
        }
        Self(shares)
    }

    /// The shares of all that did limit it, the largest first; together they are 1, or there are none.
    #[must_use]
    pub fn shares(&self) -> Vec<(Limit, f64)> {
        let total: f64 = self.0.iter().map(|(_, time)| time.as_secs_f64()).sum();
        let mut shares: Vec<_> = self
            .0
            .iter()
            .filter(|(_, time)| !time.is_zero())
            .map(|(limit, time)| (*limit, time.as_secs_f64() / total))
            .collect();
        shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        shares
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn report([idle, path, credit, source, busy, waited]: [u32; 6]) -> Report {
        let mut report = Report::default();
        report.spent.idle = MS * idle;
        report.spent.path = MS * path;
        report.spent.credit = MS * credit;
        report.spent.source = MS * source;
        report.spent.busy = MS * busy;
        report.waited = MS * waited;
        report
    }

    fn disk(ms: u32) -> Phases {
        Phases { disk: MS * ms, ..Phases::default() }
    }

    #[test]
    fn what_took_most_of_the_time_comes_first() {
        let receiver = report([0, 0, 0, 0, 0, 800]);
        let verdict =
            Verdict::new(Way::Up, &report([100, 600, 200, 50, 50, 700]), &receiver, disk(90));
        let expected = [
            (Limit::Path, 0.6),
            (Limit::ReceiversDisk, 0.29),
            (Limit::SendersDisk, 0.05),
            (Limit::SendersCpu, 0.05),
            (Limit::Waiting, 0.01),
        ];
        assert_eq!(verdict.shares(), expected);
    }

    #[test]
    fn a_loop_that_never_rests_is_what_limits() {
        let busy = report([0, 900, 50, 0, 50, 40]);
        let rested = report([0, 0, 0, 0, 0, 500]);
        let shares = Verdict::new(Way::Up, &busy, &rested, disk(0)).shares();
        assert_eq!(shares.first(), Some(&(Limit::SendersCpu, 0.95)));
        let sender = report([0, 500, 450, 0, 50, 400]);
        let shares = Verdict::new(Way::Up, &sender, &report([0, 0, 0, 0, 0, 10]), disk(0)).shares();
        assert_eq!(shares.first(), Some(&(Limit::ReceiversCpu, 0.95)));
    }

    #[test]
    fn what_a_client_does_not_wait_for_it_stores() {
        let sender = report([500, 500, 0, 0, 0, 500]);
        let phases = Phases { transfer: MS * 900, wait: MS * 100, ..Phases::default() };
        let shares = |way| Verdict::new(way, &sender, &sender, phases).shares();
        assert_eq!(shares(Way::Up), [(Limit::Path, 0.5), (Limit::Waiting, 0.5)]);
        let expected = [(Limit::Path, 0.5), (Limit::ReceiversDisk, 0.4), (Limit::Waiting, 0.1)];
        assert_eq!(shares(Way::Down), expected);
    }

    proptest! {
        /// Whatever a server tells, the shares are shares.
        #[test]
        fn the_shares_are_one(
            sender in prop::array::uniform6(any::<u32>()),
            receiver in prop::array::uniform6(any::<u32>()),
            ms in any::<u32>(),
        ) {
            let verdict = Verdict::new(Way::Up, &report(sender), &report(receiver), disk(ms));
            let shares = verdict.shares();
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            let is_empty = sender[..5].iter().all(|ms| *ms == 0);
            prop_assert_eq!(is_empty, shares.is_empty());
            prop_assert!(is_empty || (sum - 1.0).abs() < 1e-9, "{}", sum);
        }
    }

    #[test]
    fn times_of_any_length_do_no_harm() {
        let mut endless = Report::default();
        endless.spent.path = Duration::MAX;
        endless.spent.idle = Duration::MAX;
        endless.waited = Duration::MAX;
        let phases = Phases { disk: Duration::MAX, ..Phases::default() };
        assert_eq!(Verdict::new(Way::Up, &endless, &endless, phases).shares().len(), 2);
    }
}
