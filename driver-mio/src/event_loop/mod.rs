//! One thread that serves one endpoint on one socket: it alone touches them, and never blocks but to wait.

mod clock;
mod hub;
mod role;

use std::{io, sync::Arc, time::Duration};

use gannet_protocol::{Config, Endpoint, Event, Instant};
use mio::{Events, Poll, Token, Waker};

use crate::{
    disk::Disk,
    socket::{Inbox, Outbox, Received, Sent, Socket},
    sys::Timer,
};

use clock::Clock;

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
/// Results of the disk, and outputs of transfers, each.
const STEPS: usize = 256;
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
    hub: Hub<R::Done>,
    role: R,
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
            hub: Hub::new(Endpoint::new(config, seed), disk),
            role,
        })
    }

    /// Starts the disk's threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        self.hub.start()
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
        &mut self.role
    }

    /// What the role works with, and the role.
    pub(crate) fn parts(&mut self) -> (&mut Hub<R::Done>, &mut R) {
        (&mut self.hub, &mut self.role)
    }

    /// Waits until there is something to do, and does a bounded amount of it.
    ///
    /// # Errors
    /// The system cannot wait.
    pub(crate) fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.receive();
        let mut busy = self.collect();
        self.tell_time();
        for round in 0..ROUNDS {
            // What was asked for while sending, and was not in memory, has to be read before anything else may happen.
            let progress = self.settle() | self.transmit() | self.hub.run_jobs();
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
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
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
        let deadlines =
            [self.hub.endpoint.poll_timeout(), self.role.poll_timeout(), self.resend_at];
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
            let now = self.clock.now();
            self.role.handle_refused(&mut self.hub, now, refused);
        }
    }

    fn take_datagrams(&mut self) {
        let now = self.clock.now();
        for datagram in self.inbox.datagrams() {
            let write = self.hub.endpoint.handle_datagram(now, datagram);
            // A body's first bytes come with the message that opens it, and no body takes bytes before that is known.
            take_events(&mut self.hub, &mut self.role, now);
            if let Some(write) = write {
                self.hub.transfers.write(write);
            }
        }
    }

    /// Takes what the disk's threads have done.
    fn collect(&mut self) -> bool {
        let now = self.clock.now();
        for _ in 0..STEPS {
            match self.hub.next_done(now) {
                None => return false,
                Some(done) => self.role.handle_done(&mut self.hub, now, done),
            }
        }
        true
    }

    fn tell_time(&mut self) {
        let now = self.clock.now();
        if self.hub.endpoint.poll_timeout().is_some_and(|due| due <= now) {
            self.hub.endpoint.handle_timeout(now);
        }
        self.role.handle_turn(&mut self.hub, now);
    }

    /// Carries what one part has to say to the others; false if there was nothing.
    fn settle(&mut self) -> bool {
        let now = self.clock.now();
        let mut progress = take_events(&mut self.hub, &mut self.role, now);
        for _ in 0..STEPS {
            let Some((exchange, body, outcome)) = self.hub.next_outcome(now) else { break };
            self.role.handle_outcome(&mut self.hub, now, exchange, body, outcome);
            progress = true;
        }
        progress | self.hub.run_jobs()
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
                let Hub { endpoint, transfers, .. } = &mut self.hub;
                if !self.outbox.fill(|room| endpoint.poll_transmit(now, transfers, room)) {
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

/// Hands the endpoint's events to those whom they concern; false if there are none. There are as many as its inputs gave
/// reason for.
fn take_events<R: Role>(hub: &mut Hub<R::Done>, role: &mut R, now: Instant) -> bool {
    let mut progress = false;
    while let Some(event) = hub.endpoint.poll_event() {
        progress = true;
        match event {
            Event::Note { body, note, .. } => hub.transfers.note(now, body, note),
            Event::Held { body, held, .. } => hub.transfers.held(body, held),
            Event::Released { body, below } => hub.transfers.release(body, below),
            event => {
                let over = hub.prepare(&event);
                role.handle_event(hub, now, event);
                hub.clean_up(over);
            }
        }
    }
    progress
}

/// Ends the wait of a loop.
pub(crate) fn wake(waker: &Waker) {
    if let Err(error) = waker.wake() {
        log::error!("an event loop cannot be woken: {error}");
    }
}
