//! The plainest story: a file moves from one host to the other.

use std::{fmt, time::Duration};

use gannet_protocol::{Config, Stats};

use crate::{
    content::Content,
    directory::name,
    host::{Job, JobId, Outcome},
    world::{ClientId, Path, World},
};

/// Which way a file moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From the server.
    Get,
    /// To the server.
    Put,
}

impl Way {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Get, Self::Put];
}

/// A world of one server and one client between which one file moves.
#[derive(Debug)]
pub struct Scenario {
    /// The world, to be changed before it runs.
    pub world: World,
    /// The client.
    pub client: ClientId,
    way: Way,
    content: Content,
    job: JobId,
    /// Traffic before the file.
    before: Traffic,
}

/// What a file's move came to.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// From the request to the end.
    pub time: Duration,
    /// Bytes of the file.
    pub len: u64,
    /// Body bytes sent again.
    pub resent: u64,
    /// Packets that the network dropped on the way of the file.
    pub dropped: u64,
    /// Packets that were sent on the way of the file, and back.
    pub packets: (u64, u64),
    /// Figures of the sender's end.
    pub stats: Stats,
}

#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    out: u64,
    back: u64,
    dropped: u64,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes in {:?}, {:.1} Mbit/s; {} resent, {} packets dropped; {} out, {} back",
            self.len,
            self.time,
            self.goodput() / 1e6,
            self.resent,
            self.dropped,
            self.packets.0,
            self.packets.1,
        )
    }
}

impl Moved {
    /// Bits a second.
    #[must_use]
    pub fn goodput(&self) -> f64 {
        self.len as f64 * 8.0 / self.time.as_secs_f64()
    }

    /// Bytes that were sent again although the network had dropped nothing for it: what acknowledgements that were
    /// lost or late cost.
    #[must_use]
    pub fn wasted(&self) -> u64 {
        self.resent.saturating_sub(self.dropped * u64::from(self.stats.mtu))
    }
}

impl Scenario {
    /// A file of `len` bytes moves over `path`.
    #[must_use]
    pub fn new(seed: u64, path: Path, way: Way, len: u64) -> Self {
        Self::with_config(seed, path, way, len, &Config::default())
    }

    /// The same, with that configuration at both ends.
    #[must_use]
    pub fn with_config(seed: u64, path: Path, way: Way, len: u64, config: &Config) -> Self {
        let mut world = World::with_server(seed, config.clone());
        let path = world.add_path(path);
        let client = world.add_client_on(path, config.clone());
        Self::start(world, client, way, Content::pattern(seed, len))
    }

    /// A file moves between the server of `world` and a client of it that is alone on its path.
    #[must_use]
    pub fn start(mut world: World, client: ClientId, way: Way, content: Content) -> Self {
        let file = name("file");
        let before = traffic(&world, client, way);
        let job = match way {
            Way::Get => {
                world.server_mut().files.insert(&file, content.clone());
                Job::Get(file)
            }
            Way::Put => Job::put(&file, content.clone()),
        };
        let job = world.start(client, job);
        Self { world, client, way, content, job, before }
    }

    /// Runs until the file has arrived.
    ///
    /// # Panics
    /// If it does not within `limit`, byte for byte.
    #[track_caller]
    pub fn run(&mut self, limit: Duration) -> Moved {
        self.try_run(limit).unwrap_or_else(|| {
            let outcome = self.world.outcome(self.client, self.job);
            panic!("{:?} came to {outcome:?} within {limit:?}", self.way)
        })
    }

    /// The same; nothing if it has not arrived within `limit`.
    ///
    /// # Panics
    /// If it arrives otherwise than byte for byte.
    #[track_caller]
    pub fn try_run(&mut self, limit: Duration) -> Option<Moved> {
        let begin = self.world.now();
        let (client, job) = (self.client, self.job);
        self.world.run_until(|world| world.outcome(client, job).is_some(), limit);
        match (self.way, self.world.outcome(client, job)) {
            (Way::Get, Some(Outcome::Got(received))) => assert!(received.is(&self.content)),
            (Way::Put, Some(Outcome::Stored(stored))) => {
                let hash = Some(self.content.root());
                assert_eq!((stored.len, stored.hash), (self.content.len(), hash));
            }
            _ => return None,
        }
        Some(self.report(begin))
    }

    fn report(&mut self, begin: gannet_protocol::Instant) -> Moved {
        let Traffic { out, back, dropped } = traffic(&self.world, self.client, self.way);
        let time = self.world.now().saturating_since(begin);
        let stats = match self.way {
            Way::Get => self.world.server_stats(),
            Way::Put => self.world.client_stats(self.client),
        };
        let stats = stats.expect("the connection lives");
        Moved {
            time,
            len: self.content.len(),
            resent: stats.body_resent,
            dropped: dropped - self.before.dropped,
            packets: (out - self.before.out, back - self.before.back),
            stats,
        }
    }
}

fn traffic(world: &World, client: ClientId, way: Way) -> Traffic {
    let (up, down) = world.counters(client);
    let (out, back) = match way {
        Way::Get => (down, up),
        Way::Put => (up, down),
    };
    Traffic { out: out.packets, back: back.packets, dropped: out.dropped() + out.corrupted }
}

/// Moves a file both ways, each in a world of its own.
///
/// # Panics
/// If it does not arrive within `limit`, byte for byte.
#[track_caller]
pub fn both_ways(seed: u64, path: &Path, len: u64, limit: Duration) -> [Moved; 2] {
    Way::BOTH.map(|way| Scenario::new(seed, path.clone(), way, len).run(limit))
}
