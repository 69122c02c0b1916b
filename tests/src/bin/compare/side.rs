//! A program at one end: how long it runs, and what processor time it takes.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use std::{
    error::Error,
    fs,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a server that starts is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Hexadecimal as in /proc/net: the states of a socket that listens.
const LISTENING: [&str; 2] = ["0A", "07"];

/// A process that runs.
#[derive(Debug)]
pub(crate) struct Side {
    child: Child,
    watcher: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Processor time of it and of those of its children that it waited for.
    pub(crate) cpu: Duration,
}

impl Side {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let child = command.spawn()?;
        let watcher = pidfd_open(pid(&child), PidfdFlags::empty())?;
        Ok(Self { child, watcher })
    }

    /// Waits until it listens on a TCP or UDP port.
    pub(crate) fn wait_for_port(&mut self, port: u16) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if listens(self.child.id(), port) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            thread::sleep(LOOK);
        }
        Err(format!("the server does not listen on {port}").into())
    }

    /// Waits for its end; it is killed if that takes too long, and then there is none.
    pub(crate) fn finish(mut self, cap: Duration) -> Result<Option<Ended>, Box<dyn Error>> {
        if !self.ends_within(cap)? {
            self.child.kill()?;
            self.child.wait()?;
            return Ok(None);
        }
        // Its times can be read until it is waited for.
        let cpu = cpu_time(self.child.id())?;
        Ok(Some(Ended { status: self.child.wait()?, cpu }))
    }

    /// Asks it to end.
    pub(crate) fn stop(self) -> Result<Option<Ended>, Box<dyn Error>> {
        kill_process(pid(&self.child), Signal::TERM)?;
        self.finish(PATIENCE)
    }

    fn ends_within(&self, cap: Duration) -> Result<bool, Box<dyn Error>> {
        let timeout = Timespec::try_from(cap)?;
        Ok(poll(&mut [PollFd::new(&self.watcher, PollFlags::IN)], Some(&timeout))? > 0)
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Whether a socket in the network namespace of a process listens on `port`.
fn listens(process: u32, port: u16) -> bool {
    let ending = format!(":{port:04X}");
    let is_it = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&ending))
            && words.nth(1).is_some_and(|state| LISTENING.contains(&state))
    };
    ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| {
        fs::read_to_string(format!("/proc/{process}/net/{table}"))
            .is_ok_and(|text| text.lines().any(is_it))
    })
}

/// User and system time of a process and of those of its children that it waited for (proc_pid_stat(5), fields 14 to 17).
fn cpu_time(process: u32) -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(4).flat_map(str::parse::<u64>).sum();
    let a_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks.saturating_mul(1000) / a_second.max(1)))
}
