//! Simulated worlds for the protocol core: hosts, paths between them, a virtual clock.

pub mod content;
pub mod counting;
pub mod crypto;
pub mod directory;
pub mod disk;
pub mod forge;
pub mod fuzzing;
pub mod groups;
pub mod host;
pub mod incoming;
pub mod machines;
pub mod model;
pub mod outgoing;
pub mod pair;
pub mod random;
pub mod scenario;
pub mod seeds;
pub mod world;
