//! When to end: on a signal, or at the end of a piped stdin.

use rustix::event::{PollFd, PollFlags};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::pipe,
};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Stdin, stdin},
    os::{
        fd::AsFd,
        unix::{fs::FileTypeExt, net::UnixStream},
    },
};

pub(crate) struct Stop {
    signals: UnixStream,
    /// Only if its end can tell us anything: /dev/null always is at its end.
    input: Option<Stdin>,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Self> {
        let (signals, raised) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            pipe::register(signal, raised.try_clone()?)?;
        }
        Ok(Self { signals, input: Some(stdin()).filter(can_end) })
    }

    /// What to wait for.
    pub(crate) fn polled(&self) -> impl Iterator<Item = PollFd<'_>> {
        let input = self.input.as_ref().map(|input| PollFd::new(input, PollFlags::IN));
        [PollFd::new(&self.signals, PollFlags::IN)].into_iter().chain(input)
    }

    /// Whether it has come, when one of `polled` is ready; `ready` has these in their order.
    pub(crate) fn has_come(&self, ready: &[PollFd<'_>]) -> io::Result<bool> {
        let is_ready = |i: usize| ready.get(i).is_some_and(|fd| !fd.revents().is_empty());
        match &self.input {
            _ if is_ready(0) => Ok(true),
            Some(input) if is_ready(1) => Ok(input.lock().read(&mut [0; 1024])? == 0),
            _ => Ok(false),
        }
    }
}

fn can_end(input: &Stdin) -> bool {
    let kind = input.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    input.is_terminal()
        || kind.is_ok_and(|data| data.file_type().is_fifo() || data.file_type().is_socket())
}
