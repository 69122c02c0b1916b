//! A server and clients in one process, on real sockets and files.

mod bad_link;
mod clients;
mod connecting;
mod endings;
mod keeping;
mod logging;
mod refusals;
mod transfers;
mod world;
