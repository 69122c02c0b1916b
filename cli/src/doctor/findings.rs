//! What was found, and what it means.

use std::{fmt, io, net::SocketAddr, time::Duration};

use gannet_driver_mio::{
    measure::{Buffers, CpuRates, DiskRates},
    trust::HostPort,
    units::{format_duration, format_rate, format_size},
};
use gannet_protocol::{Algorithm, Report, crypto::Cipher};
use serde_json::Value;

use crate::{json::Object, stats::Percent};

/// A loss of so many packets of a thousand costs who takes every loss for congestion much of the rate.
const MUCH_LOST: u64 = 1;
/// Payloads below are those of a path with a tunnel or a wrong setting on it: Ethernet leaves 1472 bytes, IPv6 and a tunnel less.
const SMALL_PACKET: u16 = 1380;
/// Times between the shortest and the usual round trip beyond which something is queued on the way.
const MUCH_QUEUED: u32 = 2;

/// What was found.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) server: HostPort,
    pub(super) network: Network,
    pub(super) buffers: Buffers,
    /// None where it cannot be written.
    pub(super) disk: io::Result<DiskRates>,
    pub(super) cpu: CpuRates,
}

/// What was found of the way to the server and back.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) remote: SocketAddr,
    /// How long it took until it could be used.
    pub(super) connected: Duration,
    /// The shortest first; there is at least one.
    pub(super) round_trips: Vec<Duration>,
    /// What became of what this side sent, and of what the server did.
    pub(super) up: Report,
    pub(super) down: Report,
    /// Bits a second each way, where the server lets this client measure that.
    pub(super) rate_up: Option<u64>,
    pub(super) rate_down: Option<u64>,
}

/// Something that limits transfers, or will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Problem {
    /// The way there, or back, loses packets.
    Loss { up: bool, down: bool },
    /// Only so small packets come through.
    SmallPackets(u16),
    /// Something on the way holds packets up.
    Queue,
    /// The system grants sockets little.
    Buffers,
    /// The disk is slower than the processor.
    Disk,
}

impl Network {
    fn least(&self) -> Duration {
        self.round_trips.first().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.round_trips.get(self.round_trips.len() / 2).copied().unwrap_or_default()
    }

    fn most(&self) -> Duration {
        self.round_trips.last().copied().unwrap_or_default()
    }
}

fn is_lossy(sent: &Report) -> bool {
    sent.packets_lost.saturating_mul(1000) > sent.packets_sent.saturating_mul(MUCH_LOST)
}

