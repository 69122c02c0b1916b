//! A line of the menu, and the menu itself: both come from the same definitions.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf};

use clap::{
    Command, CommandFactory, FromArgMatches as _, Parser, Subcommand, ValueHint,
    error::{ContextKind, ErrorKind},
};

use super::words;
use crate::args::Verb;

#[derive(Debug, Parser)]
#[command(multicall = true, disable_help_subcommand = true)]
struct Parsed {
    #[command(subcommand)]
    line: Line,
}

/// What a line of the menu asks for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Line {
    #[command(flatten)]
    Verb(Verb),
    /// Show this menu, or what a command takes.
    Help {
        /// Which.
        #[arg(value_name = "COMMAND", value_hint = ValueHint::CommandName)]
        command: Option<String>,
    },
    /// Leave; the server goes on.
    Quit,
    /// Go to another directory of this machine.
    Lcd {
        /// Which.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// List a directory of this machine.
    Lls {
        /// Which; the current one if none is given.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Show the current directory of this machine.
    Lpwd,
}

/// Why a line asks for nothing.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// It is blank or a comment.
    Blank,
    /// It asks for help with a command, which this is.
    Help(String),
    /// There is no such command.
    Unknown(OsString),
    /// It ends within quotes or after a backslash.
    OpenQuote,
    /// The arguments of a command are wrong; this says why, and its usage.
    Usage(String),
}

impl Line {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, NoLine> {
        if line.trim_ascii_start().first().is_none_or(|&first| first == b'#') {
            return Err(NoLine::Blank);
        }
        let words = words::split(line).ok_or(NoLine::OpenQuote)?;
        let Some(first) = words.first().cloned() else {
            return Err(NoLine::Blank);
        };
        let mut command = command();
        if first.to_str().and_then(|word| command.find_subcommand(word)).is_none() {
            return Err(NoLine::Unknown(first));
        }
        let matches = command.try_get_matches_from_mut(words).map_err(no_line)?;
        let parsed = Parsed::from_arg_matches(&matches)
            .map_err(|error| NoLine::Usage(without_label(&error)))?;
        match parsed.line {
            Self::Verb(mut verb) => match verb.read_as_menu() {
                Ok(()) => Ok(Self::Verb(verb)),
                Err((name, count)) => Err(too_many(&mut command, name, count)),
            },
            Self::Help { command: Some(name) } => Err(help(&mut command, &name)),
            line => Ok(line),
        }
    }
}

/// The definitions of all that a line can say.
pub(super) fn command() -> Command {
    let mut command = Parsed::command();
    command.build();
    command
}

fn no_line(mut error: clap::Error) -> NoLine {
    match error.kind() {
        ErrorKind::DisplayHelp => NoLine::Help(error.to_string()),
        ErrorKind::UnknownArgument => {
            // A tip about '--' is of no use to someone who gave an argument too many.
            error.remove(ContextKind::Suggested);
            NoLine::Usage(without_label(&error))
        }
        _ => NoLine::Usage(without_label(&error)),
    }
}

fn help(command: &mut Command, name: &str) -> NoLine {
    match command.find_subcommand_mut(name) {
        Some(found) => NoLine::Help(found.render_help().to_string()),
        None => NoLine::Unknown(name.into()),
    }
}

fn too_many(command: &mut Command, name: &str, count: usize) -> NoLine {
    let text = format!("{name} takes one or two arguments without --to, and here are {count}");
    let error = match command.find_subcommand_mut(name) {
        Some(found) => found.error(ErrorKind::TooManyValues, text),
        None => command.error(ErrorKind::TooManyValues, text),
    };
    NoLine::Usage(without_label(&error))
}

/// An error's text without its leading `error: `, where the program's name stands, and without the advice at its end,
/// which is for a command line.
fn without_label(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.split("\n\nFor more information").next().unwrap_or_default().trim_end().to_owned()
}

