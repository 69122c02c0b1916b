//! Commands from standard input that is no terminal: no prompt, no editing.

use std::{
    io::{self, BufRead as _},
    sync::mpsc::{Receiver, Sender},
};

use super::input::{Ask, Said};

/// Reads a line for each that is asked for.
pub(super) fn read(asked: &Receiver<Ask>, say: &Sender<Said>) {
    let mut stdin = io::stdin().lock();
    for _ in asked {
        let mut line = Vec::new();
        let said = match stdin.read_until(b'\n', &mut line) {
            Ok(0) => Said::End,
            Ok(_) => {
                line.truncate(line.trim_ascii_end().len());
                Said::Line(line)
            }
            Err(error) => Said::Failed(error),
        };
        if say.send(said).is_err() {
            return;
        }
    }
}
