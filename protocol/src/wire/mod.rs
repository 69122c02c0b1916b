//! Packets and frames as bytes (docs/protocol.md).

pub(crate) mod cursor;
