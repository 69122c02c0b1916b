//! A program in a pseudo-terminal, and someone who types.

use std::{
    io::{Read as _, Write as _},
    os::fd::AsFd as _,
    process::{Child, Command},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
};

use pty_process::{
    Size,
    blocking::{self, Pty},
};
use rustix::{
    process::{Pid, Signal, kill_process},
    termios::{LocalModes, tcgetattr},
};

use super::{DEADLINE, wait_until};

/// A process whose standard streams are a terminal; killed when dropped.
pub(crate) struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    output: Receiver<Vec<u8>>,
    /// What was shown since the last match.
    fresh: String,
    /// What was shown before it.
    before: String,
}

impl Terminal {
    pub(crate) fn start(command: Command) -> Self {
        let (pty, pts) = blocking::open().unwrap();
        pty.resize(Size::new(40, 120)).unwrap();
        let child = blocking::Command::from(command).spawn(pts).unwrap();
        let pty = Arc::new(pty);
        let (to, output) = mpsc::channel();
        let from = Arc::clone(&pty);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux says EIO when the last process has gone.
            while let Ok(len @ 1..) = (&*from).read(&mut buffer) {
                if to.send(buffer[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, pty, output, fresh: String::new(), before: String::new() }
    }

    /// Waits until `text` is shown, and gives what was shown before it since the last time.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.fresh.find(text) {
                let rest = self.fresh.split_off(at + text.len());
                self.before.push_str(&self.fresh);
                let shown = std::mem::replace(&mut self.fresh, rest);
                return shown[..at].to_owned();
            }
            match self.output.recv_timeout(DEADLINE) {
                Ok(bytes) => self.fresh.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => {
                    panic!("{text:?} is not shown after:\n{}\n---\n{}", self.before, self.fresh)
                }
            }
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the terminal echoes and reads line by line, as a shell expects to find it.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(self.pty.as_fd()).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits for its end; gives its exit status, and what was shown since the last match.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> (Option<i32>, String) {
        while let Ok(bytes) = self.output.recv_timeout(DEADLINE) {
            self.fresh.push_str(&String::from_utf8_lossy(&bytes));
        }
        let shown = std::mem::take(&mut self.fresh);
        wait_until(&format!("it ends after:\n{}\n---\n{shown}", self.before), || {
            self.child.try_wait().unwrap().is_some()
        });
        (self.child.wait().unwrap().code(), shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
