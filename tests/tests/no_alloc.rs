//! A transfer in its steady state allocates nothing, at either end, in either direction.

use std::time::Duration;

use gannet_driver_mio::netem::LinkConfig;
use gannet_protocol::{
    BodyId, CongestionKind, Destination, Endpoint, Event, Get, Held, How, Name, Put, Reply,
    Request, Source, Unread,
};
use gannet_tests::{
    counting::{Counting, counts},
    pair::{App, Pair, endless},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Serves and sends a file without end, whose bytes are made up.
struct Endless;

impl Source for Endless {
    fn read(&mut self, _: BodyId, _: u64, buf: &mut [u8]) -> Result<(), Unread> {
        buf.fill(7);
        Ok(())
    }
}

impl App for Endless {
    fn on_event(&mut self, _end: usize, endpoint: &mut Endpoint, event: &Event) {
        match event {
            Event::Request { exchange, request: Request::Get(_), .. } => {
                let mut session = endpoint.session(exchange.connection()).unwrap();
                session.reply(*exchange, Reply::Meta(endless())).unwrap();
            }
            Event::Request { exchange, body: Some(body), .. } => {
                let mut session = endpoint.session(exchange.connection()).unwrap();
                session.held(*body, Held::Nothing).unwrap();
            }
            Event::Failed { .. } | Event::Closed(..) => panic!("{event:?}"),
            _ => {}
        }
    }
}

fn requests() -> [Request; 2] {
    let file = Name::parse(b"file").unwrap();
    let to = Destination { path: None, leaf: file.clone(), into_directory: false };
    [Request::Get(Get::all(file)), Request::Put(Put { to, meta: endless(), how: How::default() })]
}

/// Allocations while 50 MB move, after 100 MB have, and the packets that it took.
fn allocations(link: &LinkConfig, congestion: CongestionKind, request: Request) -> (u64, u64) {
    let mut pair = Pair::connect(link, congestion);
    pair.request(request);
    pair.run_until_received(100_000_000, &mut Endless);
    let (before, packets) = (counts().allocations, pair.packets);
    pair.run_until_received(150_000_000, &mut Endless);
    (counts().allocations - before, pair.packets - packets)
}

fn link() -> LinkConfig {
    LinkConfig {
        rate: Some(200_000_000),
        delay: Duration::from_millis(10),
        mtu: Some(1472),
        ..LinkConfig::default()
    }
}

#[test]
fn no_allocation_per_packet() {
    for kind in [CongestionKind::Bbr, CongestionKind::Cubic] {
        for request in requests() {
            let (allocations, packets) = allocations(&link(), kind, request);
            assert!(packets > 30_000);
            assert_eq!(allocations, 0, "for {packets} packets");
        }
    }
}

/// Losses, gaps and late packets are kept in books whose memory is used again.
#[test]
fn no_allocation_for_loss_and_reordering() {
    let bad = LinkConfig {
        loss: 0.02,
        reorder: 0.02,
        reorder_by: Duration::from_millis(3),
        duplicate: 0.01,
        corrupt: 0.005,
        ..link()
    };
    for request in requests() {
        let fixed = CongestionKind::Fixed(150_000_000);
        let (allocations, packets) = allocations(&bad, fixed, request);
        assert!(packets > 30_000);
        // Books may still grow to a size that they have not had before.
        assert!(allocations < 20, "{allocations} for {packets} packets");
    }
}
