//! The end of a connection.

use std::time::Duration;

use gannet_driver_mio::netem::LinkConfig;
use gannet_protocol::{
    BodyId, CloseCode, CloseReason, CongestionKind, Endpoint, Event, Reply, Request, Source, Unread,
};
use gannet_tests::{
    directory::name,
    pair::{App, CLIENT, Pair, SERVER},
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
