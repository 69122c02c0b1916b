//! The real binary, end to end: a server and clients in processes of their own, files in temporary directories, menus in
//! pseudo-terminals.
#![cfg(unix)]

mod common;

mod again;
mod connection;
mod content;
mod demo;
mod doctor;
mod existing;
mod failures;
mod files;
mod interrupt;
mod json;
mod keys;
mod kills;
mod manage;
mod manners;
mod menu;
mod modes;
mod output;
mod partials;
mod patterns;
mod pipes;
mod roles;
mod script;
mod server;
mod stats;
mod tickets;
mod trace;
mod trees;
mod usage;
