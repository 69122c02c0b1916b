//! The queue before the bottleneck, as far as round-trip times tell of it.

use core::time::Duration;

use crate::Instant;

/// Round-trip times above the least by more than this part show that there is a queue.
const QUEUED: u32 = 16;

/// A difference of round-trip times that is no more than timers and bunches make.
const NOISE: Duration = Duration::from_millis(1);

/// Part of the least round-trip time up to which what is always there beyond it is jitter, and no queue.
const JITTER: u32 = 6;

/// A queue that holds less time than this is short on any path: timers and bunches are as long.
const SHORT: Duration = Duration::from_millis(8);

/// Part of its length above which the queue that others leave is much.
const MUCH: u32 = 3;

/// Time after which the longest round-trip time is forgotten, once or twice over.
const PEAK_TIME: Duration = Duration::from_secs(10);

/// So often this machine has to be late in [`BUSY_TIME`] to be taken for busy: once now and then, any is.
const BUSY_TIMES: u32 = 4;

/// How long round-trip times are taken to be late for this machine's sake, after it was seen to be busy.
const BUSY_TIME: Duration = Duration::from_secs(2);

/// Round-trip times of which the least counts in that time: some of them were not late.
const BUSY_SAMPLES: usize = 8;

/// What round-trip times say of the queue. They are compared with the least of minutes: a flow that has never seen the queue
/// empty must not take a full one for an empty one.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    least: Duration,
    /// The least when it was last found that there had been a queue where none was seen.
    known: Duration,
    latest: Duration,
    /// The longest mean of a round, of this and the last while, and when this one began: single samples may be late for
    /// other reasons.
    peaks: [Duration; 2],
    /// The shortest such mean.
    troughs: [Duration; 2],
    since: Instant,
    /// Of this round: the sum of the samples, and their number.
    round: (Duration, u32),
    /// The least of them.
    low: Duration,
    /// The latest samples.
    samples: [Duration; BUSY_SAMPLES],
    /// How often this machine was late lately, and since when.
    late: (u32, Instant),
    busy_until: Instant,
    is_busy: bool,
    stood: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            least: Duration::ZERO,
            known: Duration::MAX,
            latest: Duration::ZERO,
            peaks: [Duration::ZERO; 2],
            troughs: [Duration::MAX; 2],
            since: Instant::ZERO,
            round: (Duration::ZERO, 0),
            low: Duration::MAX,
            samples: [Duration::MAX; BUSY_SAMPLES],
            late: (0, Instant::ZERO),
            busy_until: Instant::ZERO,
            is_busy: false,
            stood: false,
        }
    }
}

impl Queue {
    /// Takes in a sample, and the least there was. Returns whether it shows that there was a queue where none was seen.
    pub(super) fn on_sample(&mut self, sample: Duration, least: Duration, now: Instant) -> bool {
        if now.saturating_since(self.since) > PEAK_TIME {
            let [peak, _] = self.peaks;
            self.peaks = [Duration::ZERO, peak];
            let [trough, _] = self.troughs;
            self.troughs = [Duration::MAX, trough];
            self.since = now;
        }
        self.least = least;
        self.is_busy = now < self.busy_until;
        self.samples.rotate_right(1);
        if let Some(first) = self.samples.first_mut() {
            *first = sample;
        }
        self.latest = match self.samples.iter().min() {
            Some(least) if self.is_busy => *least,
            _ => sample,
        };
        self.low = self.low.min(sample);
        let (sum, count) = self.round;
        self.round = (sum.saturating_add(sample), count.saturating_add(1));
        let was_hidden = self.known > least.saturating_add((least / QUEUED).max(NOISE));
        if was_hidden {
            self.known = least;
        }
        was_hidden
    }

    /// This machine was late. If it often is, round-trip times say less of the path.
    pub(super) fn on_late(&mut self, now: Instant) {
        let (times, since) = match self.late {
            (times, since) if now.saturating_since(since) < BUSY_TIME => (times, since),
            _ => (0, now),
        };
        self.late = (times.saturating_add(1), since);
        if times + 1 >= BUSY_TIMES {
            self.busy_until = now + BUSY_TIME;
        }
    }

    /// From here on packets go at the path's rate, and those that one late packet holds up are more than before: what jitter was
    /// is forgotten.
    pub(super) fn forget_jitter(&mut self) {
        self.troughs = [Duration::MAX; 2];
    }

    /// A round is over; whether the queue was empty all through it.
    pub(super) fn end_round(&mut self) -> bool {
        let (sum, count) = core::mem::take(&mut self.round);
        let low = core::mem::replace(&mut self.low, Duration::MAX);
        let Some(mean) = sum.checked_div(count) else {
            self.stood = true;
            return false;
        };
        let [peak, _] = &mut self.peaks;
        *peak = mean.max(*peak);
        let [trough, _] = &mut self.troughs;
        *trough = mean.min(*trough);
        self.stood = self.shows(if self.is_busy { low } else { mean });
        !self.stood
    }

    /// Whether there was a queue in the last round.
    pub(super) fn stood(&self) -> bool {
        self.stood
    }

    /// Whether such a round-trip time shows a queue.
    pub(super) fn shows(&self, sample: Duration) -> bool {
        let jitter = self.unavoidable();
        let jitter = (jitter + jitter / 4).min(self.least / JITTER);
        let noise = (self.least / QUEUED).max(NOISE).max(jitter);
        sample > self.least.saturating_add(noise)
    }

