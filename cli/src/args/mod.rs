//! What the command line can say.
//!
//! The arguments of a verb are defined once, in [`verbs`], for the one-shot form (`gannet get HOST:PORT NAME...`) and
//! for a line of the menu (`get NAME`) alike.

mod values;
mod verbs;

use std::{ffi::OsString, net::IpAddr, num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use gannet_driver_mio::trust::{HostPort, policy::Grant};
use gannet_protocol::PublicKey;

pub(crate) use values::Congestion;
pub(crate) use verbs::{Exit, Format, Get, Invite, List, Mkdir, Put, Remove, Rename, Stat, Verb};

const EXIT_STATUSES: &str = "\
Exit status:
    0  done; also if whoever reads standard output wants no more
    1  a file or a command failed: not found, denied, exists already
    2  wrong usage, or a port, directory, key or list that cannot be used
    3  the server cannot be reached, or was lost and did not come back in time
    4  refused: the server does not know this client's key or ticket, it
       speaks another version, or its own key is unknown or has changed
    5  the content that arrived did not verify
  130  interrupted
With several failures it is that of the first.";

/// Fast, verified, encrypted file transfer over UDP.
///
/// One machine runs `gannet server PORT`; any number of others fetch and store files there, with the menu of
/// `gannet client` or one command at a time. Every user has a key, which is made when it is first needed. A server lets in
/// the user who runs it, and others by a line with their key (`gannet key`) or by a ticket (`gannet invite`, `gannet join`).
#[derive(Debug, Parser)]
#[command(name = "gannet", version, after_long_help = EXIT_STATUSES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// The directory of the key, authorized_clients and known_servers; otherwise GANNET_CONFIG or ~/.config/gannet.
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Verbosity {
    /// Print errors only: no progress bar, no summaries, no request log.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log more on stderr, twice for all; GANNET_LOG=debug and the like say it finer.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Server(Server),
    Client(Client),
    Get(OneShot<Get, Keeping>),
    Put(OneShot<Put>),
    #[command(visible_alias = "ls")]
    List(OneShot<List>),
    #[command(visible_alias = "mv")]
    Rename(OneShot<Rename>),
    Stat(OneShot<Stat>),
    #[command(visible_alias = "rm")]
    Remove(OneShot<Remove>),
    Mkdir(OneShot<Mkdir>),
    Exit(OneShot<Exit, Once>),
    Invite(OneShot<Invite>),
    Join(Join),
    Key(Key),
    Partials(Partials),
    Doctor(OneShot<Doctor, Once>),
    /// Move 50 MB over a bad link inside this process, and tell how it went.
    Demo,
    /// Print what a shell needs to complete gannet's commands.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// Print the manual page, for `gannet man | man -l -`.
    Man,
}

/// Share a directory until told to exit.
///
/// Packets are encrypted, and clients are known by their keys: this user's own may do everything, others what the file
/// authorized_clients says at that moment. Each of its lines is a key, a role (read, drop, write or admin), and perhaps
/// dir=PATH and max=SIZE.
///
/// Ctrl+c, SIGTERM or a client's `exit` end the server: running transfers get 2 seconds, a second signal ends it at
/// once.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// The UDP port to listen at; 0 picks a free one and prints it.
    pub(crate) port: u16,
    /// The directory to share.
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) root: PathBuf,
    /// The address to listen at; otherwise all of this machine, or 127.0.0.1 alone with --plain.
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    pub(crate) listen: Option<IpAddr>,
    /// Let in everyone who has no line, to do this: a role, and what narrows it.
    ///
    /// For example read, or 'drop dir=inbox max=10GB'.
    #[arg(long, value_name = "ROLE", conflicts_with = "plain")]
    pub(crate) anyone: Option<Grant>,
    /// Without encryption, and everyone may do everything: for links that you trust, and clients with --plain.
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    pub(crate) storing: Storing,
}

/// Connect and show a menu; or run the commands on stdin if that is no terminal.
#[derive(Args, Debug)]
pub(crate) struct Client {
    /// The server's name or address.
    #[arg(value_hint = ValueHint::Hostname)]
    pub(crate) host: String,
    /// The server's UDP port.
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
}

