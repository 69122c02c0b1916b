//! Who is not believed, and why.

use std::{fmt, path::PathBuf};

use gannet_driver_mio::trust::{
    BadTicket, HostPort, IdentityError, KnownServersError, NamedAnother, NoHome,
};
use gannet_protocol::PublicKey;

use crate::{names::Shown, outcome::Outcome};

/// Why this user, a server or a ticket is not believed.
#[derive(Debug)]
pub(crate) enum TrustError {
    /// Nothing says where keys and lists are.
    NoHome(NoHome),
    /// This user has no key.
    Identity(IdentityError),
    /// The known servers cannot be read, or one more cannot be stored.
    KnownServers(KnownServersError),
    /// The user names another key than the one that the server is known by in this file.
    NamedAnother { error: NamedAnother, file: PathBuf },
    /// The server is met for the first time, and nobody sits there to be asked.
    FirstContact { server: HostPort, key: PublicKey },
    /// The user says that it is not the right server.
    Declined,
    /// The server has another key than the one in this file.
    Changed { server: HostPort, key: PublicKey, file: PathBuf, line: Option<usize> },
    /// The server has another key than the one that the user or a ticket names.
    NotNamed { server: HostPort, key: PublicKey, named: PublicKey },
    /// The server does not know this user's key.
    Refused { server: HostPort, key: PublicKey },
    /// What was given is not a ticket.
    Ticket(BadTicket),
    /// A ticket is given where others can see it.
    TicketAsArgument,
}

impl TrustError {
    /// The exit status that it stands for.
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::NoHome(_)
            | Self::Identity(_)
            | Self::KnownServers(KnownServersError::File(_) | KnownServersError::Line { .. })
            | Self::Ticket(_)
            | Self::TicketAsArgument => Outcome::Usage,
            Self::KnownServers(KnownServersError::Changed { .. })
            | Self::NamedAnother { .. }
            | Self::FirstContact { .. }
            | Self::Declined
            | Self::Changed { .. }
            | Self::NotNamed { .. }
            | Self::Refused { .. } => Outcome::Refused,
        }
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome(error) => write!(f, "{error}, or name a directory with --config"),
            Self::Identity(error) => {
                write!(f, "{}", WithCause(error))
            }
            Self::KnownServers(error) => write!(f, "{}", WithCause(error)),
            Self::NamedAnother { error, file } => {
                write!(f, "{error} (the file is {})", Shown::from(&**file))
            }
            Self::FirstContact { server, key } => first_contact(f, server, key),
            Self::Declined => {
                f.write_str("nothing was said to the server, and its key was not stored")
            }
            Self::Changed { server, key, file, line } => changed(f, server, key, (file, *line)),
            Self::NotNamed { server, key, named } => write!(
                f,
                "{server} has another key than it should have, so nothing was said to it: {key} \
                 and not {named}; another server may run there, or someone is in between"
            ),
            Self::Refused { server, key } => refused(f, server, key),
            Self::Ticket(error) => write!(f, "{error}"),
            Self::TicketAsArgument => f.write_str(
                "a ticket is a secret, and every user of this machine can see what stands on a \
                 command line: run 'gannet join' alone and paste the ticket, or write it to its \
                 standard input. This one has been seen: ask for another",
            ),
        }
    }
}

fn first_contact(f: &mut fmt::Formatter<'_>, server: &HostPort, key: &PublicKey) -> fmt::Result {
    write!(
        f,
        "{server} is met for the first time, and nobody can be asked whether its key is right; \
         nothing was said to it. If its owner says that 'gannet key' prints this there, add\n\n    \
         --server-key {key}\n\n\
         or connect once from a terminal, or let --accept-new store any new server's key"
    )
}

fn changed(
    f: &mut fmt::Formatter<'_>,
    server: &HostPort,
    key: &PublicKey,
    (file, line): (&PathBuf, Option<usize>),
) -> fmt::Result {
    write!(
        f,
        "the key of {server} has changed, so nothing was said to it. Someone may be in between and \
         pretend to be it, or its owner has made a new key, or another server got its address. Ask \
         its owner for the fingerprint. Only if that is\n\n    {}\n\ntake the old key out, which is ",
        key.fingerprint()
    )?;
    if let Some(line) = line {
        write!(f, "on line {line} ")?;
    }
    write!(f, "of {}", Shown::from(&**file))
}

fn refused(f: &mut fmt::Formatter<'_>, server: &HostPort, key: &PublicKey) -> fmt::Result {
    write!(
        f,
        "refused: {server} does not know this user's key. Its owner can add this line to \
         authorized_clients there, or another role than read (drop, write, admin):\n\n    \
         {key} read\n\n\
         or make a ticket with 'gannet invite', which 'gannet join' takes here"
    )
}

/// An error, and what caused it.
pub(super) struct WithCause<'a>(pub(super) &'a dyn std::error::Error);

impl fmt::Display for WithCause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.source() {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> HostPort {
        "host:5555".parse().unwrap()
    }

    #[test]
    fn a_refusal_holds_the_very_line_that_lets_its_user_in() {
        let key = PublicKey::from_bytes([7; 32]);
        let text = TrustError::Refused { server: server(), key }.to_string();
        let line = text.lines().find(|line| line.contains("gannet1")).unwrap();
        let (written, grant) = line.trim().split_once(' ').unwrap();
        assert_eq!(written.parse(), Ok(key));
        assert!(grant.parse::<gannet_driver_mio::trust::policy::Grant>().is_ok(), "{grant}");
    }

    #[test]
    fn a_changed_key_is_told_with_what_it_may_mean_and_the_line_to_take_out() {
        let key = PublicKey::from_bytes([7; 32]);
        let file = "/home/user/known_servers".into();
        let error = TrustError::Changed { server: server(), key, file, line: Some(3) };
        let text = error.to_string();
        let fingerprint = key.fingerprint().to_string();
        for part in ["in between", "new key", "line 3 of /home/user/known_servers", &fingerprint] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(error.outcome(), Outcome::Refused);
    }
}
