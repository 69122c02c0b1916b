//! What a watched connection tells of its packets.

use std::{collections::BTreeMap, time::Duration};

use gannet_protocol::{Config, Instant, TraceEvent};
use gannet_tests::{
    scenario::{Scenario, Way},
    world::Path,
};

const MS: Duration = Duration::from_millis(1);

/// On a path that loses, reorders and doubles packets: each that is in flight was sent, and is neither acknowledged nor lost yet,
/// and what is told of all of them together is their sum.
#[test]
fn each_packet_is_acknowledged_lost_or_in_flight() {
    let mut config = Config::default();
    config.trace = true;
    let path = Path::new(50_000_000, 30 * MS).loss(0.02).duplicate(0.01).reorder(0.01, 5 * MS);
    for way in Way::BOTH {
        let mut scenario = Scenario::with_config(3, path.clone(), way, 5_000_000, &config);
        let moved = scenario.run(60_000 * MS);
        let host = match way {
            Way::Get => scenario.world.server_mut(),
            Way::Put => scenario.world.client_mut(scenario.client),
        };
        let mut session = host.endpoint.session(host.connected[0]).unwrap();
        let (mut in_flight, mut last) = (BTreeMap::new(), Instant::ZERO);
        let (mut sent, mut lost, mut received, mut metrics) = (0, 0, 0, 0);
        while let Some(traced) = session.poll_trace() {
            assert!(traced.at >= last, "{traced:?} after {last:?}");
            last = traced.at;
            match traced.what {
                TraceEvent::Sent { number, size, eliciting, .. } => {
                    sent += 1;
                    if eliciting {
                        assert_eq!(in_flight.insert(number, u64::from(size)), None);
                    }
                }
                TraceEvent::Acked { number } => drop(in_flight.remove(&number)),
                TraceEvent::Lost { number } => {
                    lost += u64::from(in_flight.remove(&number).is_some());
                }
                TraceEvent::Metrics(told) => {
                    metrics += 1;
                    assert_eq!(told.in_flight, in_flight.values().sum::<u64>(), "{told:?}");
                }
                TraceEvent::Received { .. } => received += 1,
                TraceEvent::Missed(count) => panic!("{count} events are missing"),
                _ => {}
            }
        }
        assert_eq!((sent, received), (moved.stats.packets_sent, moved.stats.packets_received));
        assert!(lost >= moved.stats.packets_lost && moved.stats.packets_lost > 0, "{lost}");
        assert!(metrics > 100);
    }
}

#[test]
fn who_is_not_watched_tells_nothing() {
    let mut scenario = Scenario::new(3, Path::new(50_000_000, 30 * MS), Way::Put, 1_000_000);
    scenario.run(60_000 * MS);
    let host = scenario.world.client_mut(scenario.client);
    let mut session = host.endpoint.session(host.connected[0]).unwrap();
    assert_eq!(session.poll_trace(), None);
}
