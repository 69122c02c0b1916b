//! Hosts of a case: plain ones for even seeds, sealed ones for odd ones.

use gannet_protocol::{Config, Security};
use gannet_tests::{
    content::Content,
    crypto::Seeded,
    directory::name,
    host::{Job, JobId, Outcome},
    scenario::{Scenario, Way},
    world::{ClientId, Path, PathId, World},
};

use crate::SECOND;

/// The seed of the server's identity.
const SERVER: u64 = 0;

/// What the hosts of a case have in common.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    seed: u64,
    config: Config,
}

impl Hosts {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, config: Config::default() }
    }

    /// The same with another configuration, but for its security.
    pub(crate) fn tuned(mut self, tune: impl FnOnce(&mut Config)) -> Self {
        tune(&mut self.config);
        self
    }

    const fn is_sealed(&self) -> bool {
        self.seed % 2 == 1
    }

    fn config(&self, identity: u64) -> Config {
        let mut config = self.config.clone();
        if self.is_sealed() {
            config.security = Security::Sealed(Seeded::new(identity).identity());
        }
        config
    }

    /// A world with a server.
    pub(crate) fn world(&self) -> World {
        World::with_server(self.seed, self.config(SERVER))
    }

    /// A client on that path, that connects at once.
    pub(crate) fn client_on(&self, world: &mut World, path: PathId) -> ClientId {
        let number = world.clients().count() as u64;
        let key = *Seeded::new(SERVER).identity().public();
        match self.config(1 + number) {
            config if self.is_sealed() => world.add_client_to(path, config, key),
            config => world.add_client_on(path, config),
        }
    }

    /// The same at the end of a path of its own.
    pub(crate) fn client(&self, world: &mut World, path: Path) -> ClientId {
        let path = world.add_path(path);
        self.client_on(world, path)
    }

    /// One file moves between a server and a client.
    pub(crate) fn scenario(&self, path: Path, way: Way, len: u64) -> Scenario {
        let mut world = self.world();
        let client = self.client(&mut world, path);
        Scenario::start(world, client, way, Content::pattern(self.seed, len))
    }
}

/// Moves files of these lengths side by side.
#[track_caller]
pub(crate) fn move_all(
    world: &mut World,
    client: ClientId,
    way: Way,
    lens: &[u64],
    limit_secs: u32,
) {
    let contents: Vec<_> = (1..).zip(lens).map(|(i, len)| Content::pattern(i, *len)).collect();
    let jobs: Vec<_> = contents
        .iter()
        .enumerate()
        .map(|(i, content)| start(world, client, way, &format!("{i}"), content))
        .collect();
    world.run_until_idle(limit_secs * SECOND);
    for (job, content) in jobs.iter().zip(&contents) {
        check(world, client, *job, content);
    }
}

/// Starts to move a file.
pub(crate) fn start(
    world: &mut World,
    client: ClientId,
    way: Way,
    file: &str,
    content: &Content,
) -> JobId {
    let file = name(file);
    match way {
        Way::Get => {
            world.server_mut().files.insert(&file, content.clone());
            world.start(client, Job::Get(file))
        }
        Way::Put => world.start(client, Job::put(&file, content.clone())),
    }
}

/// The file arrived, byte for byte.
#[track_caller]
pub(crate) fn check(world: &World, client: ClientId, job: JobId, content: &Content) {
    match world.outcome(client, job) {
        Some(Outcome::Got(got)) => assert!(got.is(content), "other bytes arrived"),
        Some(Outcome::Stored(stored)) => {
            assert_eq!((stored.len, stored.hash), (content.len(), Some(content.root())));
        }
        outcome => panic!("it came to {outcome:?}"),
    }
}
