//! One end of a simulated world.

use gannet_protocol::{Config, Datagram, Endpoint, Instant, Transmit};

use crate::{
    disk::{Disk, Stepped},
    event_loop::{Engine, Role},
    transfer::Transfers,
};

/// Bytes of the datagrams that are written at once.
const BATCH: usize = 10 * gannet_protocol::MAX_DATAGRAM;
/// Rounds of a turn after which something is taken to go in circles.
const MAX_ROUNDS: usize = 100_000;

/// Takes datagrams that go out, all of those that are written at once.
pub type Send<'a> = &'a mut dyn FnMut(&Transmit, &[u8]);

/// One end of a simulated world: it is given datagrams and the time, and gives datagrams.
pub trait Host {
    /// Takes a datagram.
    fn receive(&mut self, now: Instant, datagram: Datagram<'_>);

    /// Does all that there is to be done by `now`.
    fn turn(&mut self, now: Instant, send: Send<'_>);

    /// When there is something to be done next, if no datagram comes.
    fn next_timeout(&mut self) -> Option<Instant>;
}

/// What a server and a client have in common.
#[derive(Debug)]
pub(crate) struct Side<R: Role> {
    pub(crate) engine: Engine<R>,
    out: Vec<u8>,
}

impl<R: Role> Side<R> {
    pub(crate) fn new(config: Config, seed: [u8; 32], role: R) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = seed;
        let disk = Disk::Stepped(Stepped::new(u64::from_le_bytes([a, b, c, d, e, f, g, h])));
        let engine = Engine::new(Endpoint::new(config, seed), disk, role);
        Self { engine, out: vec![0; BATCH] }
    }

    /// Lets it have little memory for bodies.
    pub(crate) fn tighten(&mut self) {
        self.engine.parts().0.transfers = Transfers::with_little_memory();
    }

    pub(crate) fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.engine.handle_datagram(now, datagram);
    }

    /// # Panics
    /// If it never has done all.
    pub(crate) fn turn(&mut self, now: Instant, send: Send<'_>) {
        self.engine.parts().0.advance_disk(now);
        for _ in 0..MAX_ROUNDS {
            let mut progress = self.engine.collect(now);
            self.engine.tell_time(now);
            progress |= self.engine.settle(now);
            while let Some(transmit) = self.engine.poll_transmit(now, &mut self.out) {
                send(&transmit, self.out.get(..transmit.len).unwrap_or_default());
                progress = true;
            }
            if !(progress | self.engine.run_jobs()) {
                return;
            }
        }
        panic!("a turn does not end");
    }

    pub(crate) fn memory(&mut self) -> u64 {
        self.engine.parts().0.transfers.memory_used()
    }

    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        let disk = self.engine.parts().0.disk_due();
        disk.into_iter().chain(self.engine.poll_timeout()).min()
    }
}
