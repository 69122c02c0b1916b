//! Nothing is lost, whoever is killed and whenever: clients and servers, in gets, puts and other commands.

mod commands;
mod freezes;
mod room;

mod soak;

use std::{fs, path::Path, thread, time::Duration};

use gannet_driver_mio::partials;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{DEADLINE, Here, Process, Ran, Server, Slow, bytes, names};

/// A dozen groups, and a short one.
const LEN: usize = (12 << 20) + 4321;
/// Bits per second: half a second for a file of [`LEN`].
const RATE: u64 = 200_000_000;
/// A reply takes so long that whoever waits for it can be killed before.
const DELAY: Duration = Duration::from_millis(20);
/// Bytes that a sender may have on the way before it hears what is there already.
const AHEAD: u64 = 3 << 20;
/// Lengths in a journal: of the header for a name of four bytes, and of the record of a group.
const JOURNAL: [u64; 2] = [65, 45];

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Get,
    Put,
}

/// When it is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Moment {
    Hello,
    /// So many groups are written down.
    Groups(u64),
    /// The file has its name, but the other side does not know that yet.
    Published,
}

const MOMENTS: [Moment; 6] = [
    Moment::Hello,
    Moment::Groups(1),
    Moment::Groups(6),
    Moment::Groups(12),
    Moment::Groups(13),
    Moment::Published,
];

/// `docs/hostile-input.md`, rows 52, 54 and 55.
#[test]
fn a_client_that_is_killed_in_a_get_goes_on_when_it_is_run_again() {
    each_moment(Side::Client, Verb::Get);
}

/// `docs/hostile-input.md`, rows 52, 54 and 55.
#[test]
fn a_client_that_is_killed_in_a_put_goes_on_when_it_is_run_again() {
    each_moment(Side::Client, Verb::Put);
}

/// `docs/hostile-input.md`, rows 52, 54 and 55.
#[test]
fn a_get_of_a_server_that_is_killed_goes_on_when_it_is_run_again() {
    each_moment(Side::Server, Verb::Get);
}

/// `docs/hostile-input.md`, rows 52, 54 and 55.
#[test]
fn a_put_to_a_server_that_is_killed_goes_on_when_it_is_run_again() {
    each_moment(Side::Server, Verb::Put);
}

fn each_moment(side: Side, verb: Verb) {
    for (at, moment) in MOMENTS.into_iter().enumerate() {
        for changed in [false, true] {
            eprintln!("{side:?} in a {verb:?} after {moment:?}, changed then: {changed}");
            let case = Case::new(side, verb, moment, (at % 2 == 0) != changed);
            case.run(changed);
        }
    }
}

/// A transfer that is interrupted once.
struct Case {
    side: Side,
    verb: Verb,
    moment: Moment,
    server: Server,
    here: Here,
    /// What stood under the name before, if anything.
    former: Option<Vec<u8>>,
    content: Vec<u8>,
}

impl Case {
    fn new(side: Side, verb: Verb, moment: Moment, replaces: bool) -> Self {
        let former = replaces.then(|| bytes(LEN / 2, 2));
        let (server, here) = (Server::start(), Here::new());
        let this = Self { side, verb, moment, server, here, former, content: bytes(LEN, 1) };
        fs::write(this.source(), &this.content).unwrap();
        if let Some(former) = &this.former {
            fs::write(this.receiving().join("copy"), former).unwrap();
        }
        this
    }

    fn source(&self) -> std::path::PathBuf {
        match self.verb {
            Verb::Get => self.server.root().join("file"),
            Verb::Put => self.here.path().join("file"),
        }
    }

    /// The directory where the file is to be.
    fn receiving(&self) -> &Path {
        match self.verb {
            Verb::Get => self.here.path(),
            Verb::Put => self.server.root(),
        }
    }

    fn target(&self) -> Option<Vec<u8>> {
        fs::read(self.receiving().join("copy")).ok()
    }

    fn start(&self, link: &Slow) -> Process {
        let verb = match self.verb {
            Verb::Get => "get",
            Verb::Put => "put",
        };
        let target = link.target();
        self.here.start([verb, &target, "file", "--to", "copy", "--json", "--retry-for", "0"])
    }

