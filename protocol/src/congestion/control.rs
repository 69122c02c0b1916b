//! The controller of a path, and the resumption of what the path once gave beside it.

use super::{Acked, Congestion, Gain, Lost, Marked, Sent, resume::Resume, resume::Saved};
use crate::{Instant, rtt::Rtt};

/// The part of what is sent that may get lost while a rate is resumed, with a controller that bears losses: more than any link
/// should lose that is not full, and less than a queue loses that gets twice what it can pass on.
const BORNE_LOSS: Gain = Gain { of: 1, whole: 8 };

/// What says how much may be on the path, and how fast it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    algorithm: Congestion,
    resume: Resume,
}

impl Control {
    /// The state of a new path.
    pub(crate) fn new(algorithm: Congestion) -> Self {
        Self { algorithm, resume: Resume::default() }
    }

    /// The path gave this when it was used last. A fixed rate needs no such thing, and what yields to others asks for nothing.
    pub(crate) fn remember(&mut self, saved: Saved) {
        let tolerance = match &self.algorithm {
            Congestion::Bbr(_) => Some(BORNE_LOSS),
            Congestion::Cubic(_) => None,
            Congestion::Fixed(_) | Congestion::Ledbat(_) => return,
        };
        self.resume = Resume::new(saved, tolerance);
    }

    /// A packet that counts as in flight was sent.
    pub(crate) fn on_sent(&mut self, sent: &Sent) {
        self.resume.on_sent(sent);
        self.algorithm.on_sent(sent);
    }

    /// Packets were acknowledged; called once an ACK frame, before the losses it uncovers.
    pub(crate) fn on_acked(&mut self, acked: &Acked<'_>) {
        self.algorithm.on_acked(acked);
        if let Some(window) = self.resume.on_acked(acked, self.algorithm.window()) {
            self.algorithm.resume(window);
        }
    }

    /// Packets were declared lost; called once for all that are found lost together.
    pub(crate) fn on_lost(&mut self, lost: &Lost) {
        self.algorithm.on_lost(lost);
        self.resume.on_lost(lost);
    }

    /// Packets were marked by a router (RFC 9002 section 7.1).
    pub(crate) fn on_ecn(&mut self, marked: &Marked) {
        self.algorithm.on_ecn(marked);
        self.resume.retreat();
    }

    /// This machine was so busy that it sent less than it was allowed to, and hears of what arrives when it has time.
    pub(crate) fn on_late(&mut self, now: Instant) {
        self.algorithm.on_late(now);
    }

    /// What is in flight goes to a port where nobody is any more.
    pub(crate) fn on_diverted(&mut self, rtt: &Rtt) {
        self.algorithm.on_diverted(rtt);
        self.resume.retreat();
    }

    /// The largest packet of the path is now `mtu` bytes.
    pub(crate) fn on_mtu(&mut self, mtu: u64) {
        self.algorithm.on_mtu(mtu);
        self.resume.on_mtu(mtu);
    }

    /// Bytes that may be in flight; at least two packets.
    pub(crate) fn window(&self) -> u64 {
        self.resume.window(self.algorithm.window())
    }

    /// Whether the rate of the path is still being looked for.
    pub(crate) fn in_slow_start(&self) -> bool {
        self.algorithm.in_slow_start()
    }

    /// The rate to send at, in bytes a second; never zero.
    pub(crate) fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        self.resume.pacing_rate(self.algorithm.pacing_rate(rtt))
    }
}
