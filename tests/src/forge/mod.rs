//! The wire a second time, written from its description alone: to build packets with one thing wrong, and to read
//! what an endpoint sends.

mod frame;
mod keying;
pub mod message;
mod packet;
mod peer;

pub use frame::{Ack, Frame, ack, ack_of, put_varint, varint};
pub use keying::{Mode, server_identity};
pub use packet::{
    ANSWER, DATA, FINISH, HELLO, MIN_DATAGRAM, Parameters, RESET, RETRY, VERSIONS, cookie_of, data,
    data_header, data_parts, frames, hello_of_version, hello_with, is_intact, retry, seal,
};
pub use peer::{
    ForgedClient, ForgedServer, answer, finish, hello, hello_with_cookie, sealed_hello, server_of,
    stranger,
};
