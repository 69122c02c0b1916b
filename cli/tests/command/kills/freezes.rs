//! Sides that stand still for a while, and several puts of one name.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use super::{DELAY, LEN, RATE, litter, poll, sizes};
use crate::common::{Here, Server, Slow, bytes};

/// Longer than a sender takes to think that a path is dead, shorter than either side's patience.
const STOPPED: Duration = Duration::from_secs(3);

/// `docs/hostile-input.md`, row 55.
#[test]
fn a_transfer_goes_on_after_either_side_stood_still() {
    for verb in ["get", "put"] {
        for is_client in [true, false] {
            let (server, here) = (Server::start(), Here::new());
            let content = bytes(LEN, 1);
            let to = if verb == "get" {
                server.write("file", &content);
                here.path()
            } else {
                here.write("file", &content);
                server.root()
            };
            let link = Slow::at(&server, RATE, DELAY);
            let running = here.start([verb, &link.target(), "file", "--to", "copy"]);
            poll(|| sizes(to, ".part").any(|size| size > 4 << 20));
            let signal = |signal| match is_client {
                true => running.signal(signal),
                false => server.signal(signal),
            };
            signal(Signal::STOP);
            thread::sleep(STOPPED);
            assert!(!to.join("copy").exists());
            signal(Signal::CONT);
            running.ran().ended_with(0);
            assert!(fs::read(to.join("copy")).unwrap() == content, "{verb}");
            assert_eq!(litter(to), [""; 0]);
        }
    }
}

/// `docs/hostile-input.md`, row 56.
#[test]
fn puts_of_one_name_at_once_never_mix_although_the_server_is_killed() {
    for usual in [true, false] {
        let server = Server::start();
        let sides: Vec<_> = (0..2)
            .map(|seed| {
                let (here, content) = (Here::new(), bytes(LEN, seed + 1));
                here.write("file", &content);
                (here, content)
            })
            .collect();
        let link = Slow::at(&server, RATE / 8, DELAY);
        let put = |here: &Here| here.start(["put", &link.target(), "file"]);
        let running: Vec<_> = sides.iter().map(|(here, _)| put(here)).collect();
        poll(|| sizes(server.root(), ".part").filter(|size| *size > 0).count() == 2);
        let server = if usual { server } else { server.killed_and_started_again() };
        running.into_iter().for_each(|each| drop(each.ran().ended_with(0)));
        let stored = server.read("file");
        assert!(sides.iter().any(|(_, content)| *content == stored));
        // What is left of a former server is nobody's any more.
        assert!(!usual || litter(server.root()).is_empty(), "{:?}", litter(server.root()));
    }
}
