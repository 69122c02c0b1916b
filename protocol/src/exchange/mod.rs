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
//! Either side can give it up at any moment with RESET.

mod recv_body;
mod send_body;
mod stream;
mod table;

pub(crate) use recv_body::{Accepted, ChunkError};
pub(crate) use stream::Piece;
pub(crate) use table::{Exchanges, Limits, Outbox};

use crate::{
    BLOCK_LEN, BodyLen, MAX_BODY, Misuse, Note, Reply, Request, Violation, message::Message,
    wire::frame::Reset,
};
use recv_body::RecvBody;
use send_body::SendBody;
use stream::{RecvStream, SendStream, StreamError};

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
}

impl Verb {
    const fn of(request: &Request) -> Self {
        match request {
            Request::Get(_) => Self::Get,
            Request::List(_) => Self::List,
            Request::Put(_) => Self::Put,
            Request::Rename { .. }
            | Request::Remove(_)
            | Request::Mkdir(_)
            | Request::Exit { .. }
            | Request::Join { .. } => Self::Command,
            Request::Stat(_) => Self::Stat,
            Request::Invite(_) => Self::Invite,
        }
    }

    /// The side that sends the body, if there is one.
    const fn body_from(self) -> Option<Role> {
        match self {
            Self::Get | Self::List => Some(Role::Server),
            Self::Put => Some(Role::Client),
            Self::Command | Self::Stat | Self::Invite => None,
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
    /// It stands in the queue of those with messages to send.
    talking: bool,
    /// It stands in the queue of those with body bytes to send.
    sending: bool,
}

impl Exchange {
    fn new(role: Role, verb: Option<Verb>) -> Self {
        Self {
            role,
            verb,
            said: Said::default(),
            send: SendStream::default(),
            recv: RecvStream::default(),
            send_body: None,
            recv_body: None,
            talking: false,
            sending: false,
        }
    }

    /// Whether this message may come now; notes that it came.
    fn check_message(&mut self, message: &Message) -> Result<(), Violation> {
        let fits = match (message, self.role, self.verb) {
            (Message::Request(request), Role::Server, None) => {
                self.verb = Some(Verb::of(request));
                true
            }
            (Message::Reply(reply), Role::Client, Some(verb)) if !self.said.reply => {
                self.said.reply = true;
                match (reply, verb) {
                    (Reply::Meta(_), Verb::Get)
                    | (Reply::Listing, Verb::List)
                    | (Reply::Done, Verb::Command)
                    | (Reply::Stat(_), Verb::Stat)
                    | (Reply::Ticket(_), Verb::Invite) => true,
                    (Reply::Stored(_), Verb::Put) => self.said.end,
                    _ => false,
                }
            }
            (Message::Note(note), role, Some(verb)) => {
                let from_peer = verb.body_from().is_some_and(|sender| sender != role);
                let opened = role == Role::Server || self.said.reply;
                from_peer && opened && !self.said.end && self.check_note(note)?
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(Violation::UnexpectedMessage) }
    }

    fn check_note(&mut self, note: &Note) -> Result<bool, Violation> {
        let Some(body) = &mut self.recv_body else { return Ok(false) };
        match note {
            Note::Group { index, .. } => Ok(*index < body.groups()),
            Note::End(end) => {
                self.said.end = true;
                if body.end(end.len) { Ok(true) } else { Err(Violation::EndMoved) }
            }
        }
    }

    /// As a server: whether this answer may be given now.
    fn check_reply(&self, reply: &Reply) -> Result<(), Misuse> {
        let fits = match (reply, self.verb) {
            (Reply::Meta(_), Some(Verb::Get))
            | (Reply::Listing, Some(Verb::List))
            | (Reply::Done, Some(Verb::Command))
            | (Reply::Stat(_), Some(Verb::Stat))
            | (Reply::Ticket(_), Some(Verb::Invite)) => true,
            (Reply::Stored(_), Some(Verb::Put)) => self.said.end,
            _ => false,
        };
        let fits = fits && self.role == Role::Server && !self.said.reply;
        if fits { Ok(()) } else { Err(Misuse::OutOfPlace) }
    }

    /// As a body's sender: says something of it.
    fn note(&mut self, note: Note) -> Result<(), Misuse> {
        let Some(body) = &mut self.send_body else { return Err(Misuse::OutOfPlace) };
        if self.said.end {
            return Err(Misuse::OutOfPlace);
        }
        if let Note::End(end) = &note
            && !body.end(end.len)
        {
            return Err(Misuse::OutOfPlace);
        }
        self.send.push(&Message::Note(note));
        if matches!(note, Note::End(_)) {
            self.said.end = true;
            self.send.finish();
        }
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
            (Role::Server, Some(Verb::Put)) => self.said.end,
            (Role::Server, Some(_)) => true,
            (Role::Client, Some(Verb::Get | Verb::List)) => self.said.end,
            (Role::Client, Some(_)) => self.said.reply,
        }
    }
}

impl RecvBody {
    /// Most groups that it can have.
    fn groups(&self) -> u64 {
        match self.len() {
            BodyLen::Known(len) => len.div_ceil(self.len().group_len()),
            BodyLen::Open => MAX_BODY / BLOCK_LEN,
        }
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
    /// What had been received of the body.
    body: u64,
    /// What had been received of the message stream.
    messages: u64,
}

impl Ended {
    const fn is_over(&self) -> bool {
        self.reset_acked && self.settled
    }
}
