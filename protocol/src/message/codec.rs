//! Messages as bytes: a type, then its fields.

#[cfg(test)]
pub(crate) mod tests;

use alloc::{boxed::Box, string::String, vec::Vec};

use zeroize::Zeroizing;

use super::{
    BodyLen, Destination, End, EntryKind, FileTime, Get, Have, Held, How, Identity, Invite,
    MAX_BODY, MAX_INVITE_TEXT, MAX_TICKET, Message, Meta, Mode, Note, Put, Reply, Report, Request,
    Stat, Stored, TicketText, Version,
};
use crate::{
    MAX_NAME, Name,
    wire::cursor::{Malformed, Reader, Writer},
};

const GET: u8 = 0x01;
const PUT: u8 = 0x02;
const LIST: u8 = 0x03;
const RENAME: u8 = 0x04;
const EXIT: u8 = 0x05;
const STAT: u8 = 0x06;
const REMOVE: u8 = 0x07;
const MKDIR: u8 = 0x08;
const INVITE: u8 = 0x0a;
const JOIN: u8 = 0x0b;
const REPORT: u8 = 0x0c;
const ZEROS: u8 = 0x0d;
const GROUP: u8 = 0x10;
const HOLE: u8 = 0x11;
const END: u8 = 0x12;
const META: u8 = 0x20;
const LISTING: u8 = 0x21;
const STORED: u8 = 0x22;
const DONE: u8 = 0x23;
const STATED: u8 = 0x24;
const TICKET: u8 = 0x25;
const UNCHANGED: u8 = 0x26;
const REPORTED: u8 = 0x27;

/// Bits of how a file is stored.
const NO_CLOBBER: u8 = 1;
const FRESH: u8 = 2;
const CHECK: u8 = 4;
const DISCARD: u8 = 8;

/// Room for the fields of any message that are of about one length.
const FIXED_PART: usize = 160;

impl Message {
    /// Appends the message, behind its length, to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = alloc::vec![0; FIXED_PART + self.variable_len()];
        let mut writer = Writer::new(&mut body);
        match self {
            Self::Request(request) => write_request(&mut writer, request),
            Self::Reply(reply) => write_reply(&mut writer, reply),
            Self::Note(note) => write_note(&mut writer, note),
            Self::Held(held) => held.write(&mut writer),
        }
        let len = writer.finish().unwrap_or_default();
        let start = out.len();
        out.resize(start + len + 8, 0);
        let mut writer = Writer::new(out.get_mut(start..).unwrap_or_default());
        writer.prefixed(body.get(..len).unwrap_or_default());
        let used = writer.finish().unwrap_or_default();
        out.truncate(start + used);
    }

    fn variable_len(&self) -> usize {
        let len = |name: &Name| name.as_bytes().len() + 8;
        match self {
            Self::Request(Request::Get(get)) => {
                len(&get.name) + get.have.as_ref().map_or(0, Have::variable_len)
            }
            Self::Request(
                Request::List(Some(name))
                | Request::Stat(name)
                | Request::Remove(name)
                | Request::Mkdir { name, .. },
            ) => len(name),
            Self::Request(Request::Put(Put { to, .. })) => {
                to.path.as_ref().map_or(0, len) + len(&to.leaf)
            }
            Self::Request(Request::Rename { from, to }) => len(from) + len(to),
            Self::Request(Request::Invite(invite)) => invite.grant.len() + invite.via.len() + 16,
            Self::Reply(Reply::Stored(stored)) => len(&stored.name),
            Self::Reply(Reply::Ticket(ticket)) => ticket.reveal().len() + 8,
            Self::Held(held) => held.variable_len(),
            _ => 0,
        }
    }

    /// Reads one message out of its bytes, without the length before it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            kind @ (GET..=MKDIR | INVITE..=ZEROS) => {
                Self::Request(read_request(kind, &mut reader)?)
            }
            kind @ GROUP..=END => Self::Note(read_note(kind, &mut reader)?),
            kind if Held::KINDS.contains(&kind) => Self::Held(Held::read(kind, &mut reader)?),
            kind => Self::Reply(read_reply(kind, &mut reader)?),
        };
        reader.finish()?;
        Ok(message)
    }
}

