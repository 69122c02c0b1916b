//! `gannet demo`: a server, a client, and a bad link between them, in one process.
//!
//! The sockets, the files and the clock are real; the link is a relay that passes their packets on late, no faster than its
//! rate, and not all of them. Its losses come from a fixed seed.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use gannet_driver_mio::{
    client::{Client, ClientOptions, Transferred},
    netem::{IPV4_UDP_OVERHEAD, LinkConfig, Relay, RelayReport},
    security::{ClientSecurity, ServerSecurity, ServerTrust},
    server::{Server, ServerOptions},
    trust::{HostPort, Paths, SecretKey},
    units::{format_duration, format_rate, format_size},
};
use gannet_protocol::{Destination, Expected, Name, Stats};

use crate::{
    console::{Console, print},
    errors::{Action, Conflict, Error, TrustError},
    interrupt::Interrupt,
    outcome::Outcome,
    progress::{Bar, SoFar},
    session::TICK,
    summary::Moved,
};

/// Bytes that are moved: some seconds of the link.
const LEN: u64 = 50_000_000;
/// The link's bits per second, each way.
const RATE: u64 = 100_000_000;
/// Time from one end of the link to the other.
const DELAY: Duration = Duration::from_millis(40);
/// The chance that a packet is lost on the way.
const LOSS: f64 = 0.02;
/// The largest UDP payload that passes: Ethernet's 1500 bytes less the headers of IPv4 and UDP.
const MTU: usize = 1500 - IPV4_UDP_OVERHEAD as usize;
/// The name of the file on both sides.
const NAME: &str = "demo.bin";

/// Runs it, and prints what happened.
pub(crate) fn run(console: Console) -> Outcome {
    match show(console) {
        Ok(()) => Outcome::Done,
        Err(error) => console.report(&error),
    }
}

fn show(console: Console) -> Result<(), Error> {
    let interrupt = Interrupt::listen().map_err(Error::Stdio)?;
    let directory = tempfile::tempdir().map_err(Error::Stdio)?;
    interrupt.defer();
    let stage = Stage::build(directory.path())?;
    print(format_args!(
        "Between a server and a client: a link of {}, {} there and back, {}% of packets lost.\n\
         What takes every loss for congestion would need minutes.\n\n",
        format_rate(RATE),
        format_duration(2 * DELAY),
        LOSS * 100.0,
    ))
    .map_err(Error::Stdio)?;
    let (client, transferred) = stage.put(console, &interrupt)?;
    let stats = client.stats();
    drop(client);
    let report = stage.relay.stop();
    let same = same_content(&stage.file, &stage.copy).map_err(Error::Stdio)?;
    if !same {
        return Err(Error::Unverified(action()));
    }
    print(Story { transferred, stats, report }).map_err(Error::Stdio)
}

/// What the demo needs, ready to begin.
struct Stage {
    file: PathBuf,
    copy: PathBuf,
    relay: Relay,
    /// Whose client and server it is: someone's who is nobody else.
    key: Arc<SecretKey>,
}

impl Stage {
    /// Writes a file, and starts a server and a link to it.
    fn build(directory: &Path) -> Result<Self, Error> {
        let root = directory.join("server");
        std::fs::create_dir(&root).map_err(Error::Stdio)?;
        let file = directory.join(NAME);
        write_content(&file).map_err(Error::Stdio)?;

        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let copy = root.join(NAME);
        let key = Arc::new(SecretKey::generate().map_err(TrustError::Identity)?);
        let paths = Paths::new(directory.join("config"), directory.join("state"));
        let trust = ServerTrust { key: Arc::clone(&key), paths, anyone: None };
        let options = ServerOptions::new(root, loopback, ServerSecurity::Sealed(trust));
        let server = Server::bind(options).map_err(Error::Start)?;
        let address = server.local_addr();
        // It runs as long as the process.
        thread::spawn(move || server.run());
        let link = |seed| LinkConfig {
            seed,
            rate: Some(RATE),
            delay: DELAY,
            loss: LOSS,
            mtu: Some(MTU),
            overhead_bytes: IPV4_UDP_OVERHEAD,
            ..LinkConfig::default()
        };
        let relay = Relay::start(address, link(1), link(2)).map_err(Error::Stdio)?;
        Ok(Self { file, copy, relay, key })
    }

    /// Stores the file at the server, with a bar.
    fn put(&self, console: Console, interrupt: &Interrupt) -> Result<(Client, Transferred), Error> {
        let address = self.relay.address();
        let expected = Expected::just(self.key.public());
        let security = ClientSecurity::Sealed { key: Arc::clone(&self.key), expected };
        let options = ClientOptions::new(security);
        let server = HostPort::new(&address.ip().to_string(), address.port())
            .map_err(|error| Error::Conflict(Conflict::Server(error)))?;
        let client = Client::connect_to_any(&[address], &options)
            .map_err(|error| Error::Connect { server, plain: false, error })?;
        let leaf = Name::parse(NAME.as_bytes()).map_err(|error| Error::BadName {
            action: action(),
            name: NAME.into(),
            error,
        })?;
        let to = Destination { path: None, leaf, into_directory: true };
        let mut job = client.put(self.file.clone(), to);
        let mut bar = Bar::new(console, Some(NAME), false);
        loop {
            if let Some(result) = job.wait_timeout(TICK) {
                let done = result.map_err(|failure| Error::of(action(), failure))?;
                return Ok((client, done));
            }
            let progress = job.progress();
            bar.update(&SoFar::of(progress));
            if interrupt.heard() {
                return Err(Error::Interrupted);
            }
        }
    }
}

fn action() -> Action {
    Action::Put(NAME.into())
}

/// How it went.
struct Story {
    transferred: Transferred,
    stats: Option<Stats>,
    report: RelayReport,
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { transferred, stats, report: RelayReport { forward, .. } } = self;
        let moved = Moved { bytes: transferred.len, elapsed: transferred.elapsed };
        let lost = forward.dropped();
        let percent = lost as f64 * 100.0 / forward.packets.max(1) as f64;
        let hash: String =
            transferred.hash.iter().flatten().take(8).map(|byte| format!("{byte:02x}")).collect();
        writeln!(f, "sent      {moved}, in {} packets", forward.packets)?;
        writeln!(f, "lost      {lost} packets on the way, {percent:.1}%")?;
        if let Some(stats) = stats {
            writeln!(f, "resent    {}", format_size(stats.body_resent))?;
        }
        writeln!(f, "verified  all of it by BLAKE3 ({hash}...), and the copy byte for byte")
    }
}

/// Fills a file with bytes that no compression or hole could shorten (xorshift64).
fn write_content(path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..LEN / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()
}

fn same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let len = a.read(&mut left)?;
        let (Some(left), Some(right)) = (left.get(..len), right.get_mut(..len)) else {
            return Ok(false);
        };
        b.read_exact(right)?;
        if left != &*right {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
    }
}
