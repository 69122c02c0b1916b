//! One direction: packets are read from one TUN, meet the link, and are written to the other.

use gannet_driver_mio::netem::{Link, LinkConfig};
use gannet_protocol::Instant;
use std::{
    fs::File,
    io::{self, Read, Write},
    time,
};

/// Packets taken from one side before the other side and the timers get a turn.
const READ_BATCH: usize = 64;

/// No IP packet is larger.
const MOST_PACKET_BYTES: usize = 65_535;

pub(crate) struct Direction<'a> {
    from: &'a File,
    to: &'a File,
    link: Link<()>,
    start: time::Instant,
    buffer: Vec<u8>,
    write_errors: u64,
    unwritten_bytes: u64,
    late_peak_us: u128,
}

impl<'a> Direction<'a> {
    pub(crate) fn new(
        from: &'a File,
        to: &'a File,
        config: LinkConfig,
        start: time::Instant,
    ) -> Self {
        Self {
            from,
            to,
            link: Link::new(config),
            start,
            buffer: vec![0; MOST_PACKET_BYTES],
            write_errors: 0,
            unwritten_bytes: 0,
            late_peak_us: 0,
        }
    }

    /// Takes what has come, as far as a batch goes.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        for _ in 0..READ_BATCH {
            let now = self.now();
            match self.from.read(&mut self.buffer) {
                Ok(len) => self.link.offer(now, (), self.buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes every packet whose time has come.
    pub(crate) fn deliver(&mut self) {
        while let Some(due) = self.link.next_due() {
            let now = self.now();
            let Some(((), packet)) = self.link.take_due(now) else { break };
            self.late_peak_us = self.late_peak_us.max(now.saturating_since(due).as_micros());
            if self.to.write(&packet).is_err() {
                self.write_errors += 1;
                self.unwritten_bytes += packet.len() as u64;
            }
            self.link.recycle(packet);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.link.next_due()
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The counters as a JSON object.
    pub(crate) fn json(&self) -> String {
        let mut counters = *self.link.counters();
        counters.delivered -= self.write_errors;
        counters.delivered_bytes -= self.unwritten_bytes;
        let counted = counters.fields().map(|(name, count)| format!("\"{name}\":{count}"));
        format!(
            "{{{},\"write_errors\":{},\"late_peak_us\":{}}}",
            counted.join(","),
            self.write_errors,
            self.late_peak_us
        )
    }
}
