//! The command line.

use crate::payload::payload_start;
use clap::Parser;
use gannet_driver_mio::{
    netem::{
        Burst, LinkConfig, Queue,
        spec::{parse_burst, parse_chance, parse_rate_change, parse_span},
    },
    units::{parse_duration, parse_rate, parse_size},
};
use std::{ops::Range, time::Duration};

/// Emulates a link between two network namespaces, NAME-a (10.77.0.1, fd77::1) and NAME-b
/// (10.77.0.2, fd77::2).
///
/// Prints READY once the link is up. Ends on ctrl+c, SIGTERM or the end of a piped stdin; then it
/// removes the namespaces and prints one JSON line: what became of the packets of each direction,
/// and how many the kernel dropped before they were seen (tun_overflow; a run with any is not to be
/// trusted). Needs root and the command ip of iproute2.
///
/// A rate is written as 100mbit, a time as 50ms, a chance as 1% or 0.01, a size as 64KiB.
#[derive(Parser, Clone, Debug)]
#[command(name = "linkem", version, args_override_self = true, after_help = EXAMPLE)]
pub(crate) struct Args {
    /// Prefix of the two namespaces
    #[arg(long, default_value = "lab", value_parser = parse_name)]
    pub(crate) name: String,
    /// MTU of both interfaces
    #[arg(long, default_value_t = 1500)]
    pub(crate) mtu: u32,
    /// Seed of every random decision
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Options that differ from b to a, as "--rate 20mbit --loss 0"; lists are added to
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    back: String,
    /// Rate limit over IP bytes [default: unlimited]
    #[arg(long, value_parser = parse_rate)]
    rate: Option<u64>,
    /// Another rate from these moments after READY on, as 10s:20mbit,20s:100mbit
    #[arg(long, value_delimiter = ',', value_parser = parse_rate_change)]
    rate_change: Vec<(Duration, u64)>,
    /// Drop-tail queue in bytes [default: rate x round trip, at least 64KiB]
    #[arg(long, value_parser = parse_size, conflicts_with = "queue_packets")]
    queue: Option<u64>,
    /// Drop-tail queue in packets
    #[arg(long)]
    queue_packets: Option<usize>,
    /// One-way delay
    #[arg(long, default_value = "0ms", value_parser = parse_duration)]
    delay: Duration,
    /// Random extra delay up to this much; order is kept
    #[arg(long, default_value = "0ms", value_parser = parse_duration)]
    jitter: Duration,
    /// Chance that a packet is lost, each on its own
    #[arg(long, default_value = "0", value_parser = parse_chance)]
    loss: f64,
    /// Loss in bursts after Gilbert and Elliott: chances per packet, the last two by default 1 and 0
    #[arg(long, value_parser = parse_burst, value_name = BURST)]
    burst: Option<Burst>,
    /// Chance that a packet is held back and so overtaken
    #[arg(long, default_value = "0", value_parser = parse_chance)]
    reorder: f64,
    /// How long a held-back packet is held
    #[arg(long, default_value = "1ms", value_parser = parse_duration)]
    reorder_by: Duration,
    /// Chance that a packet arrives twice
    #[arg(long, default_value = "0", value_parser = parse_chance)]
    duplicate: f64,
    /// Chance that a payload bit is flipped (the kernel's checksums will mostly notice)
    #[arg(long, default_value = "0", value_parser = parse_chance)]
    corrupt: f64,
    /// Chance that two payload bits are flipped so that the kernel's checksums still match
    #[arg(long, default_value = "0", value_parser = parse_chance)]
    corrupt_unseen: f64,
    /// Silently drop IP packets of more bytes than this (a path MTU black hole)
    #[arg(long)]
    drop_larger: Option<usize>,
    /// Drop everything in these spans after READY, as 5s-7s,20s-21s
    #[arg(long, value_delimiter = ',', value_parser = parse_span)]
    blackout: Vec<Range<Duration>>,
}

const BURST: &str = "GOOD_TO_BAD:BAD_TO_GOOD[:LOSS_IN_BAD[:LOSS_IN_GOOD]]";

