//! Where keys, lists and state are.

use std::{
    env, error, fmt, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use super::private::{self, FileError, Guard};

/// The environment variable that names the directory of keys and lists.
const VARIABLE: &str = "GANNET_CONFIG";
/// What our directories are called below those of all programs.
const NAME: &str = "gannet";

/// The directories of one user, and the files in them.
///
/// Keys and lists are in `$XDG_CONFIG_HOME/gannet`, usually `~/.config/gannet`, state in `$XDG_STATE_HOME/gannet`, usually
/// `~/.local/state/gannet` (XDG Base Directory Specification 0.8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paths {
    config: PathBuf,
    state: PathBuf,
}

impl Paths {
    /// The user's own, unless `config`, which `--config` gave, or else GANNET_CONFIG names another directory of keys and
    /// lists. Nothing is looked at or made yet.
    ///
    /// # Errors
    /// [`NoHome`]
    pub fn find(config: Option<&Path>) -> Result<Self, NoHome> {
        let named = config
            .map(Path::to_owned)
            .or_else(|| env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
        let base = etcetera::choose_base_strategy().map_err(|_| NoHome)?;
        Ok(Self {
            config: named.unwrap_or_else(|| base.config_dir().join(NAME)),
            state: base.state_dir().unwrap_or_else(|| base.data_dir()).join(NAME),
        })
    }

    /// Two directories of the caller's choice.
    #[must_use]
    pub const fn new(config: PathBuf, state: PathBuf) -> Self {
        Self { config, state }
    }

    /// Makes the directory of keys and lists if there is none, for nobody but this user, and looks whether others could
    /// change what is in it.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn prepare_config(&self) -> Result<(), FileError> {
        prepare(&self.config)
    }

    /// Does the same with the directory of state.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn prepare_state(&self) -> Result<(), FileError> {
        prepare(&self.state)
    }

    /// The directory of keys and lists.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The directory of state.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Every directory in which keys, lists and state are kept up: those two, and where lists really are that are symbolic
    /// links. A process that confines itself keeps these.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.config.clone(), self.state.clone()];
        for list in [self.authorized_clients(), self.known_servers()] {
            let is_link = fs::symlink_metadata(&list).is_ok_and(|metadata| metadata.is_symlink());
            if is_link && let Ok(mut real) = fs::canonicalize(&list) {
                real.pop();
                directories.push(real);
            }
        }
        directories
    }

    /// Where keys or lists are that whoever gets at all files below `root` would get at, if anywhere: with the key they would be this
    /// user, and with a list let in whom they like.
    ///
    /// # Errors
    /// The system does not tell what `root` is.
    pub fn exposed_by(&self, root: &Path) -> io::Result<Option<PathBuf>> {
        let root = fs::canonicalize(root)?;
        // Where they really are; a list that is not there yet will be in the first.
        let kept = [
            self.config.clone(),
            self.secret_key(),
            self.authorized_clients(),
            self.known_servers(),
        ];
        let mut real = kept.iter().filter_map(|path| fs::canonicalize(path).ok());
        Ok(real.find(|path| path.starts_with(&root)))
    }

    /// The file of this user's secret key.
    #[must_use]
    pub fn secret_key(&self) -> PathBuf {
        self.config.join("secret_key")
    }

    /// The file of the clients that this user's servers let in.
    #[must_use]
    pub fn authorized_clients(&self) -> PathBuf {
        self.config.join("authorized_clients")
    }

    /// The file of the servers that this user's clients have met.
    #[must_use]
    pub fn known_servers(&self) -> PathBuf {
        self.config.join("known_servers")
    }

    /// The file of what the paths to servers gave.
    #[must_use]
    pub fn known_paths(&self) -> PathBuf {
        self.state.join("known_paths")
    }
}

fn prepare(path: &Path) -> Result<(), FileError> {
    let metadata = private::create_dir(path)
        .and_then(|()| fs::metadata(path))
        .map_err(|error| FileError::Io { path: path.to_owned(), error })?;
    private::check(path, &metadata, Guard::Unchanged)
}

/// Nothing says where this user's home is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoHome;

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this user has no home directory: set HOME")
    }
}

impl error::Error for NoHome {}
