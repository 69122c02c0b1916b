//! What a client's thread does with what comes in: from the server, from the disk, and with time.

use gannet_protocol::{BodyId, CloseReason, Event, ExchangeId, Instant, Status};

use super::{Answer, FEW_JOBS, Heard, Hub, Worker};
use crate::{
    client::{failure::Failure, phase::Phase, phases::Doing, task::Stage},
    event_loop::{Outcome, Role},
};

impl Role for Worker {
    type Done = Answer;

    fn handle_event(&mut self, hub: &mut Hub, now: Instant, event: Event) {
        match event {
            Event::Connected(_) => {
                self.phase = Phase::Open;
                self.diary.note(now, Doing::Nothing);
                self.tracing.begin(self.remote, now);
            }
            Event::Closed(_, reason) => self.lose(now, reason, false),
            Event::Reply { exchange, reply, .. } => self.answered(hub, now, exchange, reply),
            Event::Finished(exchange) => {
                if let Some(task) = self.jobs.end(exchange) {
                    // It ended without an answer that fits.
                    task.fail(Failure::Remote { status: Status::Unsupported, detail: 0 });
                }
            }
            Event::Failed { exchange, status, detail } => {
                if let Some(task) = self.jobs.end(exchange) {
                    task.fail(task.remote_failure(status, detail));
                }
            }
            // Requests come to servers; the loop keeps what concerns bodies.
            Event::Request { .. }
            | Event::Note { .. }
            | Event::Held { .. }
            | Event::Released { .. } => {}
        }
    }

    fn handle_outcome(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        exchange: ExchangeId,
        _body: BodyId,
        outcome: Outcome,
    ) {
        let Some(number) = self.jobs.number(exchange) else { return };
        let Some(task) = self.jobs.get_mut(number) else { return };
        match outcome {
            Outcome::Read(read) => {
                if let Stage::Asked { hash, .. } = &mut task.stage {
                    *hash = Some(read);
                }
            }
            Outcome::Stored(received) => {
                task.fetched(now, received);
                hub.finish(exchange);
                self.conclude(hub, exchange, number, Ok(()), Status::Io);
            }
            Outcome::Collected(bytes) => {
                let result = task.listed(&bytes);
                if result.is_ok() {
                    hub.finish(exchange);
                }
                self.conclude(hub, exchange, number, result, Status::Corrupt);
            }
            Outcome::Failed(status) => self.fail_here(hub, number, status),
        }
    }

    fn handle_done(&mut self, hub: &mut Hub, now: Instant, answer: Answer) {
        match answer {
            Answer::Opened(number, Ok(opened)) => self.opened(hub, now, number, opened),
            Answer::Opened(number, Err(status)) => self.fail_here(hub, number, status),
            Answer::Partial(exchange, partial) => match hub.body(exchange) {
                Some(body) => hub.transfers.open(now, body, partial),
                None => hub.discard(partial),
            },
        }
    }

    fn handle_refused(&mut self, hub: &mut Hub, now: Instant, count: u32) {
        let heard = self.stats(hub).map_or(0, |stats| stats.packets_received);
        if self.refusals.add(now, count, heard) && self.phase == Phase::Open {
            let silence = now.saturating_since(self.heard.last);
            self.lose(now, CloseReason::Silence(silence), true);
        }
    }

    fn handle_turn(&mut self, hub: &mut Hub, now: Instant) {
        if matches!(self.phase, Phase::Connecting { .. } | Phase::Over(_)) {
            return;
        }
        if let Some(stats) = self.stats(hub)
            && stats.packets_received != self.heard.packets
        {
            self.heard = Heard { packets: stats.packets_received, last: now };
            self.fate.hear();
            self.jobs.unblock();
        }
        self.trace(hub);
        self.take_commands(hub, now);
        if self.heard.packets > 0 {
            for tell in self.confirming.drain(..) {
                let _ = tell.send(());
            }
        }
        self.begin_queued(hub, now);
        let is_due = self.metering.is_due(now);
        if is_due {
            self.update_meters(hub);
        }
        if is_due || self.jobs.len() <= FEW_JOBS {
            self.diary.note(now, self.doing(hub));
        }
        self.advance(hub, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let metering = self.metering.timeout().filter(|_| self.phase == Phase::Open);
        let other = self.phase.deadline().or_else(|| self.jobs.retry_at());
        metering.into_iter().chain(other).min()
    }
}
