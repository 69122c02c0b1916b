//! Who runs a command: a directory of keys and lists.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::OnceLock,
};

use gannet_driver_mio::trust::{Paths, SecretKey};
use tempfile::TempDir;

/// A user's keys and lists, in a directory of their own.
pub(crate) struct User {
    config: TempDir,
}

impl User {
    /// The user who runs all that says nothing else, each time with a directory of their own.
    pub(crate) fn usual() -> Self {
        static KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let key = KEY.get_or_init(|| {
            let made = Self::new();
            let paths = Paths::new(made.config().to_owned(), made.config().to_owned());
            SecretKey::load_or_create(&paths).unwrap();
            fs::read(paths.secret_key()).unwrap()
        });
        let user = Self::new();
        user.append("secret_key", key);
        user
    }

    /// Someone else, who has no key yet.
    pub(crate) fn new() -> Self {
        Self { config: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn config(&self) -> &Path {
        self.config.path()
    }

    /// The public key, which is made if there is none.
    pub(crate) fn key(&self) -> String {
        let paths = Paths::new(self.config().to_owned(), self.config().to_owned());
        SecretKey::load_or_create(&paths).unwrap().public().to_string()
    }

    /// Adds to one of the files.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut options = OpenOptions::new();
        let path = self.config().join(name);
        let mut file = options.create(true).append(true).mode(0o600).open(path).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    /// What is in one of the files; nothing if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.config().join(name)).unwrap_or_default()
    }
}
