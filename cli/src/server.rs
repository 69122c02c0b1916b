//! `gannet server`.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    thread,
};

use gannet_driver_mio::server::{Server, ServerOptions, Stopper};
use signal_hook::iterator::Signals;

use crate::{
    args,
    console::{Console, print},
    errors::Error,
    interrupt::SIGNALS,
    names::Shown,
    outcome::Outcome,
};

/// Shares a directory until the server is told to stop.
pub(crate) fn run(args: args::Server, console: Console) -> Outcome {
    match serve(args, console) {
        Ok(()) => Outcome::Done,
        Err(error) => console.report(&error),
    }
}

fn serve(args: args::Server, console: Console) -> Result<(), Error> {
    let root = fs::canonicalize(&args.root).unwrap_or_else(|_| args.root.clone());
    let listen = SocketAddr::new(args.listen, args.port);
    let server = Server::bind(ServerOptions::new(args.root, listen)).map_err(Error::Start)?;
    stop_on_signals(server.stopper(), console).map_err(Error::Stdio)?;
    // On stdout: with port 0 nobody else knows where it listens.
    let (address, root) = (server.local_addr(), Shown::from(&*root));
    print(format_args!("listening on {address}, sharing {root}\n")).map_err(Error::Stdio)?;
    console.note(reach(args.listen));
    server.run().map_err(Error::Serve)?;
    console.note("stopped");
    Ok(())
}

/// Who can reach a server that listens at `address`.
fn reach(address: IpAddr) -> &'static str {
    if address.is_loopback() {
        "only this machine can reach it, because packets are not encrypted yet: \
         --listen 0.0.0.0 opens it to a network that you trust"
    } else {
        "packets are not encrypted yet: whoever is on the way can read and change the files, \
         and whoever can reach the port can read, replace and rename what is shared"
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
