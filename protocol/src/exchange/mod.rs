//! An exchange: a request and all that answers it (docs/protocol.md, "Exchanges").
//!
//! ```text
//!            client's stream                     server's stream
//! get    GET ............... fin when stored     META  GROUP* END fin   + body
//! list   LIST .............. fin when read       LISTING GROUP* END fin + body
//! put    PUT GROUP* END fin  + body              STORED fin
//! others RENAME | EXIT fin                       DONE fin
//! ```
//!
//! HOLE may stand wherever GROUP may. The receiver of a body says in its own stream what it holds already ([`Telling`]). UNCHANGED
//! takes the place of META or STORED, and ends the exchange without the rest of the body. Either side can give it up at any moment with RESET.

mod recv_body;
mod send_body;
mod stream;
mod table;
mod telling;

use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use recv_body::{Accepted, ChunkError};
pub(crate) use stream::Piece;
pub(crate) use table::{Exchanges, Lack, Limits, NextChunk, Outbox};

use crate::{
    BodyLen, Have, Held, MAX_HOLES, Misuse, Note, Put, Reply, Request, Violation, message::Message,
    wire::frame::Reset,
};
use recv_body::RecvBody;
use send_body::SendBody;
use stream::{RecvStream, SendStream, StreamError};
use telling::Telling;

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What an exchange is about, as far as its course depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Get,
    List,
    Put,
    /// Messages alone, answered by DONE.
    Command,
    /// The same, answered by what is known of a name.
    Stat,
    /// The same, answered by a ticket.
    Invite,
    /// The same, answered by how the connection does.
    Report,
}

impl Verb {
    const fn of(request: &Request) -> Self {
        match request {
            Request::Get(_) | Request::Zeros { .. } => Self::Get,
            Request::List(_) => Self::List,
            Request::Put(_) => Self::Put,
            Request::Rename { .. }
            | Request::Remove(_)
            | Request::Mkdir { .. }
            | Request::Exit { .. }
            | Request::Join { .. } => Self::Command,
            Request::Stat(_) => Self::Stat,
            Request::Invite(_) => Self::Invite,
            Request::Report => Self::Report,
        }
    }

    /// The side that sends the body, if there is one.
    const fn body_from(self) -> Option<Role> {
        match self {
            Self::Get | Self::List => Some(Role::Server),
            Self::Put => Some(Role::Client),
            Self::Command | Self::Stat | Self::Invite | Self::Report => None,
        }
    }
}

/// What both sides have said of the body and the request so far.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// The server answered.
    reply: bool,
    /// The body's sender told its end.
    end: bool,
    /// The server's answer was that nothing is to be sent.
    unchanged: bool,
    /// Holes that the body's sender told, and where the last one ends.
    holes: u64,
    holes_end: u64,
}

/// An exchange that runs.
#[derive(Debug)]
pub(crate) struct Exchange {
    role: Role,
    /// None until the request is here.
    verb: Option<Verb>,
    said: Said,
    send: SendStream,
    recv: RecvStream,
    send_body: Option<SendBody>,
    recv_body: Option<RecvBody>,
    /// What the body's receiver said of what it holds.
    telling: Telling,
    /// What a get said of that, until the reply tells whether it is of the same.
    claimed: Option<Have>,
    /// Whether the request lets the server answer that nothing is to be sent.
    may_be_unchanged: bool,
    /// It stands in the queue of those with messages to send.
    talking: bool,
    /// It stands in the queue of those with body bytes to send.
    sending: bool,
}

impl Exchange {
    fn new(role: Role) -> Self {
        Self {
            role,
            verb: None,
            said: Said::default(),
            send: SendStream::default(),
            recv: RecvStream::default(),
            send_body: None,
            recv_body: None,
            telling: Telling::default(),
            claimed: None,
            may_be_unchanged: false,
            talking: false,
            sending: false,
        }
    }