fn write_request(w: &mut Writer<'_>, request: &Request) {
    match request {
        Request::Get(get) => write_get(w, get),
        Request::Put(Put { to, meta, how }) => {
            w.u8(PUT);
            w.u8(u8::from(to.into_directory));
            w.u8(how_bits(*how));
            write_optional_name(w, to.path.as_ref());
            w.prefixed(to.leaf.as_bytes());
            write_meta(w, meta);
        }
        Request::List(dir) => {
            w.u8(LIST);
            write_optional_name(w, dir.as_ref());
        }
        Request::Rename { from, to } => {
            w.u8(RENAME);
            w.prefixed(from.as_bytes());
            w.prefixed(to.as_bytes());
        }
        Request::Exit { force } => {
            w.u8(EXIT);
            w.u8(u8::from(*force));
        }
        Request::Stat(name) => {
            w.u8(STAT);
            w.prefixed(name.as_bytes());
        }
        Request::Remove(name) => {
            w.u8(REMOVE);
            w.prefixed(name.as_bytes());
        }
        Request::Mkdir { name, mode } => {
            w.u8(MKDIR);
            w.prefixed(name.as_bytes());
            w.u8(u8::from(mode.is_some()));
            if let Some(mode) = mode {
                w.varint(u64::from(mode.bits()));
            }
        }
        Request::Invite(Invite { grant, via, seconds }) => {
            w.u8(INVITE);
            w.prefixed(grant.as_bytes());
            w.prefixed(via.as_bytes());
            w.varint(*seconds);
        }
        Request::Join { proof } => {
            w.u8(JOIN);
            w.bytes(proof);
        }
        Request::Report => w.u8(REPORT),
        Request::Zeros { len } => {
            w.u8(ZEROS);
            w.varint(*len);
        }
    }
}

fn write_get(w: &mut Writer<'_>, Get { name, unless, have }: &Get) {
    w.u8(GET);
    w.prefixed(name.as_bytes());
    w.u8(u8::from(unless.is_some()));
    if let Some(Version { len, modified }) = unless {
        w.varint(*len);
        write_time(w, *modified);
    }
    w.u8(u8::from(have.is_some()));
    if let Some(have) = have {
        have.write(w);
    }
}

fn read_get(r: &mut Reader<'_>) -> Result<Get, Malformed> {
    let name = read_name(r)?;
    let unless = match read_flag(r)? {
        true => Some(Version { len: read_len(r)?, modified: read_time(r)? }),
        false => None,
    };
    let have = if read_flag(r)? { Some(Have::read(r)?) } else { None };
    Ok(Get { name, unless, have })
}

fn how_bits(How { no_clobber, fresh, check, discard }: How) -> u8 {
    [(no_clobber, NO_CLOBBER), (fresh, FRESH), (check, CHECK), (discard, DISCARD)]
        .into_iter()
        .fold(0, |bits, (is, bit)| if is { bits | bit } else { bits })
}

fn read_how(r: &mut Reader<'_>) -> Result<How, Malformed> {
    let bits = r.u8()?;
    let how = How {
        no_clobber: bits & NO_CLOBBER != 0,
        fresh: bits & FRESH != 0,
        check: bits & CHECK != 0,
        discard: bits & DISCARD != 0,
    };
    if how_bits(how) == bits { Ok(how) } else { Err(Malformed) }
}

