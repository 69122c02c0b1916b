//! What holds for every command.

use std::{path::PathBuf, sync::Arc};

use gannet_driver_mio::trust::{Paths, SecretKey};

use crate::{
    console::Console,
    errors::{Error, TrustError},
};

/// What holds for every command.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) console: Console,
    /// What `--config` says.
    pub(crate) config: Option<PathBuf>,
}

impl Settings {
    /// Where keys and lists are.
    ///
    /// # Errors
    /// [`TrustError::NoHome`]
    pub(crate) fn paths(&self) -> Result<Paths, Error> {
        Paths::find(self.config.as_deref()).map_err(|error| TrustError::NoHome(error).into())
    }
}

/// This user's key, which is made if there is none.
///
/// # Errors
/// [`TrustError::Identity`]
pub(crate) fn own_key(paths: &Paths) -> Result<Arc<SecretKey>, Error> {
    let key = SecretKey::load_or_create(paths).map_err(TrustError::Identity)?;
    Ok(Arc::new(key))
}
