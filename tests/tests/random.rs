//! Whatever a peer says, in whatever order: no panic, no endless loop, bounded output, and other clients are served.
//!
//! The hosts of a world watch the rest at every step (row 38): that the polls fall idle, that the next timeout is later than
//! now, that every event and write fits what came before.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use gannet_protocol::{Config, Datagram, Endpoint, Instant};
use gannet_tests::{
    content::Content,
    directory::name,
    forge::{
        self, Ack, ForgedClient, ForgedServer, Frame, Parameters,
        message::{self, end, get, group, list, meta_reply, put, rename},
    },
    host::{Job, Outcome},
    world::{Direction, Path, World},
};
use proptest::{collection::vec, prelude::*};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4000);

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Numbers where something may break.
fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..10,
        2 => 0u64..3000,
        1 => (1u64 << 20) - 3..(1 << 20) + 3,
        1 => 0u64..1 << 40,
        1 => (1u64 << 60) - 3..(1 << 60) + 3,
        1 => (1u64 << 62) - 3..1 << 62,
    ]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![get(b"file"), get(b"other"), list(), rename(b"a", b"b")]),
        prop::sample::select(vec![message::done(), message::message(5, &[&[1]])]),
        edge().prop_map(|len| put(b"stored", len.min(1 << 60))),
        edge().prop_map(|len| meta_reply(len.min(1 << 60))),
        edge().prop_map(|len| end(len.min(1 << 60))),
        edge().prop_map(|index| group(index, [0; 32])),
        vec(any::<u8>(), 0..40),
        (any::<u8>(), vec(any::<u8>(), 0..30)).prop_map(|(k, b)| message::message(k, &[&b])),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let exchange = || prop_oneof![9 => 0u64..4, 1 => edge()];
    let ranges = vec((0u64..20, 0u64..20), 1..10).prop_map(|steps| {
        let mut low = 0;
        let mut ranges: Vec<_> = steps
            .into_iter()
            .map(|(gap, len)| {
                let range = (low + gap, low + gap + len);
                low = range.1 + 2;
                range
            })
            .collect();
        ranges.reverse();
        ranges
    });
    prop_oneof![
        1 => Just(Frame::Ping),
        3 => (ranges, edge(), prop::option::of([edge(), edge(), edge()]), any::<bool>())
            .prop_map(|(ranges, delay, ecn, partial)| Frame::Ack(Ack { partial, delay, ecn, ranges })),
        6 => (exchange(), any::<bool>(), message())
            .prop_map(|(exchange, fin, bytes)| Frame::Message { exchange, offset: 0, fin, bytes }),
        1 => (exchange(), edge(), any::<bool>(), vec(any::<u8>(), 0..50))
            .prop_map(|(exchange, offset, fin, bytes)| Frame::Message { exchange, offset, fin, bytes }),
        1 => (edge(), edge(), edge()).prop_map(|(a, b, c)| Frame::Credit(a, b, c)),
        1 => (exchange(), edge()).prop_map(|(exchange, limit)| Frame::BodyCredit { exchange, limit }),
        1 => (exchange(), 0u8..22, edge(), edge(), edge()).prop_map(
            |(exchange, status, detail, body, messages)| Frame::Reset {
                exchange, status, detail, body, messages
            }
        ),
        1 => any::<[u8; 8]>().prop_map(Frame::PathChallenge),
        1 => any::<[u8; 8]>().prop_map(Frame::PathResponse),
    ]
}

fn packet() -> impl Strategy<Value = Vec<Frame>> {
    let data = (0u64..4, edge(), 0usize..1100).prop_map(|(exchange, offset, len)| Frame::Data {
        exchange,
        offset,
        bytes: vec![7; len],
    });
    (vec(frame(), 1..4), prop::option::of(data)).prop_map(|(mut frames, last)| {
        frames.extend(last);
        frames
    })
}