const EXAMPLE: &str = "\
Example:
  linkem --rate 100mbit --delay 50ms --loss 1% &
  ip netns exec lab-b gannet server 5555 --listen 10.77.0.2
  ip netns exec lab-a gannet client 10.77.0.2 5555";

/// The longest that `ip` and an interface's alias are happy with, and plain enough for JSON.
const MOST_NAME_BYTES: usize = 32;

impl Args {
    /// From a to b, and from b to a: there, an option in `--back` overrides an earlier one.
    pub(crate) fn both_ways(words: &[String]) -> Result<(Self, Self), clap::Error> {
        let forward = Self::try_parse_from(words)?;
        let more = forward.back.split_whitespace().map(String::from);
        let mut back = Self::try_parse_from(words.iter().cloned().chain(more))?;
        back.seed = !back.seed;
        Ok((forward, back))
    }

    /// The link in this direction; `other` is the opposite one.
    pub(crate) fn link(&self, other: &Self) -> LinkConfig {
        let rates = self.rate_change.iter().map(|(_, rate)| *rate);
        let queue = match (self.queue, self.queue_packets, rates.chain(self.rate).max()) {
            (Some(bytes), ..) => Queue::Bytes(bytes),
            (None, Some(packets), _) => Queue::Packets(packets),
            (None, None, Some(rate)) => Queue::for_round_trip(rate, self.delay + other.delay),
            (None, None, None) => Queue::RoundTrip,
        };
        LinkConfig {
            seed: self.seed,
            rate: self.rate,
            rate_changes: self.rate_change.clone(),
            queue,
            overhead_bytes: 0,
            delay: self.delay,
            jitter: self.jitter,
            loss: self.loss,
            burst: self.burst,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            duplicate: self.duplicate,
            corrupt: self.corrupt,
            corrupt_unseen: self.corrupt_unseen,
            corrupt_from: payload_start,
            mtu: self.drop_larger,
            blackouts: self.blackout.clone(),
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && text.len() <= MOST_NAME_BYTES && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("up to {MOST_NAME_BYTES} letters, digits, - and _, but not - first"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(line: &str) -> (LinkConfig, LinkConfig) {
        let words: Vec<_> = line.split('|').map(String::from).collect();
        let (forward, back) = Args::both_ways(&words).expect("a good command line");
        (forward.link(&back), back.link(&forward))
    }

    #[test]
    fn the_way_back_overrides() {
        let (forward, back) =
            links("linkem|--rate|100mbit|--delay|40ms|--loss|2%|--back|--rate 10mbit --loss 0");
        assert_eq!((forward.rate, back.rate), (Some(100_000_000), Some(10_000_000)));
        assert_eq!((forward.loss, back.loss), (0.02, 0.0));
        assert_eq!((forward.delay, back.delay), (back.delay, forward.delay));
        assert_ne!(forward.seed, back.seed);
        // Of the round trip and each direction's own rate.
        assert_eq!(forward.queue, Queue::Bytes(1_000_000));
        assert_eq!(back.queue, Queue::Bytes(100_000));
    }

    #[test]
    fn lists_are_read_and_added_to() {
        let (forward, back) = links(
            "linkem|--blackout|5s-7s,20s-21s|--rate-change|1s:1mbit|--back|--blackout 30s-31s",
        );
        assert_eq!((forward.blackouts.len(), back.blackouts.len()), (2, 3));
        assert_eq!(forward.rate_changes, [(Duration::from_secs(1), 1_000_000)]);
    }

    #[test]
    fn bad_lines_are_refused() {
        for line in [
            "linkem|--name|a b",
            "linkem|--name|-a",
            "linkem|--name|",
            "linkem|--loss|2",
            "linkem|--rate|100",
            "linkem|--queue|5|--queue-packets|5",
            "linkem|--back|--nonsense",
        ] {
            let words: Vec<_> = line.split('|').map(String::from).collect();
            assert!(Args::both_ways(&words).is_err(), "{line}");
        }
    }
}