    /// Notes what was asked.
    fn ask(&mut self, request: &Request) {
        self.verb = Some(Verb::of(request));
        match request {
            Request::Get(get) => {
                self.claimed.clone_from(&get.have);
                self.may_be_unchanged = get.unless.is_some();
            }
            Request::Put(put @ Put { meta, how, .. }) => {
                self.telling = Telling::of_put(put);
                self.may_be_unchanged =
                    !how.fresh && !how.discard && matches!(meta.len, BodyLen::Known(_));
            }
            _ => {}
        }
    }

    /// Notes what was answered; gives the bytes of the body that need not travel then.
    fn answer(&mut self, reply: &Reply) -> Vec<Range<u64>> {
        self.said.reply = true;
        let claimed = self.claimed.take();
        match reply {
            Reply::Meta(meta) => {
                self.telling = Telling::of_get(claimed.as_ref().map(|have| have.identity), meta);
                let same = claimed.filter(|have| have.identity == meta.identity);
                return same.map_or_else(Vec::new, |have| have.groups.bytes(meta.len).collect());
            }
            Reply::Listing => self.telling = Telling::none(BodyLen::Open),
            Reply::Unchanged => {
                self.said.unchanged = true;
                self.telling.conclude();
                let send = self.send_body.as_ref().map(SendBody::len);
                if let Some(BodyLen::Known(len)) =
                    send.or(self.recv_body.as_ref().map(RecvBody::len))
                {
                    return core::iter::once(0..len).collect();
                }
            }
            Reply::Stored(_)
            | Reply::Done
            | Reply::Stat(_)
            | Reply::Ticket(_)
            | Reply::Report(_) => {}
        }
        Vec::new()
    }

    /// Whether a server may answer this, as far as either side can tell.
    fn fits(&self, reply: &Reply) -> bool {
        match (reply, self.verb) {
            (Reply::Meta(_), Some(Verb::Get))
            | (Reply::Listing, Some(Verb::List))
            | (Reply::Done, Some(Verb::Command))
            | (Reply::Stat(_), Some(Verb::Stat))
            | (Reply::Ticket(_), Some(Verb::Invite))
            | (Reply::Report(_), Some(Verb::Report)) => true,
            // Nobody can have stored what the client has yet to send, once it hears what need not travel.
            (Reply::Stored(_), Some(Verb::Put)) => self.said.end && !self.telling.is_awaited(),
            (Reply::Unchanged, Some(Verb::Get | Verb::Put)) => self.may_be_unchanged,
            _ => false,
        }
    }

