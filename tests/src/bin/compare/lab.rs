//! The two ends of a link.

use std::{
    error::Error,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// What of the kernel makes TCP's runs independent of each other, and which congestion control it has.
const NO_METRICS: &str = "/proc/sys/net/ipv4/tcp_no_metrics_save";
const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Network namespaces with a link between them, or a single one with its loopback. They end with this value.
#[derive(Debug)]
pub(crate) struct Lab {
    name: String,
    linkem: Option<Child>,
}

/// An end of the link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Client,
    Server,
}

impl Lab {
    /// The link that `options` of linkem describe, or loopback.
    pub(crate) fn open(name: &str, options: Option<&[String]>) -> Result<Self, Box<dyn Error>> {
        let linkem = options.map(|options| start_linkem(name, options)).transpose()?;
        let lab = Self { name: name.to_owned(), linkem };
        if lab.linkem.is_none() {
            succeed(Command::new("ip").args(["netns", "add", &lab.namespace(End::Client)]))?;
            succeed(lab.enter(End::Client, "ip").args("link set lo up mtu 1500".split(' ')))?;
        }
        for end in [End::Client, End::Server] {
            lab.write(end, NO_METRICS, "1")?;
        }
        Ok(lab)
    }

    /// The server's address.
    pub(crate) const fn server(&self) -> &'static str {
        if self.linkem.is_some() { "10.77.0.2" } else { "127.0.0.1" }
    }

    /// A command at one end.
    pub(crate) fn enter(&self, end: End, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(end)]).arg(program);
        command
    }

    /// Has TCP use this congestion control at both ends.
    pub(crate) fn use_congestion(&self, name: &str) -> Result<(), Box<dyn Error>> {
        self.write(End::Client, CONGESTION, name)?;
        self.write(End::Server, CONGESTION, name)
    }

    fn namespace(&self, end: End) -> String {
        let side = if matches!(end, End::Server) && self.linkem.is_some() { "b" } else { "a" };
        format!("{}-{side}", self.name)
    }

    fn write(&self, end: End, path: &str, value: &str) -> Result<(), Box<dyn Error>> {
        succeed(self.enter(end, "sh").args(["-c", &format!("echo {value} > {path}")]))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(linkem) = &mut self.linkem {
            // The end of its input tells it to tidy up.
            drop(linkem.stdin.take());
            let _ = linkem.wait();
        } else {
            let _ =
                succeed(Command::new("ip").args(["netns", "del", &self.namespace(End::Client)]));
        }
    }
}

/// A program of the project, which is built beside this one.
pub(crate) fn beside(program: &str) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let path = own.parent().unwrap_or(Path::new(".")).join(program);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is missing: cargo build --release -p gannet -p gannet-tests", path.display())
        .into())
}

fn start_linkem(name: &str, options: &[String]) -> Result<Child, Box<dyn Error>> {
    let mut child = Command::new(beside("linkem")?)
        .args(["--name", name])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.as_mut() {
        BufReader::new(output).read_line(&mut line)?;
    }
    if line.trim() == "READY" {
        return Ok(child);
    }
    child.wait()?;
    Err("no link: linkem says why".into())
}

/// Runs a command that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed: {}", said.trim()).into())
}