/// The menu: each command's usage, and what it does.
pub(super) fn menu() -> String {
    let mut command = command();
    let rows: Vec<(String, String)> = command
        .get_subcommands_mut()
        .map(|verb| {
            let usage = verb.render_usage().to_string();
            let usage =
                usage.trim_start_matches("Usage:").lines().next().unwrap_or_default().trim();
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let aliases: Vec<_> = verb.get_visible_aliases().collect();
            let also = match aliases[..] {
                [] => String::new(),
                _ => format!(" (also {})", aliases.join(", ")),
            };
            (usage.replace(['<', '>'], ""), format!("{about}{also}"))
        })
        .collect();
    let width = rows.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut menu, (usage, about)| {
        let _ = writeln!(menu, "  {usage:width$}  {about}");
        menu
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(line: &str) -> Verb {
        match Line::parse(line.as_bytes()) {
            Ok(Line::Verb(verb)) => verb,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn usage(line: &str) -> String {
        match Line::parse(line.as_bytes()) {
            Err(NoLine::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        Parsed::command().debug_assert();
    }

    #[test]
    fn the_second_argument_of_get_and_put_is_the_place() {
        let Verb::Get(get) = verb("get a/b.iso 'my file'") else { panic!() };
        assert_eq!((get.names, get.to), (vec!["a/b.iso".into()], Some("my file".into())));
        let Verb::Put(put) = verb("put a dir/") else { panic!() };
        assert_eq!((put.files, put.to), (vec!["a".into()], Some("dir/".into())));
    }

    #[test]
    fn options_of_the_one_shot_form_work_in_the_menu() {
        let Verb::Get(get) = verb("get a b c --to d") else { panic!() };
        assert_eq!((get.names.len(), get.to), (3, Some("d".into())));
        let Verb::Get(get) = verb("get -- -a") else { panic!() };
        assert_eq!(get.names, ["-a"]);
    }

    #[test]
    fn aliases_mean_their_verbs() {
        assert!(matches!(verb("ls"), Verb::List(_)));
        assert!(matches!(verb("mv a b"), Verb::Rename(_)));
        assert!(matches!(verb("rm a b c"), Verb::Remove(remove) if remove.names.len() == 3));
    }

    #[test]
    fn wrong_counts_of_arguments_show_the_usage_of_that_command() {
        for (line, usage_line) in [
            ("get", "Usage: get [-r] NAME [LOCAL]"),
            ("get a b c", "Usage: get [-r] NAME [LOCAL]"),
            ("put", "Usage: put [-r] FILE [REMOTE]"),
            ("put a b c d", "Usage: put [-r] FILE [REMOTE]"),
            ("rename a", "Usage: rename <OLD> <NEW>"),
            ("mv a b c", "Usage: rename <OLD> <NEW>"),
            ("list a b", "Usage: list [DIR]"),
            ("stat", "Usage: stat <NAME>..."),
            ("rm", "Usage: remove <NAME>..."),
            ("mkdir", "Usage: mkdir <DIR>..."),
            ("exit now", "Usage: exit"),
            ("quit now", "Usage: quit"),
            ("lcd", "Usage: lcd <DIR>"),
            ("lpwd x", "Usage: lpwd"),
        ] {
            let text = usage(line);
            assert!(text.contains(usage_line), "{line}: {text}");
        }
    }

    #[test]
    fn blank_lines_and_comments_ask_for_nothing() {
        for line in ["", "   ", "# get a", "  # x", "\t#"] {
            assert!(matches!(Line::parse(line.as_bytes()), Err(NoLine::Blank)), "{line:?}");
        }
    }

    #[test]
    fn an_unknown_command_and_an_open_quote_are_told_apart() {
        let unknown = Line::parse(b"fetch a");
        assert!(matches!(unknown, Err(NoLine::Unknown(word)) if word == "fetch"));
        assert!(matches!(Line::parse(b"--help"), Err(NoLine::Unknown(_))));
        assert!(matches!(Line::parse(b"help fetch"), Err(NoLine::Unknown(_))));
        assert!(matches!(Line::parse(b"get 'a"), Err(NoLine::OpenQuote)));
        assert!(matches!(Line::parse(b"''"), Err(NoLine::Unknown(_))));
    }

    #[test]
    fn help_is_given_for_one_command_and_for_all() {
        for line in ["help get", "get --help", "get -h"] {
            let Err(NoLine::Help(text)) = Line::parse(line.as_bytes()) else { panic!("{line}") };
            assert!(text.contains("--to <PATH>"), "{line}: {text}");
        }
        let menu = menu();
        for command in [
            "get [-r] NAME [LOCAL]",
            "put [-r] FILE [REMOTE]",
            "rename OLD NEW",
            "list [DIR]",
            "stat NAME...",
            "remove NAME...",
            "mkdir DIR...",
            "exit",
            "help [COMMAND]",
            "quit",
            "lcd DIR",
            "lls [DIR]",
            "lpwd",
            "(also ls)",
            "(also mv)",
            "(also rm)",
        ] {
            assert!(menu.contains(command), "{command} in {menu}");
        }
    }
}
