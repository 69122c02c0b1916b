//! What BBR must keep to, whatever happens.

use core::time::Duration;

use proptest::prelude::*;

use super::*;

/// What may happen to a controller.
#[derive(Clone, Debug)]
enum Event {
    /// Sends so many packets.
    Send(u64),
    /// Acknowledges up to so many packets after so many milliseconds, at that rate.
    Ack { packets: u64, wait: u64, rate: u64, app_limited: bool },
    /// Loses so many packets of what was sent so many milliseconds ago.
    Lose { packets: u64, ago: u64, persistent: bool },
    /// Hears of a mark.
    Mark,
    /// The packets get another size.
    Mtu(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..200u64).prop_map(Event::Send),
        6 => (1..300u64, 0..1000u64, prop_oneof![0..1_000_000u64, any::<u64>()], any::<bool>())
            .prop_map(|(packets, wait, rate, app_limited)| Event::Ack { packets, wait, rate, app_limited }),
        2 => (1..100u64, 0..500u64, prop::bool::weighted(0.1))
            .prop_map(|(packets, ago, persistent)| Event::Lose { packets, ago, persistent }),
        1 => Just(Event::Mark),
        1 => (1..9000u64).prop_map(Event::Mtu),
    ]
}

proptest! {
    /// The window stays between four packets and the largest, and the rate above zero.
    #[test]
    fn keeps_the_rules_whatever_happens(events in prop::collection::vec(event(), 1..300)) {
        let mut bbr = Bbr::new(1200);
        let mut rtt = Rtt::new(Duration::from_millis(333));
        let (mut mtu, mut now, mut next, mut acked) = (1200, 0u64, 0u64, 0u64);
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        for event in events {
            match event {
                Event::Send(packets) => {
                    for _ in 0..packets {
                        let in_flight = (next - acked + 1) * mtu;
                        bbr.on_sent(&Sent { now: at(now), number: next, bytes: mtu, in_flight });
                        next += 1;
                    }
                }
                Event::Ack { packets, wait, rate, app_limited } => {
                    let packets = packets.min(next - acked);
                    if packets == 0 {
                        continue;
                    }
                    now += wait;
                    acked += packets;
                    rtt.update(Duration::from_millis(wait), Duration::ZERO, at(now));
                    let interval = Duration::from_secs(1);
                    let sample = RateSample { delivered: rate, interval, app_limited };
                    bbr.on_acked(&Acked {
                        now: at(now),
                        bytes: packets * mtu,
                        largest: acked - 1,
                        largest_sent_at: at(now.saturating_sub(wait)),
                        in_flight: (next - acked) * mtu,
                        app_limited,
                        rtt: &rtt,
                        rate: (rate > 0).then_some(sample),
                    });
                }
                Event::Lose { packets, ago, persistent } => bbr.on_lost(&Lost {
                    now: at(now),
                    bytes: packets * mtu,
                    largest: next.saturating_sub(1),
                    largest_sent_at: at(now.saturating_sub(ago)),
                    in_flight: (next - acked) * mtu,
                    persistent,
                    next_number: next,
                }),
                Event::Mark => {
                    let (now, in_flight) = (at(now), (next - acked) * mtu);
                    bbr.on_ecn(&Marked { now, packets: 1, largest_sent_at: now, in_flight });
                }
                Event::Mtu(size) => {
                    mtu = size;
                    bbr.on_mtu(mtu);
                }
            }
            prop_assert!((4 * mtu..=MAXIMUM_WINDOW).contains(&bbr.window()));
            prop_assert!(bbr.pacing_rate(&rtt) > 0);
        }
    }
}
