//! A host that answers.

use std::time::Duration;

use gannet_protocol::{
    BodyId, BodyLen, ExchangeId, Get, HOLD_ABOVE, Held, Instant, Meta, Name, Note, Put, Reply,
    Report, Request, Status, Version,
};

use super::{Exchange, Host, Outcome};
use crate::{directory::File, incoming::Incoming, outgoing::Outgoing};

/// A request that a server performed.
#[derive(Clone, Debug)]
pub struct Performed {
    /// Its exchange; its order is that in which the client asked, among those of a connection.
    pub exchange: ExchangeId,
    /// What was asked.
    pub asked: Asked,
    /// What it came to.
    pub result: Result<(), Status>,
}

/// What was asked of a server, as far as its files are concerned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// To send it; performed when it is opened.
    Get(Name),
    /// To store under the name; performed when all of it is here.
    Put(Name),
    /// To list it.
    List(Option<Name>),
    /// To rename it.
    Rename(Name, Name),
    /// To tell what it is.
    Stat(Name),
    /// To remove it.
    Remove(Name),
    /// To make it.
    MakeDirectory(Name),
}

impl Host {
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        request: Request,
        body: Option<BodyId>,
    ) {
        let known = self.exchanges.insert(exchange, Exchange::default());
        assert!(known.is_none(), "a request comes once");
        match request {
            Request::Get(get) => self.on_get(exchange, &get),
            Request::Put(put) => self.on_put(exchange, &put, body.expect("a put has a body")),
            Request::List(directory) => self.on_list(exchange, directory),
            Request::Rename { from, to } => {
                let result = self.files.rename(&from, &to);
                self.log(exchange, Asked::Rename(from, to), result);
                self.answer(exchange, result.map(|()| Reply::Done));
            }
            Request::Stat(name) => {
                let found = self.files.stat(&name);
                self.log(exchange, Asked::Stat(name), found.map(drop));
                self.answer(exchange, found.map(Reply::Stat));
            }
            Request::Remove(name) => {
                let result = self.files.remove(&name);
                self.log(exchange, Asked::Remove(name), result);
                self.answer(exchange, result.map(|()| Reply::Done));
            }
            Request::Mkdir { name, .. } => {
                let result = self.files.make_directory_once(&name);
                self.log(exchange, Asked::MakeDirectory(name), result);
                self.answer(exchange, result.map(|()| Reply::Done));
            }
            Request::Invite(_) | Request::Join { .. } | Request::Zeros { .. } => {
                self.answer(exchange, Err(Status::Unsupported));
            }
            Request::Report => {
                let mut report = Report::default();
                self.say(exchange, |session| {
                    report = Report::new(&session.stats(), session.spent(now), Duration::ZERO);
                    Ok(())
                });
                self.answer(exchange, Ok(Reply::Report(Box::new(report))));
            }
            Request::Exit { .. } => {
                self.exit_asked = true;
                self.answer(exchange, Ok(Reply::Done));
            }
        }
    }

    fn on_get(&mut self, exchange: ExchangeId, get: &Get) {
        let name = &get.name;
        let file = self.files.get(name).cloned();
        self.log(exchange, Asked::Get(name.clone()), file.as_ref().map(drop).map_err(|s| *s));
        let file = match file {
            Ok(file) => file,
            Err(status) => return self.answer(exchange, Err(status)),
        };
        let version = Version { len: file.content.len(), modified: file.modified };
        if get.unless == Some(version) {
            return self.answer(exchange, Ok(Reply::Unchanged));
        }
        let fault = self.faults.get(name).copied().unwrap_or_default();
        let meta = Reply::Meta(Outgoing::meta(&file));
        let identity = file.identity;
        let mut outgoing = Outgoing::new(exchange, file, fault);
        if let Some(have) = get.have.as_ref().filter(|have| have.identity == identity) {
            have.groups.iter().for_each(|groups| outgoing.skip(groups));
        }
        self.answer_with_body(exchange, meta, outgoing);
    }

    fn on_list(&mut self, exchange: ExchangeId, directory: Option<Name>) {
        let entries = self.files.list(directory.as_ref());
        let result = entries.as_ref().map(drop).map_err(|status| *status);
        self.log(exchange, Asked::List(directory), result);
        match entries {
            Ok(entries) => {
                let mut bytes = Vec::new();
                entries.iter().for_each(|entry| entry.encode(&mut bytes));
                let mut outgoing = Outgoing::open(exchange, &bytes);
                outgoing.announce();
                self.answer_with_body(exchange, Reply::Listing, outgoing);
            }
            Err(status) => self.answer(exchange, Err(status)),
        }
    }

    fn on_put(&mut self, exchange: ExchangeId, put: &Put, body: BodyId) {
        let too_large = matches!(put.meta.len, BodyLen::Known(len) if len > self.max_stored);
        let target = match self.files.resolve(&put.to) {
            Ok(_) if too_large => Err(Status::TooLarge),
            resolved => resolved,
        };
        match target {
            Ok(name) if put.how.no_clobber && self.files.get(&name).is_ok() => {
                self.log(exchange, Asked::Put(name), Err(Status::Exists));
                self.answer(exchange, Err(Status::Exists));
            }
            Ok(name) if self.is_unchanged(&name, put) => {
                self.answer(exchange, Ok(Reply::Unchanged));
            }
            Ok(name) => self.receive_put(exchange, name, put, body),
            Err(status) => {
                let name = put.to.path.clone().unwrap_or_else(|| put.to.leaf.clone());
                self.log(exchange, Asked::Put(name), Err(status));
                self.answer(exchange, Err(status));
            }
        }
    }

    fn is_unchanged(&self, name: &Name, put: &Put) -> bool {
        let same = |file: &File| {
            put.meta.len == BodyLen::Known(file.content.len()) && put.meta.modified == file.modified
        };
        !put.how.fresh && !put.how.check && self.files.get(name).is_ok_and(same)
    }

    fn receive_put(&mut self, exchange: ExchangeId, name: Name, put: &Put, body: BodyId) {
        let Meta { len, identity, modified, .. } = put.meta;
        let mut incoming = Incoming::new(exchange, len, Some(identity));
        let partial = self.partials.get(&name).cloned().filter(|_| !put.how.fresh);
        let least = if put.how.check { 0 } else { HOLD_ABOVE };
        let is_told = matches!(len, BodyLen::Known(len) if len > least);
        let said = match partial {
            _ if !is_told => Vec::new(),
            Some(partial) if partial.identity == identity => {
                incoming.adopt_all(&partial);
                vec![Held::Groups(partial.have())]
            }
            Some(partial) => incoming.compare_all(&partial),
            None => vec![Held::Nothing],
        };
        self.expect_body(body, incoming);
        if let Some(entry) = self.exchanges.get_mut(&exchange) {
            entry.store_as = Some(name);
            entry.modified = modified;
        }
        self.say_held(exchange, body, said);
    }

    fn answer(&mut self, exchange: ExchangeId, answer: Result<Reply, Status>) {
        match answer {
            Ok(reply) => {
                self.say(exchange, |session| session.reply(exchange, reply).map(drop));
            }
            Err(status) => {
                if self.say(exchange, |session| session.fail(exchange, status, 0)) {
                    self.end(exchange, Outcome::Failed { status, detail: 0 });
                }
            }
        }
    }

    fn answer_with_body(&mut self, exchange: ExchangeId, reply: Reply, mut outgoing: Outgoing) {
        let mut body = None;
        self.say(exchange, |session| {
            body = session.reply(exchange, reply)?;
            Ok(())
        });
        let Some(body) = body else { return };
        while let Some(note) = outgoing.next_note() {
            self.say_note(exchange, body, note);
        }
        if let Some(entry) = self.exchanges.get_mut(&exchange) {
            entry.sending = Some(body);
        }
        self.sending.insert(body, outgoing);
    }

    fn say_note(&mut self, exchange: ExchangeId, body: BodyId, note: Note) {
        self.say(exchange, |session| session.note(body, note));
    }

    fn log(&mut self, exchange: ExchangeId, asked: Asked, result: Result<(), Status>) {
        self.performed.push(Performed { exchange, asked, result });
    }

    /// Notes what a put came to.
    pub(super) fn perform(&mut self, exchange: ExchangeId, result: Result<(), Status>) {
        let entry = self.exchanges.get(&exchange).filter(|entry| entry.job.is_none());
        if let Some(name) = entry.and_then(|entry| entry.store_as.clone()) {
            self.log(exchange, Asked::Put(name), result);
        }
    }
}
