//! A scenario in which each call of the file system fails once, one after the other.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    time::{Duration, SystemTime},
};

use gannet_driver_mio::{client::Failure, partials};
use gannet_protocol::Status;

use super::{Command, Content, End, Fault, World};
use crate::world;

/// Longest time until a client says what became of a command.
const PATIENCE: Duration = Duration::from_secs(120);
/// Which one to run alone, as a failure's message has it.
const VARIABLE: &str = "GANNET_TORTURE";

/// What is done, and what has to be true then.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// What it is called in messages.
    pub name: &'static str,
    /// Files of the server and of the client, before and after.
    pub files: Vec<File>,
    /// What is done before calls are counted: the client is told that, and at so many calls of that machine's a process is
    /// killed.
    pub before: Option<(Command, Side, u64)>,
    /// What the client is told to do, all at once.
    pub commands: Vec<Command>,
}

/// A file before and after.
#[derive(Clone, Debug)]
pub struct File {
    /// Whose.
    pub side: Side,
    /// Its name.
    pub name: &'static str,
    /// What is under the name before.
    pub before: Content,
    /// What is under it after.
    pub after: Content,
}

/// One of the two machines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The server's.
    Server,
    /// The client's.
    Client,
}

/// Which call fails, and how.
#[derive(Clone, Copy, Debug)]
struct Case {
    side: Side,
    /// By its number among those of the commands.
    call: u64,
    fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}-{:?}", self.side, self.call, self.fault)
    }
}

impl Scenario {
    /// Runs it once for each call and each way in which that can fail: what becomes of each command is told, no name ever stands
    /// for anything but what was or will be there, and what is said to be done is durable. After that it goes well, and nothing
    /// is left that a sweep would not take.
    ///
    /// # Panics
    /// If any of that is not so. The message has the command that runs the case alone.
    pub fn torture(&self) {
        let alone = std::env::var(VARIABLE).ok();
        for side in [Side::Server, Side::Client] {
            for (call, fault) in self.failures(side) {
                let case = Case { side, call, fault };
                if alone.as_ref().is_none_or(|alone| *alone == case.to_string()) {
                    self.check(case, alone.is_some());
                }
            }
        }
    }

    fn check(&self, case: Case, is_alone: bool) {
        let checked = catch_unwind(AssertUnwindSafe(|| self.run(case, is_alone)));
        if let Err(panic) = checked {
            eprintln!(
                "{}: {case}. Alone: {VARIABLE}={case} cargo test -p gannet-tests --test disk_torture {} -- --nocapture",
                self.name, self.name,
            );
            resume_unwind(panic);
        }
    }

    /// A world in which the commands are about to be told to the client.
    fn prepare(&self) -> World {
        let mut world = World::new(1, &[world::Path::new(1_000_000_000, Duration::from_millis(2))]);
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        for file in &self.files {
            if let Some(content) = &file.before {
                let mut disk = side_of(&world, file.side);
                disk.install(file.name, content, modified).expect("there is room");
            }
        }
        if let Some((command, side, call)) = &self.before {
            side_of(&world, *side).faults.plan(*call, Fault::Kill);
            let job = world.start(0, command.clone());
            let end = world.run(job, PATIENCE);
            assert!(!matches!(end, End::Done(_)), "it was not killed early enough");
            side_of(&world, *side).faults.clear();
        }
        let warm = world.start(0, Command::List);
        assert_eq!(world.run(warm, PATIENCE), End::Done(None));
        world
    }

    /// How calls of a machine for the commands can fail, by their numbers if all goes well.
    fn failures(&self, side: Side) -> Vec<(u64, Fault)> {
        let mut world = self.prepare();
        let before = side_of(&world, side).calls();
        for end in self.tell(&mut world) {
            assert!(matches!(end, End::Done(_)), "{}: {end:?} without any fault", self.name);
        }
        self.expect_done(&world);
        let disk = side_of(&world, side);
        let broken = (1..=disk.calls() - before).map(|call| (call, Fault::Io));
        let roomy = disk.roomy_calls().iter().filter_map(|call| call.checked_sub(before));
        broken.chain(roomy.filter(|call| *call > 0).map(|call| (call, Fault::Full))).collect()
    }