// A verb and the server that it is for. It has no doc comment of its own, so that the verb's becomes the help's.
#[derive(Args, Debug)]
pub(crate) struct OneShot<V: Args, O: Args = Lasting> {
    #[arg(
        help = "The server, for example 10.0.0.1:5555 or [::1]:5555",
        value_name = "HOST:PORT",
        value_hint = ValueHint::Hostname
    )]
    pub(crate) server: HostPort,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
    // What of the rest means something to this verb.
    #[command(flatten)]
    pub(crate) options: O,
    #[command(flatten)]
    pub(crate) verb: V,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Timeout {
    /// How long to try to reach the server, for example 500ms or 1m.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::timeout)]
    pub(crate) connect_timeout: Duration,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Reaching {
    #[command(flatten)]
    timeout: Timeout,
    /// The key that the server must have. It is not stored, and must not be another than a stored one.
    #[arg(long, value_name = "KEY", conflicts_with = "plain")]
    server_key: Option<PublicKey>,
    /// Store the key of a server that is met for the first time, without asking; one that changed is refused all the same.
    #[arg(long, conflicts_with_all = ["plain", "server_key"])]
    accept_new: bool,
    /// Without encryption, and whoever answers: for links that you trust, and servers with --plain.
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    manners: Manners,
    /// Write what happens to packets to a file, as qlog, which viewers such as qvis open; it has no secrets.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,
}

/// What is asked for goes on when the connection was lost.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Lasting {
    /// How long to wait for a server that was lost, and go on then; 0 to fail at once.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = values::patience)]
    retry_for: Duration,
}

/// The same, and files are stored on this side.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Keeping {
    #[command(flatten)]
    lasting: Lasting,
    #[command(flatten)]
    storing: Storing,
}

/// It is asked for once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Once {}

/// How to connect, and what a connection is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connecting {
    /// How long to try to reach the server.
    pub(crate) timeout: Duration,
    /// The key that it must have.
    pub(crate) server_key: Option<PublicKey>,
    /// Whether one that is met for the first time is stored without asking.
    pub(crate) accept_new: bool,
    pub(crate) plain: bool,
    /// How fast it is sent.
    pub(crate) congestion: Congestion,
    /// What of the path it takes.
    pub(crate) manners: Manners,
    /// How long it is waited for when it was lost.
    pub(crate) retry_for: Duration,
    /// Whether what is stored here is to survive a power failure.
    pub(crate) sync: bool,
}

impl Reaching {
    /// With what else the user said.
    pub(crate) fn with(self, options: impl Into<Options>) -> Connecting {
        let Self { timeout, server_key, accept_new, plain, sending, manners, .. } = self;
        let Sending { congestion } = sending;
        let Options { retry_for, sync } = options.into();
        let timeout = timeout.connect_timeout;
        Connecting { timeout, server_key, accept_new, plain, congestion, manners, retry_for, sync }
    }
}

/// What [`Lasting`], [`Keeping`] and [`Once`] say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    retry_for: Duration,
    sync: bool,
}

impl From<Lasting> for Options {
    fn from(Lasting { retry_for }: Lasting) -> Self {
        Self { retry_for, sync: true }
    }
}

impl From<Keeping> for Options {
    fn from(Keeping { lasting, storing }: Keeping) -> Self {
        Self { sync: !storing.no_sync, ..lasting.into() }
    }
}

impl From<Once> for Options {
    fn from(Once {}: Once) -> Self {
        Self { retry_for: Duration::ZERO, sync: true }
    }
}

/// How a side sends.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Sending {
    /// What tells how fast this side may send, for those who know; how the other side sends is its own choice.
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    pub(crate) congestion: Congestion,
}

/// What of the path a connection takes, both ways.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Yield to everything else on the path, both ways: for what nobody waits for.
    #[arg(long, conflicts_with = "congestion")]
    pub(crate) background: bool,
    /// Send and fetch no faster than this, for example 20mbit.
    #[arg(long = "rate", value_name = "RATE", value_parser = values::rate)]
    pub(crate) max_rate: Option<NonZeroU64>,
}

/// How a side keeps the files that it receives.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Storing {
    /// Do not wait for the disk: a file that was stored here may be gone or damaged after a power failure.
    #[arg(long)]
    pub(crate) no_sync: bool,
}

