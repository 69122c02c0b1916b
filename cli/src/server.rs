//! `gannet server`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    thread,
    time::SystemTime,
};

use gannet_driver_mio::{
    confine::{Confined, Confinement},
    security::{ServerSecurity, ServerTrust},
    server::{Server, ServerError, ServerOptions, Stopper},
    trust::AuthorizedClients,
};
use signal_hook::iterator::Signals;

use crate::{
    args,
    console::{Console, print},
    errors::Error,
    interrupt::SIGNALS,
    names::Shown,
    outcome::Outcome,
    settings::{Settings, own_key},
};

/// Shares a directory until the server is told to stop.
pub(crate) fn run(args: &args::Server, settings: &Settings) -> Outcome {
    match serve(args, settings) {
        Ok(()) => Outcome::Done,
        Err(error) => settings.console.report(&error),
    }
}

fn serve(args: &args::Server, settings: &Settings) -> Result<(), Error> {
    let console = settings.console;
    let root = fs::canonicalize(&args.root).unwrap_or_else(|_| args.root.clone());
    let trust = if args.plain { None } else { Some(trust(args, settings)?) };
    keep_keys(&args.root, settings)?;
    let server = bind(args, trust.clone())?;
    // Before a thread is started, so that it holds for all on every kernel.
    confine(&args.root, trust.as_ref());
    stop_on_signals(server.stopper(), console).map_err(Error::Stdio)?;
    // On stdout: with port 0 nobody else knows where it listens.
    let (address, root) = (server.local_addr(), Shown::from(&*root));
    print(format_args!("listening on {address}, sharing {root}\n")).map_err(Error::Stdio)?;
    match &trust {
        Some(trust) => introduce(trust, console)?,
        None => console.note(plain_reach(address.ip())),
    }
    server.run().map_err(Error::Serve)?;
    console.note("stopped");
    Ok(())
}

fn trust(args: &args::Server, settings: &Settings) -> Result<ServerTrust, Error> {
    let paths = settings.paths()?;
    let key = own_key(&paths)?;
    Ok(ServerTrust { key, paths, anyone: args.anyone.clone() })
}

/// Fails if who gets at what is shared would get at keys: in plain mode, that is every user of this machine.
fn keep_keys(root: &Path, settings: &Settings) -> Result<(), Error> {
    // Without a home there are no keys, and without a root no server.
    let Ok(Ok(Some(kept))) = settings.paths().map(|paths| paths.exposed_by(root)) else {
        return Ok(());
    };
    Err(Error::Start(ServerError::Keys { path: root.to_owned(), kept }))
}

/// Binds to the address that was asked for, or else to what is right for the mode.
fn bind(args: &args::Server, trust: Option<ServerTrust>) -> Result<Server, Error> {
    let security = trust.map_or(ServerSecurity::Plain, ServerSecurity::Sealed);
    let bind = |ip: IpAddr| {
        let listen = SocketAddr::new(ip, args.port);
        let mut options = ServerOptions::new(args.root.clone(), listen, security.clone());
        options.congestion = args.sending.congestion.into();
        options.sync = !args.storing.no_sync;
        Server::bind(options)
    };
    let server = match args.listen {
        Some(ip) => bind(ip),
        None if args.plain => bind(Ipv4Addr::LOCALHOST.into()),
        None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
            Err(ServerError::Bind { error, .. }) if may_lack_ipv6(&error) => {
                bind(Ipv4Addr::UNSPECIFIED.into())
            }
            result => result,
        },
    };
    server.map_err(Error::Start)
}

/// Whether that is what a machine without IPv6 says, among others.
fn may_lack_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Gives up what a server does not need, and says in the log how far that went.
fn confine(root: &Path, trust: Option<&ServerTrust>) {
    let kept = trust.map(|trust| trust.paths.directories()).unwrap_or_default();
    let mut writable = vec![root.to_owned()];
    // There may be no directory of state, which a server can do without.
    writable.extend(kept.into_iter().filter(|directory| directory.is_dir()));
    match (Confinement { writable, readable: Vec::new() }).confine() {
        Ok(confined @ Confined::Files { .. }) => log::info!("confined: {confined}"),
        Ok(confined) => log::warn!("not confined: {confined}"),
        Err(error) => log::warn!("not confined: {error}"),
    }
}

/// Says who the server is, and who may do what.
fn introduce(trust: &ServerTrust, console: Console) -> Result<(), Error> {
    let ServerTrust { key, paths, anyone } = trust;
    let key = key.public();
    console.note(format_args!("its key is {key}, fingerprint {}", key.fingerprint()));
    let file = paths.authorized_clients();
    let list = AuthorizedClients::load(file.clone(), SystemTime::now())
        .map_err(|error| Error::Start(ServerError::Clients(error)))?;
    let listed = match list.list().len() {
        0 => "no more clients are".into(),
        1 => "1 more client is".into(),
        count => format!("{count} more clients are"),
    };
    let file = Shown::from(&*file);
    console.note(format_args!(
        "clients of the same user may do everything; {listed} let in by {file}"
    ));
    if let Some(grant) = anyone {
        let allows = grant.role().allows();
        console.note(format_args!(
            "WARNING: everyone who reaches it is let in, as --anyone '{grant}' wants it: who has \
             no line {allows}"
        ));
    }
    Ok(())
}

/// Who can do what to a plain server that listens at `address`.
fn plain_reach(address: IpAddr) -> &'static str {
    if address.is_loopback() {
        "packets are not encrypted (--plain), so only this machine can reach it, and each of its \
         users may do everything; --listen 0.0.0.0 opens it to a network that you trust"
    } else {
        "WARNING: packets are not encrypted (--plain): whoever is on the way can read and change \
         the files, and whoever can reach the port may do everything"
    }
}

/// The first signal asks for a polite end, the second ends at once.
fn stop_on_signals(stopper: Stopper, console: Console) -> io::Result<()> {
    let mut signals = Signals::new(SIGNALS)?;
    thread::spawn(move || {
        let mut first = true;
        for _ in signals.forever() {
            if std::mem::take(&mut first) {
                console.note(
                    "stopping: running transfers get 2 seconds, a second signal ends them at once",
                );
            }
            stopper.stop();
        }
    });
    Ok(())
}
