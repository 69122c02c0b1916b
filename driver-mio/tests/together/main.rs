//! A server and clients in one process, on real sockets and files.

mod bad_link;
mod connecting;
mod endings;
mod refusals;
mod transfers;
mod world;
