//! The links, and what is fetched over each.

use crate::{args::Args, load::Load};
use clap::ValueEnum;

/// A link by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Loopback, its MTU 1500, 1 GiB
    Loopback,
    /// 100 Mbit/s, 10 ms, 100 MB
    Near,
    /// 100 Mbit/s, 100 ms, 0.1% lost, 100 MB
    Far,
    /// 100 Mbit/s, 100 ms, 1% lost, 100 MB
    Loss1,
    /// 100 Mbit/s, 200 ms, 5% lost, 50 MB
    Loss5,
    /// 20 Mbit/s, 600 ms, 1% lost, 20 MB
    Satellite,
    /// 200 Mbit/s, 30 ms, 0.01% lost, 1% held back by 1 ms, 100 MB
    Reordered,
    /// 100 Mbit/s, 50 ms, 2% lost in bursts of 10, 100 MB
    Bursts,
    /// 100 Mbit/s, 50 ms, 1,000 files of 10 kB
    Small,
}

/// A link and what is fetched over it.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) title: String,
    /// linkem's options; nothing for loopback.
    pub(crate) link: Option<Vec<String>>,
    /// The link's rate in bits a second.
    pub(crate) rate: Option<u64>,
    pub(crate) load: Load,
}

const MEGABYTE: u64 = 1_000_000;
const MBIT: u64 = 1_000_000;

impl Scenario {
    pub(crate) fn trial(self) -> Trial {
        let title = self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string()));
        let (link, rate, load) = match self {
            Self::Loopback => (None, 0, Load::File(1 << 30)),
            Self::Near => (Some("--rate 100mbit --delay 5ms"), 100 * MBIT, mb(100)),
            Self::Far => (Some("--rate 100mbit --delay 50ms --loss 0.1%"), 100 * MBIT, mb(100)),
            Self::Loss1 => (Some("--rate 100mbit --delay 50ms --loss 1%"), 100 * MBIT, mb(100)),
            Self::Loss5 => (Some("--rate 100mbit --delay 100ms --loss 5%"), 100 * MBIT, mb(50)),
            Self::Satellite => (Some("--rate 20mbit --delay 300ms --loss 1%"), 20 * MBIT, mb(20)),
            Self::Reordered => {
                (Some("--rate 200mbit --delay 15ms --loss 0.01% --reorder 1%"), 200 * MBIT, mb(100))
            }
            Self::Bursts => {
                (Some("--rate 100mbit --delay 25ms --burst 0.204%:10%"), 100 * MBIT, mb(100))
            }
            Self::Small => (
                Some("--rate 100mbit --delay 25ms"),
                100 * MBIT,
                Load::Tree { files: 1000, len: 10_000 },
            ),
        };
        Trial {
            title: title.unwrap_or_default(),
            link: link.map(words),
            rate: link.map(|_| rate),
            load,
        }
    }
}

const fn mb(count: u64) -> Load {
    Load::File(count * MEGABYTE)
}

fn words(options: &str) -> Vec<String> {
    options.split_whitespace().map(str::to_owned).collect()
}

/// What is asked for.
pub(crate) fn trials(args: &Args) -> Vec<Trial> {
    if let (Some(link), Some(rate)) = (&args.link, args.rate) {
        let title = format!("{link}, {} bytes", args.size);
        return vec![Trial {
            title,
            link: Some(words(link)),
            rate: Some(rate),
            load: Load::File(args.size),
        }];
    }
    let named =
        if args.scenarios.is_empty() { Scenario::value_variants() } else { &args.scenarios };
    named.iter().map(|scenario| scenario.trial()).collect()
}
