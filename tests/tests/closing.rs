//! The end of a connection.

use std::time::Duration;

use gannet_driver_mio::netem::LinkConfig;
use gannet_protocol::{
    BodyId, CloseCode, CloseReason, CongestionKind, Endpoint, Event, Reply, Request, Source, Unread,
};
use gannet_tests::{
    content::Content,
    directory::name,
    forge::{Frame, data_parts},
    host::Job,
    pair::{App, CLIENT, Pair, SERVER},
    world::{Direction, Path, World},
};

/// A server that says yes, and a client that leaves as soon as it has heard that.
#[derive(Default)]
struct Hasty {
    /// What the server heard of the request's end, and of the connection's.
    heard: Vec<Event>,
}

impl Source for Hasty {
    fn read(&mut self, _: BodyId, _: u64, _: &mut [u8]) -> Result<(), Unread> {
        Err(Unread::Pending)
    }
}

impl App for Hasty {
    fn on_event(&mut self, end: usize, endpoint: &mut Endpoint, event: &Event) {
        match (end, event) {
            (SERVER, Event::Request { exchange, .. }) => {
                let mut session = endpoint.session(exchange.connection()).unwrap();
                session.reply(*exchange, Reply::Done).unwrap();
            }
            (CLIENT, Event::Finished(exchange)) => {
                endpoint.session(exchange.connection()).unwrap().close(CloseCode::Done);
            }
            (SERVER, Event::Finished(_) | Event::Closed(..)) => self.heard.push(event.clone()),
            _ => {}
        }
    }
}

#[test]
fn a_client_that_leaves_at_once_has_acknowledged_all_before() {
    let link = LinkConfig { delay: Duration::from_millis(5), ..LinkConfig::default() };
    let mut pair = Pair::connect(&link, CongestionKind::default());
    let mut app = Hasty::default();
    pair.request(Request::Rename { from: name("a"), to: name("b") });
    while !matches!(app.heard.last(), Some(Event::Closed(..))) {
        pair.step(&mut app);
    }
    let [Event::Finished(_), Event::Closed(_, reason)] = app.heard[..] else {
        panic!("{:?}", app.heard);
    };
    assert_eq!(reason, CloseReason::Peer(CloseCode::Done));
}

/// The packet that closes a connection says again what the server may not have heard, so that a client need not wait for that.
#[test]
fn what_arrived_is_heard_of_with_the_end() {
    let mut world = World::new(7);
    let client = world.add_client(Path::new(50_000_000, Duration::from_millis(100)));
    world.server_mut().files.insert(&name("file"), Content::pattern(7, 50_000));
    world.set_filter(|passing| {
        let frames = data_parts(passing.payload).map_or_else(Vec::new, |(.., frames)| frames);
        let ends = frames.iter().any(|frame| matches!(frame, Frame::Message { fin: true, .. }));
        let closes = frames.iter().any(|frame| matches!(frame, Frame::Close(_)));
        passing.direction == Direction::Down || closes || !ends
    });
    world.start(client, Job::Get(name("file")));
    let second = Duration::from_secs(1);
    world.run_for(second);
    let connection = world.server_connection(client).unwrap();
    assert_eq!(world.server().finished, 0, "the server has heard of the end already");
    world.client_mut(client).disconnect();
    world.run_for(second);
    assert_eq!(world.server().finished, 1, "the get has ended well");
    let ended = (connection, CloseReason::Peer(CloseCode::Done));
    assert_eq!(world.server().closed, [ended]);
}