fn read_request(kind: u8, r: &mut Reader<'_>) -> Result<Request, Malformed> {
    Ok(match kind {
        GET => Request::Get(read_get(r)?),
        PUT => {
            let into_directory = read_flag(r)?;
            let how = read_how(r)?;
            let path = read_optional_name(r)?;
            let leaf = read_name(r)?;
            if leaf.components().count() != 1 {
                return Err(Malformed);
            }
            let to = Destination { path, leaf, into_directory };
            Request::Put(Put { to, meta: read_meta(r)?, how })
        }
        LIST => Request::List(read_optional_name(r)?),
        RENAME => Request::Rename { from: read_name(r)?, to: read_name(r)? },
        EXIT => Request::Exit { force: read_flag(r)? },
        STAT => Request::Stat(read_name(r)?),
        REMOVE => Request::Remove(read_name(r)?),
        MKDIR => {
            let name = read_name(r)?;
            let mode = if read_flag(r)? { Some(read_mode(r)?) } else { None };
            Request::Mkdir { name, mode }
        }
        INVITE => Request::Invite(Invite {
            grant: read_text(r, MAX_INVITE_TEXT)?.into(),
            via: read_text(r, MAX_INVITE_TEXT)?.into(),
            seconds: r.varint()?,
        }),
        JOIN => Request::Join { proof: r.array()? },
        REPORT => Request::Report,
        ZEROS => Request::Zeros { len: read_len(r)? },
        _ => return Err(Malformed),
    })
}

fn write_reply(w: &mut Writer<'_>, reply: &Reply) {
    match reply {
        Reply::Meta(meta) => {
            w.u8(META);
            write_meta(w, meta);
        }
        Reply::Listing => w.u8(LISTING),
        Reply::Stored(Stored { name, len, hash, kept }) => {
            w.u8(STORED);
            w.prefixed(name.as_bytes());
            w.varint(*len);
            w.varint(*kept);
            w.u8(u8::from(hash.is_some()));
            w.bytes(hash.as_ref().map_or(&[], |hash| hash));
        }
        Reply::Done => w.u8(DONE),
        Reply::Stat(Stat { kind, len, mode, modified }) => {
            w.u8(STATED);
            w.u8(kind.number());
            w.varint(*len);
            w.varint(u64::from(mode.bits()));
            write_time(w, *modified);
        }
        Reply::Unchanged => w.u8(UNCHANGED),
        Reply::Ticket(ticket) => {
            w.u8(TICKET);
            w.prefixed(ticket.reveal().as_bytes());
        }
        Reply::Report(report) => {
            w.u8(REPORTED);
            report.write(w);
        }
    }
}

fn read_reply(kind: u8, r: &mut Reader<'_>) -> Result<Reply, Malformed> {
    Ok(match kind {
        META => Reply::Meta(read_meta(r)?),
        LISTING => Reply::Listing,
        STORED => {
            let (name, len, kept) = (read_name(r)?, read_len(r)?, read_len(r)?);
            if kept > len {
                return Err(Malformed);
            }
            let hash = if read_flag(r)? { Some(r.array()?) } else { None };
            Reply::Stored(Stored { name, len, hash, kept })
        }
        UNCHANGED => Reply::Unchanged,
        DONE => Reply::Done,
        STATED => Reply::Stat(Stat {
            kind: EntryKind::from_number(r.u8()?)?,
            len: read_len(r)?,
            mode: read_mode(r)?,
            modified: read_time(r)?,
        }),
        TICKET => {
            let text = String::from(read_text(r, MAX_TICKET)?);
            Reply::Ticket(TicketText::new(Zeroizing::new(text)).ok_or(Malformed)?)
        }
        REPORTED => Reply::Report(Box::new(Report::read(r)?)),
        _ => return Err(Malformed),
    })
}

fn write_note(w: &mut Writer<'_>, note: &Note) {
    match note {
        Note::Group { index, hash } => {
            w.u8(GROUP);
            w.varint(*index);
            w.bytes(hash);
        }
        Note::Hole { offset, len } => {
            w.u8(HOLE);
            w.varint(*offset);
            w.varint(*len);
        }
        Note::End(End { len, identity, stable }) => {
            w.u8(END);
            w.varint(*len);
            w.bytes(&identity.0);
            w.u8(u8::from(*stable));
        }
    }
}

