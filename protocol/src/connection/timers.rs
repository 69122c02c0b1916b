//! What happens when nothing does.

use core::time::Duration;

use super::{Connection, State, handshake::Handshake};
use crate::{
    CloseReason, Instant,
    exchange::{Outbox, Role},
};

/// An idle client is heard of this often, so that NATs on the way keep it in mind: most forget UDP after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A client that waits for bytes asks after so many probe timeouts of silence, and no sooner than this.
const ASK_PTOS: u32 = 3;
const MIN_ASK: Duration = Duration::from_secs(1);
/// A client with an exchange repeats its last acknowledgement after a quarter of a round trip of silence, and no sooner than this:
/// below it, it is the server's disk that pauses.
const MIN_SHOW: Duration = Duration::from_millis(5);
/// So often, each time after twice the silence: then it is a round trip, and probes take over.
const MAX_SHOWS: u32 = 3;
/// Packets that a probe timeout sends (RFC 9002, section 6.2.4).
const PROBES: u32 = 2;

impl Connection {
    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(Handshake::Greeting(greeting)) => Some(greeting.next_timeout()),
            State::Handshake(Handshake::Answering(answering)) => Some(answering.deadline),
            State::Established { finish } => {
                let recovery = self.recovery.deadline(self.path.pto());
                // What cannot be sent is not waited for: only a packet from the peer changes that.
                let acks = self.acks.due().filter(|_| !self.is_silenced());
                let finish = finish.as_ref().map(|finish| finish.next_at);
                let (migration, check) = (self.migration.deadline(), self.exchanges.next_check());
                let (paced, keep_alive) = (self.paced_until, self.keep_alive_at());
                let show = self.show_at();
                let timers = [recovery, acks, finish, paced, keep_alive, show, migration, check];
                timers.into_iter().flatten().chain([self.lost_at().0]).min()
            }
            State::Closing(closing) => closing.until,
            State::Dead => None,
        }
    }

    /// Lets the timers that are due fire.
    pub(crate) fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        match &self.state {
            State::Handshake(Handshake::Greeting(greeting)) => {
                if let Some(reason) = greeting.given_up(now) {
                    self.die(Some(reason), outbox);
                }
            }
            State::Handshake(Handshake::Answering(answering)) => {
                if now >= answering.deadline {
                    // The application never heard of it.
                    self.die(None, outbox);
                }
            }
            State::Established { .. } => self.handle_established_timeout(now, outbox),
            State::Closing(closing) => {
                if closing.until.is_some_and(|until| now >= until) {
                    self.die(None, outbox);
                }
            }
            State::Dead => {}
        }
    }

    fn handle_established_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        let (lost_at, silence) = self.lost_at();
        if now >= lost_at {
            self.die(Some(CloseReason::Silence(silence)), outbox);
            return;
        }
        if self.recovery.is_loss_time(now) {
            self.detect_losses(now, outbox);
        } else if self.recovery.deadline(self.path.pto()).is_some_and(|at| now >= at) {
            self.on_probe_timeout(now);
        }
        if self.keep_alive_at().is_some_and(|at| now >= at) {
            self.ping = true;
            self.liveness.asked = self.liveness.asked.saturating_add(1);
            // The next one counts from here even if this one cannot be sent.
            self.liveness.last_eliciting_sent = now;
        }
        if self.show_at().is_some_and(|at| now >= at) {
            self.acks.hurry(now);
            self.liveness.shown = self.liveness.shown.saturating_add(1);
        }
        self.exchanges.check_progress(now, outbox);
        if self.migration.deadline().is_some_and(|at| now >= at) {
            self.end_validation(now);
        }
        if let Some(due) = self.paced_until.take_if(|due| *due <= now) {
            self.path.on_late(due, now, self.recovery.in_flight());
        }
    }

    fn on_probe_timeout(&mut self, now: Instant) {
        self.probes = PROBES;
        self.ping = true;
        let Self { recovery, repeats, exchanges, .. } = self;
        recovery.on_probe_timeout(now, PROBES as usize, |number, packet| {
            repeats.of(number).for_each(|repeat| exchanges.on_repeat_lost(repeat));
            if let Some(chunk) = &packet.contents.chunk {
                exchanges.on_chunk_lost(chunk);
            }
            if packet.contents.credit {
                exchanges.repeat_credit();
            }
            // A PING has nothing to repeat, nor has what arrived by another packet.
            exchanges.has_work()
        });
    }

    /// When the peer counts as lost, and the time that was not heard from it by then.
    fn lost_at(&self) -> (Instant, Duration) {
        let timeout = self.liveness.idle_timeout;
        let silent = self.liveness.last_received + timeout;
        if self.recovery.expects_ack() {
            // It may speak and never acknowledge.
            let progress = self.recovery.last_progress() + timeout;
            return (silent.min(progress), timeout);
        }
        (silent, timeout)
    }

    /// When a client shows where it is: a NAT may have changed its port, so that nothing of what it waits for finds it. Its packets
    /// alone tell the server, and without an answer there may be nothing that it would send for long.
    fn show_at(&self) -> Option<Instant> {
        let shown = self.liveness.shown;
        if self.role != Role::Client || shown >= MAX_SHOWS || self.exchanges.is_idle() {
            return None;
        }
        let silence = (self.path.rtt.smoothed() / 4).max(MIN_SHOW);
        Some(self.liveness.last_received + silence * (1 << shown))
    }

    /// When a client should make itself heard.
    fn keep_alive_at(&self) -> Option<Instant> {
        if self.role != Role::Client || self.recovery.expects_ack() {
            return None;
        }
        let interval = if self.exchanges.is_idle() {
            KEEP_ALIVE
        } else {
            let asked = (self.path.pto() * ASK_PTOS).max(MIN_ASK);
            asked.saturating_mul(1 << self.liveness.asked.min(4)).min(KEEP_ALIVE)
        };
        let since = self.liveness.last_received.max(self.liveness.last_eliciting_sent);
        Some(since + interval)
    }
}
