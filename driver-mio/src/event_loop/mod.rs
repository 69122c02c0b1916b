//! One thread that serves one endpoint on one socket: it alone touches them, and never blocks but to wait.

mod clock;
mod engine;
mod hub;
mod role;

use std::{io, sync::Arc, time::Duration};

use gannet_protocol::{Config, Endpoint, Instant};
use mio::{Events, Poll, Token, Waker};

use crate::{
    disk::Disk,
    socket::{Inbox, Outbox, Received, Sent, Socket},
    sys::Timer,
};

use clock::Clock;

pub(crate) use engine::Engine;
pub(crate) use hub::Hub;
pub(crate) use role::{Outcome, Role};

const SOCKET: Token = Token(0);
const TIMER: Token = Token(1);
const WAKE: Token = Token(2);

// The bounds of a turn, so that no input or output starves another.

/// Receive calls, and bytes after which there is no further one: the peer wants to hear of them.
const RECEIVES: usize = 8;
const RECEIVE_BYTES: usize = 1 << 19;
/// Send calls of a round: half a MiB, in which time acknowledgements may have come.
const TRANSMITS: usize = 8;
/// Rounds of settling and sending before the next look at the inputs.
const ROUNDS: usize = 2;

/// Pause before the next try when the device's queue is full.
const DEVICE_PAUSE: Duration = Duration::from_millis(1);
/// The same when the socket is full, which says when it is not: in case that was missed.
const SOCKET_PAUSE: Duration = Duration::from_millis(20);

/// One thread that serves one endpoint on one socket.
#[derive(Debug)]
pub(crate) struct EventLoop<R: Role> {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    timer: Timer,
    clock: Clock,
    socket: Socket,
    inbox: Inbox,
    outbox: Outbox,
    /// Whether the socket may hold datagrams: it tells of new ones only after it was found empty.
    readable: bool,
    /// When to try again to send what is in the outbox, unless the socket calls earlier.
    resend_at: Option<Instant>,
    /// Whether a bound ended the last turn.
    busy: bool,
    engine: Engine<R>,
}

impl<R: Role> EventLoop<R> {
    /// Makes the loop of `socket`. It turns when it is told to, on whatever thread, once it was started.
    pub(crate) fn new(mut socket: Socket, config: Config, role: R) -> io::Result<Self> {
        let poll = Poll::new()?;
        socket.register(poll.registry(), SOCKET)?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let disk_waker = Arc::clone(&waker);
        let disk = Disk::new(Arc::new(move || wake(&disk_waker)));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(8),
            waker,
            timer,
            clock: Clock::start(),
            socket,
            inbox: Inbox::new(),
            outbox: Outbox::new(),
            readable: true,
            resend_at: None,
            busy: true,
            engine: Engine::new(Endpoint::new(config, seed), disk, role),
        })
    }

    /// Starts the disk's threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        self.engine.start()
    }

    /// What ends a wait, from any thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// The time now, as the endpoint counts it.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The socket, to let it meet errors.
    #[cfg(test)]
    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// The role.
    pub(crate) fn role(&mut self) -> &mut R {
        self.engine.parts().1
    }

    /// What the role works with, and the role.
    pub(crate) fn parts(&mut self) -> (&mut Hub<R::Done>, &mut R) {
        self.engine.parts()
    }

    /// Waits until there is something to do, and does a bounded amount of it.
    ///
    /// # Errors
    /// The system cannot wait.
    pub(crate) fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.receive();
        let mut busy = self.engine.collect(self.clock.now());
        self.engine.tell_time(self.clock.now());
        for round in 0..ROUNDS {
            // What was asked for while sending, and was not in memory, has to be read before anything else may happen.
            let progress =
                self.engine.settle(self.clock.now()) | self.transmit() | self.engine.run_jobs();
            if !progress {
                break;
            }
            busy |= round + 1 == ROUNDS;
        }
        self.busy = busy || self.readable;
        Ok(())
    }

    fn wait(&mut self) -> io::Result<()> {
        let wait = if self.busy { Some(Duration::ZERO) } else { self.next_wait() };
        let timeout = self.timer.arm(wait)?;
        let since = self.clock.now();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if !self.busy {
            let waited = self.clock.now().saturating_since(since);
            self.engine.parts().0.note_wait(waited);
        }
        for event in self.events.iter().filter(|event| event.token() == SOCKET) {
            self.readable |= event.is_readable() || event.is_error();
            if event.is_writable() {
                self.resend_at = None;
            }
        }
        Ok(())
    }

    fn next_wait(&self) -> Option<Duration> {
        let deadlines = [self.engine.poll_timeout(), self.resend_at];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_since(self.clock.now()))
    }

    fn receive(&mut self) {
        let mut bytes = 0;
        for _ in 0..RECEIVES {
            if !self.readable || bytes >= RECEIVE_BYTES {
                break;
            }
            match self.socket.receive(&mut self.inbox) {
                Received::Datagrams => {
                    bytes += self.inbox.len();
                    self.take_datagrams();
                }
                Received::Nothing => self.readable = false,
                Received::Error => {}
            }
        }
        let refused = self.socket.take_refused();
        if refused > 0 {
            let (hub, role) = self.engine.parts();
            role.handle_refused(hub, self.clock.now(), refused);
        }
    }

    fn take_datagrams(&mut self) {
        let now = self.clock.now();
        for datagram in self.inbox.datagrams() {
            self.engine.handle_datagram(now, datagram);
        }
    }

    /// Sends until the endpoint has nothing more, the system takes nothing more, or it is time to look at the inputs. False
    /// if nothing was sent.
    fn transmit(&mut self) -> bool {
        let mut progress = false;
        for _ in 0..TRANSMITS {
            let now = self.clock.now();
            if self.outbox.is_full() {
                if self.resend_at.is_some_and(|at| at > now) {
                    break;
                }
            } else {
                let engine = &mut self.engine;
                if !self.outbox.fill(|room| engine.poll_transmit(now, room)) {
                    break;
                }
            }
            self.resend_at = match self.socket.send(&mut self.outbox) {
                Sent::All => {
                    progress = true;
                    continue;
                }
                Sent::Full => Some(now + SOCKET_PAUSE),
                Sent::Congested => Some(now + DEVICE_PAUSE),
            };
            break;
        }
        progress
    }
}

/// Ends the wait of a loop.
pub(crate) fn wake(waker: &Waker) {
    if let Err(error) = waker.wake() {
        log::error!("an event loop cannot be woken: {error}");
    }
}