/// Be let in at a server, with a ticket of `gannet invite`.
///
/// The ticket is read from a prompt that does not show it, or from standard input. It is used up by that: from then on the
/// server knows this user's key, and this user the server's.
#[derive(Args, Debug)]
pub(crate) struct Join {
    // Taken to be told why it is not: what stands on a command line can be seen by every user of the machine.
    #[arg(hide = true)]
    pub(crate) arguments: Vec<OsString>,
    #[command(flatten)]
    pub(crate) timeout: Timeout,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Print this user's public key, which is made if there is none.
///
/// Its fingerprint, to compare over the telephone, goes to stderr. The secret key stays in the file secret_key of the
/// configuration directory.
#[derive(Args, Debug)]
pub(crate) struct Key {
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Show what interrupted transfers left, here or in what a server shares.
///
/// Each line has the name of the file, how much of it is there, and when that was last written to. The next transfer
/// of the same file goes on with it. A server removes what was not written to for 30 days.
#[derive(Args, Debug)]
pub(crate) struct Partials {
    /// The directory to look through, with all below it.
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Remove what no transfer is writing to.
    #[arg(long)]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Measure the way to a server, and this machine, and say what will limit transfers.
///
/// It takes some ten seconds: whether the server answers over UDP, round trips, lost packets, the largest packets that come
/// through, socket buffers, the disk, and how fast a core seals and hashes. Nothing of it stays.
#[derive(Args, Clone, Debug)]
pub(crate) struct Doctor {
    /// The directory whose disk is measured; a file there is written and removed.
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_verb_brings_its_own_help() {
        let command = Cli::command();
        for (verb, about) in [("get", "Fetch"), ("put", "Store"), ("list", "List")] {
            let found = command.find_subcommand(verb).unwrap().get_about().unwrap().to_string();
            assert!(found.starts_with(about), "{verb}: {found}");
        }
    }

    #[test]
    fn two_dashes_end_the_options() {
        let Ok(Command::Get(get)) = parse("gannet get h:1 --to x -- -a --to") else { panic!() };
        assert_eq!(get.verb.names, ["-a", "--to"]);
        assert_eq!(get.verb.to, Some("x".into()));
    }

    #[test]
    fn wrong_counts_of_arguments_are_usage_errors() {
        for line in [
            "gannet",
            "gannet server",
            "gannet server 1 2",
            "gannet client host",
            "gannet get h:1",
            "gannet put h:1",
            "gannet list",
            "gannet list h:1 a b",
            "gannet rename h:1 a",
            "gannet rename h:1 a b c",
            "gannet stat h:1",
            "gannet remove h:1",
            "gannet rm h:1",
            "gannet mkdir h:1",
            "gannet exit",
            "gannet exit h:1 now",
            "gannet fetch h:1",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn values_out_of_range_are_usage_errors() {
        for line in [
            "gannet server 65536",
            "gannet server -1",
            "gannet client h 0",
            "gannet server 1 --anyone everyone",
            "gannet server 1 --anyone read --plain",
            "gannet list h:1 --server-key gannet1x",
            "gannet list h:1 --plain --accept-new",
            "gannet invite h:1 --role owner",
            "gannet invite h:1 --for 0",
            "gannet invite h:1 --for 8d",
            "gannet get h:0 a",
            "gannet get h:1 a --connect-timeout 0",
            "gannet get h:1 a --connect-timeout 5",
            "gannet get h:1 a --connect-timeout 2h",
            "gannet get h:1 a --retry-for 8d",
            "gannet get h:1 a --retry-for -1s",
            "gannet get h:1 a --fresh --check",
            "gannet list h:1 --fresh",
            "gannet server 1 --listen localhost",
            // Nothing is stored here, or waited for.
            "gannet put h:1 a --no-sync",
            "gannet list h:1 --no-sync",
            "gannet exit h:1 --no-sync",
            "gannet exit h:1 --retry-for 1m",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in [
            "gannet get h:1 a --no-sync --retry-for 1m",
            "gannet client h 1 --no-sync --retry-for 1m",
            "gannet put h:1 a --retry-for 1m",
            "gannet list h:1 --retry-for 1m",
            "gannet server 0 --no-sync",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        assert!(parse("gannet server 0 --listen [::1]").is_ok());
        assert!(parse("gannet server 0 --listen ::1").is_ok());
        let line = ["gannet", "server", "0", "--anyone", "drop dir=inbox max=10GB"];
        assert!(Cli::try_parse_from(line).is_ok());
    }
}
