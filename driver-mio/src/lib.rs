//! The gannet protocol on real sockets, clocks and files.
//!
//! A program shares a directory with a [`server::Server`], which serves on the thread that runs it, and moves files with a
//! [`client::Client`], which drives its connection on a thread of its own.
//!
//! ```
#![doc = include_str!("../examples/embed.rs")]
//! ```

pub mod client;
pub mod confine;
pub mod crypto;
mod disk;
mod event_loop;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hash;
mod journal;
pub mod measure;
pub mod netem;
pub mod partials;
pub mod pattern;
pub mod qlog;
pub mod security;
pub mod server;
#[cfg(feature = "simulation")]
pub mod simulation;
mod socket;
mod sys;
mod transfer;
pub mod trust;
pub mod units;

pub use sys::raise_open_files;
