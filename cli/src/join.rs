//! `gannet join`.

use std::time::{Duration, Instant};

use gannet_driver_mio::{
    client::{Client, Failure},
    trust::{HostPort, Ticket},
};
use gannet_protocol::Status;

use crate::{
    args,
    connection::is_refusal,
    contact::{AddressBook, Terms},
    errors::{Action, Error, TrustError},
    hidden,
    interrupt::Interrupt,
    outcome::Outcome,
    settings::Settings,
    telling::Telling,
};

const PROMPT: &str = "Paste the ticket (it is not shown): ";
/// Time that each of the server's own addresses gets.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes a ticket, and has the server let this user in.
pub(crate) fn run(args: &args::Join, settings: &Settings) -> Outcome {
    let telling = Telling::of("join", args.format.json, settings.console);
    let told = join(args, settings).and_then(|server| {
        telling.done(
            format_args!(
                "joined: this machine knows the server as {server} from now on; \
                 go on with: gannet client {} {}",
                server.host(),
                server.port()
            ),
            |object| object.with("server", server.to_string()),
        )
    });
    match told {
        Ok(()) => Outcome::Done,
        Err(error) => telling.failed(&error),
    }
}

fn join(args: &args::Join, settings: &Settings) -> Result<HostPort, Error> {
    if !args.arguments.is_empty() {
        return Err(TrustError::TicketAsArgument.into());
    }
    let interrupt = Interrupt::listen().map_err(Error::Stdio)?;
    let book = AddressBook::open(settings)?;
    let line = hidden::read(PROMPT, &interrupt)?;
    let text = std::str::from_utf8(line.trim_ascii()).unwrap_or_default();
    let ticket = Ticket::parse(text).map_err(TrustError::Ticket)?;
    let (server, client) = reach(&ticket, &book, args.timeout.connect_timeout, settings)?;
    client.join(ticket.secret()).wait().map_err(|failure| {
        let failure = match failure {
            // With no ticket open at all, the server does not even listen to who brings one.
            Failure::Lost(lost) if is_refusal(&lost) => {
                Failure::Remote { status: Status::Denied, detail: 0 }
            }
            failure => failure,
        };
        Error::of(Action::Join(server.clone()), failure)
    })?;
    book.remember(&server, &ticket.server())?;
    Ok(server)
}

/// Connects to the server that the ticket is for: as the inviter did, or else by one of its own addresses.
fn reach(
    ticket: &Ticket,
    book: &AddressBook,
    timeout: Duration,
    settings: &Settings,
) -> Result<(HostPort, Client), Error> {
    let reach = |server: &HostPort, timeout| {
        let key = ticket.server();
        let declined = |_: &_| Err(TrustError::Declined.into());
        // Nothing is fetched over it.
        let terms = Terms {
            timeout,
            congestion: args::Congestion::default(),
            manners: args::Manners::default(),
            sync: true,
        };
        book.reach(server, Some(key), terms, declined).map(|client| (server.clone(), client))
    };
    let first = match reach(ticket.via(), timeout) {
        Err(error @ (Error::Connect { .. } | Error::Trust(TrustError::NotNamed { .. }))) => error,
        result => return result,
    };
    let begun = Instant::now();
    for address in ticket.addresses() {
        let left = timeout.saturating_sub(begun.elapsed());
        let Ok(server) = HostPort::new(&address.ip().to_string(), address.port()) else { continue };
        if left.is_zero() || server.is_same_as(ticket.via()) {
            continue;
        }
        settings.console.note(format_args!("{} is not it; trying {server}", ticket.via()));
        match reach(&server, left.min(PATIENCE)) {
            Ok(reached) => return Ok(reached),
            Err(error) => log::info!("{error}"),
        }
    }
    Err(first)
}
