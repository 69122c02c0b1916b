//! Who may come in with a ticket.

use std::{error, fmt, net::IpAddr, time::Duration};

use gannet_protocol::{Instant, PublicKey, Rate, RateLimiter, RateLimits};

use super::{
    policy::Grant,
    ticket::{Proof, TicketSecret},
};

/// Most invitations that are open at a time: each guess is checked against all of them.
pub const MAX_OPEN: usize = 64;
/// How long an invitation stands if nothing else is said.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// The longest that one may stand: a week.
pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often proofs are looked at. Nobody guesses one of 2^128 secrets, however often; this keeps trying cheap for us.
const GUESSES: RateLimits =
    RateLimits { host: Rate::new(1, 5), site: Rate::new(5, 20), global: Rate::new(100, 100) };

/// The open invitations of a server.
///
/// They are in memory only: a server that starts again knows none of them. Each lets one client in, until its time is up.
#[derive(Debug)]
pub struct Invitations {
    open: Vec<Invitation>,
    guesses: RateLimiter,
}

/// An invitation, to be used up or put back: it cannot be copied.
#[derive(Debug)]
#[must_use = "it is used up unless it is put back"]
pub struct Invitation {
    secret: TicketSecret,
    inviter: PublicKey,
    grant: Grant,
    until: Instant,
}

impl Invitation {
    /// What whoever comes with it may do.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The key of who invited: look whether it may still invite for that.
    #[must_use]
    pub const fn inviter(&self) -> PublicKey {
        self.inviter
    }
}

impl Default for Invitations {
    fn default() -> Self {
        Self { open: Vec::new(), guesses: RateLimiter::new(GUESSES) }
    }
}

impl Invitations {
    /// Opens one for `lifetime`; the secret is for the ticket. `inviter` is the key of the client that asks.
    ///
    /// # Errors
    /// [`InviteError`]
    pub fn invite(
        &mut self,
        now: Instant,
        inviter: PublicKey,
        grant: Grant,
        lifetime: Duration,
    ) -> Result<TicketSecret, InviteError> {
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(InviteError::Lifetime);
        }
        self.expire(now);
        if self.open.len() >= MAX_OPEN {
            return Err(InviteError::TooMany);
        }
        let secret = TicketSecret::generate().ok_or(InviteError::NoRandomness)?;
        let mine = secret.share();
        self.open.push(Invitation { secret: mine, inviter, grant, until: now + lifetime });
        Ok(secret)
    }

    /// Takes the invitation out whose secret `proof` was made with. `from` is where the client is, `transcript` the hash
    /// of its connection's handshake, and `client` the key that it proved there to have.
    ///
    /// Give it back with [`restore`](Self::restore) if the client could not be let in after all.
    ///
    /// # Errors
    /// [`JoinError`]
    pub fn redeem(
        &mut self,
        now: Instant,
        from: IpAddr,
        proof: &Proof,
        transcript: &[u8],
        client: &PublicKey,
    ) -> Result<Invitation, JoinError> {
        self.guesses.allow(now, from).map_err(|_| JoinError::TooOften)?;
        self.expire(now);
        // All are tried, so that the time does not tell which it was.
        let mut found = None;
        for (at, invitation) in self.open.iter().enumerate() {
            if invitation.secret.verify(proof, transcript, client) {
                found = Some(at);
            }
        }
        let at = found.ok_or(JoinError::NotInvited)?;
        Ok(self.open.remove(at))
    }

    /// Puts back what was taken out in vain.
    pub fn restore(&mut self, now: Instant, invitation: Invitation) {
        self.expire(now);
        if self.open.len() < MAX_OPEN {
            self.open.push(invitation);
        }
    }

    /// How many are open.
    pub fn open(&mut self, now: Instant) -> usize {
        self.expire(now);
        self.open.len()
    }

    fn expire(&mut self, now: Instant) {
        self.open.retain(|invitation| invitation.until > now);
    }
}

/// Why there is no invitation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InviteError {
    /// It would stand for no time, or for over a week.
    Lifetime,
    /// [`MAX_OPEN`] are open.
    TooMany,
    /// The system has no randomness.
    NoRandomness,
}

impl fmt::Display for InviteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lifetime => write!(f, "an invitation stands for up to seven days"),
            Self::TooMany => {
                write!(f, "{MAX_OPEN} invitations are open: wait until one is used or over")
            }
            Self::NoRandomness => write!(f, "the system gives no randomness to make a ticket of"),
        }
    }
}

impl error::Error for InviteError {}

/// Why a ticket does not let its holder in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JoinError {
    /// Too many were tried: this one was not looked at.
    TooOften,
    /// No open invitation is meant: it was used, its time is up, the server started again, or there never was one.
    NotInvited,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOften => write!(f, "too many tickets were tried: wait some seconds"),
            Self::NotInvited => write!(
                f,
                "the ticket does not count: it was used, its time is up, or the server has started again since"
            ),
        }
    }
}

impl error::Error for JoinError {}
