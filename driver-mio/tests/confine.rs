//! A confined process reaches what it was left, and nothing else. Each test confines a process of its own.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use gannet_driver_mio::{
    client::{Client, ClientOptions},
    confine::{Confined, Confinement},
    security::{ClientSecurity, ServerSecurity},
    server::{Server, ServerOptions},
    trust::{AuthorizedClients, HostPort, Paths, SecretKey, authorize, remember},
};
use gannet_protocol::{Destination, Name};

/// Names the directory that the child makes its own.
const CHILD: &str = "GANNET_TEST_CONFINED";

/// This process's directory, if it is a child.
fn child() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

/// Runs the test of this name as a child that is confined.
fn spawn(test: &str, dir: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// What a server needs: `root`, `config` and `state` below `dir`.
fn server_confinement(dir: &Path) -> Confinement {
    Confinement {
        writable: ["root", "config", "state"].map(|name| dir.join(name)).to_vec(),
        readable: vec!["/proc/sys/kernel/random/boot_id".into(), "/nonexistent".into()],
    }
}

fn prepare(dir: &Path) {
    for name in ["root", "root/sub", "config", "state", "outside"] {
        fs::create_dir(dir.join(name)).unwrap();
    }
    fs::write(dir.join("outside/secret"), "secret").unwrap();
    fs::write(dir.join("root/file"), "content").unwrap();
}

/// Confines this process; false, and said, where the system cannot: nothing can be tested there.
fn confine(confinement: &Confinement) -> bool {
    let confined = confinement.confine().unwrap();
    println!("\n{confined}");
    matches!(confined, Confined::Files { .. })
}

fn is_denied<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[test]
fn other_files_tcp_and_programs_are_out_of_reach() {
    let Some(dir) = child() else {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let name = "other_files_tcp_and_programs_are_out_of_reach";
        assert!(spawn(name, dir.path()).wait().unwrap().success());
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let opened = fs::File::open(dir.join("outside")).unwrap();
    if !confine(&server_confinement(&dir)) {
        return;
    }
    let check = || {
        let secret = dir.join("outside/secret");
        assert!(is_denied(fs::read(&secret)));
        assert!(is_denied(fs::write(dir.join("outside/new"), "")));
        assert!(is_denied(fs::read_dir(dir.join("outside"))));
        assert!(is_denied(fs::remove_file(&secret)));
        assert!(is_denied(fs::read("/etc/passwd")));
        assert!(is_denied(fs::read("/proc/self/environ")));
        fs::read("/proc/sys/kernel/random/boot_id").unwrap();
        assert!(is_denied(fs::write("/proc/sys/kernel/random/boot_id", "")));
        // A link inside to what is outside leads nowhere either, nor does a file move there.
        let link = dir.join("root/link");
        let _ = fs::remove_file(&link);
        symlink(&secret, &link).unwrap();
        assert!(is_denied(fs::read(&link)));
        assert!(fs::rename(dir.join("root/file"), dir.join("outside/file")).is_err());
        assert!(is_denied(Command::new("/bin/true").status()));
        assert!(is_denied(TcpStream::connect(address)));
        assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
    };
    check();
    thread::scope(|scope| scope.spawn(check).join().unwrap());
    assert!(opened.metadata().unwrap().is_dir());
    let status = fs::read_to_string("/proc/thread-self/status");
    assert!(is_denied(status), "nothing else of /proc");
    assert!(rustix::thread::no_new_privs().unwrap());
}

#[test]
fn trust_can_be_kept_up() {
    let Some(dir) = child() else {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        assert!(spawn("trust_can_be_kept_up", dir.path()).wait().unwrap().success());
        return;
    };
    let paths = Paths::new(dir.join("config"), dir.join("state"));
    // As those do who keep their configuration under version control.
    fs::create_dir(dir.join("dotfiles")).unwrap();
    fs::write(dir.join("dotfiles/clients"), "").unwrap();
    symlink(dir.join("dotfiles/clients"), paths.authorized_clients()).unwrap();
    let writable = paths.directories();
    assert_eq!(writable.len(), 3);
    if !confine(&Confinement { writable, readable: vec![] }) {
        return;
    }
    assert!(is_denied(fs::read(dir.join("root/file"))));
    let key = SecretKey::load_or_create(&paths).unwrap().public();
    paths.prepare_state().unwrap();
    let list = paths.authorized_clients();
    authorize(&list, &key, &"read".parse().unwrap(), "joined").unwrap();
    let clients = AuthorizedClients::load(list, std::time::SystemTime::now()).unwrap();
    assert_eq!(clients.list().len(), 1);
    let server: HostPort = "host:1".parse().unwrap();
    remember(&paths.known_servers(), &server, &key).unwrap();
}

/// Kills the server when the test is over, however it ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_confined_server_serves_every_verb() {
    if let Some(dir) = child() {
        confine(&server_confinement(&dir));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server =
            Server::bind(ServerOptions::new(dir.join("root"), listen, ServerSecurity::Plain))
                .unwrap();
        println!("port={}", server.local_addr().port());
        server.run().unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let mut child = spawn("a_confined_server_serves_every_verb", dir.path());
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut server = Killed(child);
    let mut lines = stdout.lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("port=")?.parse().ok()).unwrap();
    let client =
        Client::connect("127.0.0.1", port, &ClientOptions::new(ClientSecurity::Plain)).unwrap();
    let name = |text: &str| Name::parse(text.as_bytes()).unwrap();
    let copy = dir.path().join("copy");
    client.get(name("file"), copy.clone()).wait().unwrap();
    let to = Destination { path: Some(name("sub")), leaf: name("new"), into_directory: true };
    client.put(copy, to).wait().unwrap();
    client.rename(name("sub/new"), name("moved")).wait().unwrap();
    client.rename(name("sub"), name("dir")).wait().unwrap();
    assert_eq!(client.list(None).wait().unwrap().len(), 3);
    client.exit(false).wait().unwrap();
    assert!(server.0.wait().unwrap().success());
    assert_eq!(fs::read(dir.path().join("root/moved")).unwrap(), b"content");
}

#[test]
fn what_cannot_be_opened_is_an_error_before_anything_is_given_up() {
    let Some(dir) = child() else {
        let dir = tempfile::tempdir().unwrap();
        let name = "what_cannot_be_opened_is_an_error_before_anything_is_given_up";
        assert!(spawn(name, dir.path()).wait().unwrap().success());
        return;
    };
    let missing = dir.join("missing");
    let confinement = Confinement { writable: vec![missing.clone()], readable: vec![] };
    let told = confinement.confine().unwrap_err().to_string();
    assert!(told.contains(&missing.display().to_string()), "{told}");
    fs::read("/etc/passwd").unwrap();
}
