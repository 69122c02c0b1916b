//! A line that is a secret: not shown when it is typed, and wiped from memory.

use std::{
    io::{self, Read as _, Write as _},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use zeroize::Zeroizing;

use crate::{errors::Error, interrupt::Interrupt, session::TICK, terminal::Terminal};

/// Most bytes that are read: many tickets, and more than standard input buffers, so that it reads straight into ours.
const MOST: usize = 64 * 1024;

/// Reads a line from standard input, on a terminal after `prompt`.
///
/// # Errors
/// [`Error::Interrupted`] at the prompt, [`Error::Stdio`]
pub(crate) fn read(prompt: &str, interrupt: &Interrupt) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Some(terminal) = Terminal::on_stdin() else {
        return read_line().map_err(Error::Stdio);
    };
    // Ctrl+c has to leave the terminal as it was.
    interrupt.defer();
    terminal.hide();
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(read_line()));
    let line = loop {
        match told.recv_timeout(TICK) {
            Ok(line) => break line.map_err(Error::Stdio),
            Err(RecvTimeoutError::Timeout) if !interrupt.heard() => {}
            Err(_) => break Err(Error::Interrupted),
        }
    };
    terminal.reset();
    let _ = writeln!(stderr);
    interrupt.act_at_once();
    line
}

/// Reads to the end of a line, of the input, or of what is taken.
fn read_line() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0; MOST]);
    let mut len = 0;
    while let Some(room) = line.get_mut(len..).filter(|room| !room.is_empty()) {
        let read = match io::stdin().lock().read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        let ended = room.get(..read).is_some_and(|bytes| bytes.contains(&b'\n'));
        len += read;
        if read == 0 || ended {
            break;
        }
    }
    line.truncate(len);
    Ok(line)
}
