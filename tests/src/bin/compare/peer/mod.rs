//! Who takes part.

mod gannet;
mod http;
mod rsync;
mod ssh;

use crate::{
    lab::{End, Lab},
    load::Load,
};
use clap::ValueEnum;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program that fetches files, as a user would call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    Gannet,
    GannetAgain,
    CurlHttps,
    CurlHttpsBbr,
    CurlHttp,
    Rsyncd,
    RsyncdBbr,
    RsyncSsh,
    Scp,
    ScpBbr,
}

/// How a peer is run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) server: Command,
    /// Where the server listens when it is up.
    pub(crate) port: u16,
    pub(crate) client: Command,
}

/// What a peer gets to know of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) lab: &'a Lab,
    /// A directory for configuration.
    pub(crate) work: &'a Path,
    /// What is fetched: a name in a directory.
    pub(crate) shared: &'a Path,
    pub(crate) name: &'a str,
    /// An empty directory that gets it under the same name.
    pub(crate) target: &'a Path,
    pub(crate) load: Load,
}

impl Setup<'_> {
    /// A command at one end that says only what goes wrong.
    fn command(&self, end: End, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.lab.enter(end, program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn source(&self) -> PathBuf {
        self.shared.join(self.name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.work.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Peer {
    /// How it is called in tables.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Gannet => "gannet",
            Self::GannetAgain => "gannet, path known",
            Self::CurlHttps => "HTTPS, nginx and curl",
            Self::CurlHttpsBbr => "HTTPS over TCP BBR",
            Self::CurlHttp => "HTTP, nginx and curl",
            Self::Rsyncd => "rsync daemon",
            Self::RsyncdBbr => "rsync daemon over TCP BBR",
            Self::RsyncSsh => "rsync over ssh",
            Self::Scp => "scp",
            Self::ScpBbr => "scp over TCP BBR",
        }
    }

    /// Whether it is what the others are compared with, as a chart shows it.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Gannet | Self::GannetAgain)
    }

    /// Whether it fetches the same once before, so that it knows the path.
    pub(crate) fn goes_twice(self) -> bool {
        self == Self::GannetAgain
    }

    /// The congestion control of TCP that it runs with.
    pub(crate) const fn congestion(self) -> &'static str {
        match self {
            Self::CurlHttpsBbr | Self::RsyncdBbr | Self::ScpBbr => "bbr",
            _ => "cubic",
        }
    }

    /// What is missing on this machine for it, and the Debian package that has it.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let needed: &[(&str, &str)] = match self {
            Self::Gannet | Self::GannetAgain => &[],
            Self::CurlHttps | Self::CurlHttpsBbr | Self::CurlHttp => {
                &[("nginx", "nginx-light"), ("curl", "curl"), ("openssl", "openssl")]
            }
            Self::Rsyncd | Self::RsyncdBbr => &[("rsync", "rsync")],
            Self::RsyncSsh => &[("rsync", "rsync"), ("sshd", "openssh-server")],
            Self::Scp | Self::ScpBbr => &[("scp", "openssh-client"), ("sshd", "openssh-server")],
        };
        let lacks = needed.iter().find(|(program, _)| !is_installed(program));
        let can_congestion = has_congestion(self.congestion());
        lacks.map(|(_, package)| *package).or((!can_congestion).then_some("the kernel's tcp_bbr"))
    }

    pub(crate) fn plan(self, setup: &Setup<'_>) -> Result<Plan, Box<dyn Error>> {
        match self {
            Self::Gannet | Self::GannetAgain => gannet::plan(setup),
            Self::CurlHttps | Self::CurlHttpsBbr => http::plan(setup, http::Scheme::Https),
            Self::CurlHttp => http::plan(setup, http::Scheme::Http),
            Self::Rsyncd | Self::RsyncdBbr => rsync::daemon(setup),
            Self::RsyncSsh => rsync::over_ssh(setup),
            Self::Scp | Self::ScpBbr => ssh::scp(setup),
        }
    }
}

fn is_installed(program: &str) -> bool {
    let found = |dir: &Path| dir.join(program).is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| found(&dir)) || found(Path::new("/usr/sbin"))
}

fn has_congestion(name: &str) -> bool {
    fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")
        .is_ok_and(|all| all.split_whitespace().any(|other| other == name))
}
