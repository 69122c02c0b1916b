//! Packets in: opened, obeyed, acknowledged.

use core::time::Duration;

use super::{Connection, Path, State, path::EcnState};
use crate::{
    CloseCode, CloseReason, Datagram, Ecn, Instant, OpenError, Protect, Violation, Write,
    acks::MAX_ACK_DELAY,
    congestion::{Acked, Lost, Marked},
    exchange::{Outbox, Role},
    recovery::LossOutcome,
    trace::TraceEvent,
    wire::{
        frame::{Ack, Frame, Frames},
        packet::DATA_HEADER,
    },
};

/// What a packet came to.
#[derive(Debug, Default)]
struct Obeyed<'d> {
    write: Option<Write<'d>>,
    /// Its body's exchange, which may be complete now.
    body_of: Option<u64>,
    eliciting: bool,
    /// It carried what cannot be taken now, and has to come again.
    refused: bool,
    acks: u32,
}

impl Connection {
    /// Takes in a protected packet.
    pub(crate) fn handle_packet<'d>(
        &mut self,
        now: Instant,
        number: u64,
        datagram: Datagram<'d>,
        outbox: &mut Outbox,
    ) -> Option<Write<'d>> {
        match &mut self.state {
            State::Established { .. } => {}
            State::Handshake(_) => {
                self.hold(number, datagram.payload);
                return None;
            }
            State::Closing(closing) => {
                closing.due = true;
                return None;
            }
            State::Dead => return None,
        }
        let Datagram { remote, local, ecn, payload } = datagram;
        if self.acks.is_duplicate(number)
            || (self.role == Role::Client && remote != self.path.remote)
        {
            return None;
        }
        let len = payload.len();
        let payload = match self.protection.open(number, DATA_HEADER, payload) {
            Ok(payload) => payload,
            Err(OpenError::IntegrityLimit) => {
                self.give_up_keys(outbox);
                return None;
            }
            Err(OpenError::Forged) => return None,
        };
        if remote != self.path.remote && Some(number) > self.acks.largest() {
            self.on_new_address(now, remote, local);
        }
        if remote == self.path.remote {
            self.path.local = local;
            self.path.on_received(len);
            if self.role == Role::Client {
                self.down.on_bytes(now, len as u64, self.path.rtt.smoothed());
            }
        }
        self.receive(now, number, payload, ecn, true, outbox)
    }

    /// Takes in a packet that had to wait for the handshake. It has no place to write to.
    pub(super) fn receive_held(
        &mut self,
        now: Instant,
        number: u64,
        packet: &mut [u8],
        outbox: &mut Outbox,
    ) {
        if let Ok(payload) = self.protection.open(number, DATA_HEADER, packet)
            && !self.acks.is_duplicate(number)
            && matches!(self.state, State::Established { .. })
        {
            let none = self.receive(now, number, payload, None, false, outbox);
            debug_assert!(none.is_none(), "bodies are refused");
        }
    }

    fn receive<'d>(
        &mut self,
        now: Instant,
        number: u64,
        payload: &'d [u8],
        ecn: Option<Ecn>,
        bodies: bool,
        outbox: &mut Outbox,
    ) -> Option<Write<'d>> {
        self.liveness.last_received = now;
        self.liveness.asked = 0;
        self.liveness.shown = 0;
        self.counters.packets_received = self.counters.packets_received.saturating_add(1);
        if let State::Established { finish } = &mut self.state {
            // The server speaks, so it has the FINISH.
            *finish = None;
        }
        let mut obeyed = Obeyed::default();
        for frame in Frames::new(payload) {
            let result = match frame {
                Ok(Frame::Data { .. }) if !bodies => {
                    obeyed.refused = true;
                    Ok(())
                }
                Ok(frame) => self.obey(now, frame, &mut obeyed, outbox),
                Err(_) => Err(Violation::Frame),
            };
            if let Err(violation) = result {
                self.violate(violation, outbox);
                break;
            }
            if !self.is_established() {
                break;
            }
        }
        let size =
            DATA_HEADER.saturating_add(payload.len()).saturating_add(self.protection.tag_len());
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        self.tracer.note(now, TraceEvent::Received { number, size });
        if obeyed.acks > 0 {
            self.trace_path(now);
        }
        if !obeyed.refused {
            let rtt = self.path.rtt.smoothed();
            self.acks.on_received(now, number, obeyed.eliciting, ecn, rtt);
        }
        if let Some(exchange) = obeyed.body_of {
            self.exchanges.after_data(exchange, outbox);
        }
        obeyed.write
    }

    fn obey<'d>(
        &mut self,
        now: Instant,
        frame: Frame<'d>,
        obeyed: &mut Obeyed<'d>,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        obeyed.eliciting |= !matches!(frame, Frame::Padding | Frame::Ack(_) | Frame::Close { .. });
        match frame {
            Frame::Padding | Frame::Ping => {}
            Frame::Ack(ack) => {
                // One a packet, so that work is bounded by the packet's length and the window together.
                if obeyed.acks > 0 {
                    return Err(Violation::Frame);
                }
                obeyed.acks = 1;
                self.on_ack(now, &ack, outbox)?;
            }
            Frame::Message { exchange, offset, fin, bytes } => {
                self.exchanges.on_message_frame(exchange, offset, fin, bytes, outbox)?;
            }
            Frame::Data { exchange, offset, bytes } => {
                match self.exchanges.on_data_frame(exchange, offset, bytes)? {
                    None => obeyed.refused = true,
                    Some(write) => {
                        obeyed.write = write;
                        obeyed.body_of = Some(exchange);
                    }
                }
            }
            Frame::Credit(credit) => self.exchanges.on_credit(&credit),
            Frame::BodyCredit { exchange, limit } => self.exchanges.on_body_credit(exchange, limit),
            Frame::Reset(reset) => self.exchanges.on_reset(&reset, outbox)?,
            Frame::PathChallenge(token) => self.path.on_challenge(token),
            Frame::PathResponse(token) => self.on_path_response(now, token),
            Frame::Close { code } => {
                self.die(Some(CloseReason::Peer(CloseCode::from_code(code))), outbox);
            }
        }
        Ok(())
    }

    fn on_ack(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        let Self { recovery, repeats, exchanges, acks, path, migration, tracer, up, .. } = self;
        tracer.note_ack(now, ack.ranges());
        let is_watched = tracer.is_watched();
        let outcome = recovery
            .on_ack(now, ack, |number, packet, fate| {
                if is_watched {
                    tracer.note(now, TraceEvent::Acked { number });
                }
                let fate = (number, packet, fate);
                Self::apply_fate((exchanges, acks, (path, migration), repeats), outbox, now, fate);
            })
            .map_err(|_| Violation::AckUnsent)?;
        if let Some(sample) = outcome.rtt_sample {
            let delay = Duration::from_micros(ack.delay).min(MAX_ACK_DELAY);
            path.rtt.update(sample, delay, now);
        }
        if !outcome.progress {
            return Ok(());
        }
        // Whatever probes were still to be sent have been answered.
        self.probes = 0;
        if let Some((largest, largest_sent_at)) = outcome.newest.filter(|_| outcome.bytes > 0) {
            let rate = path.delivery.sample(path.rtt.min());
            up.on_bytes(now, outcome.bytes, path.rtt.smoothed());
            path.congestion.on_acked(&Acked {
                now,
                bytes: outcome.bytes,
                largest,
                largest_sent_at,
                in_flight: recovery.in_flight(),
                app_limited: path.app_limited,
                rtt: &path.rtt,
                rate,
            });
        }
        let news = (outcome.ecn_marked, outcome.newest.map(|(_, sent_at)| sent_at));
        path.on_ecn_counts(now, ack.ecn, news, recovery.in_flight());
        self.detect_losses(now, outbox);
        Ok(())
    }

    /// Finds lost packets, and tells all who care.
    pub(super) fn detect_losses(&mut self, now: Instant, outbox: &mut Outbox) {
        let pto = self.path.pto();
        let Self { recovery, repeats, exchanges, acks, path, migration, counters, tracer, .. } =
            self;
        let rtt = path.rtt.clone();
        let outcome = recovery.detect_losses(now, &rtt, pto, |number, packet, fate| {
            tracer.note(now, TraceEvent::Lost { number });
            let fate = (number, packet, fate);
            Self::apply_fate((exchanges, acks, (path, migration), repeats), outbox, now, fate);
        });
        repeats.forget_below(recovery.base());
        counters.packets_lost = counters.packets_lost.saturating_add(outcome.packets);
        if let LossOutcome { bytes, newest: Some((largest, largest_sent_at)), persistent, .. } =
            outcome
        {
            path.congestion.on_lost(&Lost {
                now,
                bytes,
                largest,
                largest_sent_at,
                in_flight: recovery.in_flight(),
                persistent,
                next_number: recovery.next_number(),
            });
            if persistent {
                path.rtt.forget_min();
            }
        }
    }
}

impl Path {
    /// Takes in the peer's counts of marks: `marked` of the packets that they newly acknowledge went out marked
    /// (RFC 9000, section 13.4.2), and the newest of those that took this path was sent at that time.
    fn on_ecn_counts(
        &mut self,
        now: Instant,
        counts: Option<[u64; 3]>,
        (marked, sent_at): (u64, Option<Instant>),
        in_flight: u64,
    ) {
        let EcnState::Marking { ect0: known_ect0, ce: known_ce } = self.ecn else { return };
        let Some([ect0, _, ce]) = counts else {
            if marked > 0 {
                self.ecn = EcnState::Off;
            }
            return;
        };
        let news = ect0.saturating_add(ce).saturating_sub(known_ect0.saturating_add(known_ce));
        if news < marked {
            // Marks vanish on the way.
            self.ecn = EcnState::Off;
            return;
        }
        self.ecn = EcnState::Marking { ect0: ect0.max(known_ect0), ce: ce.max(known_ce) };
        let packets = ce.saturating_sub(known_ce);
        if let Some(largest_sent_at) = sent_at.filter(|_| packets > 0) {
            self.congestion.on_ecn(&Marked { now, packets, largest_sent_at, in_flight });
        }
    }
}
