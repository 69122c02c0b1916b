//! The one question that `exit` asks.

/// What to ask before a server is stopped under so many transfers of others.
pub(crate) fn text(transfers: u64) -> String {
    let run = if transfers == 1 {
        "1 transfer of another client runs".into()
    } else {
        format!("{transfers} transfers of other clients run")
    };
    format!("{run}. Stop the server all the same? [y/N] ")
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
        assert!(text(1).starts_with("1 transfer of another client runs."));
        assert!(text(3).starts_with("3 transfers of other clients run."));
        assert!(is_yes(b" Y\n") && is_yes(b"yes"));
        assert!(!is_yes(b"") && !is_yes(b"yep") && !is_yes(b"no"));
    }
}
