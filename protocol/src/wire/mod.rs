//! Packets, parameters and frames as bytes (docs/protocol.md).

pub(crate) mod cursor;
pub(crate) mod frame;
#[cfg(test)]
mod golden;
pub(crate) mod packet;
pub(crate) mod params;
