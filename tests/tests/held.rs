//! What a receiver holds of a body already does not travel, whatever the network does.

use std::time::Duration;

use proptest::prelude::*;

use gannet_protocol::{BLOCK_LEN, How, Identity, Stats, Status, Version};
use gannet_tests::{
    content::Content,
    directory::name,
    host::{Host, Job, JobId, Outcome, put_identity},
    incoming::Partial,
    outgoing::SourceFault,
    scenario::Way,
    world::{ClientId, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// Most bytes that go before the receiver has told what it holds.
const UNTOLD: u64 = 64 * 1024;

/// A world in which a file moves of which its receiver holds something.
struct Rest {
    world: World,
    client: ClientId,
    way: Way,
    content: Content,
}

impl Rest {
    fn new(seed: u64, path: Path, way: Way, content: Content) -> Self {
        let mut world = World::new(seed);
        let client = world.add_client(path);
        match way {
            Way::Get => world.server_mut().files.insert(&name("file"), content.clone()),
            Way::Put => world.client_mut(client).put_state = Some(7),
        }
        Self { world, client, way, content }
    }

    /// Which state of the source moves.
    fn identity(&self) -> Identity {
        match self.way {
            Way::Get => self.world.server().files.get(&name("file")).unwrap().identity,
            Way::Put => put_identity(7),
        }
    }

    fn receiver(&mut self) -> &mut Host {
        match self.way {
            Way::Get => self.world.client_mut(self.client),
            Way::Put => self.world.server_mut(),
        }
    }

    /// The receiver holds these groups.
    fn hold(&mut self, identity: Identity, content: &Content, groups: Vec<u64>) {
        let partial = Partial { identity, content: content.clone(), groups };
        self.receiver().partials.insert(name("file"), partial);
    }

    fn fault(&mut self, fault: SourceFault) -> Job {
        match self.way {
            Way::Get => {
                self.world.server_mut().faults.insert(name("file"), fault);
                Job::Get(name("file"))
            }
            Way::Put => Job::faulty_put(&name("file"), self.content.clone(), fault),
        }
    }

    fn job(&self) -> Job {
        match self.way {
            Way::Get => Job::Get(name("file")),
            Way::Put => Job::put(&name("file"), self.content.clone()),
        }
    }

    fn run(&mut self, job: Job) -> (Outcome, Stats) {
        let job = self.world.start(self.client, job);
        let outcome = self.finish(job);
        let stats = match self.way {
            Way::Get => self.world.server_stats(),
            Way::Put => self.world.client_stats(self.client),
        };
        (outcome, stats.expect("the connection lives"))
    }

    fn finish(&mut self, job: JobId) -> Outcome {
        let client = self.client;
        let done = self.world.run_until(|world| world.outcome(client, job).is_some(), 300 * SECOND);
        assert!(done, "{:?} hangs", self.way);
        self.world.outcome(client, job).cloned().expect("it is done")
    }

    /// Moves it; the receiver has all of it then, `kept` of it from before. Gives what was sent of it.
    #[track_caller]
    fn moves(&mut self, job: Job, kept: u64) -> Stats {
        let (outcome, stats) = self.run(job);
        match outcome {
            Outcome::Got(got) => {
                assert!(got.is(&self.content));
                assert_eq!(got.kept, kept);
            }
            Outcome::Stored(stored) => {
                let (_, received) = self.world.server().stored.last().expect("a file");
                assert!(received.is(&self.content));
                let hash = (!received.has_holes).then_some(received.hash);
                assert_eq!((stored.len, stored.kept), (self.content.len(), kept));
                assert_eq!(stored.hash, hash);
            }
            outcome => panic!("{:?} came to {outcome:?}", self.way),
        }
        stats
    }
}

fn lossy(loss: f64) -> Path {
    Path::new(50_000_000, 20 * MS).loss(loss)
}

fn seeds() -> impl Iterator<Item = (u64, f64)> {
    [0.0, 0.01, 0.1].into_iter().enumerate().map(|(seed, loss)| (seed as u64, loss))
}

#[test]
fn of_the_same_state_only_the_rest_is_sent() {
    let len = 20 * MIB + 12_345;
    for (way, (seed, loss)) in Way::BOTH.into_iter().flat_map(|way| seeds().map(move |s| (way, s)))
    {
        for groups in [vec![], vec![0], vec![20], vec![0, 1, 2, 7, 8, 19], (0..21).collect()] {
            let mut rest = Rest::new(seed, lossy(loss), way, Content::pattern(seed, len));
            let held = groups.iter().map(|index| MIB.min(len - index * MIB)).sum();
            let content = rest.content.clone();
            rest.hold(rest.identity(), &content, groups);
            let job = rest.job();
            let stats = rest.moves(job, held);
            let most = len - held + if way == Way::Put { UNTOLD } else { 0 };
            assert!((len - held..=most).contains(&stats.body_sent), "{way:?} {loss} {stats:?}");
        }
    }
}

#[test]
fn of_another_state_only_what_differs_is_sent() {
    let len = 20 * MIB + 12_345;
    for (way, (seed, loss)) in Way::BOTH.into_iter().flat_map(|way| seeds().map(move |s| (way, s)))
    {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        let old = Content::pattern(seed, len);
        old.fill(0, &mut bytes);
        for changed in [3, 4, 20] {
            bytes[changed << 20] ^= 1;
        }
        let mut rest = Rest::new(seed, lossy(loss), way, Content::bytes(&bytes));
        // The 11th is not here.
        let groups: Vec<_> = (0..21).filter(|index| *index != 11).collect();
        rest.hold(Identity([0xee; 16]), &old, groups);
        let job = rest.job();
        let differs = 3 * MIB + 12_345;
        let stats = rest.moves(job, len - differs);
        // The first group is under way before the receiver tells of it.
        let fits = (differs..=differs + UNTOLD).contains(&stats.body_sent);
        assert!(fits, "{way:?} {loss} {}", stats.body_sent);
    }
}

#[test]
fn holes_do_not_travel() {
    for (way, (seed, loss)) in Way::BOTH.into_iter().flat_map(|way| seeds().map(move |s| (way, s)))
    {
        for (len, every, data) in [
            (12 * MIB + 500, 5, 3 * MIB),
            (12 * MIB + 500, 4, 3 * MIB + 500),
            (12 * MIB, 100, MIB),
            (MIB, 2, MIB),
        ] {
            let content = Content::Sparse { seed, len, every };
            let mut rest = Rest::new(seed, lossy(loss), way, content);
            let job = rest.job();
            let stats = rest.moves(job, 0);
            assert_eq!(stats.body_sent, data, "{way:?} {loss}");
        }
    }
}

#[test]
fn holes_within_larger_groups_do_not_travel() {
    for way in Way::BOTH {
        // Groups of 2 MiB, of which every eighth is half data, half hole.
        let content = Content::Sparse { seed: 1, len: 16_400 * BLOCK_LEN, every: 1_025 };
        let mut rest = Rest::new(1, lossy(0.01), way, content);
        let job = rest.job();
        let (outcome, stats) = rest.run(job);
        assert!(matches!(outcome, Outcome::Got(_) | Outcome::Stored(_)), "{outcome:?}");
        assert_eq!(stats.body_sent, 16 * MIB, "{way:?}");
    }
}

#[test]
fn a_spoilt_group_comes_again() {
    let len = 5 * MIB + 77;
    for (way, (seed, loss)) in Way::BOTH.into_iter().flat_map(|way| seeds().map(move |s| (way, s)))
    {
        for at in [0, 2 * MIB + 5, len - 1] {
            let mut rest = Rest::new(seed, lossy(loss), way, Content::pattern(seed, len));
            let job = rest.fault(SourceFault::LiesOnce { at });
            let stats = rest.moves(job, 0);
            assert_eq!(stats.body_sent, len, "it was sent again, and not anew");
            // The one packet that was wrong may have been lost, and what comes for it is right.
            let again = rest.receiver().asked_again;
            assert!(again == 1 || (again == 0 && loss > 0.0), "{way:?} {seed} {at}: {again}");
        }
    }
}

/// `docs/hostile-input.md`, row 52.
#[test]
fn a_group_that_never_matches_is_given_up() {
    for way in Way::BOTH {
        let mut rest = Rest::new(1, lossy(0.0), way, Content::pattern(1, 5 * MIB));
        let job = rest.fault(SourceFault::Lies { at: 2 * MIB + 5 });
        let (outcome, _) = rest.run(job);
        assert_eq!(outcome, Outcome::Failed { status: Status::Corrupt, detail: 0 });
        assert_eq!(rest.receiver().asked_again, 3);
    }
}

#[test]
fn a_spoilt_group_from_before_comes_after_all() {
    let len = 5 * MIB + 77;
    for (way, (seed, loss)) in Way::BOTH.into_iter().flat_map(|way| seeds().map(move |s| (way, s)))
    {
        let mut rest = Rest::new(seed, lossy(loss), way, Content::pattern(seed, len));
        let content = rest.content.clone();
        rest.hold(rest.identity(), &content, vec![0, 3, 5]);
        rest.receiver().doubts = [0, 5].into();
        let job = rest.job();
        let stats = rest.moves(job, MIB);
        assert_eq!(stats.body_sent, len - MIB, "{way:?} {loss}");
    }
}

#[test]
fn what_is_unchanged_is_not_sent() {
    let len = 20 * MIB;
    for (seed, loss) in seeds() {
        let mut get = Rest::new(seed, lossy(loss), Way::Get, Content::pattern(seed, len));
        let file = get.world.server().files.get(&name("file")).unwrap().clone();
        let version = Version { len, modified: file.modified };
        get.receiver().versions.insert(name("file"), version);
        let (outcome, stats) = get.run(Job::Get(name("file")));
        assert_eq!((outcome, stats.body_sent), (Outcome::Unchanged, 0));
        get.world.server_mut().files.insert(&name("file"), Content::pattern(9, len));
        get.content = Content::pattern(9, len);
        assert_eq!(get.moves(Job::Get(name("file")), 0).body_sent, len);

        let mut put = Rest::new(seed, lossy(loss), Way::Put, Content::pattern(seed, len));
        // What is stored as a file is what is kept whole.
        put.content = Content::pattern(seed, 15 * MIB);
        let job = put.job();
        let before = put.moves(job.clone(), 0);
        let (outcome, after) = put.run(job.clone());
        assert_eq!(outcome, Outcome::Unchanged);
        assert!(after.body_sent - before.body_sent <= UNTOLD);
        let client = put.client;
        put.world.client_mut(client).how = How { fresh: true, ..How::default() };
        put.moves(job.clone(), 0);
        put.world.client_mut(client).how = How { no_clobber: true, ..How::default() };
        let (outcome, _) = put.run(job);
        assert_eq!(outcome, Outcome::Failed { status: Status::Exists, detail: 0 });
    }
}

/// Whatever of what was sent is held, lost, or both: all credit comes back.
#[test]
fn credit_survives_what_is_held() {
    let mut rest = Rest::new(1, lossy(0.2), Way::Put, Content::pattern(1, 3 * MIB));
    let content = rest.content.clone();
    for round in 0..200 {
        let fresh = How { fresh: round % 3 == 1, ..How::default() };
        let client = rest.client;
        rest.world.client_mut(client).how = fresh;
        // Every third is unchanged, every third keeps all of it.
        if round % 3 == 2 {
            rest.world.client_mut(client).put_state = Some(100 + round);
            rest.hold(put_identity(100 + round), &content, vec![0, 1, 2]);
        }
        let job = rest.job();
        let (outcome, _) = rest.run(job);
        let unchanged = outcome == Outcome::Unchanged;
        assert!(unchanged || matches!(outcome, Outcome::Stored(_)), "{round}: {outcome:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is held, spoilt, a hole or lost, and whoever gives up in between and tries again: what arrives is the file (`docs/hostile-input.md`,
    /// row 52).
    #[test]
    fn the_receiver_has_all_of_it_in_the_end(
        seed: u64,
        put: bool,
        blocks in 1u64..9,
        tail in 0..MIB,
        every in 1u64..4,
        held in any::<u16>(),
        same: bool,
        differs in any::<u16>(),
        spoilt in prop::option::of(any::<u64>()),
        doubt: bool,
        loss in 0.0..0.15f64,
        cancel in prop::option::of(1u32..400),
    ) {
        let len = blocks * MIB + tail;
        let bytes = |seed: u64| {
            let mut bytes = vec![0; usize::try_from(len).unwrap()];
            Content::Sparse { seed, len, every }.fill(0, &mut bytes);
            bytes
        };
        let way = if put { Way::Put } else { Way::Get };
        let mut rest = Rest::new(seed, lossy(loss), way, Content::Sparse { seed, len, every });
        let mut before = bytes(seed);
        let held: Vec<_> = (0..len.div_ceil(MIB)).filter(|bit| held & 1 << bit != 0).collect();
        let identity = if same { rest.identity() } else { Identity([0xee; 16]) };
        if !same {
            for bit in (0..len.div_ceil(MIB)).filter(|bit| differs & 1 << bit != 0) {
                before[usize::try_from(bit * MIB).unwrap()] ^= 1;
            }
        }
        let doubts = held.first().filter(|_| doubt && same && len > MIB).copied();
        // What is a hole is not asked for: it would be there at once.
        let doubts = doubts.filter(|index| !rest.content.is_hole(*index));
        rest.hold(identity, &Content::bytes(&before), held);
        if let Some(ms) = cancel {
            let job = rest.job();
            let job = rest.world.start(rest.client, job);
            rest.world.run_for(ms * MS);
            if rest.world.outcome(rest.client, job).is_none() {
                let client = rest.client;
                rest.world.client_mut(client).cancel(job);
            }
        }
        rest.receiver().doubts = doubts.into_iter().collect();
        let fault = spoilt.map_or(SourceFault::None, |at| SourceFault::LiesOnce { at: at % len });
        let job = rest.fault(fault);
        let (outcome, stats) = rest.run(job);
        match outcome {
            Outcome::Got(got) => prop_assert!(got.is(&rest.content)),
            // Who gave the first one up did not know that it was stored.
            Outcome::Stored(_) | Outcome::Unchanged => {
                let (_, received) = rest.world.server().stored.last().expect("a file");
                prop_assert!(received.is(&rest.content));
            }
            outcome => prop_assert!(false, "{:?}", outcome),
        }
        prop_assert!(stats.body_sent <= 2 * len, "a byte is new once a transfer");
    }
}