    /// What is always there beyond the least round-trip time.
    fn unavoidable(&self) -> Duration {
        let [trough, before] = self.troughs;
        trough.min(before).saturating_sub(self.least).min(self.least)
    }

    /// Whether there is a queue now.
    pub(super) fn stands(&self) -> bool {
        self.shows(self.latest)
    }

    /// Whether it is as good as full, as far as its length is known.
    pub(super) fn is_full(&self) -> bool {
        // With jitter single samples are that late without any queue.
        let jitter = self.unavoidable().min(self.least / JITTER);
        let beyond = self.latest.saturating_sub(self.least).saturating_sub(jitter);
        self.stands() && beyond > self.length().saturating_sub(jitter) / 2
    }

    /// Whether such a round-trip time shows that much of it is there.
    pub(super) fn holds_much(&self, sample: Duration) -> bool {
        self.shows(sample) && sample.saturating_sub(self.least) > self.length() / MUCH
    }

    /// Whether it is long enough to be seen.
    pub(super) fn is_visible(&self) -> bool {
        self.shows(self.length().saturating_add(self.least))
    }

    /// Whether it is much shorter than the path.
    pub(super) fn is_shallow(&self) -> bool {
        self.length() < (self.least / 2).max(SHORT)
    }

    /// The most time that was spent in it lately.
    fn length(&self) -> Duration {
        let [peak, before] = self.peaks;
        peak.max(before).saturating_sub(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(40);

    fn sample(queue: &mut Queue, queued: u64, at: u64) {
        let at = Instant::from_nanos(at * 1_000_000);
        queue.on_sample(LEAST + Duration::from_millis(queued), LEAST, at);
    }

    #[test]
    fn a_queue_is_seen_and_known_when_full() {
        let mut queue = Queue::default();
        sample(&mut queue, 2, 1);
        assert!(!queue.stands() && !queue.is_visible() && queue.end_round());
        sample(&mut queue, 30, 2);
        assert!(!queue.end_round());
        assert!(queue.stands() && queue.is_full() && queue.is_visible() && !queue.is_shallow());
        sample(&mut queue, 10, 3);
        assert!(queue.stands() && !queue.is_full());
        assert!(!queue.end_round() && queue.stood());
        sample(&mut queue, 1, 4);
        assert!(!queue.stands() && queue.end_round() && !queue.stood());
    }

    #[test]
    fn a_queue_that_was_taken_for_the_path_is_found_out_once() {
        let mut queue = Queue::default();
        let was_hidden = [40, 39, 36, 36].map(|least| {
            let least = Duration::from_millis(least);
            queue.on_sample(least, least, Instant::from_nanos(1))
        });
        // Before the first sample nothing was known.
        assert_eq!(was_hidden, [true, false, true, false]);
    }

    #[test]
    fn the_half_of_a_queue_is_much_of_it() {
        let mut queue = Queue::default();
        sample(&mut queue, 30, 1);
        queue.end_round();
        let after = |queued| queue.holds_much(LEAST + Duration::from_millis(queued));
        assert_eq!([1, 9, 11, 30].map(after), [false, false, true, true]);
    }

    #[test]
    fn a_machine_that_is_late_hides_no_queue_and_shows_none() {
        let mut queue = Queue::default();
        (0..BUSY_TIMES).for_each(|_| queue.on_late(Instant::from_nanos(1)));
        for (queued, stands) in [([0, 30, 30], false), ([20, 30, 30], true)] {
            (0..9)
                .zip(queued.into_iter().cycle())
                .for_each(|(at, queued)| sample(&mut queue, queued, at));
            assert_eq!((queue.stands(), queue.end_round()), (stands, !stands));
        }
        // It was two seconds ago.
        [0, 30, 30].into_iter().for_each(|queued| sample(&mut queue, queued, 2001));
        assert!(queue.stands() && !queue.end_round());
    }

    #[test]
    fn a_sample_that_is_late_for_jitter_fills_no_queue() {
        let mut queue = Queue::default();
        sample(&mut queue, 2, 1);
        queue.end_round();
        sample(&mut queue, 14, 2);
        queue.end_round();
        sample(&mut queue, 9, 3);
        assert!(queue.is_full());
        // What single packets suffered counts no more once many go.
        queue.forget_jitter();
        sample(&mut queue, 6, 4);
        queue.end_round();
        sample(&mut queue, 9, 5);
        assert!(queue.stands() && !queue.is_full());
        sample(&mut queue, 11, 6);
        assert!(queue.is_full());
    }

    #[test]
    fn what_it_was_long_ago_is_forgotten() {
        let mut queue = Queue::default();
        sample(&mut queue, 80, 1);
        queue.end_round();
        sample(&mut queue, 10, 10_002);
        queue.end_round();
        assert!(!queue.is_full());
        sample(&mut queue, 10, 20_003);
        assert!(queue.is_full() && queue.is_shallow());
    }

    #[test]
    fn what_is_always_there_is_jitter_unless_it_is_much() {
        let shows_after = |late: u64, then: u64| {
            let mut queue = Queue::default();
            sample(&mut queue, 0, 1);
            sample(&mut queue, 2 * late, 2);
            queue.end_round();
            sample(&mut queue, then, 3);
            queue.stands()
        };
        assert!(!shows_after(5, 6));
        assert!(shows_after(5, 7));
        assert!(shows_after(20, 9));
    }
}
