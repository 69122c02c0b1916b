use alloc::{collections::BTreeSet, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    delivery::DeliveryRate,
    ranges::RangeSet,
    wire::{
        cursor::Writer,
        frame::{Frame, Frames, write_ack},
    },
};

const SIZE: u16 = 1200;
const RTT: Duration = Duration::from_millis(100);

fn at(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

fn rtt() -> Rtt {
    let mut rtt = Rtt::new(RTT);
    rtt.update(RTT, Duration::ZERO, Instant::ZERO);
    rtt
}

fn packet(now: Instant, eliciting: bool) -> SentPacket {
    let stamp = DeliveryRate::new().on_sent(now, 0);
    SentPacket::new(now, SIZE, eliciting, Contents::default(), (stamp, PathId::default()))
}

/// Feeds an ACK frame of these numbers; gives the fates of packets.
fn ack(
    recovery: &mut Recovery,
    now: Instant,
    numbers: impl IntoIterator<Item = u64>,
    room: usize,
) -> Result<(AckOutcome, Vec<(u64, Fate)>), AckUnsent> {
    let mut set = RangeSet::new();
    numbers.into_iter().for_each(|n| {
        set.insert(n..n + 1);
    });
    let mut buf = [0; 2000];
    let mut w = Writer::new(&mut buf);
    write_ack(&mut w, room, &mut set.iter().rev(), 0, None).unwrap();
    let len = w.finish().unwrap();
    let Some(Ok(Frame::Ack(frame))) = Frames::new(&buf[..len]).next() else { panic!("no ack") };
    let mut fates = vec![];
    let outcome = recovery.on_ack(now, &frame, |n, _, fate| fates.push((n, fate)))?;
    Ok((outcome, fates))
}

fn losses(recovery: &mut Recovery, now: Instant) -> (LossOutcome, Vec<u64>) {
    let mut lost = vec![];
    let rtt = rtt();
    let outcome = recovery.detect_losses(now, &rtt, rtt.pto(Duration::ZERO), |n, _, fate| {
        assert_eq!(fate, Fate::Lost);
        lost.push(n);
    });
    (outcome, lost)
}

fn sent(count: u64, gap_ms: u64) -> Recovery {
    let mut recovery = Recovery::new(Instant::ZERO);
    (0..count).for_each(|n| recovery.on_sent(packet(at(n * gap_ms), true)));
    recovery
}

#[test]
fn a_packet_three_behind_is_lost_at_once() {
    let mut recovery = sent(6, 0);
    ack(&mut recovery, at(100), [4], 1000).unwrap();
    let (outcome, lost) = losses(&mut recovery, at(100));
    assert_eq!(lost, [0, 1]);
    assert_eq!((outcome.packets, outcome.bytes), (2, 2400));
    assert_eq!(recovery.in_flight(), 3 * u64::from(SIZE));
}

#[test]
fn one_that_is_late_by_an_eighth_of_a_round_trip_is_lost_by_time() {
    let mut recovery = sent(3, 0);
    ack(&mut recovery, at(100), [1], 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(100)).1, []);
    let deadline = recovery.deadline(RTT * 3).unwrap();
    assert_eq!(deadline, at(0) + Duration::from_micros(112_500));
    assert!(recovery.is_loss_time(deadline));
    assert_eq!(losses(&mut recovery, deadline).1, [0]);
}

#[test]
fn a_late_acknowledgement_widens_the_threshold() {
    let mut recovery = sent(20, 0);
    ack(&mut recovery, at(100), 8..12, 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(100)).1, (0..8).collect::<Vec<_>>());
    let (_, fates) = ack(&mut recovery, at(101), 0..12, 1000).unwrap();
    assert!(fates.iter().all(|(_, fate)| *fate == Fate::AckedLate) && fates.len() == 8);
    // Packet 0 was 11 behind: now packets as far behind are waited for.
    ack(&mut recovery, at(101), [19], 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(102)).1, []);
}

#[test]
fn a_late_acknowledgement_is_waited_for_as_long_the_next_time() {
    let mut recovery = sent(2, 0);
    ack(&mut recovery, at(100), [1], 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(113)).1, [0]);
    let (_, fates) = ack(&mut recovery, at(120), [0], 1000).unwrap();
    assert_eq!(fates, [(0, Fate::AckedLate)]);
    (0..2).for_each(|_| recovery.on_sent(packet(at(1000), true)));
    ack(&mut recovery, at(1100), [3], 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(1134)).1, []);
    assert_eq!(losses(&mut recovery, at(1135)).1, [2]);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_told() {
    let mut recovery = sent(3, 0);
    assert!(matches!(ack(&mut recovery, at(1), [3], 1000), Err(AckUnsent)));
}

