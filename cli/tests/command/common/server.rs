//! A server of its own for a test.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{DEADLINE, User};

/// A server that shares a temporary directory at a port of its own; killed when dropped.
pub(crate) struct Server {
    root: TempDir,
    /// What it keeps; held for as long as it runs.
    _state: TempDir,
    user: User,
    child: Child,
    address: SocketAddr,
    /// What it printed first.
    pub(crate) announcement: String,
    stdout: BufReader<ChildStdout>,
    log: Receiver<String>,
    /// What it logged so far.
    logged: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::of(User::usual(), arguments)
    }

    /// Starts that of a user, with more arguments.
    pub(crate) fn of(user: User, arguments: &[&str]) -> Self {
        Self::launch(user, arguments, |_, command| std::mem::replace(command, Command::new("")))
    }

    /// Starts one by the command that `wrap` makes of its root and its own command.
    pub(crate) fn start_wrapped(wrap: impl FnOnce(&Path, &mut Command) -> Command) -> Self {
        Self::launch(User::usual(), &[], wrap)
    }

    fn launch(
        user: User,
        arguments: &[&str],
        wrap: impl FnOnce(&Path, &mut Command) -> Command,
    ) -> Self {
        let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gannet"));
        command.args(["server", "0", "--root"]).arg(root.path()).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1"]);
        }
        command.env("GANNET_CONFIG", user.config()).env("XDG_STATE_HOME", state.path());
        command.env_remove("GANNET_LOG");
        let mut child = wrap(root.path(), &mut command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut announcement = String::new();
        stdout.read_line(&mut announcement).unwrap();
        let address = announcement
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split(',').next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in {announcement:?}"));
        let logged = String::new();
        Self { root, _state: state, user, child, address, announcement, stdout, log, logged }
    }

    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As the one-shot commands take it.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// Its port, as `gannet client` takes it.
    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.root().join(name)).unwrap()
    }

    /// Waits for a line of its log that holds all of `parts`, and gives it.
    #[track_caller]
    pub(crate) fn expect_log(&mut self, parts: &[&str]) -> String {
        loop {
            let Ok(line) = self.log.recv_timeout(DEADLINE) else {
                panic!("no line with {parts:?} in the log:\n{}", self.logged);
            };
            self.logged.push_str(&line);
            self.logged.push('\n');
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and gives its exit status.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> Option<i32> {
        // Its end closes stderr, and with it the log.
        while let Ok(line) = self.log.recv_timeout(DEADLINE) {
            self.logged.push_str(&line);
            self.logged.push('\n');
        }
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "stdout carries only where it listens");
        self.child.wait().unwrap().code()
    }

    /// What it logged until it ended.
    pub(crate) fn logged(&self) -> &str {
        &self.logged
    }

    /// Whether it runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a thread of its own.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