impl Findings {
    fn problems(&self) -> Vec<Problem> {
        let Network { up, down, .. } = &self.network;
        let mtu = up.mtu.min(down.mtu);
        let [lossy_up, lossy_down] = [up, down].map(is_lossy);
        let queued = self.network.median() > self.network.least().saturating_mul(MUCH_QUEUED)
            && self.network.median() > Duration::from_millis(20);
        [
            (lossy_up || lossy_down).then_some(Problem::Loss { up: lossy_up, down: lossy_down }),
            (mtu < SMALL_PACKET).then_some(Problem::SmallPackets(mtu)),
            queued.then_some(Problem::Queue),
            self.buffers.are_small().then_some(Problem::Buffers),
            self.is_disk_slow().then_some(Problem::Disk),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn is_disk_slow(&self) -> bool {
        let (store, send) = self.ceilings();
        let disk = store.min(send);
        // On a slower path nobody would notice.
        let path = self.network.rate_up.max(self.network.rate_down);
        disk < self.cpu.both() && path.is_none_or(|path| path / 8 >= disk)
    }

    /// What limits a transfer on a path of this rate, if this machine can do as many bytes a second.
    fn limit(&self, path: Option<u64>, here: u64) -> String {
        let here = here.saturating_mul(8);
        match path {
            Some(path) if path < here => format!("the path ({})", format_rate(path)),
            _ => {
                let part = if here < self.cpu.both().saturating_mul(8) { "disk" } else { "CPU" };
                format!("this machine's {part} ({} at most)", format_rate(here))
            }
        }
    }

    /// Bytes a second that this machine stores, or sends from its disk, at most.
    fn ceilings(&self) -> (u64, u64) {
        let cpu = self.cpu.both();
        match &self.disk {
            Ok(disk) => (disk.write.min(cpu), disk.read.min(cpu)),
            Err(_) => (cpu, cpu),
        }
    }

    /// The same for programs.
    pub(super) fn describe(&self, object: Object) -> Object {
        let Self { server, network, buffers, disk, cpu } = self;
        let disk = disk.as_ref().ok();
        let object = object.with("server", server.to_string());
        let times = [
            ("connect_seconds", network.connected),
            ("min_rtt_seconds", network.least()),
            ("median_rtt_seconds", network.median()),
            ("max_rtt_seconds", network.most()),
        ];
        let object = times
            .into_iter()
            .fold(object, |object, (key, time)| object.with(key, time.as_secs_f64()));
        let problems: Vec<Value> =
            self.problems().iter().map(|problem| problem.word().into()).collect();
        object
            .with("packets_sent", network.up.packets_sent)
            .with("packets_lost", network.up.packets_lost)
            .with("server_packets_sent", network.down.packets_sent)
            .with("server_packets_lost", network.down.packets_lost)
            .with_some("bits_per_second", network.rate_up)
            .with_some("server_bits_per_second", network.rate_down)
            .with("packet_bytes", network.up.mtu)
            .with("server_packet_bytes", network.down.mtu)
            .with("receive_buffer", buffers.receive)
            .with("send_buffer", buffers.send)
            .with("wanted_buffer", buffers.wanted)
            .with_some("disk_write_bytes_per_second", disk.map(|disk| disk.write))
            .with_some("disk_read_bytes_per_second", disk.map(|disk| disk.read))
            .with("seal_bytes_per_second", cpu.seal)
            .with("hash_bytes_per_second", cpu.hash)
            .with("problems", problems)
    }
}

impl Problem {
    /// A word for programs.
    const fn word(self) -> &'static str {
        match self {
            Self::Loss { .. } => "loss",
            Self::SmallPackets(_) => "small-packets",
            Self::Queue => "queue",
            Self::Buffers => "buffers",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { remote, connected, round_trips, up, down, rate_up, rate_down } = self;
        let connected = format_duration(*connected);
        writeln!(f, "reach: {remote} answers over UDP; connected in {connected}")?;
        writeln!(
            f,
            "round trip: {} at least, {} in the middle, {} at most, of {}",
            format_duration(self.least()),
            format_duration(self.median()),
            format_duration(self.most()),
            round_trips.len(),
        )?;
        writeln!(
            f,
            "loss: {} of {} packets to the server ({}), {} of {} back ({})",
            up.packets_lost,
            up.packets_sent,
            Percent(up.packets_lost, up.packets_sent),
            down.packets_lost,
            down.packets_sent,
            Percent(down.packets_lost, down.packets_sent),
        )?;
        writeln!(f, "packets: {} bytes to the server, {} back", up.mtu, down.mtu)?;
        let rate = |rate: &Option<u64>| rate.map_or_else(|| "not allowed".into(), format_rate);
        writeln!(f, "rate: {} to the server, {} back", rate(rate_up), rate(rate_down))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, buffers, disk, cpu, .. } = self;
        write!(f, "{network}")?;
        writeln!(
            f,
            "buffers: {} to receive and {} to send, of {} wanted",
            format_size(buffers.receive as u64),
            format_size(buffers.send as u64),
            format_size(buffers.wanted as u64),
        )?;
        match disk {
            Ok(disk) => writeln!(
                f,
                "disk: {}/s written and synced, {}/s read",
                format_size(disk.write),
                format_size(disk.read)
            )?,
            Err(error) => {
                writeln!(f, "disk: not measured, as nothing can be written there: {error}")?;
            }
        }
        let cipher = match cpu.cipher {
            Cipher::Aes256Gcm => "AES-256-GCM",
            Cipher::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        };
        let (seal, hash) = (format_size(cpu.seal), format_size(cpu.hash));
        writeln!(f, "CPU: a core seals {seal}/s ({cipher}) and hashes {hash}/s (BLAKE3)")?;
        let (store, send) = self.ceilings();
        let (put, get) = (self.limit(network.rate_up, send), self.limit(network.rate_down, store));
        writeln!(f, "verdict: a put is limited by {put}, a get by {get}")?;
        for problem in self.problems() {
            f.write_str("  - ")?;
            self.explain(f, problem)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Findings {
    fn explain(&self, f: &mut fmt::Formatter<'_>, problem: Problem) -> fmt::Result {
        match problem {
            Problem::Loss { up, down } => {
                let way = match (up, down) {
                    (true, false) => "to the server",
                    (false, true) => "from the server",
                    _ => "either way",
                };
                let Network { up: to, down: from, .. } = &self.network;
                let takes_it = |lossy, sent: &Report| lossy && sent.algorithm == Algorithm::Cubic;
                let advice = if takes_it(up, to) || takes_it(down, from) {
                    "without '--congestion cubic' on the side that sends, that would cost little of the rate"
                } else {
                    "that costs gannet little of the rate, and TCP with CUBIC nearly all of it"
                };
                write!(f, "the path loses packets {way}: {advice}")
            }
            Problem::SmallPackets(bytes) => write!(
                f,
                "only packets of {bytes} bytes come through: there may be a tunnel on the way, or a link that is \
                 set to a small MTU"
            ),
            Problem::Queue => f.write_str(
                "round trips vary a lot: something on the way, perhaps other traffic, holds packets up",
            ),
            Problem::Buffers => write!(
                f,
                "the system grants small socket buffers, so that fast transfers lose packets on this machine itself: \
                 sudo sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}",
                wanted = self.buffers.wanted
            ),
            Problem::Disk => {
                f.write_str("the disk here is slower than a core seals and hashes: it limits first on a fast path")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gannet_driver_mio::measure;

    use super::*;

    fn findings() -> Findings {
        let ms = Duration::from_millis;
        let mut report = Report::default();
        (report.packets_sent, report.mtu) = (1000, 1452);
        Findings {
            server: "host:5".parse().unwrap(),
            network: Network {
                remote: "192.0.2.1:5".parse().unwrap(),
                connected: ms(102),
                round_trips: vec![ms(50), ms(51), ms(60)],
                up: report,
                down: report,
                rate_up: Some(1000),
                rate_down: None,
            },
            buffers: measure::buffers().unwrap(),
            disk: Err(io::ErrorKind::PermissionDenied.into()),
            cpu: measure::cpu(ms(1)).unwrap(),
        }
    }

    fn words(findings: &Findings) -> Vec<&'static str> {
        let problems = findings.problems();
        problems.iter().map(|problem| problem.word()).filter(|word| *word != "buffers").collect()
    }

    #[test]
    fn what_stands_in_the_way_is_found() {
        let mut found = findings();
        assert!(words(&found).is_empty(), "{found}");
        assert!(
            found.to_string().contains("a put is limited by the path (1.00 kbit/s), a get by this"),
            "{found}"
        );
        found.network.down.packets_lost = 1;
        assert!(words(&found).is_empty(), "one of a thousand is nothing");
        found.network.down.packets_lost = 2;
        assert_eq!(words(&found), ["loss"]);
        assert!(
            found
                .to_string()
                .contains("loses packets from the server: without '--congestion cubic'"),
            "{found}"
        );
        found.network.down.algorithm = Algorithm::Bbr;
        assert!(
            found.to_string().contains("loses packets from the server: that costs gannet little"),
            "{found}"
        );
        found.network.up.mtu = 1280;
        assert_eq!(words(&found), ["loss", "small-packets"]);
        found.network.round_trips = vec![Duration::from_millis(20), Duration::from_millis(90)];
        assert_eq!(words(&found), ["loss", "small-packets", "queue"]);
        assert!(found.to_string().contains("packets of 1280 bytes come through"), "{found}");
    }
}
