//! A client's machine.

use std::{collections::VecDeque, net::SocketAddr};

use gannet_driver_mio::simulation::Client;
use gannet_protocol::{Config, Instant};

use super::{Command, End, JobId, command::Pending, node::Node};
use crate::world::SERVER;

/// A client's machine, and what the client is told to do.
pub(super) struct Caller {
    pub(super) node: Node<Client>,
    pub(super) address: SocketAddr,
    pub(super) path: usize,
    pub(super) waiting: Vec<(JobId, Command)>,
    pub(super) running: Vec<(JobId, Pending)>,
}

impl Caller {
    pub(super) const fn new(node: Node<Client>, address: SocketAddr, path: usize) -> Self {
        Self { node, address, path, waiting: Vec::new(), running: Vec::new() }
    }

    /// A new process, at a port of its own.
    pub(super) fn connect(&mut self, now: Instant, config: &Config, seed: [u8; 32]) -> Client {
        self.address.set_port(self.address.port() + 1);
        self.node.restart();
        self.node.act(|_| Client::connect(now, SERVER, config.clone(), seed))
    }

    /// Has the process begin what waits, if it is connected.
    pub(super) fn begin(&mut self) {
        let root = self.node.disk().root();
        if let Some(host) = &mut self.node.host
            && host.is_open()
        {
            for (job, command) in self.waiting.drain(..) {
                self.running.push((job, command.start(host, &root)));
            }
        }
    }

    /// Sees to it that it will.
    pub(super) fn wait(&mut self) {
        let is_open = self.node.host.as_mut().is_some_and(Client::is_open);
        self.node.touched |= is_open && !self.waiting.is_empty();
    }

    /// Takes what has ended.
    pub(super) fn collect(&mut self, ended: &mut VecDeque<(JobId, End)>) {
        self.running.retain(|(job, pending)| {
            let end = pending.take();
            let goes_on = end.is_none();
            ended.extend(end.map(|end| (*job, end)));
            goes_on
        });
    }
}
