//! What holds for every command.

use std::{path::PathBuf, sync::Arc};

use gannet_driver_mio::{
    qlog::TraceFiles,
    trust::{Paths, SecretKey},
};

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
    /// Where traces of connections go, if anywhere.
    pub(crate) trace: Option<TraceFiles>,
}

impl Settings {
    /// The same, and what happens to packets is written down there.
    pub(crate) fn tracing(&self, path: Option<PathBuf>) -> Self {
        Self { trace: path.map(TraceFiles::new), ..self.clone() }
    }

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
