//! How fast files go over loopback, sealed, plain, and with a protection that does nothing at all, side by side.
//!
//! `cargo bench -p gannet-driver-mio --bench loopback -- [MIB] [ROUNDS]`
//!
//! Server and client are in one process, on a thread each and those of their disks. The files are in `/dev/shm` where there is
//! one. The ways take turns, so that a machine that slows down slows all of them; what counts is the ratio.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use gannet_driver_mio::{
    client::{Client, ClientOptions},
    crypto::AwsLc,
    security::{ClientSecurity, Provider, ServerSecurity, ServerTrust},
    server::{Server, ServerOptions},
    trust::{Paths, SecretKey},
};
use gannet_protocol::{
    Destination, Expected, Name,
    crypto::{
        Aead, AeadFailed, Cipher, Crypto, HASH_LEN, KeyPair, NONCE_LEN, NoRandom, Secret, TAG_LEN,
    },
};

/// Shakes hands as ever, and protects nothing.
struct Nothing;

struct NoAead;

impl Crypto for Nothing {
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandom> {
        AwsLc.random(out)
    }

    fn has_aes(&self) -> bool {
        AwsLc.has_aes()
    }

    fn key_pair(&self, secret: &Secret) -> Arc<dyn KeyPair> {
        AwsLc.key_pair(secret)
    }

    fn sha256(&self, data: &[u8]) -> [u8; HASH_LEN] {
        AwsLc.sha256(data)
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]], out: &mut [u8; HASH_LEN]) {
        AwsLc.hmac_sha256(key, parts, out);
    }

    fn aead(&self, _: Cipher, _: &Secret) -> Box<dyn Aead> {
        Box::new(NoAead)
    }
}

impl Aead for NoAead {
    fn seal(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &mut [u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        Ok(())
    }

    fn open(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &[u8; TAG_LEN],
    ) -> Result<(), AeadFailed> {
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Way {
    Sealed,
    Plain,
    Nothing,
}

const WAYS: [(&str, Way); 3] =
    [("sealed", Way::Sealed), ("plain", Way::Plain), ("no protection", Way::Nothing)];

/// Gigabits per second of a get and of a put.
fn move_both_ways(dir: &Path, way: Way, len: u64) -> [f64; 2] {
    let paths = Paths::new(dir.join("config"), dir.join("state"));
    let key = Arc::new(SecretKey::load_or_create(&paths).expect("a key"));
    let trust = ServerTrust { key: Arc::clone(&key), paths, anyone: None };
    let expected = Expected::just(key.public());
    let (serving, calling) = match way {
        Way::Plain => (ServerSecurity::Plain, ClientSecurity::Plain),
        Way::Sealed | Way::Nothing => {
            (ServerSecurity::Sealed(trust), ClientSecurity::Sealed { key, expected })
        }
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut options = ServerOptions::new(dir.join("there"), listen, serving);
    let mut calling = ClientOptions::new(calling);
    if matches!(way, Way::Nothing) {
        options.crypto = Provider(Arc::new(Nothing));
        calling.crypto = Provider(Arc::new(Nothing));
    }
    let server = Server::bind(options).expect("a server");
    let (port, stopper) = (server.local_addr().port(), server.stopper());
    let serving = thread::spawn(move || server.run());
    let client = Client::connect("127.0.0.1", port, &calling).expect("a connection");
    let (file, copy) = (Name::parse(b"file").expect("a name"), dir.join("copy"));
    let rate = |start: Instant| len as f64 * 8e-9 / start.elapsed().as_secs_f64();

    let start = Instant::now();
    client.get(file.clone(), copy.clone()).wait().expect("a file");
    let get = rate(start);
    let to = Destination {
        path: Some(Name::parse(b"up").expect("a name")),
        leaf: file,
        into_directory: false,
    };
    let start = Instant::now();
    client.put(copy.clone(), to).wait().expect("a file");
    let put = rate(start);

    drop(client);
    stopper.stop();
    serving.join().expect("no panic").expect("a loop");
    fs::remove_file(copy).expect("a file");
    fs::remove_file(dir.join("there/up")).expect("a file");
    [get, put]
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    if !env::args().any(|argument| argument == "--bench") {
        // As a test it would only take time.
        return;
    }
    let len = numbers.first().copied().unwrap_or(512) << 20;
    let rounds = numbers.get(1).copied().unwrap_or(9);
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { env::temp_dir() };
    let dir = tempfile::tempdir_in(base).expect("a directory");
    fs::create_dir(dir.path().join("there")).expect("a directory");
    let mut content = vec![0; len as usize];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    fs::write(dir.path().join("there/file"), content).expect("room");

    let mut figures: [[Vec<f64>; 2]; 3] = Default::default();
    for _ in 0..rounds {
        for ((_, way), figures) in WAYS.iter().zip(&mut figures) {
            let rates = move_both_ways(dir.path(), *way, len);
            figures.iter_mut().zip(rates).for_each(|(all, rate)| all.push(rate));
        }
    }
    let medians = figures.map(|ways| ways.map(|mut all| median(&mut all)));
    println!(
        "{} MiB, {rounds} rounds, medians in Gbit/s and as shares of no protection:",
        len >> 20
    );
    let [get_most, put_most] = medians[2];
    for ((name, _), [get, put]) in WAYS.iter().zip(medians) {
        let shares = [get / get_most * 100.0, put / put_most * 100.0];
        println!(
            "{name:14} get {get:5.2} ({:3.0}%)  put {put:5.2} ({:3.0}%)",
            shares[0], shares[1]
        );
    }
}
