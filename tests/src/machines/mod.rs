//! Machines with disks that fail, whose processes are killed and whose power fails: the driver's own code, between a simulated
//! network and disks of which it is known what is durable, under a virtual clock (tests/README.md).

mod caller;
mod command;
mod disk;
mod node;
mod story;
pub mod torture;
mod world;

pub use crate::random::Random;
pub use command::{Command, End};
pub use disk::{Content, Disk, Fault, Faults};
pub use story::Story;
pub use world::{JobId, World};
