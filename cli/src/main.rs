//! The `gannet` command.

mod args;
mod console;
mod demo;
mod destination;
mod directory;
mod errors;
mod interrupt;
mod listing;
mod logging;
mod menu;
mod names;
mod outcome;
mod pages;
mod progress;
mod question;
mod server;
mod session;
mod summary;
mod target;
mod transfer;

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use self::{
    args::{Cli, Command, Connecting, OneShot, Verb},
    console::Console,
    errors::Error,
    logging::Role,
    outcome::Outcome,
    session::{AskToStop, Session},
    target::Target,
};

fn main() -> ExitCode {
    let Cli { verbosity, command } = Cli::parse();
    let console = Console::new(verbosity.quiet);
    let role = if matches!(command, Command::Server(_)) { Role::Server } else { Role::Client };
    logging::start(role, verbosity);
    let outcome = match command {
        Command::Server(args) => server::run(args, console),
        Command::Client(args) => {
            let target = Target { host: args.host, port: args.port };
            client(&target, args.connecting, console)
        }
        Command::Get(one_shot) => run(one_shot, Verb::Get, console),
        Command::Put(one_shot) => run(one_shot, Verb::Put, console),
        Command::List(one_shot) => run(one_shot, Verb::List, console),
        Command::Rename(one_shot) => run(one_shot, Verb::Rename, console),
        Command::Exit(one_shot) => run(one_shot, Verb::Exit, console),
        Command::Demo => demo::run(console),
        Command::Completions { shell } => printed(pages::completions(shell), console),
        Command::Man => printed(pages::manual(), console),
    };
    outcome.into()
}

fn client(target: &Target, connecting: Connecting, console: Console) -> Outcome {
    match Session::open(target, connecting, console) {
        Ok(session) => menu::run(session),
        Err(error) => console.report(&error),
    }
}

/// Connects, does one verb, and leaves.
fn run<V: clap::Args>(
    OneShot { server, connecting, verb }: OneShot<V>,
    into_verb: impl FnOnce(V) -> Verb,
    console: Console,
) -> Outcome {
    let session = match Session::open(&server, connecting, console) {
        Ok(session) => session,
        Err(error) => return console.report(&error),
    };
    let mut ask = |transfers| ask_on_terminal(&session, transfers);
    let ask: Option<AskToStop<'_>> = if io::stdin().is_terminal() { Some(&mut ask) } else { None };
    let outcome = session.run(&into_verb(verb), ask);
    session.close(outcome)
}

/// Asks whether to stop a server under the transfers of others. Ctrl+c is an answer too.
fn ask_on_terminal(session: &Session, transfers: u64) -> Result<bool, Error> {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{}", question::text(transfers)).and_then(|()| stderr.flush());
    let mut answer = Vec::new();
    session.interrupt.act_at_once();
    io::stdin().lock().read_until(b'\n', &mut answer).map_err(Error::Stdio)?;
    session.interrupt.defer();
    Ok(question::is_yes(&answer))
}

fn printed(result: io::Result<()>, console: Console) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => console.report(&Error::Stdio(error)),
    }
}
