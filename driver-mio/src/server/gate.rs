//! Who may do what at a server.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use gannet_protocol::{Instant, Invite, PublicKey, Request, Status, TicketText};

use crate::{
    security::ServerTrust,
    sys,
    trust::{
        Access, Authorized, AuthorizedClients, AuthorizedError, HostPort, Invitation, Invitations,
        InviteError, JoinError, Proof, Ticket, authorize,
        policy::{Denied, Grant, Permitted, Store, Verb, decide},
    },
};

/// Most clients without a grant that are connected at a time, each to bring its ticket.
const MAX_STRANGERS: usize = 64;
/// Most of them from one address, or one IPv6 network of 64 bits: nobody keeps others from bringing theirs.
const MAX_STRANGERS_EACH: usize = 8;
/// Time that such a client gets for it.
const STRANGER_TIME: Duration = Duration::from_secs(10);
/// How often it is looked whether what runs may still run. A look is one call for a file's times.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who may do what.
#[derive(Debug)]
pub(super) enum Gate {
    /// Everyone everything: on plain connections nobody is anybody.
    Open,
    Keyed(Box<Keyed>),
}

/// What every key may do.
#[derive(Debug)]
pub(super) struct Keyed {
    trust: ServerTrust,
    access: Access,
    invitations: Invitations,
    /// Where the server listens.
    listen: SocketAddr,
    /// The list that was looked at last.
    seen: u64,
    next_look: Instant,
}

/// What becomes of a client that has just connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Welcome,
    /// It has to bring a ticket until then.
    Stranger(Instant),
    Refused,
}

impl Gate {
    /// Of a server that listens at `listen`.
    ///
    /// # Errors
    /// [`AuthorizedError`]
    pub(super) fn new(trust: ServerTrust, listen: SocketAddr) -> Result<Self, AuthorizedError> {
        let list = trust.paths.authorized_clients();
        let authorized = AuthorizedClients::load(list, SystemTime::now())?;
        let access = Access::new(trust.key.public(), authorized, trust.anyone.clone());
        Ok(Self::Keyed(Box::new(Keyed {
            trust,
            seen: access.authorized().generation(),
            access,
            invitations: Invitations::default(),
            listen,
            next_look: Instant::ZERO,
        })))
    }

    /// What a client may do at this moment.
    pub(super) fn grant(&mut self, key: Option<&PublicKey>) -> Option<Grant> {
        match (self, key) {
            (Self::Open, _) => Some(Grant::OWNER),
            (Self::Keyed(keyed), Some(key)) => keyed.grant(key),
            (Self::Keyed(_), None) => None,
        }
    }

    /// What becomes of a client that has just connected, beside so many strangers in all and from the same place.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        key: Option<&PublicKey>,
        (strangers, near): (usize, usize),
    ) -> Admission {
        if self.grant(key).is_some() {
            return Admission::Welcome;
        }
        match self {
            Self::Keyed(keyed) if strangers < MAX_STRANGERS && near < MAX_STRANGERS_EACH => {
                match keyed.invitations.open(ticket_time()) {
                    0 => Admission::Refused,
                    _ => Admission::Stranger(now + STRANGER_TIME),
                }
            }
            _ => Admission::Refused,
        }
    }

    /// When to look next whether what runs may still run.
    pub(super) fn next_look(&self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::Keyed(keyed) => Some(keyed.next_look),
        }
    }

    /// Whether it is time to look, and the list is another than the last time.
    pub(super) fn changed(&mut self, now: Instant) -> bool {
        let Self::Keyed(keyed) = self else { return false };
        if now < keyed.next_look {
            return false;
        }
        keyed.next_look = now + LOOK_EVERY;
        let owner = keyed.trust.key.public();
        let _ = keyed.grant(&owner);
        let authorized = keyed.access.authorized();
        // What may be half written ends nothing.
        let changed = authorized.is_settled() && authorized.generation() != keyed.seen;
        if changed {
            keyed.seen = authorized.generation();
        }
        changed
    }

    /// What a key without a grant is told to the server's owner by.
    pub(super) fn list_name(&self) -> Option<String> {
        match self {
            Self::Open => None,
            Self::Keyed(keyed) => {
                Some(keyed.trust.paths.authorized_clients().display().to_string())
            }
        }
    }

    /// Makes a ticket for a client with that key and grant.
    pub(super) fn invite(
        &mut self,
        key: Option<PublicKey>,
        grant: Grant,
        invite: &Invite,
    ) -> Result<TicketText, Status> {
        let (Self::Keyed(keyed), Some(key)) = (self, key) else {
            return Err(Status::Unsupported);
        };
        let via: HostPort = invite.via.parse().map_err(|_| Status::Unsupported)?;
        let lifetime = Duration::from_secs(invite.seconds);
        let secret =
            keyed.invitations.invite(ticket_time(), key, grant, lifetime).map_err(|e| match e {
                InviteError::TooMany => Status::Overloaded,
                InviteError::Lifetime => Status::Unsupported,
                InviteError::NoRandomness => Status::Io,
            })?;
        let server = keyed.trust.key.public();
        let ticket = Ticket::new(server, via, addresses(keyed.listen), secret);
        TicketText::new(ticket.reveal()).ok_or(Status::Unsupported)
    }

    /// Takes a ticket: what is to be done on a disk's thread to let the client in.
    pub(super) fn join(
        &mut self,
        from: IpAddr,
        client: Option<(PublicKey, [u8; 32])>,
        proof: [u8; 32],
    ) -> Result<Joining, Status> {
        let (Self::Keyed(keyed), Some((key, transcript))) = (self, client) else {
            return Err(Status::Unsupported);
        };
        let proof = Proof::from_bytes(proof);
        let invitation = keyed
            .invitations
            .redeem(ticket_time(), from, &proof, &transcript, &key)
            .map_err(|error| match error {
            JoinError::TooOften => Status::Overloaded,
            JoinError::NotInvited => Status::Denied,
        })?;
        let inviter = invitation.inviter();
        let may_invite = keyed.grant(&inviter).is_some_and(|grant| {
            // What it was narrowed to then may be more than the inviter has now.
            decide(&grant, Verb::Invite(invitation.grant())).is_ok()
                && grant.bounds(invitation.grant())
        });
        if !may_invite {
            return Err(Status::Denied);
        }
        Ok(Joining { invitation, key, list: keyed.trust.paths.authorized_clients() })
    }

    /// Takes back what could not be used.
    pub(super) fn restore(&mut self, invitation: Invitation) {
        if let Self::Keyed(keyed) = self {
            keyed.invitations.restore(ticket_time(), invitation);
        }
    }
}

