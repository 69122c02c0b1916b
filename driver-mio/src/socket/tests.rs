use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use gannet_protocol::Transmit;
use mio::{Events, Poll};
use proptest::prelude::*;
use rustix::io::Errno;

use super::*;

const TOKEN: Token = Token(0);

/// Two sockets; the poll watches the second.
struct Pair {
    near: Socket,
    far: Socket,
    poll: Poll,
    outbox: Outbox,
}

/// A datagram that arrived.
type Arrived = (Vec<u8>, Option<Ecn>, Option<IpAddr>);

impl Pair {
    fn new(host: IpAddr) -> Self {
        let mut far = Socket::bind(SocketAddr::new(host, 0)).unwrap();
        let mut remote = far.local_addr().unwrap();
        if host.is_unspecified() {
            remote.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let poll = Poll::new().unwrap();
        far.register(poll.registry(), TOKEN).unwrap();
        Self { near: Socket::connect(remote).unwrap(), far, poll, outbox: Outbox::new() }
    }

    fn send(&mut self, count: usize, segment_len: usize, ecn: Option<Ecn>) -> Sent {
        let mut remote = self.far.local_addr().unwrap();
        if remote.ip().is_unspecified() {
            remote.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let len = count * segment_len - segment_len / 2;
        self.outbox.fill(|room| {
            room[..len].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at % 251) as u8);
            Some(Transmit { remote, local: None, ecn, len, segment_len })
        });
        self.near.send(&mut self.outbox)
    }

    /// Receives `bytes` bytes in all.
    fn receive(&mut self, bytes: usize) -> Vec<Arrived> {
        let (mut inbox, mut events, mut arrived) = (Inbox::new(), Events::with_capacity(4), vec![]);
        while arrived.iter().map(|(payload, ..): &Arrived| payload.len()).sum::<usize>() < bytes {
            match self.far.receive(&mut inbox) {
                Received::Datagrams => {
                    arrived.extend(inbox.datagrams().map(|d| (d.payload.to_vec(), d.ecn, d.local)));
                }
                _ => {
                    self.poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
                    assert!(!events.is_empty(), "only {} datagrams arrived", arrived.len());
                }
            }
        }
        arrived
    }
}

fn hosts() -> Vec<IpAddr> {
    let hosts: [IpAddr; 3] =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into()];
    let usable = |host: &IpAddr| std::net::UdpSocket::bind((*host, 0)).is_ok();
    hosts.into_iter().filter(usable).collect()
}

