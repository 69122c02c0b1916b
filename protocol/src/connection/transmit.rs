//! Packets out: what goes next, as far as window, pacer and credit allow.

mod frames;

use super::{
    Connection, State,
    handshake::Handshake,
    packet::{self, Batch, PacketBuilder},
    path::{EcnState, MIN_ALLOWANCE},
};
use crate::{
    Ecn, Event, Instant, Protect, Source, Transmit,
    congestion::Sent,
    exchange::{Lack, Outbox},
    recovery::{Contents, PathId, Repeat, SentPacket},
    spent::Cause,
    trace::TraceEvent,
    wire::{frame, packet::MIN_DATAGRAM},
};

/// A probe for a larger packet size takes at most one in so many bytes of what the window has left.
const PROBE_SHARE: u64 = 2;
/// From so many probe timeouts in a row on, packets are of the size that every path carries: the path may have
/// become one of smaller packets.
const SMALL_AFTER_PTOS: u32 = 2;
/// A side that only acknowledges asks for an acknowledgement itself after so many packets and a round trip. It must be more
/// than one, or two idle sides would ask each other for ever (RFC 9000, section 13.2.4).
const QUIET_PACKETS: u32 = 8;

/// The last packet numbers are for CLOSE: as many as it is sent, what one batch or call may use up, and as many again that
/// may be left out.
const RESERVED_NUMBERS: u64 = 2 * (super::MAX_CLOSES as u64 + packet::MAX_SEGMENTS as u64);

/// Bytes of a CLOSE frame: its type and a code.
const LONGEST_CLOSE: usize = 9;

/// What was written into a packet so far.
#[derive(Debug, Default)]
struct Draft {
    contents: Contents,
    eliciting: bool,
    /// The exchange whose opening message is in this packet.
    opened: Option<u64>,
    /// Body bytes, and whether they go again.
    chunk: Option<(u64, bool)>,
    /// It does not go to the peer's address, but to where it was.
    elsewhere: bool,
}

/// What became of a packet that body bytes were looked for.
enum Written<'b> {
    /// It can take more, or be sealed: with or without such bytes.
    Open(PacketBuilder<'b>),
    /// It is sealed with bytes that its source lent, unless that failed.
    Sealed(Option<usize>),
}

