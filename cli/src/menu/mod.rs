//! The menu of `gannet client`: commands typed at a prompt, or read as a script.

mod completion;
mod input;
mod line;
mod prompt;
mod script;
mod words;

use std::path::PathBuf;

use self::{
    input::{Ask, Input, Next},
    line::{Line, NoLine},
};
use crate::{
    args::Verb,
    console::{print, say},
    errors::Error,
    listing,
    names::Shown,
    outcome::Outcome,
    question,
    session::{AskToStop, Session},
};

/// Runs commands until there are no more, the connection is over or the user leaves.
///
/// A person sees each failure as it comes, and leaving is a success; a script's outcome is that of its first failure.
pub(crate) fn run(session: Session) -> Outcome {
    let mut menu = Menu { session, input: Input::start(), line: 0 };
    let interactive = menu.input.is_interactive();
    let mut first = Outcome::Done;
    if interactive {
        let remote = menu.session.client.remote();
        let greeting = format!("Connected to {remote}.\n\n{}", line::menu());
        first = menu.told(print(greeting).map_err(Error::Stdio));
    }
    loop {
        let step =
            menu.step().unwrap_or_else(|error| Step::end(menu.session.console.report(&error)));
        match step {
            Step { outcome: Outcome::Interrupted, .. } => first = Outcome::Interrupted,
            Step { outcome, goes_on } if !interactive || !goes_on => first = first.or(outcome),
            _ => {}
        }
        if !step.goes_on || step.outcome == Outcome::Interrupted {
            return menu.session.close(first);
        }
    }
}

/// What a line came to.
struct Step {
    outcome: Outcome,
    /// Whether there may be more lines for this connection.
    goes_on: bool,
}

impl Step {
    const fn went(outcome: Outcome) -> Self {
        Self { outcome, goes_on: true }
    }

    const fn end(outcome: Outcome) -> Self {
        Self { outcome, goes_on: false }
    }
}

struct Menu {
    session: Session,
    input: Input,
    /// The number of the line that was read last, from 1.
    line: u64,
}

impl Menu {
    /// Reads a line and does what it says.
    fn step(&mut self) -> Result<Step, Error> {
        if self.session.lost().is_some() {
            return Ok(Step::end(Outcome::Done));
        }
        match self.input.next(&self.session, Ask::Command(self.session.here.clone()))? {
            Next::Line(line) => {
                self.line += 1;
                Ok(match Line::parse(&line) {
                    Ok(line) => self.obey(line),
                    Err(no_line) => Step::went(self.explain(no_line)),
                })
            }
            Next::Lost => Ok(Step::end(Outcome::Done)),
            Next::End if self.input.is_interactive() => {
                // The shell's prompt begins on a line of its own.
                Ok(Step::end(self.told(print("\n").map_err(Error::Stdio))))
            }
            Next::End => Ok(Step::end(Outcome::Done)),
        }
    }

    fn obey(&mut self, line: Line) -> Step {
        let result = match line {
            Line::Verb(verb) => return self.run(&verb),
            Line::Quit => return Step::end(Outcome::Done),
            Line::Help { .. } => print(line::menu()).map_err(Error::Stdio),
            Line::Lcd { dir } => {
                self.session.here.change(&dir).map_err(|error| Error::Directory(dir, error))
            }
            Line::Lls { dir } => self.list_local(dir.unwrap_or_else(|| ".".into())),
            Line::Lpwd => {
                let path = self.session.here.path();
                let printed =
                    path.and_then(|path| print(format_args!("{}\n", Shown::from(&*path))));
                printed.map_err(Error::Stdio)
            }
        };
        Step::went(self.told(result))
    }

    fn list_local(&self, dir: PathBuf) -> Result<(), Error> {
        let entries = listing::of_local(&self.session.here.resolve(&dir))
            .map_err(|error| Error::Directory(dir, error))?;
        listing::print(entries).map_err(Error::Stdio)
    }

    /// Tells of a failure.
    fn told(&self, result: Result<(), Error>) -> Outcome {
        result.map_or_else(|error| self.session.console.report(&error), |()| Outcome::Done)
    }

    fn run(&self, verb: &Verb) -> Step {
        let Self { session, input, .. } = self;
        let mut ask = |transfers| {
            let answer = input.next(session, Ask::Answer(question::stop(transfers)))?;
            Ok(matches!(answer, Next::Line(line) if question::is_yes(&line)))
        };
        let ask: Option<AskToStop<'_>> = if input.is_interactive() { Some(&mut ask) } else { None };
        let outcome = session.run(verb, ask);
        if session.has_stopped_server() { Step::end(outcome) } else { Step::went(outcome) }
    }

    /// Says why a line asks for nothing.
    fn explain(&self, no_line: NoLine) -> Outcome {
        // Who reads a script needs to know where; who typed it does not.
        let place = match self.input.is_interactive() {
            true => String::new(),
            false => format!("line {}: ", self.line),
        };
        match no_line {
            NoLine::Blank => return Outcome::Done,
            NoLine::Help(text) => return self.told(print(text).map_err(Error::Stdio)),
            NoLine::Unknown(word) => say(format_args!(
                "gannet: {place}there is no command {}; there are:\n{}",
                Shown(&word),
                line::menu().trim_end()
            )),
            NoLine::OpenQuote => say(format_args!(
                "gannet: {place}a quote is not closed, or nothing follows a backslash"
            )),
            NoLine::Usage(text) => say(format_args!("gannet: {place}{text}")),
        }
        Outcome::Usage
    }
}
