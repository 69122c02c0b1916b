//! What the two sides of an exchange say to each other (docs/protocol.md, "Messages").
//!
//! A message is decoded once into these types, and encoded from them: both directions are total, and
//! every value has one encoding.

mod codec;
mod held;
mod listing;
mod report;

use alloc::{boxed::Box, string::String};
use core::fmt;

use zeroize::Zeroizing;

use crate::Name;

#[cfg(test)]
pub(crate) use codec::tests::message as any_message;
pub use held::{
    GroupRanges, HOLD_ABOVE, Have, Held, MAX_AGAIN, MAX_AGAINS, MAX_HASHES, MAX_HAVE_RANGES, UNTOLD,
};
pub use listing::{BadListing, Entry, EntryKind};
pub use report::{Algorithm, Report};

/// Longest encoded message in bytes: two names of the greatest length and some numbers fit.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// The largest body in bytes: what fits the wire's integers with room for sums (an exbibyte).
pub const MAX_BODY: u64 = 1 << 60;

/// Longest body that is only there to be measured, in bytes: some seconds of any path.
pub const MAX_MEASURED: u64 = 1 << 34;

/// What a client asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Send me this file: answered by [`Reply::Meta`] and a body, or by [`Reply::Unchanged`].
    Get(Get),
    /// Store the body that follows: answered by [`Reply::Stored`] or [`Reply::Unchanged`].
    Put(Put),
    /// Tell what is in this directory, or in the root: answered by [`Reply::Listing`] and a body.
    List(Option<Name>),
    /// Give a file or directory another name, which must be free: answered by [`Reply::Done`].
    Rename {
        /// Its name so far.
        from: Name,
        /// Its name from now on.
        to: Name,
    },
    /// Stop the server: answered by [`Reply::Done`], or refused with [`crate::Status::Busy`] and
    /// the number of others' transfers that run.
    Exit {
        /// Stop although others' transfers run.
        force: bool,
    },
    /// Tell what this is: answered by [`Reply::Stat`].
    Stat(Name),
    /// Remove this file, symbolic link or empty directory: answered by [`Reply::Done`].
    Remove(Name),
    /// Make this directory, in one that is there: answered by [`Reply::Done`].
    Mkdir {
        /// Its name.
        name: Name,
        /// Its permission bits, to which the server adds those with which its owner can use it; as usual there if none are told.
        mode: Option<Mode>,
    },
    /// Make a ticket: answered by [`Reply::Ticket`].
    Invite(Invite),
    /// Let me in, as whoever gave me a ticket asked for: answered by [`Reply::Done`].
    Join {
        /// What shows that the client has the ticket, made with the handshake of this connection.
        proof: [u8; 32],
    },
    /// Send so many zeros, to measure how fast they come: answered by [`Reply::Meta`] and a body.
    Zeros {
        /// How many, at most [`MAX_MEASURED`].
        len: u64,
    },
    /// Tell how this connection does at your end: answered by [`Reply::Report`].
    Report,
}

/// What a ticket shall be for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invite {
    /// What its holder may do, as in a line of the server's list of clients; at most [`MAX_INVITE_TEXT`] bytes.
    pub grant: String,
    /// HOST:PORT by which the client knows the server; at most [`MAX_INVITE_TEXT`] bytes.
    pub via: String,
    /// For how long.
    pub seconds: u64,
}

/// Most bytes of a text in an [`Invite`]: a role and the longest name, however much of it is quoted.
pub const MAX_INVITE_TEXT: usize = 6 * 1024;
/// Most bytes of a ticket.
pub const MAX_TICKET: usize = 1024;

/// A file that the client wants to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Get {
    /// Which.
    pub name: Name,
    /// The client has this version: if it is the file's, [`Reply::Unchanged`] says so and no body follows.
    pub unless: Option<Version>,
    /// The client holds groups of some state of the file. Where [`Reply::Meta`] tells the same identity, those are not sent;
    /// where it tells another, the client says what it holds by [`Held::Hashes`].
    pub have: Option<Have>,
}

impl Get {
    /// All of it, whatever is here already.
    #[must_use]
    pub const fn all(name: Name) -> Self {
        Self { name, unless: None, have: None }
    }
}

/// What tells, for most purposes, whether a file is still the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    /// Its length in bytes.
    pub len: u64,
    /// When it was modified last.
    pub modified: FileTime,
}

/// A file that the client wants to store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Put {
    /// Where to.
    pub to: Destination,
    /// What the body will be.
    pub meta: Meta,
    /// What of that which is there already counts.
    pub how: How,
}

/// How a file is stored where there is something already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct How {
    /// Refuse with [`crate::Status::Exists`] if the name exists.
    pub no_clobber: bool,
    /// Nothing that is there counts: neither a part of an earlier try nor a file that is the same.
    pub fresh: bool,
    /// That size and time are the same does not suffice for [`Reply::Unchanged`]: the content has to be.
    pub check: bool,
    /// Do not store it: take its bytes and forget them, to measure how fast they come.
    pub discard: bool,
}

/// Where a file shall go, when only its receiver can tell what is a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    /// A directory to store in, or the new name; the root if there is none.
    pub path: Option<Name>,
    /// The name within `path` if that is a directory: one component.
    pub leaf: Name,
    /// Whether `path` has to be a directory.
    pub into_directory: bool,
}

