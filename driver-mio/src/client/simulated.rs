//! A client of a simulated world.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    time::Duration,
};

use gannet_protocol::{
    CloseReason, Config, Datagram, Destination, Entry, Expected, How, Instant, Name, Stat,
};

use super::{
    Failure, Lost, Transferred,
    command::Command,
    fate::Fate,
    job::{Bell, Meter, Number, Report},
    phase::Phase,
    task::{Origin, Place, Task, Verb},
    tree::Spot,
    worker::Worker,
};
use crate::{
    files::Keeper,
    simulation::{AT_ONCE, Host, Send, Side},
};

/// A client of a simulated world, on a plain connection. It begins what it is told to at its next turn.
#[derive(Debug)]
pub struct Client {
    side: Side<Worker>,
    commands: Sender<Command>,
    fate: Arc<Fate>,
    remote: SocketAddr,
    next: u64,
}

/// What will be told of something that a client was told to do.
#[derive(Debug)]
pub struct Told<T> {
    result: Receiver<Result<T, Failure>>,
    fate: Arc<Fate>,
    remote: SocketAddr,
}

impl<T> Told<T> {
    /// What it came to, once: a failure, too, if the client has ended.
    #[must_use]
    pub fn take(&self) -> Option<Result<T, Failure>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let lost = Lost {
                    remote: self.remote,
                    reason: CloseReason::Local,
                    refused: false,
                    silent: Duration::ZERO,
                };
                Some(Err(Failure::Lost(self.fate.lost().unwrap_or(lost))))
            }
        }
    }
}

impl Client {
    /// Starts to connect. The same seed gives the same client.
    #[must_use]
    pub fn connect(now: Instant, remote: SocketAddr, mut config: Config, seed: [u8; 32]) -> Self {
        config.accept = false;
        let (commands, orders) = channel();
        let fate = Arc::new(Fate::new());
        let worker = Worker::new(remote, Keeper::new(None), orders, Arc::clone(&fate), AT_ONCE);
        let until = now + config.connect_timeout;
        let mut side = Side::new(config, seed, worker);
        let (hub, worker) = side.engine.parts();
        worker.dial(hub, now, until, Expected::default());
        Self { side, commands, fate, remote, next: 0 }
    }

    /// Whether it can be told to do something.
    #[must_use]
    pub fn is_open(&mut self) -> bool {
        self.side.engine.parts().1.phase() == Phase::Open
    }

    /// Whether its connection is over, or never came about.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        self.side.engine.parts().1.is_over()
    }

    /// Lets it have little memory for bodies, as when many more share it. Only before it does anything.
    pub fn tighten(&mut self) {
        self.side.tighten();
    }

    /// Bytes of memory that bodies on their way take.
    #[must_use]
    pub fn memory(&mut self) -> u64 {
        self.side.memory()
    }

    /// [`Client::get_as`](super::Client::get_as).
    pub fn get(&mut self, from: Name, to: PathBuf, how: How) -> Told<Transferred> {
        self.start(|report| Verb::Get { from, to: Place::File(Spot::At(to)), how, report })
    }

    /// [`Client::put_as`](super::Client::put_as).
    pub fn put(&mut self, from: PathBuf, to: Destination, how: How) -> Told<Transferred> {
        let to = Destination { leaf: to.leaf.leaf(), ..to };
        self.start(|report| Verb::Put { from: Origin::File(Spot::At(from)), to, how, report })
    }

    /// [`Client::list`](super::Client::list).
    pub fn list(&mut self, dir: Option<Name>) -> Told<Vec<Entry>> {
        self.start(|report| Verb::List { dir, report })
    }

    /// [`Client::stat`](super::Client::stat).
    pub fn stat(&mut self, name: Name) -> Told<Stat> {
        self.start(|report| Verb::Stat { name, report })
    }

    /// [`Client::rename`](super::Client::rename).
    pub fn rename(&mut self, from: Name, to: Name) -> Told<()> {
        self.start(|report| Verb::Rename { from, to, report })
    }

    /// [`Client::remove`](super::Client::remove).
    pub fn remove(&mut self, name: Name) -> Told<()> {
        self.start(|report| Verb::Remove { name, report })
    }

    /// [`Client::make_directory`](super::Client::make_directory).
    pub fn make_directory(&mut self, name: Name) -> Told<()> {
        self.start(|report| Verb::MakeDirectory { name, mode: None, report })
    }

    /// Begins a polite end, as when a [`Client`](super::Client) is dropped.
    pub fn close(&mut self) {
        let _ = self.commands.send(Command::Close);
    }

    fn start<T>(&mut self, verb: impl FnOnce(Report<T>) -> Verb) -> Told<T> {
        let (tell, result) = channel();
        let report = Report::new(tell, Bell::default());
        let task = Task::new(verb(report), Arc::new(Meter::default()));
        let _ = self.commands.send(Command::Start(Number(self.next), Box::new(task)));
        self.next += 1;
        Told { result, fate: Arc::clone(&self.fate), remote: self.remote }
    }
}

impl Host for Client {
    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.side.receive(now, datagram);
    }

    fn turn(&mut self, now: Instant, send: Send<'_>) {
        self.side.turn(now, send);
    }

    fn next_timeout(&mut self) -> Option<Instant> {
        self.side.next_timeout()
    }
}
