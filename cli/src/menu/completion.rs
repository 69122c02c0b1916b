//! Completion of commands, options, local names and the server's names.
//!
//! What an argument can be is what the definition of its command says by a value hint.

use std::{
    cell::RefCell,
    fs,
    path::Path,
    sync::mpsc::{self, Sender},
    time::{Duration, Instant},
};

use clap::{Arg, Command, ValueHint};
use gannet_protocol::{Entry, EntryKind, Escaped, Name};
use rustyline::{
    Context, Helper,
    completion::{Completer, Pair},
    highlight::Highlighter,
    hint::Hinter,
    validate::Validator,
};

use super::{
    input::Said,
    line,
    words::{self, Unfinished},
};
use crate::directory::LocalDirectory;

/// How long a listing of the server is good enough to complete from.
const FRESH: Duration = Duration::from_secs(3);
/// Most names of a local directory that are looked at: more than anyone reads through.
const MOST_NAMES: usize = 10_000;

/// Finds how a word can go on.
pub(super) struct Completion {
    say: Sender<Said>,
    command: Command,
    /// Where local names start from; nothing is completed without it.
    here: Option<LocalDirectory>,
    /// The directory of the server that was looked at last.
    last: RefCell<Option<Looked>>,
}

/// A directory of the server, and when it was looked at.
struct Looked {
    at: Instant,
    dir: Option<Name>,
    entries: Vec<Entry>,
}

/// What a word can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Command,
    Option,
    Local { only_directories: bool },
    Remote { only_directories: bool },
}

impl Completion {
    /// Completes names of the server by asking through `say`.
    pub(super) fn new(say: Sender<Said>) -> Self {
        Self { say, command: line::command(), here: None, last: RefCell::default() }
    }

    /// A line begins, whose local names start from `here`; without it, nothing is completed.
    pub(super) fn begin(&mut self, here: Option<LocalDirectory>) {
        self.here = here;
    }

    fn candidates(&self, here: &LocalDirectory, line: &Unfinished) -> Vec<Pair> {
        let word = line.word.as_str();
        let Some(kind) = kind(&self.command, line) else {
            return Vec::new();
        };
        match kind {
            Kind::Command => {
                let names = self.command.get_subcommands().map(|c| c.get_name().to_owned());
                whole_words(names, word)
            }
            Kind::Option => {
                let verb = line.before.first().and_then(|verb| self.command.find_subcommand(verb));
                let longs = verb.into_iter().flat_map(Command::get_arguments);
                whole_words(longs.filter_map(Arg::get_long).map(|long| format!("--{long}")), word)
            }
            Kind::Local { only_directories } => {
                let (dir, leaf) = word.split_at(word.rfind('/').map_or(0, |at| at + 1));
                path_words(local_names(&here.resolve(Path::new(dir))), dir, leaf, only_directories)
            }
            Kind::Remote { only_directories } => {
                let (dir, leaf) = word.split_at(word.rfind('/').map_or(0, |at| at + 1));
                path_words(self.remote_names(dir), dir, leaf, only_directories)
            }
        }
    }

    /// The names in a directory of the server, and which of them are directories.
    fn remote_names(&self, dir: &str) -> Vec<(String, bool)> {
        let dir = match dir.strip_suffix('/') {
            None => None,
            Some(dir) => match Name::parse(dir.as_bytes()) {
                Ok(name) => Some(name),
                Err(_) => return Vec::new(),
            },
        };
        let mut last = self.last.borrow_mut();
        if !last.as_ref().is_some_and(|last| last.dir == dir && last.at.elapsed() < FRESH) {
            let (answer, entries) = mpsc::channel();
            if self.say.send(Said::Names(dir.clone(), answer)).is_err() {
                return Vec::new();
            }
            let entries = entries.recv().unwrap_or_default();
            *last = Some(Looked { at: Instant::now(), dir, entries });
        }
        let entries = last.iter().flat_map(|last| &last.entries);
        let text = |entry: &Entry| String::from_utf8(entry.name.as_bytes().to_vec()).ok();
        entries.filter_map(|e| Some((text(e)?, e.kind == EntryKind::Directory))).collect()
    }
}