#[test]
fn what_an_ack_frame_left_out_is_not_lost() {
    // Every other packet arrived, but only the newest ranges found room.
    let mut recovery = sent(400, 0);
    let (_, fates) = ack(&mut recovery, at(100), (0..200).map(|n| 2 * n), 60).unwrap();
    let smallest = fates.iter().map(|(n, _)| *n).min().unwrap();
    assert!(smallest > 300);
    let (_, lost) = losses(&mut recovery, at(100));
    assert!(lost.iter().all(|n| *n > smallest));
    // The whole truth later: nothing that arrived was declared lost.
    let (_, fates) = ack(&mut recovery, at(101), (0..200).map(|n| 2 * n), 1000).unwrap();
    assert!(fates.iter().all(|(_, fate)| *fate == Fate::Acked));
    assert_eq!(losses(&mut recovery, at(101)).1.len() + lost.len(), 199 - 1);
}

#[test]
fn losing_all_for_three_probe_timeouts_is_persistent_congestion() {
    let mut recovery = sent(20, 100);
    ack(&mut recovery, at(2000), [19], 1000).unwrap();
    assert!(losses(&mut recovery, at(2000)).0.persistent);
    let mut short = sent(20, 10);
    ack(&mut short, at(2000), [19], 1000).unwrap();
    assert!(!losses(&mut short, at(2000)).0.persistent);
    let mut broken = sent(20, 100);
    ack(&mut broken, at(2000), [5, 10, 15, 19], 1000).unwrap();
    assert!(!losses(&mut broken, at(2000)).0.persistent);
}

#[test]
fn probes_repeat_the_oldest_and_back_off_to_a_bound() {
    for (pto, longest) in [
        (Duration::from_millis(5), SHORT_PROBE_INTERVAL),
        (Duration::from_millis(100), Duration::from_millis(800)),
        (Duration::from_secs(1), MAX_PROBE_INTERVAL),
    ] {
        probes_back_off(pto, longest);
    }
}

fn probes_back_off(pto: Duration, longest: Duration) {
    let mut recovery = sent(5, 0);
    let mut now = at(0);
    let mut pause = Duration::ZERO;
    for _ in 0..20 {
        let deadline = recovery.deadline(pto).unwrap();
        assert!(deadline > now);
        pause = deadline.saturating_since(now);
        now = deadline;
        let mut probed = vec![];
        recovery.on_probe_timeout(now, 2, |n, _| {
            probed.push(n);
            true
        });
        assert_eq!(probed, [0, 1]);
    }
    assert_eq!(pause, longest);
    ack(&mut recovery, now, [0], 1000).unwrap();
    assert_eq!(recovery.deadline(pto), Some(now + pto));
}

#[test]
fn acknowledgements_that_need_none_do_not_pile_up() {
    let mut recovery = Recovery::new(Instant::ZERO);
    for _ in 0..MAX_TRACKED + 1000 {
        recovery.on_sent(packet(at(0), false));
    }
    assert_eq!(recovery.packets.len(), MAX_TRACKED);
    assert_eq!(recovery.next_number(), MAX_TRACKED as u64 + 1000);
    assert!(!recovery.expects_ack());
}

#[derive(Clone, Debug)]
enum Step {
    Send { eliciting: bool },
    Ack { picks: Vec<prop::sample::Index>, room: usize },
    Wait { ms: u64 },
    Probe,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => any::<bool>().prop_map(|often| Step::Send { eliciting: often }),
        3 => Just(Step::Send { eliciting: true }),
        2 => (prop::collection::vec(any::<prop::sample::Index>(), 1..20), 40usize..400)
            .prop_map(|(picks, room)| Step::Ack { picks, room }),
        1 => (0u64..300).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Probe),
    ]
}

proptest! {
    /// sent = acknowledged + lost + in flight, whatever is acknowledged in whatever order.
    #[test]
    fn every_packet_is_accounted_for_once(steps in prop::collection::vec(step(), 1..300)) {
        let mut recovery = Recovery::new(Instant::ZERO);
        let mut now = Instant::ZERO;
        let mut arrived = BTreeSet::new();
        let (mut sent, mut acked, mut lost) = (0u64, 0u64, 0u64);
        let mut open: BTreeSet<u64> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Send { eliciting } => {
                    if eliciting {
                        open.insert(recovery.next_number());
                        sent += u64::from(SIZE);
                    }
                    recovery.on_sent(packet(now, eliciting));
                }
                Step::Ack { picks, room } => {
                    let all = recovery.next_number() as usize;
                    if all == 0 {
                        continue;
                    }
                    arrived.extend(picks.iter().map(|pick| pick.index(all) as u64));
                    let told = arrived.iter().copied();
                    let (outcome, fates) = ack(&mut recovery, now, told, room).unwrap();
                    acked += outcome.bytes;
                    for (number, fate) in fates {
                        match fate {
                            Fate::Acked => { open.remove(&number); }
                            Fate::AckedLate => prop_assert!(!open.contains(&number)),
                            Fate::Lost => prop_assert!(false),
                        }
                    }
                    let (outcome, numbers) = losses(&mut recovery, now);
                    lost += outcome.bytes;
                    for number in numbers {
                        open.remove(&number);
                        prop_assert!(!arrived.contains(&number) || number < recovery.unsaid_below);
                    }
                }
                Step::Wait { ms } => {
                    now = now + Duration::from_millis(ms);
                    let (outcome, numbers) = losses(&mut recovery, now);
                    lost += outcome.bytes;
                    numbers.iter().for_each(|number| { open.remove(number); });
                }
                Step::Probe => {
                    recovery.on_probe_timeout(now, 2, |_, _| true);
                    let deadline = recovery.deadline(RTT);
                    prop_assert!(recovery.loss_time.is_some() || deadline.is_none_or(|at| at > now));
                }
            }
            prop_assert_eq!(sent, acked + lost + recovery.in_flight());
            prop_assert_eq!(open.len() as u64, recovery.eliciting_in_flight);
        }
    }
}

