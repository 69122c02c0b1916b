//! Where clients run.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Process, Ran, Terminal, User};

/// A client's current directory, its user, and a home for its history.
pub(crate) struct Here {
    directory: TempDir,
    state: TempDir,
    user: User,
}

impl Here {
    /// Of the usual user, whom servers let in that say nothing else.
    pub(crate) fn new() -> Self {
        Self::of(User::usual())
    }

    /// Of a user.
    pub(crate) fn of(user: User) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, state: tempfile::tempdir().unwrap(), user }
    }

    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the history and other state are kept.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    /// `gannet` with `arguments`, ready to start here.
    pub(crate) fn gannet<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gannet"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.state())
            .env("GANNET_CONFIG", self.user.config())
            .env("TERM", "xterm")
            .env_remove("GANNET_LOG");
        command
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.start(arguments).ran()
    }

    /// Starts it.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Process {
        Process::start(&mut self.gannet(arguments), b"")
    }

    /// Runs a script of the menu's commands.
    #[track_caller]
    pub(crate) fn script(&self, host: &str, port: &str, script: impl AsRef<[u8]>) -> Ran {
        Process::start(&mut self.gannet(["client", host, port]), script.as_ref()).ran()
    }

    /// Starts it on a terminal.
    pub(crate) fn terminal<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Terminal {
        Terminal::start(self.gannet(arguments))
    }
}
