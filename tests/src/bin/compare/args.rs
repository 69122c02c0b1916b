//! The command line.

use crate::{peer::Peer, scenario::Scenario};
use clap::Parser;
use gannet_driver_mio::units::{parse_duration, parse_rate, parse_size};
use std::{path::PathBuf, time::Duration};

/// Times gannet beside what a user would take instead, over the same emulated links, in turn.
///
/// Each run is a whole command that fetches a file from a server at the other end, with nothing tuned; what arrived is compared
/// afterwards. Prints the medians in seconds. Peers that are not installed are left out and named. Needs root, and linkem and
/// gannet beside it: cargo build --release -p gannet -p gannet-tests
#[derive(Parser, Clone, Debug)]
#[command(name = "compare", version, after_help = EXAMPLE)]
pub(crate) struct Args {
    /// The links [default: all]
    #[arg(long = "scenario", value_enum, value_name = "NAME")]
    pub(crate) scenarios: Vec<Scenario>,
    /// A link of your own instead, in linkem's options
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, requires = "rate")]
    pub(crate) link: Option<String>,
    /// The rate of that link, for the chart's scale
    #[arg(long, value_parser = parse_rate, value_name = "RATE", requires = "link")]
    pub(crate) rate: Option<u64>,
    /// The length of the file over that link
    #[arg(long, value_parser = parse_size, default_value = "50MB", requires = "link")]
    pub(crate) size: u64,
    /// Who takes part [default: all that are installed]
    #[arg(long = "peer", value_enum, value_name = "NAME")]
    pub(crate) peers: Vec<Peer>,
    /// How often each takes its turn; what is told is the median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// A run that takes longer is ended
    #[arg(long, default_value = "60s", value_parser = parse_duration, value_name = "TIME")]
    pub(crate) cap: Duration,
    /// Draws the medians into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Prefix of the namespaces
    #[arg(long, default_value = "cmp")]
    pub(crate) name: String,
}

const EXAMPLE: &str = "\
Examples:
  compare --svg docs/comparison.svg
  compare --scenario loss-1 --peer gannet --peer scp --rounds 5
  compare --link '--rate 30mbit --delay 80ms --loss 2%' --rate 30mbit --size 20MB";
