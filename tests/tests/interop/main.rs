//! The network cases of the QUIC interop runner, each by its name, as they are there and harder.
//!
//! Their link unless they say otherwise: 15 ms one way, 10 Mbit/s, a queue of 25 packets. Every case has many seeds, of which
//! the even ones are plain and the odd ones sealed; all that is asserted is of the simulated clock. `GANNET_SEEDS=N` tries so many
//! seeds of each case, `GANNET_SEED=N` that one alone.
//!
//! | Case | There | Here |
//! |---|---|---|
//! | transfer | 2 + 3 + 5 MB | three gets side by side, and three puts |
//! | longrtt | 750 ms one way | the same |
//! | multiplexing | 1,999 requests of 32 B | 2,000 on one connection, and with losses |
//! | retry | a token | a cookie is forced, with and without losses |
//! | blackhole | on for 5 s, off for 2 s | 20 s off, too, and one way only |
//! | keyupdate | 3 MB | a new key for each 1 MB at the latest |
//! | amplificationlimit | first packets to the server lost | three times what came, at every instant |
//! | handshakeloss, handshakecorruption | 30% both ways, bursts of 3 | 500 connections |
//! | transferloss, transfercorruption | 2%, bursts of 3 | 5, 10 and 20%, too |
//! | rebind-port, rebind-addr | each 5 s | each 0.5 s, too |
//! | connectionmigration | a new address | the same |
//! | goodput | 10 MB | 1 Gbit/s, too |
//! | crosstraffic | beside TCP CUBIC | a share of 30 to 70% |

mod cross;
mod handshake;
mod hosts;
mod lossy;
mod moving;
mod soak;
mod transfer;

use std::{panic::RefUnwindSafe, time::Duration};

use gannet_driver_mio::netem::Queue;
use gannet_tests::{seeds, world::Path};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MB: u64 = 1_000_000;

/// The link of all cases.
pub(crate) fn path() -> Path {
    Path::new(10_000_000, 30 * MS).queue(Queue::Packets(25))
}

/// Runs a case with so many seeds.
pub(crate) fn case(name: &str, seeds: u64, story: impl Fn(u64) + RefUnwindSafe) {
    seeds::each_seed("interop", name, seeds, story);
}