fn read_note(kind: u8, r: &mut Reader<'_>) -> Result<Note, Malformed> {
    Ok(match kind {
        GROUP => Note::Group { index: r.varint()?, hash: r.array()? },
        HOLE => {
            let (offset, len) = (read_len(r)?, read_len(r)?);
            if len == 0 || offset.saturating_add(len) > MAX_BODY {
                return Err(Malformed);
            }
            Note::Hole { offset, len }
        }
        END => Note::End(End {
            len: read_len(r)?,
            identity: Identity(r.array()?),
            stable: read_flag(r)?,
        }),
        _ => return Err(Malformed),
    })
}

fn write_meta(w: &mut Writer<'_>, meta: &Meta) {
    match meta.len {
        BodyLen::Open => w.varint(0),
        BodyLen::Known(len) => w.varint(len.saturating_add(1)),
    }
    w.varint(u64::from(meta.mode.bits()));
    write_time(w, meta.modified);
    w.bytes(&meta.identity.0);
}

fn read_meta(r: &mut Reader<'_>) -> Result<Meta, Malformed> {
    let len = match r.varint()?.checked_sub(1) {
        None => BodyLen::Open,
        Some(len) if len <= MAX_BODY => BodyLen::Known(len),
        Some(_) => return Err(Malformed),
    };
    let mode = read_mode(r)?;
    let modified = read_time(r)?;
    Ok(Meta { len, mode, modified, identity: Identity(r.array()?) })
}

pub(super) fn read_mode(r: &mut Reader<'_>) -> Result<Mode, Malformed> {
    let bits = u32::try_from(r.varint()?).map_err(|_| Malformed)?;
    if bits > 0o777 { Err(Malformed) } else { Ok(Mode::from_bits(bits)) }
}

/// Seconds zigzag (even: not negative), so that times near 1970 are short on either side of it.
pub(super) fn write_time(w: &mut Writer<'_>, time: FileTime) {
    w.varint(((time.secs() << 1) ^ (time.secs() >> 63)) as u64);
    w.varint(u64::from(time.nanos()));
}

/// Reads a time; one beyond [`FileTime`]'s range is malformed, as no sender makes it.
pub(super) fn read_time(r: &mut Reader<'_>) -> Result<FileTime, Malformed> {
    let zigzag = r.varint()?;
    let secs = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    let nanos = u32::try_from(r.varint()?).map_err(|_| Malformed)?;
    let time = FileTime::new(secs, nanos);
    if time.secs() == secs && time.nanos() == nanos { Ok(time) } else { Err(Malformed) }
}

pub(super) fn read_len(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    r.varint().and_then(|len| if len <= MAX_BODY { Ok(len) } else { Err(Malformed) })
}

fn read_flag(r: &mut Reader<'_>) -> Result<bool, Malformed> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}

fn read_text<'b>(r: &mut Reader<'b>, max: usize) -> Result<&'b str, Malformed> {
    str::from_utf8(r.prefixed(max)?).map_err(|_| Malformed)
}

fn read_name(r: &mut Reader<'_>) -> Result<Name, Malformed> {
    Name::parse(r.prefixed(MAX_NAME)?).map_err(|_| Malformed)
}

/// A name of no bytes stands for the root.
fn write_optional_name(w: &mut Writer<'_>, name: Option<&Name>) {
    w.prefixed(name.map_or(&[], Name::as_bytes));
}

fn read_optional_name(r: &mut Reader<'_>) -> Result<Option<Name>, Malformed> {
    match r.prefixed(MAX_NAME)? {
        b"" => Ok(None),
        bytes => Name::parse(bytes).map(Some).map_err(|_| Malformed),
    }
}