/// Coalesced datagrams too: what quinn-udp 0.6 loses as long as its time stamps are on.
#[test]
fn a_batch_arrives_cut_and_marked() {
    for host in hosts() {
        for mark in [None, Some(Ecn::Ect0), Some(Ecn::Ce)] {
            let mut pair = Pair::new(host);
            assert_eq!(pair.send(20, 1200, mark), Sent::All);
            let arrived = pair.receive(19 * 1200 + 600);
            let lens: Vec<_> = arrived.iter().map(|(payload, ..)| payload.len()).collect();
            assert_eq!(lens, [vec![1200; 19], vec![600]].concat(), "{host}");
            let bytes = arrived.iter().flat_map(|(payload, ..)| payload);
            assert!(bytes.enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
            assert!(arrived.iter().all(|(_, ecn, _)| *ecn == mark), "{host} {mark:?}");
            assert!(arrived.iter().all(|(.., local)| local.is_some() == host.is_unspecified()));
        }
    }
}

#[test]
fn a_batch_of_many_small_datagrams_goes_in_several_sends() {
    let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
    let sends = spy(&mut pair.near, |_, _| None);
    assert_eq!(pair.send(150, 100, None), Sent::All);
    assert_eq!(pair.receive(149 * 100 + 50).len(), 150);
    let lens: Vec<_> = sends.lock().unwrap().iter().map(|(len, _)| *len).collect();
    assert_eq!(lens, [6400, 6400, 2150]);
}

type Sends = Arc<Mutex<Vec<(usize, Option<usize>)>>>;

/// Lets `fault` decide over each send, and keeps what they were.
fn spy(
    socket: &mut Socket,
    mut fault: impl FnMut(usize, bool) -> Option<Errno> + Send + 'static,
) -> Sends {
    let sends = Sends::default();
    let seen = Arc::clone(&sends);
    socket.inject(Fault::new(move |len, segment| {
        let mut seen = seen.lock().unwrap();
        seen.push((len, segment));
        fault(seen.len(), segment.is_some())
    }));
    sends
}

/// `docs/hostile-input.md`, row 8.
#[test]
fn a_device_that_does_not_cut_gets_single_datagrams() {
    for errno in [Errno::IO, Errno::INVAL] {
        let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
        let sends = spy(&mut pair.near, move |_, cut| cut.then_some(errno));
        assert_eq!(pair.send(10, 1200, Some(Ecn::Ect0)), Sent::All);
        assert_eq!(pair.send(5, 1200, Some(Ecn::Ect0)), Sent::All);
        let arrived = pair.receive(9 * 1200 + 600 + 4 * 1200 + 600);
        assert_eq!(arrived.len(), 15);
        assert!(arrived.iter().all(|(_, ecn, _)| *ecn == Some(Ecn::Ect0)));
        assert_eq!(sends.lock().unwrap().len(), 16, "one batch fails, and none is tried again");
    }
}

/// `docs/hostile-input.md`, row 8: the path shrank, and the system calls the batch invalid.
#[test]
fn datagrams_that_are_too_large_do_not_end_the_offload() {
    let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
    let sends = spy(&mut pair.near, |count, cut| match (count, cut) {
        (1, true) => Some(Errno::INVAL),
        (2, false) => Some(Errno::MSGSIZE),
        _ => None,
    });
    assert_eq!(pair.send(2, 1200, None), Sent::All);
    assert_eq!(pair.send(4, 1200, None), Sent::All);
    assert_eq!(pair.receive(600 + 3 * 1200 + 600).len(), 5, "the first one alone is dropped");
    let cut: Vec<_> = sends.lock().unwrap().iter().map(|(_, segment)| segment.is_some()).collect();
    assert_eq!(cut, [true, false, false, true]);
}

/// `docs/hostile-input.md`, row 8.
#[test]
fn what_the_system_cannot_take_now_stays() {
    for (errno, told) in [(Errno::AGAIN, Sent::Full), (Errno::NOBUFS, Sent::Congested)] {
        let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
        spy(&mut pair.near, move |count, _| (count == 2).then_some(errno));
        // 64 segments are one send at most: the second one fails.
        assert_eq!(pair.send(70, 100, None), told);
        assert!(pair.outbox.is_full());
        assert_eq!(pair.near.send(&mut pair.outbox), Sent::All);
        assert!(!pair.outbox.is_full());
        assert_eq!(pair.receive(69 * 100 + 50).len(), 70);
    }
}

/// `docs/hostile-input.md`, row 8.
#[test]
fn a_refusal_is_counted_and_costs_no_datagram() {
    let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
    spy(&mut pair.near, |count, _| (count == 1).then_some(Errno::CONNREFUSED));
    assert_eq!(pair.send(3, 1200, None), Sent::All);
    assert_eq!(pair.receive(2 * 1200 + 600).len(), 3);
    assert_eq!((pair.near.take_refused(), pair.near.take_refused()), (1, 0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_port_is_noticed() {
    let mut pair = Pair::new(Ipv4Addr::LOCALHOST.into());
    let remote = pair.far.local_addr().unwrap();
    pair.far = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let fill = |room: &mut [u8]| {
        room[..9].fill(1);
        Some(Transmit { remote, local: None, ecn: None, len: 9, segment_len: 9 })
    };
    for _ in 0..3 {
        pair.outbox.fill(fill);
        assert_eq!(pair.near.send(&mut pair.outbox), Sent::All);
    }
    assert!(pair.near.take_refused() > 0);
}

#[test]
fn buffers_are_as_large_as_the_system_grants() {
    let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let plain = RawSocket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    plain.set_recv_buffer_size(BUFFER).unwrap();
    let granted = SockRef::from(&socket.io).recv_buffer_size().unwrap();
    assert!(granted >= plain.recv_buffer_size().unwrap());
}

proptest! {
    /// `docs/hostile-input.md`, row 7.
    #[test]
    fn a_receive_is_split_exactly(len in 0usize..3000, stride in 0usize..4000) {
        let mut received = vec![0u8; len];
        let parts: Vec<usize> = inbox::split(&mut received, stride).map(|part| part.len()).collect();
        prop_assert_eq!(parts.iter().sum::<usize>(), len);
        if let Some((last, whole)) = parts.split_last() {
            let stride = if stride == 0 { len } else { stride };
            prop_assert!(whole.iter().all(|part| *part == stride));
            prop_assert!(*last <= stride && *last > 0);
        }
    }
}
