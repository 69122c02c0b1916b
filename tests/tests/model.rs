//! Random requests of several clients come to what a plain map would make of them.

use std::{collections::BTreeMap, time::Duration};

use gannet_protocol::Status;
use gannet_tests::{
    content::Content,
    directory::name,
    host::{Asked, Job, JobId, Outcome},
    model::{Model, Stored},
    world::{ClientId, Path, Rebind, World},
};
use proptest::{collection::vec, prelude::*};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A request over a few names, so that they meet.
#[derive(Clone, Debug)]
enum Want {
    Get(u8),
    Put(u8, u64),
    List(Option<u8>),
    Rename(u8, u8),
    Stat(u8),
    Remove(u8),
    StatDirectory(u8),
    RemoveDirectory(u8),
    MakeDirectory(u8),
    /// Gives an earlier request up.
    Cancel(prop::sample::Index),
}

/// A step: which client, what, and the milliseconds until the next.
type Step = (prop::sample::Index, Want, u32);

fn want() -> impl Strategy<Value = Want> {
    let file = || 0u8..5;
    let len = prop_oneof![6 => 0u64..3000, 3 => 0u64..300_000, 1 => (1u64 << 20)..(3 << 20)];
    prop_oneof![
        4 => file().prop_map(Want::Get),
        4 => (file(), len).prop_map(|(file, len)| Want::Put(file, len)),
        2 => prop::option::weighted(0.2, file()).prop_map(Want::List),
        2 => (file(), file()).prop_map(|(from, to)| Want::Rename(from, to)),
        1 => file().prop_map(Want::Stat),
        1 => file().prop_map(Want::Remove),
        1 => file().prop_map(Want::StatDirectory),
        1 => file().prop_map(Want::RemoveDirectory),
        1 => file().prop_map(Want::MakeDirectory),
        1 => any::<prop::sample::Index>().prop_map(Want::Cancel),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((any::<prop::sample::Index>(), want(), prop_oneof![Just(0u32), 0u32..300]), 1..60)
}

fn file(number: u8) -> gannet_protocol::Name {
    name(&format!("file {number}"))
}

fn directory(number: u8) -> gannet_protocol::Name {
    name(&format!("directory {number}"))
}

fn start(world: &mut World, client: ClientId, want: &Want, jobs: &mut Vec<(ClientId, JobId)>) {
    let job = match *want {
        Want::Get(number) => Job::Get(file(number)),
        Want::List(number) => Job::List(number.map(file)),
        Want::Stat(number) => Job::Stat(file(number)),
        Want::Remove(number) => Job::Remove(file(number)),
        Want::StatDirectory(number) => Job::Stat(directory(number)),
        Want::RemoveDirectory(number) => Job::Remove(directory(number)),
        Want::MakeDirectory(number) => Job::MakeDirectory(directory(number)),
        Want::Rename(from, to) => Job::Rename(file(from), file(to)),
        // No two puts store the same.
        Want::Put(number, len) => Job::put(&file(number), Content::pattern(jobs.len() as u64, len)),
        Want::Cancel(ref which) => {
            if !jobs.is_empty() {
                let (client, job) = *which.get(jobs);
                if world.outcome(client, job).is_none() {
                    world.client_mut(client).cancel(job);
                }
            }
            return;
        }
    };
    jobs.push((client, world.start(client, job)));
}

fn run(seed: u64, clients: usize, path: &Path, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new(seed);
    let clients: Vec<_> = (0..clients).map(|_| world.add_client(path.clone())).collect();
    world.rebind_every(clients[0], Rebind::Port, 700 * MS);
    let mut jobs = Vec::new();
    for (client, want, pause) in steps {
        start(&mut world, *client.get(&clients), want, &mut jobs);
        world.run_for(*pause * MS);
    }
    world.run_until_idle(600 * SECOND);
    // A server learns where a silent client is now when that keeps its connection alive.
    world.run_for(25 * SECOND);
    prop_assert_eq!(world.server().running(), 0);
    check(&mut world, &jobs)
}

/// Follows what the server did, in its order, and looks at what each client was told.
fn check(world: &mut World, jobs: &[(ClientId, JobId)]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let mut expected = BTreeMap::new();
    let mut stored = world
        .server()
        .stored
        .iter()
        .map(|(_, received)| Stored { len: received.len, hash: received.hash });
    for performed in &world.server().performed {
        let put = match (&performed.asked, performed.result) {
            (Asked::Put(_), Ok(())) => stored.next(),
            _ => None,
        };
        expected.insert(performed.exchange, model.follow(performed, put));
    }
    let of = |content: &Content| Stored { len: content.len(), hash: content.root() };
    let files = world.server().files.iter().map(|(name, file)| (name.clone(), of(&file.content)));
    prop_assert!(files.eq(model.files().clone()), "the directory is another than the model's");
    for (client, job) in jobs {
        let outcome = world.outcome(*client, *job).expect("it is idle").clone();
        if matches!(outcome, Outcome::Failed { status: Status::Cancelled, .. }) {
            continue;
        }
        let number = world.client(*client).exchange(*job).expect("it began").number();
        let connection = world.server_connection(*client);
        let mut answers = expected.iter().filter(|(exchange, _)| {
            exchange.number() == number && Some(exchange.connection()) == connection
        });
        let (_, answer) = answers.next().expect("it was performed");
        prop_assert!(answer.is(&outcome), "{:?} instead of {:?}", outcome, answer);
    }
    Ok(())
}

/// Also between the answer and the end of its exchange, when the file is stored.
#[test]
fn a_put_is_given_up_at_any_moment() {
    for moment in 0..300 {
        let mut world = World::new(moment);
        let client = world.add_client(Path::new(1_000_000, 40 * MS).loss(0.1));
        let mut jobs = Vec::new();
        start(&mut world, client, &Want::Put(0, 3000), &mut jobs);
        world.run_for(moment as u32 * MS);
        if world.outcome(client, jobs[0].1).is_none() {
            world.client_mut(client).cancel(jobs[0].1);
        }
        world.run_until_idle(60 * SECOND);
        world.run_for(SECOND);
        check(&mut world, &jobs).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_clients_on_a_good_path(seed: u64, clients in 1usize..5, steps in steps()) {
        run(seed, clients, &Path::new(100_000_000, 20 * MS), &steps)?;
    }

    #[test]
    fn several_clients_on_a_bad_path(seed: u64, clients in 1usize..4, steps in steps()) {
        let path = Path::new(20_000_000, 40 * MS)
            .loss(0.03)
            .reorder(0.05, 5 * MS)
            .duplicate(0.05)
            .corrupt(0.01);
        run(seed, clients, &path, &steps)?;
    }
}