    fn tell(&self, world: &mut World) -> Vec<End> {
        let jobs: Vec<_> =
            self.commands.iter().map(|command| world.start(0, command.clone())).collect();
        let mut ends = vec![None; jobs.len()];
        let (limit, mut looked) = (world.elapsed() + PATIENCE, u64::MAX);
        while ends.iter().any(Option::is_none) {
            while let Some((job, end)) = world.take_ended() {
                if let Some(at) = jobs.iter().position(|known| *known == job) {
                    ends[at] = Some(end);
                }
            }
            assert!(world.elapsed() <= limit, "nothing is told for {PATIENCE:?}: {ends:?}");
            world.step();
            let named = world.disks().map(|disk| disk.named()).sum();
            if named != std::mem::replace(&mut looked, named) {
                self.expect_nothing_partial(world);
            }
        }
        ends.into_iter().flatten().collect()
    }

    fn run(&self, case: Case, is_alone: bool) {
        let mut world = self.prepare();
        {
            let mut disk = side_of(&world, case.side);
            let at = disk.calls() + case.call;
            disk.faults.plan(at, case.fault);
            if is_alone {
                disk.print();
            }
        }
        let ends = self.tell(&mut world);
        if is_alone {
            println!("{ends:?}");
        }
        for end in &ends {
            let is_told = matches!(
                end,
                End::Done(_) | End::Failed(Failure::Local { .. } | Failure::Remote { .. })
            );
            assert!(is_told, "{end:?}");
        }
        if ends.iter().all(|end| matches!(end, End::Done(_))) {
            self.expect_done(&world);
        }
        side_of(&world, case.side).faults.clear();
        let ends = self.tell(&mut world);
        for (end, command) in ends.iter().zip(&self.commands) {
            assert!(is_done(end, command), "{end:?} when it is tried again");
        }
        // Nobody was told that it is done if it was found to be so.
        if ends.iter().all(|end| matches!(end, End::Done(_))) {
            self.expect_done(&world);
        }
        for side in [Side::Server, Side::Client] {
            let root = side_of(&world, side).root();
            partials::remove(&root, Duration::ZERO).expect("it can be looked through");
            let is_ours = |name: &String| name.starts_with(".gannet-");
            let left: Vec<_> = names(&root).into_iter().filter(is_ours).collect();
            assert!(left.is_empty(), "{side:?} is left with {left:?}");
        }
    }

    fn expect_nothing_partial(&self, world: &World) {
        for file in &self.files {
            let is = side_of(world, file.side).visible(Path::new(file.name));
            assert!(
                is == file.before || is == file.after,
                "{:?} {} is what was never there",
                file.side,
                file.name
            );
        }
    }

    fn expect_done(&self, world: &World) {
        for File { side, name, after, .. } in &self.files {
            let disk = side_of(world, *side);
            let (visible, durable) = (disk.visible(Path::new(name)), disk.durable(Path::new(name)));
            assert!(visible == *after, "{side:?} {name} is not what it has to be");
            assert!(durable.as_ref() == Some(after), "{side:?} {name} may be lost, or come back");
        }
    }
}

/// Whether a command is done, now or by an attempt that failed at the very end.
fn is_done(end: &End, command: &Command) -> bool {
    match (end, command) {
        (End::Done(_), _) => true,
        (End::Failed(Failure::Remote { status, .. }), Command::MakeDirectory(_)) => {
            *status == Status::Exists
        }
        (
            End::Failed(Failure::Remote { status, .. }),
            Command::Remove(_) | Command::Rename { .. },
        ) => *status == Status::NotFound,
        _ => false,
    }
}

fn side_of(world: &World, side: Side) -> std::cell::RefMut<'_, super::Disk> {
    match side {
        Side::Server => world.server_disk(),
        Side::Client => world.client_disk(0),
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("it can be read").file_name().to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}
