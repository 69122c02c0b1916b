//! What a command came to, as its exit status says it.

use std::process::ExitCode;

/// The stable exit statuses of `gannet`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Outcome {
    /// All is done.
    Done,
    /// A file or a verb failed.
    Failed,
    /// The command was used wrongly, or a server cannot use its port or directory.
    Usage,
    /// There is no connection to the server, or no more.
    Disconnected,
    /// The connection was refused.
    Refused,
    /// Content did not verify.
    Unverified,
    /// Ctrl+c, or a signal that asks to end.
    Interrupted,
}

impl Outcome {
    /// The exit status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Disconnected => 3,
            Self::Refused => 4,
            Self::Unverified => 5,
            Self::Interrupted => 130,
        }
    }

    /// The same in a word, as `--json` says it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Disconnected => "disconnected",
            Self::Refused => "refused",
            Self::Unverified => "unverified",
            Self::Interrupted => "interrupted",
        }
    }

    /// This failure, or what came later if this is none.
    pub(crate) fn or(self, later: Self) -> Self {
        if self == Self::Done { later } else { self }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.status())
    }
}
