//! Path MTU discovery by probes (DPLPMTUD, RFC 8899).
//!
//! All sizes are those of UDP payloads. A probe is a packet of a size not tried yet that carries
//! nothing needed; a delivered one raises the MTU, and its loss is no sign of congestion.

mod black_hole;

use core::time::Duration;

use black_hole::BlackHole;

use crate::Instant;

/// Sizes tried before any search, largest first: Ethernet's jumbo frames (9000) and frames (1500)
/// over IPv4 and IPv6; PPPoE with the latter and a tunnel's header; common tunnels; the least that
/// IPv6 carries.
const LIKELY: [u16; 8] = [8972, 8952, 1472, 1452, 1432, 1400, 1372, 1232];

/// Gain for which the search goes on: below it a probe costs more than the headers it saves.
const MIN_STEP: u16 = 20;

/// Probes lost until a size counts as too large (`MAX_PROBES` of RFC 8899 section 5.1.2).
const MAX_PROBES: u8 = 3;

/// Time until a larger size is looked for again (`PMTU_RAISE_TIMER` of RFC 8899 section 5.1.1).
const RAISE_TIME: Duration = Duration::from_secs(600);

/// Searches for the largest packets that the path carries, and notices when it carries less.
#[derive(Clone, Debug)]
pub(crate) struct MtuDiscovery {
    min: u16,
    max: u16,
    current: u16,
    phase: Phase,
    /// What the path carried when it was used last, if that is known.
    first: Option<u16>,
    /// The probe in flight.
    probe: Option<Probe>,
    black_hole: BlackHole,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u64,
    size: u16,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Some sizes are not tried yet.
    Searching {
        /// The smallest size known not to pass.
        ceiling: u32,
        /// The size that was tried last, and how many probes of it were lost.
        tried: u16,
        lost: u8,
    },
    /// Nothing is left to try until then.
    Complete { until: Instant },
}

impl Phase {
    /// A search for sizes below `ceiling`.
    const fn search(ceiling: u32) -> Self {
        Self::Searching { ceiling, tried: 0, lost: 0 }
    }
}

impl MtuDiscovery {
    /// Starts at `min` bytes, which every path must carry, and looks for up to `max`.
    pub(crate) fn new(min: u16, max: u16) -> Self {
        let max = max.max(min);
        Self {
            min,
            max,
            current: min,
            phase: Phase::search(u32::from(max) + 1),
            first: None,
            probe: None,
            black_hole: BlackHole::default(),
        }
    }

    /// Has `size` tried before all others.
    pub(crate) fn try_first(&mut self, size: u16) {
        self.first = Some(size).filter(|size| *size <= self.max);
    }

    /// The largest packets to send.
    pub(crate) const fn current(&self) -> u16 {
        self.current
    }

    /// The size of a probe of at most `limit` bytes to send now, if one is due; [`Self::on_probe_sent`] must follow.
    pub(crate) fn poll_probe(&mut self, now: Instant, limit: u64) -> Option<u16> {
        if self.probe.is_some() || self.current == self.max {
            return None;
        }
        if let Phase::Complete { until } = self.phase {
            if now < until {
                return None;
            }
            self.phase = Phase::search(u32::from(self.max) + 1);
        }
        if self.next_size(u64::MAX).is_none() {
            self.phase = Phase::Complete { until: now + RAISE_TIME };
        }
        self.next_size(limit)
    }

    /// When a probe is due again, if nothing else happens.
    #[cfg(test)]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Complete { until } if self.current < self.max => Some(until),
            _ => None,
        }
    }

    /// The size to try: one of the likely ones that may still pass, else the middle of what is
    /// left.
    fn next_size(&self, limit: u64) -> Option<u16> {
        let Phase::Searching { ceiling, .. } = self.phase else { return None };
        let open = |size: &u16| {
            *size > self.current && u32::from(*size) < ceiling && u64::from(*size) <= limit
        };
        if let Some(first) = self.first.filter(open) {
            return Some(first);
        }
        if open(&self.max) {
            return Some(self.max);
        }
        if let Some(likely) = LIKELY.into_iter().find(open) {
            return Some(likely);
        }
        let step = u16::try_from(ceiling.saturating_sub(self.current.into()) / 2).ok()?;
        (step >= MIN_STEP).then(|| self.current + step).filter(open)
    }

    /// Takes in that the packet `number` is a probe of `size` bytes.
    pub(crate) fn on_probe_sent(&mut self, number: u64, size: u16) {
        self.probe = Some(Probe { number, size });
        if let Phase::Searching { tried, lost, .. } = &mut self.phase
            && *tried != size
        {
            *tried = size;
            *lost = 0;
        }
    }

    /// Takes in that a packet of `size` bytes is acknowledged, probe or not, before the losses that
    /// the same ACK frame uncovers; the new MTU, if that changes it: a larger one for a probe, the
    /// least where the path turns out not to carry the current one any more.
    pub(crate) fn on_acked(&mut self, number: u64, size: u16) -> Option<u16> {
        if let Some(probe) = self.probe.take_if(|probe| probe.number == number) {
            return self.raise(probe);
        }
        let full = self.is_full(size);
        if self.current == self.min || !self.black_hole.on_acked(number, full) {
            return None;
        }
        // Below what was lost, the search begins anew.
        self.phase = Phase::search(self.current.into());
        self.probe = None;
        self.black_hole = BlackHole::default();
        self.current = self.min;
        Some(self.current)
    }

    fn raise(&mut self, probe: Probe) -> Option<u16> {
        if probe.size <= self.current {
            return None;
        }
        self.current = probe.size;
        if let Phase::Searching { lost, .. } = &mut self.phase {
            *lost = 0;
        }
        // What was lost before is explained by something else.
        self.black_hole.on_acked(probe.number, true);
        Some(self.current)
    }

    /// Takes in that the probe `number` is lost, or that the system refused to send it.
    pub(crate) fn on_probe_lost(&mut self, number: u64) {
        let Some(probe) = self.probe.take_if(|probe| probe.number == number) else { return };
        if let Phase::Searching { ceiling, lost, .. } = &mut self.phase {
            *lost += 1;
            if *lost >= MAX_PROBES {
                *lost = 0;
                *ceiling = (*ceiling).min(probe.size.into());
            }
        }
    }

    /// Nothing will be heard of the probe under way: it may have gone elsewhere.
    pub(crate) fn forget_probe(&mut self) {
        self.probe = None;
    }

    /// Takes in that a packet of `size` bytes, not a probe, is lost.
    pub(crate) fn on_lost(&mut self, number: u64, size: u16) {
        if self.current > self.min && self.is_full(size) {
            self.black_hole.on_lost(number);
        }
    }

    /// Whether packets of `size` bytes show that the path carries the MTU: those of the last bytes
    /// of a file or of a header less do as well.
    fn is_full(&self, size: u16) -> bool {
        size > self.current.saturating_sub(MIN_STEP)
    }
}

#[cfg(test)]
mod tests;
