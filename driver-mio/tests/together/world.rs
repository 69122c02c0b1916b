//! A directory that a server shares, another for clients, and the way between.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use gannet_driver_mio::{
    client::{Client, ClientOptions, Failure, Job},
    security::{ClientSecurity, ServerSecurity, ServerTrust},
    server::{Server, ServerOptions, Stopper},
    trust::{Paths, SecretKey, policy::Grant},
};
use gannet_protocol::{Destination, Expected, Name};
use tempfile::TempDir;

/// Long enough that only a hanging test takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// A server is its user's, who is also the client where nothing else is said.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) key: Arc<SecretKey>,
    pub(crate) paths: Paths,
    pub(crate) stopper: Stopper,
    server: Option<JoinHandle<io::Result<()>>>,
    shared: TempDir,
    here: TempDir,
    _config: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, || {})
    }

    /// `prepare` fills the shared directory; `enter` runs on the server's thread before anything else.
    pub(crate) fn with(prepare: impl FnOnce(&Path), enter: impl FnOnce() + Send + 'static) -> Self {
        Self::build(None, |shared, _| prepare(shared), enter)
    }

    /// `prepare` fills the shared directory, and the list of clients; `anyone` is what is opened to all.
    pub(crate) fn of_clients(anyone: Option<&str>, prepare: impl FnOnce(&Path, &Paths)) -> Self {
        let anyone = anyone.map(|grant| grant.parse().unwrap());
        Self::build(anyone, prepare, || {})
    }

    fn build(
        anyone: Option<Grant>,
        prepare: impl FnOnce(&Path, &Paths),
        enter: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (shared, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = tempfile::tempdir().unwrap();
        let paths = Paths::new(config.path().join("config"), config.path().join("state"));
        let key = Arc::new(SecretKey::load_or_create(&paths).unwrap());
        // A server that runs with fewer rights reads the list all the same.
        for dir in [config.path(), paths.config()] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        }
        prepare(shared.path(), &paths);
        let trust = ServerTrust { key: Arc::clone(&key), paths: paths.clone(), anyone };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let security = ServerSecurity::Sealed(trust);
        let options = ServerOptions::new(shared.path().to_owned(), listen, security);
        let (tell, told) = std::sync::mpsc::channel();
        let server = thread::spawn(move || {
            enter();
            let server = Server::bind(options).unwrap();
            tell.send((server.local_addr(), server.stopper())).unwrap();
            server.run()
        });
        let (address, stopper) = told.recv().unwrap();
        Self { address, key, paths, stopper, server: Some(server), shared, here, _config: config }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(self.address, &self.key)
    }

    /// The same over another address, such as a relay's.
    pub(crate) fn client_over(&self, address: SocketAddr) -> Client {
        self.client_of(address, &self.key)
    }

    /// A client with a key of its own.
    pub(crate) fn client_as(&self, key: &Arc<SecretKey>) -> Client {
        self.client_of(self.address, key)
    }

    /// A client with a key of its own, over another address.
    pub(crate) fn client_as_over(&self, address: SocketAddr, key: &Arc<SecretKey>) -> Client {
        self.client_of(address, key)
    }

    fn client_of(&self, address: SocketAddr, key: &Arc<SecretKey>) -> Client {
        let (host, port) = (address.ip().to_string(), address.port());
        Client::connect(&host, port, &self.options_as(key)).unwrap()
    }

    /// How a client with a key of its own connects that knows the server.
    pub(crate) fn options_as(&self, key: &Arc<SecretKey>) -> ClientOptions {
        let expected = Expected::just(self.key.public());
        ClientOptions::new(ClientSecurity::Sealed { key: Arc::clone(key), expected })
    }

    /// A path on the server's side.
    pub(crate) fn there(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    /// A path on the client's side.
    pub(crate) fn here(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// Waits until the server has ended by itself.
    pub(crate) fn join(&mut self) {
        self.server.take().unwrap().join().unwrap().unwrap();
    }

    /// Every name on the server's side, those of partial files too.
    pub(crate) fn names_there(&self) -> Vec<String> {
        names_in(self.shared.path())
    }

    /// The names on the server's side, without what can be gone on with.
    pub(crate) fn whole_there(&self) -> Vec<String> {
        without_partials(self.names_there())
    }

    /// The names on the client's side, without what can be gone on with.
    pub(crate) fn whole_here(&self) -> Vec<String> {
        without_partials(self.names_here())
    }

    /// Every name on the client's side, those of partial files too.
    pub(crate) fn names_here(&self) -> Vec<String> {
        names_in(self.here.path())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(thread::panicking() || ended.is_ok_and(|result| result.is_ok()));
        }
    }
}

pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn without_partials(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.starts_with(".gannet-"));
    names
}

/// A result within the test's patience.
pub(crate) fn finish<T>(mut job: Job<T>) -> Result<T, Failure> {
    job.wait_timeout(PATIENCE).expect("the job hangs")
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

/// A destination in the root.
pub(crate) fn root_as(text: &str) -> Destination {
    Destination { path: Some(name(text)), leaf: name(text).leaf(), into_directory: false }
}

/// Bytes in which no part is like another, and the same for each `seed`.
pub(crate) fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Makes a file that takes its time to travel, but little room: it holds a byte in every block, so that it has no holes of a
/// block.
pub(crate) fn make_long(path: &Path, len: u64) {
    let file = fs::File::create(path).unwrap();
    file.set_len(len).unwrap();
    (0..len).step_by(1 << 20).for_each(|at| file.write_all_at(b"x", at).unwrap());
}

/// Compares without printing megabytes.
pub(crate) fn assert_holds(path: &Path, expected: &[u8]) {
    let held = fs::read(path).unwrap();
    assert_eq!(held.len(), expected.len(), "length of {}", path.display());
    let differs = held.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "first byte of {} that differs", path.display());
}