    /// Whether this message may come now; notes that it came.
    fn check_message(&mut self, message: &Message) -> Result<(), Violation> {
        let fits = match message {
            Message::Request(request) if self.role == Role::Server && self.verb.is_none() => {
                self.ask(request);
                true
            }
            Message::Reply(reply) if self.role == Role::Client && !self.said.reply => {
                self.fits(reply)
            }
            Message::Note(note) => {
                let sender = self.verb.and_then(Verb::body_from);
                let from_peer = sender.is_some_and(|sender| sender != self.role);
                from_peer && !self.said.end && self.check_note(note)?
            }
            Message::Held(held) => {
                // A reply to a put is the last that its receiver says.
                let answered = self.role == Role::Client && self.said.reply;
                self.send_body.is_some() && !answered && self.telling.say(held)
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(Violation::UnexpectedMessage) }
    }

    fn check_note(&mut self, note: &Note) -> Result<bool, Violation> {
        let Some(body) = &mut self.recv_body else { return Ok(false) };
        match note {
            Note::Group { index, .. } => Ok(self.telling.has_group(*index)),
            Note::Hole { offset, len } => {
                let hole = *offset..offset.saturating_add(*len);
                Ok(self.said.hole(&hole) && body.keep(&hole))
            }
            Note::End(end) => {
                self.said.end = true;
                if body.end(end.len) { Ok(true) } else { Err(Violation::EndMoved) }
            }
        }
    }

    /// As a server: whether this answer may be given now.
    fn check_reply(&self, reply: &Reply) -> Result<(), Misuse> {
        let fits = self.fits(reply) && self.role == Role::Server && !self.said.reply;
        if fits { Ok(()) } else { Err(Misuse::OutOfPlace) }
    }

    /// As a body's sender: says something of it. Nobody wants to hear it of a body that is not to be sent.
    fn note(&mut self, note: Note) -> Result<(), Misuse> {
        let Some(body) = &mut self.send_body else { return Err(Misuse::OutOfPlace) };
        if self.said.unchanged {
            return Ok(());
        }
        let fits = !self.said.end
            && match &note {
                Note::Group { .. } => true,
                Note::Hole { offset, len } => {
                    let hole = *offset..offset.saturating_add(*len);
                    body.len().blocks(&hole).is_some() && self.said.hole(&hole)
                }
                Note::End(end) => body.end(end.len),
            };
        if !fits {
            return Err(Misuse::OutOfPlace);
        }
        self.send.push(&Message::Note(note));
        if matches!(note, Note::End(_)) {
            self.said.end = true;
            self.send.finish();
        }
        Ok(())
    }

    /// As a body's receiver: says something of what it holds.
    fn held(&mut self, held: Held) -> Result<(), Misuse> {
        let Some(body) = &mut self.recv_body else { return Err(Misuse::OutOfPlace) };
        if self.send.is_finished() || !self.telling.say(&held) {
            return Err(Misuse::OutOfPlace);
        }
        match &held {
            Held::Groups(have) => have.groups.bytes(body.len()).for_each(|range| {
                body.keep(&range);
            }),
            Held::Again(index) => body.again(&self.telling.range(*index, body.len())),
            Held::Hashes { .. } | Held::Nothing => {}
        }
        self.send.push(&Message::Held(held));
        Ok(())
    }

    /// Whether the peer's side of it was received whole.
    fn is_received(&self) -> bool {
        self.recv.is_done() && self.recv_body.as_ref().is_none_or(RecvBody::is_done)
    }

    /// Whether our side of it was sent whole and acknowledged.
    fn is_sent(&self) -> bool {
        self.send.is_done() && self.send_body.as_ref().is_none_or(SendBody::is_done)
    }

    /// Whether the peer's stream may end here.
    fn may_end(&self) -> bool {
        match (self.role, self.verb) {
            (_, None) => false,
            (Role::Server, Some(Verb::Put)) => self.said.end || self.said.unchanged,
            (Role::Server, Some(_)) => true,
            (Role::Client, Some(Verb::Get | Verb::List)) => self.said.end || self.said.unchanged,
            (Role::Client, Some(_)) => self.said.reply,
        }
    }
}

impl Said {
    /// Notes a hole. False: it does not lie behind the last one, or there are too many.
    fn hole(&mut self, hole: &Range<u64>) -> bool {
        let fits = !hole.is_empty() && hole.start >= self.holes_end && self.holes < MAX_HOLES;
        if fits {
            self.holes_end = hole.end;
            self.holes = self.holes.saturating_add(1);
        }
        fits
    }
}

impl From<StreamError> for Violation {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Window => Self::MessageStream,
            StreamError::End => Self::EndMoved,
            StreamError::Malformed => Self::Message,
            StreamError::TooLong => Self::MessageTooLong,
        }
    }
}

impl From<ChunkError> for Violation {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::BeyondEnd => Self::BeyondEnd,
            ChunkError::CrossesBlock => Self::Chunk,
            ChunkError::OverCredit => Self::Credit,
        }
    }
}

/// An exchange that was given up, until both sides know and have settled.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What we say of it.
    reset: Reset,
    /// The peer has it.
    reset_acked: bool,
    /// The peer has said what it was charged, or nothing of its side is missing.
    settled: bool,
    /// What had been charged of the body.
    body: u64,
    /// What had been received of the message stream.
    messages: u64,
}

impl Ended {
    const fn is_over(&self) -> bool {
        self.reset_acked && self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_counted_and_rise() {
        let mut said = Said::default();
        assert!(!said.hole(&(5..5)));
        for n in 0..MAX_HOLES {
            assert!(said.hole(&(2 * n..2 * n + 1)));
            assert!(!said.hole(&(2 * n..2 * n + 2)), "it lies in the last one");
        }
        assert!(!said.hole(&(1 << 50..1 << 51)), "one too many");
    }
}
