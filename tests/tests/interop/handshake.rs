//! Cases of the handshake.

use std::{
    cell::Cell,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use gannet_protocol::CloseReason;
use gannet_tests::{
    content::Content,
    forge::RETRY,
    host::Outcome,
    scenario::Way,
    world::{Direction, Path},
};

use crate::{
    MS, SECOND, case,
    hosts::{Hosts, check, move_all, start},
    path,
};

/// A cookie is asked for in any case, and costs one round trip.
#[test]
fn retry() {
    let handshakes = Handshakes::default();
    case("retry", 40, |seed| {
        let hosts = Hosts::new(seed).tuned(|config| config.always_retry = true);
        let mut world = hosts.world();
        let retries = Rc::new(Cell::new(0));
        let count = Rc::clone(&retries);
        world.set_filter(move |passing| {
            count.set(count.get() + u32::from(passing.payload.first() == Some(&RETRY)));
            true
        });
        let client = hosts.client(&mut world, path());
        assert!(world.run_until(|world| !world.client(client).connected.is_empty(), SECOND));
        assert!(world.elapsed() < 65 * MS, "{:?}", world.elapsed());
        assert_eq!(retries.get(), 1);
        move_all(&mut world, client, Way::Get, &[1000], 1);
        handshakes.ten(&hosts, &path().loss(0.3).duplicate(0.1));
    });
    handshakes.check_all();
}

/// The first packets to the server are lost, and some of the four after them, so that it is held to three times the little that
/// arrives. The world watches that it is.
#[test]
fn amplificationlimit() {
    case("amplificationlimit", 60, |seed| {
        let hosts = Hosts::new(seed);
        let mut world = hosts.world();
        let (first, mut sent) = (1 + seed % 5, 0);
        world.set_filter(move |passing| {
            if passing.direction == Direction::Down {
                return true;
            }
            sent += 1;
            let coin = (seed >> (sent % 4)) & 1 == 1;
            sent > first && (coin || sent > first + 4)
        });
        let client = hosts.client(&mut world, path());
        move_all(&mut world, client, Way::Get, &[1000], 10);
    });
}

/// Connections of all seeds of a case.
#[derive(Default)]
struct Handshakes {
    tried: AtomicU32,
    lost: AtomicU32,
}

impl Handshakes {
    /// Ten clients, each of which connects and gets a KiB.
    #[track_caller]
    fn ten(&self, hosts: &Hosts, path: &Path) {
        let mut world = hosts.world();
        let content = Content::pattern(1, 1024);
        let gets: Vec<_> = (0..10)
            .map(|_| {
                let client = hosts.client(&mut world, path.clone());
                (client, start(&mut world, client, Way::Get, "file", &content))
            })
            .collect();
        world.run_until_idle(60 * SECOND);
        for (client, get) in gets {
            self.tried.fetch_add(1, Ordering::Relaxed);
            match world.outcome(client, get) {
                Some(Outcome::Lost(
                    CloseReason::NoAnswer(_) | CloseReason::Reset | CloseReason::Silence(_),
                )) => {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
                _ => check(&world, client, get, &content),
            }
        }
    }

    /// Either end gives a handshake 10 s, some thirteen tries. They are not enough for one in thousands, and bursts, which are
    /// counted in packets, last longer the less is sent.
    #[track_caller]
    fn check_all(self) {
        let (tried, lost) = (self.tried.into_inner(), self.lost.into_inner());
        assert!(lost <= tried / 1000, "{lost} of {tried} never came to be");
    }
}

#[test]
fn handshakeloss() {
    let handshakes = Handshakes::default();
    case("handshakeloss", 50, |seed| handshakes.ten(&Hosts::new(seed), &path().bursts(0.3, 3.0)));
    case("handshakeloss", 50, |seed| handshakes.ten(&Hosts::new(seed), &path().loss(0.3)));
    handshakes.check_all();
}

#[test]
fn handshakecorruption() {
    let handshakes = Handshakes::default();
    case("handshakecorruption", 50, |seed| handshakes.ten(&Hosts::new(seed), &path().corrupt(0.3)));
    handshakes.check_all();
}
