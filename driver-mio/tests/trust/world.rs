//! A user with a directory of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gannet_driver_mio::trust::Paths;
use gannet_protocol::PublicKey;

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) paths: Paths,
}

impl World {
    /// Nothing is there yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("a/config"), dir.path().join("b/state"));
        Self { dir, paths }
    }

    /// The directories are there.
    pub(crate) fn prepared() -> Self {
        let world = Self::new();
        world.paths.prepare_config().unwrap();
        world.paths.prepare_state().unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the list of authorized clients, as if long ago.
    pub(crate) fn authorize(&self, content: &str) -> PathBuf {
        let path = self.paths.authorized_clients();
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// The names in the directory of keys and lists.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.paths.config()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub(crate) fn key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

/// A time at which every file that was written by now rests.
pub(crate) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a file to another user; false if we may not.
pub(crate) fn give_away(path: &Path) -> bool {
    std::os::unix::fs::chown(path, Some(12_345), None).is_ok()
}

/// Calls `run` on several threads at once, and gives what each returns.
pub(crate) fn at_once<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|n| {
                let (barrier, run) = (&barrier, &run);
                scope.spawn(move || {
                    barrier.wait();
                    run(n)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