/// What a server answers, if it does not refuse ([`crate::Session::fail`]).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The file's body follows.
    Meta(Meta),
    /// A directory's entries follow as a body of open length.
    Listing,
    /// The body is stored under this name.
    Stored(Stored),
    /// It is done.
    Done,
    /// This is what it is.
    Stat(Stat),
    /// Here is the ticket, in one line.
    Ticket(TicketText),
    /// This is how the connection does here.
    Report(Box<Report>),
    /// What is there is what was asked for or offered; no body is needed.
    Unchanged,
}

/// A ticket in one line: whoever has it can come in. It is wiped from memory when dropped, and never displayed.
#[derive(Clone, Eq, PartialEq)]
pub struct TicketText(Zeroizing<String>);

impl TicketText {
    /// Of a line of at most [`MAX_TICKET`] bytes.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Option<Self> {
        (text.len() <= MAX_TICKET).then_some(Self(text))
    }

    /// The line.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TicketText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketText").finish_non_exhaustive()
    }
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes; 0 if it is not a file.
    pub len: u64,
    /// Its permission bits.
    pub mode: Mode,
    /// When it was modified last.
    pub modified: FileTime,
}

/// What was stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Under which name.
    pub name: Name,
    /// How many bytes.
    pub len: u64,
    /// The BLAKE3 hash of the whole content; none where holes were not read and nobody computed it.
    pub hash: Option<Hash>,
    /// How many of the bytes were there before the request.
    pub kept: u64,
}

/// A 32-byte BLAKE3 output.
pub type Hash = [u8; 32];

/// What the sender of a body says of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Note {
    /// What a group of the body must hash to.
    Group {
        /// Which group, from 0.
        index: u64,
        /// Its chaining value: BLAKE3's output for this subtree, not as a root.
        hash: Hash,
    },
    /// These bytes are zeros and are not sent: whole blocks, or all up to the body's end. Holes come in ascending order, at
    /// most [`MAX_HOLES`] a body of known length, and none in one of open length.
    Hole {
        /// The first byte.
        offset: u64,
        /// How many there are, at least one.
        len: u64,
    },
    /// All of the body was read.
    End(End),
}

/// Most holes of a body: what a receiver keeps of them takes 256 KiB. Zeros beyond are sent as they are.
pub const MAX_HOLES: u64 = MAX_GROUPS;

/// The end of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// Bytes of the whole body.
    pub len: u64,
    /// The source's identity, read again after its last byte.
    pub identity: Identity,
    /// Whether the source was the same from the first byte to the last.
    pub stable: bool,
}

/// A file's properties that travel with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Meta {
    /// How long its body is.
    pub len: BodyLen,
    /// Its permission bits.
    pub mode: Mode,
    /// When it was modified last.
    pub modified: FileTime,
    /// Which state of which source it is.
    pub identity: Identity,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyLen {
    /// So many bytes, at most [`MAX_BODY`].
    Known(u64),
    /// As long as it turns out to be: [`End`] tells.
    Open,
}

impl BodyLen {
    /// Bytes of a group of such a body: 1 MiB, and larger powers of two where a body would have over
    /// [`MAX_GROUPS`] of them.
    #[must_use]
    pub fn group_len(self) -> u64 {
        match self {
            Self::Open => BLOCK_LEN,
            Self::Known(len) => len
                .div_ceil(MAX_GROUPS)
                .checked_next_power_of_two()
                .unwrap_or(MAX_BODY)
                .max(BLOCK_LEN),
        }
    }
}

/// Bytes of a block: the least group, the unit in which bodies are read, hashed and written. A DATA frame
/// never crosses a block's boundary.
pub const BLOCK_LEN: u64 = 1 << 20;

/// Most groups of a body of known length: 16,384 hashes of 32 bytes are half a MiB.
pub const MAX_GROUPS: u64 = 16_384;

/// Permission bits of a file, without setuid, setgid and sticky.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mode(u16);

impl Mode {
    /// Takes the nine permission bits of `bits` and drops the rest.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self((bits & 0o777) as u16)
    }

    /// The nine bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }
}

/// A time of the file system's: seconds since 1970-01-01 UTC, and nanoseconds after it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct FileTime {
    secs: i64,
    nanos: u32,
}

impl FileTime {
    /// Years from about -290,000 to 290,000: what file systems and their tools can still compute with.
    const MAX_SECS: i64 = 1 << 43;

    /// Clamps `secs` to some hundred thousand years around 1970 and `nanos` to below a second.
    #[must_use]
    pub fn new(secs: i64, nanos: u32) -> Self {
        Self { secs: secs.clamp(-Self::MAX_SECS, Self::MAX_SECS), nanos: nanos.min(999_999_999) }
    }

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.secs
    }

    /// Nanoseconds after the second.
    #[must_use]
    pub const fn nanos(self) -> u32 {
        self.nanos
    }
}

/// A fingerprint of which file, of which size and modification time, a body was read from.
///
/// Only equality means something; it is made by the side that reads and cannot be turned back into
/// device and inode numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Identity(pub [u8; 16]);

/// Any message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    Request(Request),
    Reply(Reply),
    Note(Note),
    Held(Held),
}
