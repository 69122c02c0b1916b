//! A process that gives up what it does not need, before a stranger can make use of it.
//!
//! A server touches what it shares, its configuration and its state, and nothing else. On Linux that can be made a fact:
//! from then on the kernel refuses all other files, new TCP connections, and more privileges by running a program, for good.

use std::{fmt, io, path::PathBuf};

/// What a process keeps.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// Directories in which it reads and writes, makes and removes files and directories.
    pub writable: Vec<PathBuf>,
    /// Files and directories that it reads; those that do not exist are passed over.
    pub readable: Vec<PathBuf>,
}

/// What was achieved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the log should say it"]
pub enum Confined {
    /// All other files are out of reach.
    Files {
        /// The version of the kernel's means: from 4 on TCP is out of reach too, from 6 on other processes are.
        version: u32,
        /// Whether that holds for threads that were running before, too.
        all_threads: bool,
    },
    /// Only more privileges are out of reach.
    PrivilegesOnly(Lack),
    /// Nothing is.
    Nothing(Lack),
}

/// Why files stay in reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lack {
    /// The system is not Linux.
    OtherSystem,
    /// The kernel is older than 5.19, or was built without Landlock.
    Kernel,
    /// Landlock was switched off when the system started.
    SwitchedOff,
}

impl Confinement {
    /// Gives up everything else, for good, for the calling thread and all that it starts; for threads that run already only
    /// where the kernel can. So call it before any are started. Files and sockets that are open stay so.
    ///
    /// On systems that cannot, less or nothing is given up, as the answer says.
    ///
    /// # Errors
    /// A writable directory cannot be opened, or the system refuses what it says it can.
    pub fn confine(&self) -> io::Result<Confined> {
        imp::confine(self)
    }
}

#[cfg(target_os = "linux")]
use crate::sys::landlock as imp;

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn confine(_: &super::Confinement) -> std::io::Result<super::Confined> {
        Ok(super::Confined::Nothing(super::Lack::OtherSystem))
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { version, all_threads: true } => {
                write!(
                    f,
                    "no other files are in reach (Landlock, version {version}), nor more privileges"
                )
            }
            Self::Files { version, all_threads: false } => write!(
                f,
                "no other files are in reach (Landlock, version {version}), nor more privileges, \
                 except for threads that were running before"
            ),
            Self::PrivilegesOnly(lack) => {
                write!(f, "more privileges are out of reach, but files are not: {lack}")
            }
            Self::Nothing(lack) => write!(f, "nothing is out of reach: {lack}"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSystem => "this system has no means for that",
            Self::Kernel => "the kernel has no Landlock, or is older than 5.19",
            Self::SwitchedOff => "Landlock was switched off when the system started",
        })
    }
}
