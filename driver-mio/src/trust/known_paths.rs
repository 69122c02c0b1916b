//! What the paths to servers gave when they were last used, so that the next connection need not find it out from nothing.
//!
//! Nothing depends on it: a file or a line that cannot be read is as if it were not there.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::{Duration, SystemTime},
};

use gannet_protocol::{PathMemory, PublicKey};

use super::{
    FileError,
    private::{self, Guard, Lock},
};

/// What the file begins with.
const HEADER: &str = "\
# What the paths to servers gave when they were last used. gannet keeps it, and does without it if it is gone.
# server's key or -, its address, network of this machine, seconds since 1970, round trip in us, packet in bytes, bytes/s there, back
";

/// Most paths that are remembered: the ones used last.
const MAX_PATHS: usize = 64;

/// How long a path is remembered: networks change, and a user who comes back once a week is none who minds a second.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// A rate that differs by less than this part is not worth writing a file.
const WORTH: u64 = 16;

/// From where to where a path leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The server's key; none in plain mode.
    pub key: Option<PublicKey>,
    /// The server's address.
    pub server: SocketAddr,
    /// The network that this machine is in: a /24 of IPv4, or a /64 of IPv6, by its first address.
    network: IpAddr,
}

impl Route {
    /// The route from this machine's address `local` to `server`.
    #[must_use]
    pub fn new(key: Option<PublicKey>, server: SocketAddr, local: IpAddr) -> Self {
        let network = match local {
            IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) & !0xff).into(),
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        };
        Self { key, server, network }
    }
}

/// What is known of paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KnownPaths {
    /// The one used last comes last.
    paths: Vec<KnownPath>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct KnownPath {
    route: Route,
    /// Seconds since 1970.
    at: u64,
    memory: PathMemory,
}

impl KnownPaths {
    /// Reads the file; without one, or one that can be used, nothing is known.
    #[must_use]
    pub fn load(file: &Path) -> Self {
        match private::read(file, Guard::Unchanged) {
            Ok(None) => Self::default(),
            Ok(Some(content)) => Self::parse(&content),
            Err(error) => {
                log::debug!("what is known of paths is not used: {error}");
                Self::default()
            }
        }
    }

    /// Reads a file's content. Lines that say nothing are passed over, and of the others the last ones count.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        let mut known = Self::default();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")) {
            match std::str::from_utf8(line).ok().and_then(read_line) {
                Some(path) => known.put(path),
                None if line.is_empty() => {}
                None => log::debug!("a line on a known path is not understood"),
            }
        }
        known
    }

    /// What the path gave, if it was used within the last days.
    #[must_use]
    pub fn find(&self, route: &Route, now: SystemTime) -> Option<PathMemory> {
        let now = seconds(now);
        // A clock that was put back tells nothing of an age.
        let is_recent =
            |path: &&KnownPath| path.at <= now && now.saturating_sub(path.at) <= MAX_AGE.as_secs();
        let path = self.paths.iter().rfind(|path| path.route == *route).filter(is_recent)?;
        Some(path.memory)
    }

    /// Takes in what a path gave now; tells whether that is news.
    pub fn update(&mut self, route: Route, memory: PathMemory, now: SystemTime) -> bool {
        let known = self.find(&route, now);
        let updated = known.map_or(memory, |known| known.updated(memory));
        let is_news = match known {
            None => memory.up > 0 || memory.down > 0,
            Some(known) => {
                is_other(known.up, updated.up)
                    || is_other(known.down, updated.down)
                    || self.is_old(&route, now)
            }
        };
        if is_news {
            self.put(KnownPath { route, at: seconds(now), memory: updated });
        }
        is_news
    }

    /// Whether an entry has lived for half of its time, and is worth writing again though nothing changed.
    fn is_old(&self, route: &Route, now: SystemTime) -> bool {
        let path = self.paths.iter().rfind(|path| path.route == *route);
        path.is_some_and(|path| seconds(now).saturating_sub(path.at) > MAX_AGE.as_secs() / 2)
    }

    fn put(&mut self, path: KnownPath) {
        self.paths.retain(|known| known.route != path.route);
        if self.paths.len() >= MAX_PATHS {
            self.paths.remove(0);
        }
        self.paths.push(path);
    }
}

/// The file's content.
impl fmt::Display for KnownPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        for KnownPath { route, at, memory } in &self.paths {
            match &route.key {
                Some(key) => write!(f, "{key}")?,
                None => write!(f, "-")?,
            }
            let PathMemory { rtt, mtu, up, down } = memory;
            let (server, network, rtt) = (route.server, route.network, rtt.as_micros());
            writeln!(f, " {server} {network} {at} {rtt} {mtu} {up} {down}")?;
        }
        Ok(())
    }
}

