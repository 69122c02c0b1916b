//! Commands from a terminal: line editing, history, completion.

use std::{
    fs, io,
    path::PathBuf,
    sync::mpsc::{Receiver, Sender},
};

use etcetera::base_strategy::{BaseStrategy as _, Xdg};
use rustyline::{
    CompletionType, Config, Editor, config::BellStyle, error::ReadlineError, history::FileHistory,
};

use super::{
    completion::Completion,
    input::{Ask, Printer, Said},
};

const PROMPT: &str = "gannet> ";
/// Lines of history that are kept: more than anyone searches, and a small file.
const MOST_HISTORY: usize = 1000;

type LineEditor = Editor<Completion, FileHistory>;

/// Reads a line for each that is asked for.
pub(super) fn read(asked: &Receiver<Ask>, say: &Sender<Said>) {
    let mut editor = match editor(Completion::new(say.clone())) {
        Ok(editor) => editor,
        Err(error) => {
            let _ = say.send(failed(error));
            return;
        }
    };
    if let Ok(printer) = editor.create_external_printer() {
        let _ = say.send(Said::Prompting(Printer::new(printer)));
    }
    let history = history_file();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    for ask in asked {
        let (prompt, here) = match ask {
            Ask::Command(here) => (PROMPT.into(), Some(here)),
            Ask::Answer(question) => (question, None),
        };
        let is_command = here.is_some();
        if let Some(completion) = editor.helper_mut() {
            completion.begin(here);
        }
        let said = match editor.readline(&prompt) {
            Ok(line) => {
                if is_command {
                    remember(&mut editor, &line, history.as_ref());
                }
                Said::Line(line.into_bytes())
            }
            Err(ReadlineError::Eof) => Said::End,
            Err(ReadlineError::Interrupted) => Said::Interrupted,
            Err(error) => failed(error),
        };
        if say.send(said).is_err() {
            return;
        }
    }
}

fn editor(completion: Completion) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(MOST_HISTORY)?
        .history_ignore_dups(true)?
        .completion_type(CompletionType::List)
        .bell_style(BellStyle::None)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(completion));
    Ok(editor)
}

fn failed(error: ReadlineError) -> Said {
    Said::Failed(match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// `$XDG_STATE_HOME/gannet/history`, in a directory that exists.
fn history_file() -> Option<PathBuf> {
    let directory = Xdg::new().ok()?.state_dir()?.join("gannet");
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.recursive(true).create(&directory) {
        Ok(()) => Some(directory.join("history")),
        Err(error) => {
            log::info!("no history is kept: {error}");
            None
        }
    }
}

fn remember(editor: &mut LineEditor, line: &str, file: Option<&PathBuf>) {
    if line.trim().is_empty() {
        return;
    }
    let _ = editor.add_history_entry(line);
    if let Some(file) = file
        && let Err(error) = editor.append_history(file)
    {
        log::info!("the history cannot be written: {error}");
    }
}