/// Packets, and the milliseconds after each.
fn packets() -> impl Strategy<Value = Vec<(Vec<Frame>, u32)>> {
    vec((packet(), prop_oneof![0u32..5, 0u32..2000]), 1..40)
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_frames_to_a_server(packets in packets(), renumber in 0u64..3) {
        let mut world = World::new(1);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 400_000));
        world.server_mut().files.insert(&name("other"), Content::pattern(1, 0));
        let mut forged = ForgedClient::connect(&mut world, STRANGER, &Parameters::default());
        let mut received = 0;
        for (frames, pause) in packets {
            forged.number += renumber;
            forged.send(&mut world, &frames);
            world.run_for(pause * MS);
            received += forged.receive(&mut world).len();
        }
        prop_assert!(received < 5000, "{}", received);
        let client = world.add_client(Path::new(50_000_000, 20 * MS));
        let job = world.start(client, Job::Get(name("file")));
        world.run_until_idle(10 * SECOND);
        prop_assert!(matches!(world.outcome(client, job), Some(Outcome::Got(_))));
    }

    #[test]
    fn any_frames_to_a_client(packets in packets(), jobs in vec(0u8..5, 0..4)) {
        let mut world = World::new(1);
        let client = world.add_client(Path::new(50_000_000, 20 * MS));
        let mut forged = ForgedServer::replace(&mut world, client);
        forged.answer(&mut world, &Parameters::default());
        for job in jobs {
            world.start(client, match job {
                0 => Job::Get(name("file")),
                1 => Job::put(&name("up"), Content::pattern(1, 3_000_000)),
                2 => Job::List(None),
                3 => Job::Rename(name("a"), name("b")),
                _ => Job::Exit,
            });
        }
        for (frames, pause) in packets {
            forged.send(&mut world, &frames);
            world.run_for(pause * MS);
        }
        let sent = forged.receive().len();
        prop_assert!(sent < 5000, "{}", sent);
        world.run_for(40 * SECOND);
        prop_assert!(world.client(client).is_idle(), "all ends when the server falls silent");
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// Packets of a real connection, damaged, numbered anew and sealed again, among the real ones.
    #[test]
    fn damaged_packets_of_a_real_connection(
        changes in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0u64..4), 1..30),
    ) {
        let mut world = World::new(2);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 300_000));
        let client = world.add_client(Path::new(20_000_000, 20 * MS).loss(0.02));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let eye = Rc::clone(&seen);
        world.set_filter(move |passing| {
            eye.borrow_mut().push((passing.direction, passing.from, passing.payload.to_vec()));
            true
        });
        world.start(client, Job::Get(name("file")));
        world.start(client, Job::put(&name("up"), Content::pattern(2, 300_000)));
        world.start(client, Job::List(None));
        for (which, place, byte, skip) in changes {
            world.run_for(3 * MS);
            let (direction, from, mut packet) = which.get(&seen.borrow()).clone();
            packet.truncate(packet.len() - 4);
            let at = place.index(packet.len());
            packet[at] = byte;
            if packet[0] == forge::DATA && packet.len() > 17 {
                // A number that was not used yet, so that it is looked at.
                let number = u64::from_be_bytes(packet[9..17].try_into().unwrap());
                packet[9..17].copy_from_slice(&(number + 500 * skip).to_be_bytes());
            }
            let packet = forge::seal(packet);
            match direction {
                Direction::Up => world.spoof(from, &packet),
                Direction::Down => world.spoof_down(client, &packet),
            }
        }
        // A checksum can be forged, and a forged packet can take the place of a real one for good: that connection may
        // stall. No other does.
        world.run_for(40 * SECOND);
        let honest = world.add_client(Path::new(20_000_000, 20 * MS));
        let job = world.start(honest, Job::Get(name("file")));
        let over = |world: &mut World| world.outcome(honest, job).is_some();
        prop_assert!(world.run_until(over, 20 * SECOND));
        prop_assert!(matches!(world.outcome(honest, job), Some(Outcome::Got(_))));
    }

    /// Row 35 and 38: calls of an endpoint in any order, at times that jump ahead and back.
    #[test]
    fn any_order_of_calls(calls in vec((0u8..7, edge()), 1..200)) {
        let mut config = Config::default();
        config.accept = true;
        let mut ends = [Endpoint::new(config.clone(), [1; 32]), Endpoint::new(config, [2; 32])];
        let addresses: [SocketAddr; 2] = [STRANGER, "192.0.2.1:5555".parse().unwrap()];
        let connection = ends[0].connect(Instant::ZERO, addresses[1]);
        let mut flying: [Vec<Vec<u8>>; 2] = [vec![], vec![]];
        let mut out = vec![0; 20_000];
        for (call, value) in calls {
            // Times that a driver's clock may give, and some that it may not.
            let now = Instant::from_nanos(value.wrapping_mul(1_000_003));
            let at = usize::from(call & 1);
            match call {
                0 | 1 => {
                    let mut source = |_, _, buf: &mut [u8]| { buf.fill(1); Ok(()) };
                    for _ in 0..100 {
                        let Some(sent) = ends[at].poll_transmit(now, &mut source, &mut out) else { break };
                        flying[1 - at].extend(out[..sent.len].chunks(sent.segment_len).map(<[u8]>::to_vec));
                    }
                }
                2 | 3 => {
                    for mut payload in flying[at].drain(..) {
                        let remote = addresses[1 - at];
                        let datagram = Datagram { remote, local: None, ecn: None, payload: &mut payload };
                        let _ = ends[at].handle_datagram(now, datagram);
                    }
                }
                4 | 5 => {
                    ends[at].handle_timeout(now);
                    let _ = ends[at].poll_timeout();
                }
                _ => {
                    while ends[0].poll_event().is_some() || ends[1].poll_event().is_some() {}
                    if let Some(mut session) = ends[0].session(connection) {
                        let _ = session.request(gannet_protocol::Request::List(None));
                    }
                }
            }
        }
    }
}