impl Keyed {
    fn grant(&mut self, key: &PublicKey) -> Option<Grant> {
        self.access.grant(key, SystemTime::now()).cloned()
    }
}

/// A client that is being let in.
#[derive(Debug)]
pub(super) struct Joining {
    invitation: Invitation,
    key: PublicKey,
    list: std::path::PathBuf,
}

impl Joining {
    /// Adds the client to the list. Blocks on the disk.
    ///
    /// # Errors
    /// [`Status::Denied`] if a wrong line of the list shuts the client out. [`Status::Io`], and the invitation, which nobody
    /// has used then.
    pub(super) fn conclude(self) -> Result<(), (Status, Option<Invitation>)> {
        let Self { invitation, key, list } = self;
        let comment = format!("joined, invited by {}", invitation.inviter().fingerprint());
        match authorize(&list, &key, invitation.grant(), &comment) {
            Ok(Authorized::Added | Authorized::Already { grant: Some(_), .. }) => {
                log::info!(target: "gannet::trust", "{key} may {} from now on", invitation.grant());
                Ok(())
            }
            Ok(Authorized::Already { line, grant: None }) => {
                log::warn!(target: "gannet::trust", "line {line} of {} is wrong", list.display());
                Err((Status::Denied, None))
            }
            Err(error) => {
                log::error!(target: "gannet::trust", "a client cannot be let in: {error}");
                Err((Status::Io, Some(invitation)))
            }
        }
    }
}

/// Decides whether who has `grant` may do what is asked, all but [`Request::Join`], which nobody may.
pub(super) fn judge<'g>(
    grant: &'g Grant,
    request: &'g Request,
    asked: Option<&'g Grant>,
) -> Result<Permitted<'g>, Denied> {
    let verb = match request {
        Request::Get(_) | Request::Zeros { .. } => Verb::Get,
        Request::Put(put) => Verb::Put(&put.to),
        Request::List(_) => Verb::List,
        Request::Rename { .. } => Verb::Rename,
        Request::Stat(_) => Verb::Stat,
        Request::Remove(_) => Verb::Remove,
        Request::Mkdir { .. } => Verb::Mkdir,
        Request::Exit { .. } => Verb::Exit,
        Request::Report => Verb::Report,
        Request::Invite(_) | Request::Join { .. } => match asked {
            Some(asked) => Verb::Invite(asked),
            None => return Err(Denied::Role(grant.role())),
        },
    };
    decide(grant, verb)
}

/// Whether a request that was begun by the grant `before` may go on by `grant`: in the same directory, and not beyond what the
/// new one allows, such as to replace a file, or to store so much.
pub(super) fn may_go_on(before: &Grant, grant: &Grant, request: &Request) -> bool {
    match (judge(before, request, None), judge(grant, request, None)) {
        (
            Ok(Permitted::Put { dir: was, max: had, store: stored }),
            Ok(Permitted::Put { dir, max, store }),
        ) => {
            dir == was
                && max.is_none_or(|max| had.is_some_and(|had| had <= max))
                && (store == stored || matches!(store, Store::Replacing(_)))
        }
        (Ok(was), Ok(is)) => was == is,
        _ => false,
    }
}

/// The time that tickets are good by: that of a machine which slept is over all the same.
fn ticket_time() -> Instant {
    Instant::ZERO + sys::time_with_sleep()
}

/// Where a server that listens at `listen` can be reached.
fn addresses(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::warn!("the system does not tell its addresses: {error}");
        Vec::new()
    });
    let reachable = interfaces.iter().filter(|interface| !interface.is_loopback());
    let fits = |ip: &IpAddr| ip.is_ipv4() || listen.is_ipv6();
    reachable.map(|i| i.ip()).filter(fits).map(|ip| SocketAddr::new(ip, listen.port())).collect()
}
