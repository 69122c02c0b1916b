//! Keys, pins, authorizations and invitations, in files of their own.
#![cfg(unix)]

mod access;
mod authorized;
mod identity;
mod invitations;
mod known_servers;
mod paths;
mod policy;
mod ticket;
mod world;