impl Connection {
    /// Writes the next datagrams into `out`.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        source: &mut impl Source,
        out: &mut [u8],
        outbox: &mut Outbox,
    ) -> Option<Transmit> {
        let left = self.protection.max_number().saturating_sub(self.recovery.next_number());
        if left < RESERVED_NUMBERS && self.is_established() {
            self.give_up_keys(outbox);
        }
        match &mut self.state {
            State::Handshake(handshake) => {
                let len = match handshake {
                    Handshake::Greeting(greeting) => greeting.poll(now, self.own_id, out)?,
                    Handshake::Answering(answering) => answering.poll(now, self.peer_id, out)?,
                };
                Some(self.single(now, len, false))
            }
            State::Established { .. } => {
                self.exchanges.watch_progress(now);
                let transmit = self
                    .poll_finish(now, out)
                    .or_else(|| self.poll_former(now, out))
                    .or_else(|| self.poll_mtu_probe(now, out))
                    .or_else(|| self.poll_batch(now, source, out, outbox));
                let cause = if transmit.is_some() { Cause::Busy } else { self.cause(now) };
                self.ledger.note(now, cause);
                transmit
            }
            State::Closing(_) => self.poll_close(now, out, outbox),
            State::Dead => None,
        }
    }

    /// A datagram outside of loss recovery.
    fn single(&mut self, now: Instant, len: usize, marked: bool) -> Transmit {
        self.path.on_sent(now, len, false);
        self.transmit(len, len, marked)
    }

    fn transmit(&self, len: usize, segment_len: usize, marked: bool) -> Transmit {
        let ecn = marked.then_some(Ecn::Ect0);
        Transmit { remote: self.path.remote, local: self.path.local, ecn, len, segment_len }
    }

    fn poll_finish(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let State::Established { finish: Some(finish) } = &mut self.state else { return None };
        let len = finish.poll(now, self.peer_id, out)?;
        Some(self.single(now, len, false))
    }

    fn poll_close(
        &mut self,
        now: Instant,
        out: &mut [u8],
        outbox: &mut Outbox,
    ) -> Option<Transmit> {
        let pto = self.path.pto();
        let State::Closing(closing) = &mut self.state else { return None };
        if !closing.due || closing.left == 0 {
            return None;
        }
        closing.due = false;
        closing.left -= 1;
        let blocked = self.path.is_blocked();
        let closing_time = (pto * super::CLOSING_PTOS).min(super::MAX_CLOSING);
        closing.until.get_or_insert(now + closing_time);
        if !core::mem::replace(&mut closing.told, true) {
            outbox.events.push_back(Event::Closed(self.handle, closing.reason));
        }
        if blocked {
            return None;
        }
        let (code, last_words) = (closing.code.code(), &closing.last_words);
        let number = self.recovery.next_number();
        // An address that is not validated gets no more.
        let most = if last_words.is_empty() { MIN_ALLOWANCE as usize } else { MIN_DATAGRAM };
        let buf = out.get_mut(..most)?;
        let tag_len = self.protection.tag_len();
        let mut builder = PacketBuilder::new(buf, self.peer_id, number, tag_len)?;
        if self.acks.due().is_some() || !last_words.is_empty() {
            // What the peer does not hear now it never hears: it would take what arrived for lost.
            let rest = LONGEST_CLOSE.saturating_add(last_words.len());
            let room = builder.room().saturating_sub(rest);
            builder.frame(|w| {
                self.acks.write(now, w, room);
            });
        }
        builder.frame(|w| w.bytes(last_words));
        builder.frame(|w| frame::write_close(w, code));
        let len = builder.seal(&mut self.protection)?;
        self.commit(now, len, &Draft::default());
        Some(self.transmit(len, len, false))
    }

    /// Asks whether the peer still is where it was.
    fn poll_former(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let (token, remote, local) = self.migration.due()?;
        let number = self.recovery.next_number();
        let buf = out.get_mut(..MIN_DATAGRAM)?;
        let tag_len = self.protection.tag_len();
        let mut builder = PacketBuilder::new(buf, self.peer_id, number, tag_len)?;
        builder.frame(|w| frame::write_path_challenge(w, token));
        let len = builder.seal(&mut self.protection)?;
        self.repeats.note(number, Repeat::FormerChallenge);
        self.commit(now, len, &Draft { eliciting: true, elsewhere: true, ..Draft::default() });
        self.migration.on_asked();
        Some(Transmit { remote, local, ecn: None, len, segment_len: len })
    }

    /// Probes for a larger packet size, in a datagram of its own.
    fn poll_mtu_probe(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        // A path whose window is not even open has other worries.
        if !self.has_window(now) || self.path.allowance() != u64::MAX {
            return None;
        }
        // In a window that is not much larger a probe would be all that is sent in a round trip, and again if it is lost.
        let window = self.path.congestion.window().saturating_sub(self.recovery.occupied(now));
        let limit = (window / PROBE_SHARE).min(out.len() as u64);
        let size = self.path.mtu.poll_probe(now, limit)?;
        let number = self.recovery.next_number();
        let buf = out.get_mut(..usize::from(size))?;
        let tag_len = self.protection.tag_len();
        let mut builder = PacketBuilder::new(buf, self.peer_id, number, tag_len)?;
        builder.frame(frame::write_ping);
        builder.pad_to(usize::from(size));
        let len = builder.seal(&mut self.protection)?;
        let contents = Contents { mtu_probe: true, ..Contents::default() };
        let draft = Draft { contents, eliciting: true, ..Draft::default() };
        self.path.mtu.on_probe_sent(number, size);
        self.commit(now, len, &draft);
        Some(self.transmit(len, len, false))
    }

    fn poll_batch(
        &mut self,
        now: Instant,
        source: &mut impl Source,
        out: &mut [u8],
        outbox: &mut Outbox,
    ) -> Option<Transmit> {
        let small = self.recovery.pto_count() >= SMALL_AFTER_PTOS;
        let segment = if small { MIN_DATAGRAM } else { usize::from(self.path.mtu.current()) };
        let marked = matches!(self.path.ecn, EcnState::Marking { .. });
        let paced = self.paced_budget(now);
        let mut batch = Batch::new(out, segment);
        loop {
            let sent = batch.len() as u64;
            let free = self.probes > 0 || (self.has_window(now) && sent < paced);
            let allowance = usize::try_from(self.path.allowance()).unwrap_or(usize::MAX);
            let Some(slot) = batch.slot().filter(|_| !self.is_silenced()) else { break };
            let room = slot.len().min(allowance);
            let Some(slot) = slot.get_mut(..room) else { break };
            let Some(len) = self.build(now, source, slot, free, marked, outbox) else {
                self.note_limit(now, free, paced > sent);
                break;
            };
            batch.push(len);
        }
        let (len, segment_len) = (batch.len(), batch.segment_len());
        (len > 0).then(|| self.transmit(len, segment_len, marked))
    }

    /// Whether the peer has to say more before it gets even an acknowledgement.
    pub(super) fn is_silenced(&self) -> bool {
        self.path.is_blocked() || (self.recovery.is_full() && self.probes == 0)
    }

    /// Bytes that the pacer lets go now; if none, notes when it will.
    fn paced_budget(&mut self, now: Instant) -> u64 {
        let paced = self.path.next_send(now);
        let next = self.window_opens(now).map(|open| paced.map_or(open, |paced| open.max(paced)));
        self.paced_until = next.filter(|at| *at > now && self.exchanges.has_work());
        if paced.is_some() { 0 } else { self.path.paced(now) }
    }

    /// Whether the congestion window has room for a packet.
    fn has_window(&self, now: Instant) -> bool {
        let packet = u64::from(self.path.mtu.current());
        self.recovery.occupied(now).saturating_add(packet) <= self.path.congestion.window()
    }

    /// When it has, unless it takes an acknowledgement.
    fn window_opens(&self, now: Instant) -> Option<Instant> {
        if self.has_window(now) {
            return Some(now);
        }
        let packet = u64::from(self.path.mtu.current());
        let others = self.path.congestion.window().checked_sub(packet)?;
        self.recovery.clears_at(now, others)
    }

    /// Notes what kept a packet from being sent: us, or the path.
    fn note_limit(&mut self, now: Instant, free: bool, paced: bool) {
        if !free && !self.has_window(now) && self.exchanges.has_work() {
            self.path.hold();
        }
        if free {
            self.path.on_idle();
            self.path.delivery.on_app_limited(self.recovery.in_flight());
        } else if !paced || self.exchanges.has_work() {
            self.path.app_limited = false;
        }
    }

    /// Why there is no packet to send now.
    fn cause(&self, now: Instant) -> Cause {
        let is_held = self.paced_until.is_some() || !self.has_window(now) || self.is_silenced();
        if is_held && self.exchanges.has_work() {
            return Cause::Path;
        }
        match self.exchanges.lacks() {
            Some(Lack::Credit) => Cause::Credit,
            Some(Lack::Source) => Cause::Source,
            // What is under way has to arrive, and that may be all that is waited for.
            None if self.recovery.in_flight() > 0 => Cause::Path,
            None => Cause::Idle,
        }
    }

    /// Builds one packet; `free`: it may ask for an acknowledgement.
    fn build(
        &mut self,
        now: Instant,
        source: &mut impl Source,
        slot: &mut [u8],
        free: bool,
        marked: bool,
        outbox: &mut Outbox,
    ) -> Option<usize> {
        let number = self.recovery.next_number();
        let tag_len = self.protection.tag_len();
        let mut builder = PacketBuilder::new(slot, self.peer_id, number, tag_len)?;
        let mut draft = Draft::default();
        self.write_acks(now, &mut builder, &mut draft);
        self.write_path_frames(&mut builder, &mut draft);
        if free {
            self.write_limits(&mut builder, &mut draft);
            self.write_messages(&mut builder, &mut draft);
            match self.write_chunk(source, builder, &mut draft, outbox) {
                Written::Open(open) => builder = open,
                Written::Sealed(len) => {
                    draft.contents.ecn = marked;
                    let len = len?;
                    self.commit(now, len, &draft);
                    return Some(len);
                }
            }
        }
        // Whoever only acknowledges has to learn now and then which acknowledgements arrived.
        let silent = now.saturating_since(self.liveness.last_eliciting_sent);
        let told = draft.contents.acked.is_some()
            && silent >= self.path.rtt.smoothed()
            && self.liveness.quiet_packets >= QUIET_PACKETS;
        if !draft.eliciting && (self.ping || self.probes > 0 || told) {
            draft.eliciting = builder.frame(frame::write_ping);
        }
        if builder.is_empty() {
            return None;
        }
        draft.contents.ecn = marked && draft.eliciting;
        let len = builder.seal(&mut self.protection)?;
        self.commit(now, len, &draft);
        Some(len)
    }

    /// Takes in that a packet is on its way.
    fn commit(&mut self, now: Instant, len: usize, draft: &Draft) {
        let in_flight = self.recovery.in_flight();
        let stamp = self.path.delivery.on_sent(now, in_flight);
        let path = if draft.elsewhere { PathId::ELSEWHERE } else { self.path.id };
        let size = u16::try_from(len).unwrap_or(u16::MAX);
        let number = self.recovery.next_number();
        let packet = SentPacket::new(now, size, draft.eliciting, draft.contents, (stamp, path));
        self.recovery.on_sent(packet);
        if self.tracer.is_watched() {
            self.trace_sent(now, number, size, draft);
        }
        self.recovery.skip(|| self.dice.next());
        self.counters.packets_sent = self.counters.packets_sent.saturating_add(1);
        if let Some((bytes, again)) = draft.chunk {
            let counter =
                if again { &mut self.counters.body_resent } else { &mut self.counters.body_sent };
            *counter = counter.saturating_add(bytes);
        }
        self.liveness.quiet_packets = match draft.eliciting {
            true => 0,
            false => self.liveness.quiet_packets.saturating_add(1),
        };
        if draft.elsewhere {
            return;
        }
        // Probes for larger packets, which mostly get lost, take no time from those that are needed.
        self.path.on_sent(now, len, draft.eliciting && !draft.contents.mtu_probe);
        if draft.eliciting {
            let in_flight = self.recovery.in_flight();
            let bytes = u64::from(size);
            self.path.congestion.on_sent(&Sent { now, number, bytes, in_flight });
            self.liveness.last_eliciting_sent = now;
            self.probes = self.probes.saturating_sub(1);
            self.ping = false;
        }
    }

    #[cold]
    fn trace_sent(&mut self, now: Instant, number: u64, size: u16, draft: &Draft) {
        let chunk = draft.contents.chunk.map(|chunk| (chunk.exchange, chunk.offset, chunk.len));
        let eliciting = draft.eliciting;
        self.tracer.note(now, TraceEvent::Sent { number, size, eliciting, chunk });
    }
}
