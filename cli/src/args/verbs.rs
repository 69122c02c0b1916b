//! The arguments of each verb, in the one-shot form and in the menu.
//!
//! A value hint says whose name an argument is: a path hint that of a local file, [`ValueHint::Other`] that of a file
//! at the server. Completion in shells and in the menu goes by it.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};

/// What can be asked of a server.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    Get(Get),
    Put(Put),
    #[command(visible_alias = "mv")]
    Rename(Rename),
    #[command(visible_alias = "ls")]
    List(List),
    Exit(Exit),
}

/// Fetch files.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// What to fetch.
    #[arg(value_name = "NAME", required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<OsString>,
    /// A directory for them, if it is one or ends in '/'; else the new name.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) to: Option<PathBuf>,
}

/// Store files at the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// What to store.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// A directory at the server, if it is one or ends in '/'; else the new name.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::Other)]
    pub(crate) to: Option<OsString>,
}

/// List a directory of the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct List {
    /// Which; all that is shared if none is given.
    #[arg(value_name = "DIR", value_hint = ValueHint::Other)]
    pub(crate) dir: Option<OsString>,
}

/// Give a file of the server another name, which must be free.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rename {
    /// Its name so far.
    #[arg(value_name = "OLD", value_hint = ValueHint::Other)]
    pub(crate) old: OsString,
    /// Its new name.
    #[arg(value_name = "NEW", value_hint = ValueHint::Other)]
    pub(crate) new: OsString,
}

/// Stop the server.
///
/// If transfers of other clients run, it asks on a terminal, and stops them elsewhere.
#[derive(Args, Clone, Debug)]
pub(crate) struct Exit {}

/// Verbs whose second argument in the menu is what `--to` is on the command line.
pub(crate) trait TwoForms {
    /// The verb's name, and its usage in the menu.
    const MENU: (&'static str, &'static str);

    /// Takes the second of two arguments for `--to` if that is not given.
    ///
    /// # Errors
    /// How many arguments there are, if that can be neither form.
    fn read_as_menu(&mut self) -> Result<(), usize>;
}

impl TwoForms for Get {
    const MENU: (&'static str, &'static str) =
        ("get", "get NAME [LOCAL]\n       get NAME... --to PATH");

    fn read_as_menu(&mut self) -> Result<(), usize> {
        take_second(&mut self.names, &mut self.to)
    }
}

impl TwoForms for Put {
    const MENU: (&'static str, &'static str) =
        ("put", "put FILE [REMOTE]\n       put FILE... --to PATH");

    fn read_as_menu(&mut self) -> Result<(), usize> {
        take_second(&mut self.files, &mut self.to)
    }
}

fn take_second<A, B: From<A>>(arguments: &mut Vec<A>, to: &mut Option<B>) -> Result<(), usize> {
    match (to.is_some(), arguments.len()) {
        (true, _) | (false, 0 | 1) => Ok(()),
        (false, 2) => {
            *to = arguments.pop().map(B::from);
            Ok(())
        }
        (false, count) => Err(count),
    }
}

impl Verb {
    /// Reads the arguments as the menu means them.
    ///
    /// # Errors
    /// The verb's name and the number of its arguments, if there are too many.
    pub(crate) fn read_as_menu(&mut self) -> Result<(), (&'static str, usize)> {
        match self {
            Self::Get(get) => get.read_as_menu().map_err(|count| (Get::MENU.0, count)),
            Self::Put(put) => put.read_as_menu().map_err(|count| (Put::MENU.0, count)),
            Self::Rename(_) | Self::List(_) | Self::Exit(_) => Ok(()),
        }
    }
}
