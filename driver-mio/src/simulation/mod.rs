//! A server and a client for simulated worlds: without sockets, clocks and threads, on disks whose every call is watched.
//!
//! Whoever makes such a world moves datagrams between the two, tells them the time, and lets a [`Watcher`] decide which calls of
//! the file system fail. The calls themselves are made on real files, wherever the world has them.

mod host;
mod watch;

/// Transfers of a host that run at a time: as many as with the 1024 open files that programs start with.
pub(crate) const AT_ONCE: usize = 128;

pub use crate::{
    client::simulated::{Client, Told},
    server::simulated::Server,
};
pub use host::{Host, Send};
pub use watch::{Operation, Watcher, real_number, real_number_at, watching};

pub(crate) use host::Side;
pub(crate) use watch::{
    boot_id, fill_random, is_watched, number_of, pause, shorten, shorten_mut, take_pause, watched,
};
