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
mod menu;
mod output;
mod script;
mod server;
mod usage;
