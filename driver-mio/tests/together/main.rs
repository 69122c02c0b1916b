//! A server and clients in one process, on real sockets and files.

mod bad_link;
mod clients;
#[cfg(target_os = "linux")]
mod confined;
mod connecting;
mod endings;
mod keeping;
mod logging;
mod measuring;
mod refusals;
mod sparse;
mod streams;
mod transfers;
mod world;