/// What the last word of a line can be.
fn kind(command: &Command, line: &Unfinished) -> Option<Kind> {
    let Some((verb, arguments)) = line.before.split_first() else {
        return Some(Kind::Command);
    };
    let verb = command.find_subcommand(verb)?;
    let option = |text: &str| {
        let long = text.strip_prefix("--")?;
        let found = verb.get_arguments().find(|arg| arg.get_long() == Some(long));
        found.filter(|arg| arg.get_action().takes_values())
    };
    if let Some(option) = arguments.last().and_then(|last| option(last)) {
        return kind_of(option);
    }
    if line.word.starts_with('-') {
        return Some(Kind::Option);
    }
    let positionals: Vec<_> = verb.get_positionals().collect();
    // A second argument without `--to` stands for it; with it, all are of the first kind.
    let place = arguments.iter().filter(|argument| !argument.starts_with('-')).count();
    let second_form = verb.get_arguments().find(|arg| arg.get_id() == "to");
    let last = positionals.last().filter(|last| second_form.is_none() && takes_many(last));
    match (positionals.get(place).or(last), second_form) {
        (Some(positional), _) => kind_of(positional),
        (None, Some(to)) if place == 1 => kind_of(to),
        (None, Some(_)) if arguments.iter().any(|argument| argument == "--to") => {
            kind_of(positionals.first()?)
        }
        _ => None,
    }
}

/// Whether an argument stands for any number of words.
fn takes_many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// What an argument can be.
fn kind_of(arg: &Arg) -> Option<Kind> {
    let only_directories =
        arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "DIR"));
    match arg.get_value_hint() {
        ValueHint::CommandName => Some(Kind::Command),
        ValueHint::Other => Some(Kind::Remote { only_directories }),
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath => {
            Some(Kind::Local { only_directories })
        }
        _ => None,
    }
}

/// The names in a local directory, and which of them are directories.
fn local_names(directory: &Path) -> Vec<(String, bool)> {
    // The directory of a word without slashes is written as nothing.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = fs::read_dir(directory).into_iter().flatten().take(MOST_NAMES).flatten();
    entries
        .filter_map(|entry| {
            let is_directory = fs::metadata(entry.path()).is_ok_and(|found| found.is_dir());
            Some((entry.file_name().into_string().ok()?, is_directory))
        })
        .collect()
}

fn whole_words(words: impl Iterator<Item = String>, beginning: &str) -> Vec<Pair> {
    let mut found: Vec<_> = words
        .filter(|word| word.starts_with(beginning))
        .map(|word| Pair { replacement: format!("{word} "), display: word })
        .collect();
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found
}

