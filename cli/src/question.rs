//! The questions that a person is asked.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use gannet_driver_mio::trust::HostPort;
use gannet_protocol::PublicKey;

/// What to ask before a server is stopped under so many transfers of others.
pub(crate) fn stop(transfers: u64) -> String {
    let run = if transfers == 1 {
        "1 transfer of another client runs".into()
    } else {
        format!("{transfers} transfers of other clients run")
    };
    format!("{run}. Stop the server all the same? [y/N] ")
}

/// What to ask before anything is said to a server that is met for the first time.
pub(crate) fn first_contact(server: &HostPort, key: &PublicKey) -> String {
    format!(
        "{server} is met for the first time. The fingerprint of its key is\n\n    {}\n\n\
         Its owner sees it with 'gannet key'. If it is another one, someone is in between.\n\
         Is it the right one, by which {server} shall be known from now on? (yes/no) ",
        key.fingerprint()
    )
}

/// Whether someone sits there who sees a question and can answer it.
pub(crate) fn can_be_answered() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; all but a yes is a no.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn on_terminal(text: &str) -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    let mut answer = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut answer)?;
    Ok(is_yes(&answer))
}

/// Whether an answer is a yes; all else is a no.
pub(crate) fn is_yes(answer: &[u8]) -> bool {
    let answer = answer.trim_ascii();
    answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_told_and_only_a_yes_is_one() {
        assert!(stop(1).starts_with("1 transfer of another client runs."));
        assert!(stop(3).starts_with("3 transfers of other clients run."));
        assert!(is_yes(b" Y\n") && is_yes(b"yes"));
        assert!(!is_yes(b"") && !is_yes(b"yep") && !is_yes(b"no"));
    }
}
