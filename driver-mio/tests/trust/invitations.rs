//! Who comes in with a ticket.

use std::{net::IpAddr, time::Duration};

use gannet_driver_mio::trust::{
    Invitations, InviteError, JoinError, MAX_LIFETIME, MAX_OPEN, Proof, TicketSecret, policy::Grant,
};
use gannet_protocol::Instant;

use crate::world::key;

const TRANSCRIPT: &[u8] = &[7; 32];
const MINUTE: Duration = Duration::from_secs(60);

fn grant(text: &str) -> Grant {
    text.parse().unwrap()
}

/// An address of its own for each guess, so that they are not too many from one.
fn from(n: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(n << 8).into()
}

fn seconds(n: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(n)
}

fn invite(invitations: &mut Invitations, text: &str) -> TicketSecret {
    invitations.invite(seconds(0), key(1), grant(text), 10 * MINUTE).unwrap()
}

/// What comes of a try at some second with some secret.
fn redeem(
    invitations: &mut Invitations,
    at: u64,
    secret: &TicketSecret,
) -> Result<String, JoinError> {
    let proof = secret.prove(TRANSCRIPT, &key(2));
    invitations
        .redeem(seconds(at), from(at as u32), &proof, TRANSCRIPT, &key(2))
        .map(|invitation| invitation.grant().to_string())
}

#[test]
fn each_invitation_lets_one_in() {
    let mut invitations = Invitations::default();
    let first = invite(&mut invitations, "read dir=a");
    let second = invite(&mut invitations, "write");
    assert_eq!(redeem(&mut invitations, 1, &second), Ok("write".into()));
    assert_eq!(redeem(&mut invitations, 2, &second), Err(JoinError::NotInvited));
    assert_eq!(redeem(&mut invitations, 3, &first), Ok("read dir=a".into()));
    assert_eq!(redeem(&mut invitations, 4, &first), Err(JoinError::NotInvited));
    assert_eq!(invitations.open(seconds(5)), 0);
}

#[test]
fn a_guess_does_not_use_an_invitation_up() {
    let mut invitations = Invitations::default();
    let secret = invite(&mut invitations, "read");
    let (now, other) = (seconds(1), TicketSecret::generate().unwrap());
    let good = secret.prove(TRANSCRIPT, &key(2));
    let mut refused = |n, proof: &Proof, transcript: &[u8], client| {
        let result = invitations.redeem(now, from(n), proof, transcript, &key(client));
        assert_eq!(result.unwrap_err(), JoinError::NotInvited);
    };
    refused(1, &other.prove(TRANSCRIPT, &key(2)), TRANSCRIPT, 2);
    refused(2, &good, &[8; 32], 2);
    refused(3, &good, TRANSCRIPT, 3);
    assert_eq!(redeem(&mut invitations, 2, &secret), Ok("read".into()));
}

#[test]
fn its_time_is_up_on_the_second() {
    let mut invitations = Invitations::default();
    let secrets = [(); 2].map(|()| invite(&mut invitations, "read"));
    assert_eq!(redeem(&mut invitations, 599, &secrets[0]), Ok("read".into()));
    assert_eq!(redeem(&mut invitations, 600, &secrets[1]), Err(JoinError::NotInvited));
    assert_eq!(invitations.open(seconds(600)), 0);
    for lifetime in [Duration::ZERO, MAX_LIFETIME + Duration::from_nanos(1)] {
        let error = invitations.invite(seconds(0), key(1), grant("read"), lifetime).unwrap_err();
        assert_eq!(error, InviteError::Lifetime);
    }
    invitations.invite(seconds(0), key(1), grant("read"), MAX_LIFETIME).unwrap();
}

#[test]
fn who_could_not_be_let_in_may_try_again() {
    let mut invitations = Invitations::default();
    let secret = invite(&mut invitations, "read");
    let proof = secret.prove(TRANSCRIPT, &key(2));
    let taken = invitations.redeem(seconds(1), from(1), &proof, TRANSCRIPT, &key(2)).unwrap();
    assert_eq!((taken.inviter(), taken.grant()), (key(1), &grant("read")));
    assert_eq!(redeem(&mut invitations, 2, &secret), Err(JoinError::NotInvited));
    invitations.restore(seconds(3), taken);
    assert_eq!(redeem(&mut invitations, 4, &secret), Ok("read".into()));
}

#[test]
fn open_ones_are_bounded() {
    let mut invitations = Invitations::default();
    let lifetime = |n: usize| Duration::from_secs(10 + n as u64);
    for n in 0..MAX_OPEN {
        invitations.invite(seconds(0), key(1), grant("read"), lifetime(n)).unwrap();
    }
    let mut more = |at| invitations.invite(seconds(at), key(1), grant("read"), MINUTE).err();
    assert_eq!(more(0), Some(InviteError::TooMany));
    assert_eq!(more(10), None, "the first is over");
    assert_eq!(more(10), Some(InviteError::TooMany));
}

#[test]
fn guesses_are_limited_and_others_are_heard() {
    let mut invitations = Invitations::default();
    let secret = invite(&mut invitations, "read");
    let wrong = TicketSecret::generate().unwrap().prove(TRANSCRIPT, &key(3));
    let guesses: Vec<_> = (0..1000)
        .map(|_| {
            let guess = invitations.redeem(seconds(1), from(1), &wrong, TRANSCRIPT, &key(3));
            guess.unwrap_err()
        })
        .collect();
    let looked_at = guesses.iter().filter(|error| **error == JoinError::NotInvited).count();
    assert_eq!((looked_at, guesses.last()), (5, Some(&JoinError::TooOften)));
    assert_eq!(redeem(&mut invitations, 2, &secret), Ok("read".into()));
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn secrets_are_not_displayed() {
    let mut invitations = Invitations::default();
    invite(&mut invitations, "read");
    let shown = format!("{invitations:?}");
    assert!(shown.contains("TicketSecret { .. }"), "{shown}");
}