    fn run(mut self, changed: bool) {
        let link = self.link();
        let running = self.start(&link);
        self.wait();
        match self.side {
            Side::Client => running.signal(Signal::KILL),
            Side::Server => self.server = self.server.killed_and_started_again(),
        }
        let first = running.ran();
        assert!(matches!(first.status, None | Some(0 | 3)), "{first:#?}");
        // In this order: what a killed client has sent may arrive still, and make the file whole.
        let left = self.left();
        let is_done = self.check_what_stands();
        let left = if is_done { LEN as u64 } else { left };
        assert!(left + (1 << 20) > self.least_left(), "{left} left: {:?}", names(self.receiving()));
        if changed {
            self.content[5 << 20] ^= 1;
            fs::write(self.source(), &self.content).unwrap();
            // The time may be the same, with clocks as coarse as those of file systems.
            let source = fs::File::options().write(true).open(self.source()).unwrap();
            source.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        self.go_on(left.saturating_sub(if changed { 1 << 20 } else { 0 }), is_done && !changed);
    }

    fn link(&self) -> Slow {
        Slow::at(&self.server, RATE, DELAY)
    }

    /// Waits for the moment.
    fn wait(&mut self) {
        let journal = match self.moment {
            Moment::Hello => {
                self.server.expect_log(&[" connected: "]);
                return;
            }
            Moment::Groups(count) => JOURNAL[0] + count * JOURNAL[1],
            Moment::Published => u64::MAX,
        };
        let (directory, len) = (self.receiving(), LEN as u64);
        poll(|| {
            let published = fs::metadata(directory.join("copy")).is_ok_and(|it| it.len() == len);
            published || sizes(directory, ".journal").any(|size| size >= journal)
        });
    }

    /// Bytes that were written down to be there when the moment came.
    fn least_left(&self) -> u64 {
        match self.moment {
            Moment::Hello => 0,
            Moment::Groups(count) => count << 20,
            Moment::Published => LEN as u64,
        }
    }

    /// Under the name stands what stood there or what was sent, whole; tells whether it is this. No listing shows anything else.
    fn check_what_stands(&self) -> bool {
        let target = self.target();
        let is_done = target.as_ref() == Some(&self.content);
        assert!(is_done || target == self.former, "a mix of {:?} bytes", target.map(|it| it.len()));
        let listed = self.here.run(["list", &self.server.target()]).ended_with(0).stdout;
        assert!(!listed.contains(".gannet"), "{listed}");
        is_done
    }

    /// Bytes that are there of the file.
    fn left(&self) -> u64 {
        // A server that lost its client has the file for a while.
        partials::find(self.receiving()).unwrap().iter().map(|left| left.kept).sum()
    }

    /// Runs the same command again, which keeps `left` bytes at least.
    fn go_on(&self, left: u64, is_done: bool) {
        let link = self.link();
        let told = json(&self.start(&link).ran().ended_with(0));
        let report = link.stop();
        assert!(self.target().as_ref() == Some(&self.content), "{told}");
        let is_unchanged = told["unchanged"] == true;
        assert!(is_unchanged || !is_done, "{told}");
        assert_eq!(told["blake3"].as_str().is_none(), is_unchanged, "{told}");
        let kept = told["kept"].as_u64().unwrap_or(0);
        assert!(kept >= left, "{left} left, {told}");
        let delivered = match self.verb {
            Verb::Get => report.back.delivered_bytes,
            Verb::Put => report.forward.delivered_bytes,
        };
        let rest = LEN as u64 - kept;
        assert!(delivered < rest + rest / 5 + AHEAD, "{delivered} travelled: {told}");
        assert_eq!(litter(self.receiving()), [""; 0]);
    }
}

/// The object that was printed.
#[track_caller]
fn json(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|why| panic!("{why}: {ran:#?}"))
}

/// Names of what transfers left.
fn litter(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.starts_with(".gannet-")).collect()
}

/// Sizes of the files whose names end so.
fn sizes<'a>(directory: &Path, end: &'a str) -> impl Iterator<Item = u64> + 'a {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let named = entries.filter(move |it| it.file_name().to_string_lossy().ends_with(end));
    // What is put in place meanwhile is not there any more.
    named.filter_map(|it| Some(it.metadata().ok()?.len()))
}

/// Waits for what passes soon.
fn poll(mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "it does not come to that");
        thread::sleep(Duration::from_micros(200));
    }
}