/// The names in `dir` that begin with `leaf`. Hidden ones are shown to those who type the dot.
fn path_words(
    names: Vec<(String, bool)>,
    dir: &str,
    leaf: &str,
    only_directories: bool,
) -> Vec<Pair> {
    let mut found: Vec<_> = names
        .into_iter()
        .filter(|(name, is_directory)| {
            name.starts_with(leaf)
                && (leaf.starts_with('.') || !name.starts_with('.'))
                && (*is_directory || !only_directories)
        })
        .filter_map(|(name, is_directory)| {
            let (slash, end) = if is_directory { ("/", "") } else { ("", " ") };
            let replacement = words::quote(&format!("{dir}{name}{slash}"))? + end;
            Some(Pair { display: format!("{}{slash}", Escaped(name.as_bytes())), replacement })
        })
        .collect();
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = words::unfinished(line.get(..pos).unwrap_or(line));
        let found = self.here.as_ref().map(|here| self.candidates(here, &before));
        Ok((before.start, found.unwrap_or_default()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use std::thread;

    use gannet_protocol::{FileTime, Mode};
    use rustyline::history::DefaultHistory;

    use super::*;

    /// What a Tab at the end of `line` offers, with the server's directory `remote` in every directory.
    fn offers(line: &str, here: &Path, remote: &[(&str, EntryKind)]) -> Vec<String> {
        let (say, said) = mpsc::channel();
        let entries: Vec<_> = remote
            .iter()
            .map(|&(name, kind)| Entry {
                name: Name::parse(name.as_bytes()).unwrap(),
                kind,
                is_link: false,
                len: 0,
                mode: Mode::from_bits(0o644),
                modified: FileTime::default(),
            })
            .collect();
        let server = thread::spawn(move || {
            for said in said {
                let Said::Names(_, answer) = said else { panic!("{said:?}") };
                answer.send(entries.clone()).unwrap();
            }
        });
        let mut completion = Completion::new(say);
        let mut directory = LocalDirectory::default();
        directory.change(here).unwrap();
        completion.begin(Some(directory));
        let history = DefaultHistory::new();
        let (start, found) =
            completion.complete(line, line.len(), &Context::new(&history)).unwrap();
        drop(completion);
        server.join().unwrap();
        found.into_iter().map(|pair| format!("{}{}", &line[..start], pair.replacement)).collect()
    }

    fn local(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            match name.strip_suffix('/') {
                Some(dir) => fs::create_dir(root.path().join(dir)).unwrap(),
                None => fs::write(root.path().join(name), "").unwrap(),
            }
        }
        root
    }

    const REMOTE: &[(&str, EntryKind)] = &[
        ("my file.iso", EntryKind::File),
        ("movies", EntryKind::Directory),
        (".hidden", EntryKind::File),
    ];

    #[test]
    fn a_command_is_completed() {
        let here = local(&[]);
        assert_eq!(offers("re", here.path(), &[]), ["remove ", "rename "]);
        assert_eq!(offers("ren", here.path(), &[]), ["rename "]);
        assert_eq!(offers("mk", here.path(), &[]), ["mkdir "]);
        assert_eq!(offers("help li", here.path(), &[]), ["help list "]);
        assert_eq!(offers("lc", here.path(), &[]), ["lcd "]);
        assert_eq!(offers("nothing ", here.path(), &[]), [""; 0]);
    }

    #[test]
    fn names_of_the_side_that_is_meant_are_offered() {
        let here = local(&["mine.iso", "mydir/"]);
        assert_eq!(offers("get m", here.path(), REMOTE), ["get movies/", "get 'my file.iso' "]);
        assert_eq!(offers("put m", here.path(), REMOTE), ["put mine.iso ", "put mydir/"]);
        assert_eq!(offers("get x m", here.path(), REMOTE), ["get x mine.iso ", "get x mydir/"]);
        assert_eq!(offers("put x mo", here.path(), REMOTE), ["put x movies/"]);
        assert_eq!(offers("put --fresh mi", here.path(), REMOTE), ["put --fresh mine.iso "]);
        assert_eq!(offers("get x --to my", here.path(), REMOTE), ["get x --to mydir/"]);
        assert_eq!(offers("mv x mo", here.path(), REMOTE), ["mv x movies/"]);
        assert_eq!(offers("rename x y m", here.path(), REMOTE), [""; 0]);
        assert_eq!(offers("stat mo", here.path(), REMOTE), ["stat movies/"]);
        assert_eq!(offers("remove x y mo", here.path(), REMOTE), ["remove x y movies/"]);
        assert_eq!(offers("mkdir x m", here.path(), REMOTE), ["mkdir x movies/"]);
    }

    #[test]
    fn only_directories_are_offered_where_one_is_meant() {
        let here = local(&["mine.iso", "mydir/"]);
        assert_eq!(offers("list m", here.path(), REMOTE), ["list movies/"]);
        assert_eq!(offers("lcd m", here.path(), REMOTE), ["lcd mydir/"]);
    }

    #[test]
    fn a_name_goes_on_within_a_directory_and_within_quotes() {
        let here = local(&["my dir/"]);
        fs::write(here.path().join("my dir/a file"), "").unwrap();
        assert_eq!(offers("put 'my di", here.path(), &[]), ["put 'my dir/'"]);
        assert_eq!(offers("put 'my dir/'a", here.path(), &[]), ["put 'my dir/a file' "]);
        assert_eq!(offers("get movies/my", here.path(), REMOTE), ["get 'movies/my file.iso' "]);
    }

    #[test]
    fn hidden_names_need_their_dot_and_options_their_dash() {
        let here = local(&[]);
        assert_eq!(offers("get .", here.path(), REMOTE), ["get .hidden "]);
        assert_eq!(offers("get --t", here.path(), REMOTE), ["get --to "]);
    }
}