/// Sends `count` packets, and leaves numbers out; gives them.
fn sent_with_skips(count: u64, dice: u64) -> (Recovery, Vec<u64>) {
    let mut recovery = Recovery::new(Instant::ZERO);
    let mut skipped = vec![];
    for _ in 0..count {
        recovery.on_sent(packet(at(0), true));
        let next = recovery.next_number();
        recovery.skip(|| dice);
        skipped.extend((recovery.next_number() > next).then_some(next));
    }
    (recovery, skipped)
}

/// `docs/hostile-input.md`, row 26.
#[test]
fn an_acknowledgement_of_a_number_left_out_is_told_before_anything_of_it_is_believed() {
    let (mut recovery, skipped) = sent_with_skips(2_000, 5);
    assert!(skipped.len() >= 4);
    let in_flight = recovery.in_flight();
    assert_eq!(in_flight, 2_000 * u64::from(SIZE));
    for number in &skipped {
        assert!(matches!(ack(&mut recovery, at(100), [*number], 1000), Err(AckUnsent)));
        let around = number - 3..number + 4;
        assert!(matches!(ack(&mut recovery, at(100), around, 1000), Err(AckUnsent)));
    }
    assert!(matches!(ack(&mut recovery, at(100), 0..2_000, 1000), Err(AckUnsent)));
    assert_eq!(recovery.in_flight(), in_flight);
    // Long after the packets around it are forgotten, too.
    let honest = (0..recovery.next_number()).filter(|n| !skipped.contains(n));
    ack(&mut recovery, at(100), honest, 2000).unwrap();
    assert_eq!(losses(&mut recovery, at(100)).1, []);
    assert_eq!((recovery.in_flight(), recovery.base()), (0, recovery.next_number()));
    assert!(matches!(ack(&mut recovery, at(200), [skipped[0]], 1000), Err(AckUnsent)));
}

/// A number that was left out is no packet that overtook another.
#[test]
fn numbers_left_out_are_no_evidence_of_loss() {
    let (mut recovery, skipped) = sent_with_skips(200, 5);
    let hole = skipped[0];
    ack(&mut recovery, at(100), (0..hole - 2).chain([hole + 1]), 1000).unwrap();
    // Two before the hole, one behind it: the older of them is two behind, and not three.
    assert_eq!(losses(&mut recovery, at(100)).1, []);
    ack(&mut recovery, at(100), [hole + 2], 1000).unwrap();
    assert_eq!(losses(&mut recovery, at(100)).1, [hole - 2]);
}

#[test]
fn packets_of_another_path_are_lost_without_blame_and_come_back_into_account() {
    let mut recovery = sent(6, 0);
    let (old, new) = (PathId::default(), PathId::default().next());
    recovery.set_path(new, true);
    assert_eq!(recovery.in_flight(), 0);
    for _ in 0..5 {
        let stamp = DeliveryRate::new().on_sent(at(1), 0);
        recovery.on_sent(SentPacket::new(at(1), SIZE, true, Contents::default(), (stamp, new)));
    }
    let (outcome, fates) = ack(&mut recovery, at(100), [0], 1000).unwrap();
    assert_eq!(fates.len(), 1);
    assert!(outcome.progress && outcome.bytes == 0);
    assert!(outcome.newest.is_none() && outcome.rtt_sample.is_none());
    let (outcome, _) = ack(&mut recovery, at(100), [10], 1000).unwrap();
    assert_eq!((outcome.bytes, outcome.newest), (u64::from(SIZE), Some((10, at(1)))));
    let (outcome, lost) = losses(&mut recovery, at(100));
    assert_eq!(lost, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((outcome.packets, outcome.bytes), (7, 2 * u64::from(SIZE)));
    assert_eq!(outcome.newest, Some((7, at(1))));
    assert_eq!(recovery.in_flight(), 2 * u64::from(SIZE));
    recovery.set_path(old, false);
    assert_eq!(recovery.in_flight(), 0);
}
