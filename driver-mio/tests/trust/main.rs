//! Keys, pins, authorizations and invitations, in files of their own.
#![cfg(unix)]

mod access;
mod authorized;
mod identity;
mod known_servers;
mod paths;
mod policy;
mod world;
