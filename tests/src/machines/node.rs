//! A machine: a disk, and the process that runs on it, if one does.

use std::{
    cell::{RefCell, RefMut},
    path::PathBuf,
    rc::Rc,
};

use gannet_driver_mio::simulation::{Host, Watcher, watching};
use gannet_protocol::{Datagram, Instant, Transmit};

use super::Disk;

/// A machine.
#[derive(Debug)]
pub(super) struct Node<H> {
    disk: Rc<RefCell<Disk>>,
    pub(super) host: Option<H>,
    /// When the process is started.
    start_at: Instant,
    /// It got something that it has not worked on yet.
    pub(super) touched: bool,
}

impl<H: Host> Node<H> {
    /// One whose process starts at once.
    ///
    /// # Panics
    /// If the real disk fails.
    pub(super) fn new(base: PathBuf, seed: u64) -> Self {
        let disk = Disk::new(base, seed).expect("the real disk works");
        let disk = Rc::new(RefCell::new(disk));
        Self { disk, host: None, start_at: Instant::ZERO, touched: false }
    }

    pub(super) fn disk(&self) -> RefMut<'_, Disk> {
        self.disk.borrow_mut()
    }

    /// Does something as this machine.
    pub(super) fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let watcher: Rc<RefCell<dyn Watcher>> = Rc::<RefCell<Disk>>::clone(&self.disk);
        watching(&watcher, || act(self))
    }

    /// Whether its process is to be started.
    pub(super) fn is_to_start(&self, now: Instant) -> bool {
        self.host.is_none() && self.start_at <= now
    }

    /// Has its disk be there again, and tells where its files are.
    ///
    /// # Panics
    /// If the real disk fails.
    pub(super) fn restart(&mut self) -> PathBuf {
        self.touched = true;
        let mut disk = self.disk();
        disk.restart().expect("the real disk works");
        disk.root()
    }

    /// Has its process end where it is, and another one start at that time.
    pub(super) fn end_host(&mut self, start_at: Instant) {
        self.act(|node| node.host = None);
        self.start_at = start_at;
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.touched = true;
        self.act(|node| {
            if let Some(host) = &mut node.host {
                host.receive(now, datagram);
            }
        });
    }

    /// Whether its process has something to do.
    pub(super) fn is_to_turn(&mut self, now: Instant) -> bool {
        self.host.is_some() && self.next(now).is_some_and(|at| at <= now)
    }

    pub(super) fn turn(&mut self, now: Instant, send: &mut dyn FnMut(&Transmit, &[u8])) {
        self.touched = false;
        self.act(|node| {
            if let Some(host) = &mut node.host {
                host.turn(now, send);
            }
        });
    }

    /// When something happens here next.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        match &mut self.host {
            None => Some(self.start_at),
            Some(_) if self.touched => Some(now),
            Some(host) => host.next_timeout(),
        }
    }
}
