//! The `gannet` command.

mod args;
mod connection;
mod console;
mod contact;
mod demo;
mod destination;
mod directory;
mod doctor;
mod errors;
mod expand;
mod hidden;
mod interrupt;
mod join;
mod json;
mod key;
mod listing;
mod logging;
mod manage;
mod menu;
mod names;
mod outcome;
mod pages;
mod partials;
mod progress;
mod question;
mod server;
mod session;
mod settings;
mod standard;
mod stats;
mod stored;
mod summary;
mod telling;
mod terminal;
mod transfer;
mod tree;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Parser as _;
use gannet_driver_mio::{raise_open_files, trust::HostPort};

use self::{
    args::{Cli, Client, Command, OneShot, Options, Verb},
    console::Console,
    errors::{Conflict, Error},
    logging::Role,
    outcome::Outcome,
    session::{AskToStop, Session},
    settings::Settings,
};

fn main() -> ExitCode {
    let Cli { verbosity, config, command } = Cli::parse();
    let settings = Settings { console: Console::new(verbosity), config, trace: None };
    let settings = &settings;
    let role = if matches!(command, Command::Server(_)) { Role::Server } else { Role::Client };
    logging::start(role, verbosity);
    raise_open_files();
    let outcome = match command {
        Command::Server(args) => server::run(&args, settings),
        Command::Client(args) => client(&args, settings),
        Command::Get(one_shot) => run(one_shot, Verb::Get, settings),
        Command::Put(one_shot) => run(one_shot, Verb::Put, settings),
        Command::List(one_shot) => run(one_shot, Verb::List, settings),
        Command::Rename(one_shot) => run(one_shot, Verb::Rename, settings),
        Command::Stat(one_shot) => run(one_shot, Verb::Stat, settings),
        Command::Remove(one_shot) => run(one_shot, Verb::Remove, settings),
        Command::Mkdir(one_shot) => run(one_shot, Verb::Mkdir, settings),
        Command::Exit(one_shot) => run(one_shot, Verb::Exit, settings),
        Command::Invite(one_shot) => run(one_shot, Verb::Invite, settings),
        Command::Join(args) => join::run(&args, settings),
        Command::Key(args) => key::run(&args, settings),
        Command::Partials(args) => partials::run(&args, settings),
        Command::Doctor(one_shot) => doctor::run(one_shot, settings),
        Command::Demo => demo::run(settings.console),
        Command::Completions { shell } => printed(pages::completions(shell), settings.console),
        Command::Man => printed(pages::manual(), settings.console),
    };
    outcome.into()
}

/// Connects, and shows the menu once the server has let us in.
fn client(args: &Client, settings: &Settings) -> Outcome {
    let settings = &settings.tracing(args.reaching.trace.clone());
    let open = || {
        let host = args.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = host.filter(|host| host.contains(':')).unwrap_or(&args.host);
        let server = HostPort::new(host, args.port)
            .map_err(|error| Error::Conflict(Conflict::Server(error)))?;
        let session = Session::open(&server, args.reaching.clone().with(args.keeping), settings)?;
        session.confirm().map(|()| session)
    };
    match open() {
        Ok(session) => menu::run(session),
        Err(error) => settings.console.report(&error),
    }
}

/// Connects, does one verb, and leaves.
fn run<V: clap::Args, O: clap::Args + Into<Options>>(
    OneShot { server, reaching, options, verb }: OneShot<V, O>,
    into_verb: impl FnOnce(V) -> Verb,
    settings: &Settings,
) -> Outcome {
    let verb = into_verb(verb);
    let telling = verb.telling(settings.console);
    let settings = &settings.tracing(reaching.trace.clone());
    let connecting = reaching.with(options);
    let opened = verb.check().and_then(|()| Session::open(&server, connecting, settings));
    let session = match opened {
        Ok(session) => session,
        Err(error) => return telling.failed(&error),
    };
    let mut ask = |transfers| ask_on_terminal(&session, transfers);
    let ask: Option<AskToStop<'_>> = if io::stdin().is_terminal() { Some(&mut ask) } else { None };
    let outcome = session.run(&verb, ask);
    session.close(outcome, telling)
}

/// Asks whether to stop a server under the transfers of others. Ctrl+c is an answer too.
fn ask_on_terminal(session: &Session, transfers: u64) -> Result<bool, Error> {
    session.interrupt.act_at_once();
    let answer = question::on_terminal(&question::stop(transfers)).map_err(Error::Stdio)?;
    session.interrupt.defer();
    Ok(answer)
}

fn printed(result: io::Result<()>, console: Console) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => console.report(&Error::Stdio(error)),
    }
}
