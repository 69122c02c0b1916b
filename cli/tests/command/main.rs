//! The real binary, end to end: a server and clients in processes of their own, files in temporary directories, menus in
//! pseudo-terminals.
#![cfg(unix)]

mod common;

mod connection;
mod content;
mod demo;
mod failures;
mod files;
mod interrupt;
mod keys;
mod menu;
mod modes;
mod output;
mod roles;
mod script;
mod server;
mod tickets;
mod usage;