/// Keeps in `file` what a path gave; its directory is there. Blocks on the disk, and while others do the same.
///
/// # Errors
/// [`FileError`]: nothing changed.
pub fn remember_path(
    file: &Path,
    route: Route,
    memory: PathMemory,
    now: SystemTime,
) -> Result<(), FileError> {
    if !KnownPaths::load(file).update(route, memory, now) {
        return Ok(());
    }
    if let Some(directory) = file.parent() {
        let failed = |error| FileError::Io { path: directory.to_owned(), error };
        private::create_dir(directory).map_err(failed)?;
    }
    let lock = Lock::of(file)?;
    // Another process may have written it since.
    let mut known = KnownPaths::load(file);
    known.update(route, memory, now);
    lock.replace(file, known.to_string().as_bytes())
}

fn read_line(line: &str) -> Option<KnownPath> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next();
    let key = match word()? {
        "-" => None,
        key => Some(key.parse().ok()?),
    };
    let (server, network): (SocketAddr, IpAddr) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let at = word()?.parse().ok()?;
    let rtt = Duration::from_micros(word()?.parse().ok()?);
    let (mtu, up, down) = (word()?.parse().ok()?, word()?.parse().ok()?, word()?.parse().ok()?);
    let memory = PathMemory { rtt, mtu, up, down };
    words.next().is_none().then(|| KnownPath {
        route: Route::new(key, server, network),
        at,
        memory,
    })
}

fn is_other(known: u64, now: u64) -> bool {
    known.abs_diff(now) > known / WORTH
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MEMORY: PathMemory =
        PathMemory { rtt: Duration::from_millis(100), mtu: 1472, up: 1_000_000, down: 12_000_000 };

    fn route(port: u16) -> Route {
        let local = "192.168.7.31".parse().unwrap();
        Route::new(None, SocketAddr::from(([192, 0, 2, 1], port)), local)
    }

    fn at(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400)
    }

    #[test]
    fn a_path_is_found_from_the_same_network_for_a_week() {
        let mut known = KnownPaths::default();
        assert!(known.update(route(1), MEMORY, at(100)));
        let neighbour = Route::new(None, route(1).server, "192.168.7.9".parse().unwrap());
        assert_eq!(known.find(&neighbour, at(107)), Some(MEMORY));
        let elsewhere = Route::new(None, route(1).server, "192.168.8.31".parse().unwrap());
        let key = Route { key: Some(PublicKey::from_bytes([7; 32])), ..route(1) };
        for other in [elsewhere, route(2), key] {
            assert_eq!(known.find(&other, at(100)), None);
        }
        assert_eq!(known.find(&route(1), at(108)), None);
        assert_eq!(known.find(&route(1), at(99)), None, "the clock was put back");
    }

    #[test]
    fn the_oldest_go_first() {
        let mut known = KnownPaths::default();
        for port in 0..MAX_PATHS as u16 {
            known.update(route(port), MEMORY, at(1));
        }
        let more = PathMemory { down: 20_000_000, ..MEMORY };
        assert!(known.update(route(0), more, at(1)));
        known.update(route(1000), MEMORY, at(1));
        assert_eq!(known.paths.len(), MAX_PATHS);
        assert_eq!(known.find(&route(0), at(1)), Some(more));
        assert_eq!(known.find(&route(1), at(1)), None);
    }

    #[test]
    fn what_is_no_news_is_not_written() {
        let mut known = KnownPaths::default();
        let nothing = PathMemory { up: 0, down: 0, ..MEMORY };
        assert!(!known.update(route(1), nothing, at(1)), "it moved too little");
        assert!(known.update(route(1), MEMORY, at(1)));
        assert!(!known.update(route(1), MEMORY, at(2)));
        assert!(!known.update(route(1), nothing, at(2)));
        assert!(known.update(route(1), MEMORY, at(5)), "it is to live on");
    }

    #[test]
    fn the_file_comes_back_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/gannet/known_paths");
        assert_eq!(KnownPaths::load(&file), KnownPaths::default());
        let sealed = Route { key: Some(PublicKey::from_bytes([7; 32])), ..route(1) };
        remember_path(&file, route(1), MEMORY, at(1)).unwrap();
        remember_path(&file, sealed, MEMORY, at(1)).unwrap();
        let known = KnownPaths::load(&file);
        assert_eq!(known.find(&route(1), at(1)), Some(MEMORY));
        assert_eq!(known.find(&sealed, at(1)), Some(MEMORY));
        assert_eq!(KnownPaths::parse(known.to_string().as_bytes()), known);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&file, b"\xff\xfe not a path\n- 192.0.2.1:1 x\n").unwrap();
        assert_eq!(KnownPaths::load(&file), KnownPaths::default());
    }
}
