//! Point 11: with several failures, the exit status is the first one's.

use crate::common::{Here, Server};

#[test]
fn the_first_failure_in_the_order_of_the_arguments_counts() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a", "a");
    here.run(["get", &server.target(), "a", "missing"]).ended_with(1);
    here.run(["get", &server.target(), "missing", "a"]).ended_with(1);
    assert_eq!(here.read("a"), b"a");
}
