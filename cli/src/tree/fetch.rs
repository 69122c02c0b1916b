//! Directories of the server.

use std::{collections::VecDeque, time::Duration, vec};

use gannet_driver_mio::client::{Client, Failure, Job, Tree};
use gannet_protocol::{Entry, EntryKind, FileTime, How, Mode, Name, Stat, Status};

use super::{
    Found, MOST_ASKED, Walk,
    landing::{Landing, landing, make, open},
};
use crate::{
    args::Get,
    errors::{Action, Conflict, Error},
    expand::{Answers, Named, ask_all, directory},
    names::{self, os_string},
    session::Session,
    transfer::{Skipped, Step, Transfer, Within},
};

/// Directories of the server that are fetched with all that is in them.
pub(crate) struct Fetch {
    how: How,
    /// Whether what is stored here is to survive a power failure.
    sync: bool,
    /// Those that are there on this side and not asked for yet, the next one last.
    pending: Vec<Dir>,
    asked: VecDeque<(Dir, Job<Vec<Entry>>)>,
    listed: VecDeque<(Dir, Vec<Entry>)>,
    /// The one whose entries become steps.
    open: Option<(Dir, vec::IntoIter<Entry>)>,
    found: Found,
    /// Directories that were made here, each behind the one that it is in, and what they shall be like in the end.
    made: Vec<Made>,
}

/// A directory of the server, and where what is in it lands.
#[derive(Clone, Debug)]
struct Dir {
    from: Option<Name>,
    tree: Tree,
    to: Option<Name>,
}

#[derive(Debug)]
struct Made {
    tree: Tree,
    name: Name,
    mode: Mode,
    modified: FileTime,
}

/// What the user names.
struct Root {
    named: Named,
    name: Option<Name>,
    /// It stands for what is in it, which lands beside what else there is.
    is_content: bool,
}

impl Fetch {
    /// Looks at what the user names, and prepares to fetch it.
    ///
    /// # Errors
    /// All of it is a contradiction, or the user wants an end.
    pub(crate) fn new(
        session: &Session,
        get: &Get,
        expanded: Vec<Result<Named, Error>>,
    ) -> Result<Self, Error> {
        let mut fetch = Self::empty(How::from(get.existing), session.syncs());
        let count = expanded.len();
        let landing = landing(get.to.as_deref(), count, session)?;
        let (mut roots, mut ahead) = (Vec::new(), VecDeque::new());
        for named in expanded {
            let root = named.and_then(|named| {
                let action = Action::Get(named.text.clone());
                let (name, is_content) = directory(&named.text, action)?;
                Ok(Root { named, name, is_content })
            });
            match root {
                // Most are directories, and a listing tells as soon as a look.
                Ok(root) if ahead.len() < MOST_ASKED => {
                    ahead.push_back(Some(session.client().list(root.name.clone())));
                    roots.push(root);
                }
                Ok(root) => roots.push(root),
                Err(error) => fetch.found.add(Step::Fail(error)),
            }
        }
        refuse_collisions(&roots)?;
        for (root, stat) in look(session, roots)? {
            let list = ahead.pop_front().flatten();
            if let Err(error) = stat.and_then(|stat| fetch.begin(&landing, root, stat, list)) {
                fetch.found.add(Step::Fail(error));
            }
        }
        fetch.pending.reverse();
        Ok(fetch)
    }

    fn empty(how: How, sync: bool) -> Self {
        Self {
            how,
            sync,
            pending: Vec::new(),
            asked: VecDeque::new(),
            listed: VecDeque::new(),
            open: None,
            found: Found::default(),
            made: Vec::new(),
        }
    }

    /// Begins with what the user names.
    fn begin(
        &mut self,
        landing: &Landing,
        root: Root,
        stat: Option<Stat>,
        list: Option<Job<Vec<Entry>>>,
    ) -> Result<(), Error> {
        let Root { named: Named { text, .. }, name, is_content } = root;
        let action = || Action::Get(text.clone());
        match (name, stat) {
            (Some(from), Some(Stat { kind: EntryKind::File, .. })) if !is_content => {
                let to = match landing {
                    Landing::Into(directory) => directory.join(names::local(&from.leaf())),
                    Landing::As(path) => path.clone(),
                };
                let (how, within) = (self.how, None);
                self.found.add(Step::Move(Transfer::Get { text, from, to, how, within }));
                Ok(())
            }
            (Some(_), Some(Stat { kind: EntryKind::File | EntryKind::Other, .. })) => {
                let status = if is_content { Status::NotDirectory } else { Status::NotRegular };
                Err(Error::Remote { action: action(), status, detail: 0 })
            }
            (from, stat) => {
                let leaf = from.as_ref().filter(|_| !is_content).map(Name::leaf);
                let (base, to) = landing.of(leaf, &action)?;
                let tree = match &to {
                    None => open(&base, &action)?,
                    Some(name) => {
                        let mode = stat.map_or(Mode::from_bits(0o777), |stat| stat.mode);
                        let tree = make(&base, name, mode, self.sync, &action)?;
                        if let Some(Stat { modified, .. }) = stat {
                            let (tree, name) = (tree.clone(), name.clone());
                            self.made.push(Made { tree, name, mode, modified });
                        }
                        tree
                    }
                };
                let dir = Dir { from, tree, to };
                match list {
                    Some(job) => self.asked.push_back((dir, job)),
                    None => self.pending.push(dir),
                }
                Ok(())
            }
        }
    }

    /// Takes the listings that are there.
    fn hear(&mut self, session: &Session) {
        for (dir, mut job) in std::mem::take(&mut self.asked) {
            match job.wait_timeout(Duration::ZERO) {
                None => self.asked.push_back((dir, job)),
                Some(Ok(entries)) => self.listed.push_back((dir, entries)),
                Some(Err(Failure::Lost(lost))) if session.may_come_back(&lost) => {
                    // It may have been made again already.
                    self.found.lost = self.found.lost.or(session.broken());
                    self.pending.push(dir);
                }
                Some(Err(failure)) => {
                    let error = session.error(dir.action(), failure);
                    self.found.add(Step::Fail(error));
                }
            }
        }
    }

    /// Makes what directories there are in one, and goes on to its other entries.
    fn enter(&mut self, dir: Dir, mut entries: Vec<Entry>) {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let before = entries.len();
        entries.dedup_by(|a, b| a.name == b.name);
        if entries.len() < before {
            log::warn!("the server lists a name of {} twice", dir.shown());
        }
        let is_directory = |entry: &Entry| entry.kind == EntryKind::Directory && !entry.is_link;
        let (directories, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_directory);
        let wanted: Vec<_> =
            directories.iter().map(|entry| (entry.name.clone(), entry.mode)).collect();
        let made = match &wanted[..] {
            [] => Ok(Vec::new()),
            wanted => dir.tree.make(dir.to.as_ref(), wanted, self.sync),
        };
        let made = made.unwrap_or_else(|status| vec![Err(status); wanted.len()]);
        let mut within = Vec::new();
        for (entry, made) in directories.into_iter().zip(made) {
            match dir.enter(&entry.name).and_then(|inner| {
                made.map(|()| inner).map_err(|status| dir.local_error(&entry.name, status))
            }) {
                Ok(inner) => {
                    if let Some(name) = inner.to.clone() {
                        let Entry { mode, modified, .. } = entry;
                        self.made.push(Made { tree: inner.tree.clone(), name, mode, modified });
                    }
                    within.push(inner);
                }
                Err(error) => self.found.add(Step::Fail(error)),
            }
        }
        // The next one is the last.
        self.pending.extend(within.into_iter().rev());
        self.open = Some((dir, others.into_iter()));
    }

    fn step(&mut self, dir: &Dir, entry: &Entry) {
        let inner = match dir.enter(&entry.name) {
            Ok(inner) => inner,
            Err(error) => return self.found.add(Step::Fail(error)),
        };
        let (Dir { from: Some(from), tree, to: Some(name) }, how) = (inner, self.how) else {
            return;
        };
        let text = os_string(from.as_bytes().to_vec());
        self.found.add(match entry {
            Entry { kind: EntryKind::File, is_link: false, len, .. } => {
                let to = tree.path_of(Some(&name));
                let within = Some(Within { tree, name, len: *len });
                Step::Move(Transfer::Get { text, from, to, how, within })
            }
            Entry { is_link, .. } => {
                Step::Skip(Skipped { what: text, is_here: false, is_link: *is_link })
            }
        });
    }
}

impl Walk for Fetch {
    fn found(&self) -> &Found {
        &self.found
    }

    fn found_mut(&mut self) -> &mut Found {
        &mut self.found
    }

    fn is_searching(&self) -> bool {
        !self.pending.is_empty()
            || !self.asked.is_empty()
            || !self.listed.is_empty()
            || self.open.is_some()
    }

    fn advance(&mut self, session: &Session) {
        self.hear(session);
        while self.found.lost.is_none()
            && self.asked.len() + self.listed.len() < MOST_ASKED
            && !self.found.is_far_ahead()
            && let Some(dir) = self.pending.pop()
        {
            let job = session.client().list(dir.from.clone());
            self.asked.push_back((dir, job));
        }
        while !self.found.is_far_ahead() {
            let Some((dir, mut entries)) = self.open.take() else {
                let Some((dir, entries)) = self.listed.pop_front() else { break };
                self.enter(dir, entries);
                continue;
            };
            while !self.found.is_far_ahead()
                && let Some(entry) = entries.next()
            {
                self.step(&dir, &entry);
            }
            if entries.len() > 0 {
                self.open = Some((dir, entries));
            }
        }
    }

    /// Gives the directories the permission bits and times that they have at the server.
    fn settle(&mut self) -> Vec<Error> {
        let mut failed = Vec::new();
        // Those within first: what is done in a directory changes its time.
        for Made { tree, name, mode, modified } in self.made.drain(..).rev() {
            if let Err(status) = tree.settle(Some(&name), mode, Some(modified)) {
                let (action, path) =
                    (Action::Get(names::local(&name).into()), tree.path_of(Some(&name)));
                failed.push(Error::Local { action, path, status });
            }
        }
        failed
    }
}

impl Dir {
    fn action(&self) -> Action {
        Action::Get(self.shown_text())
    }

    fn shown_text(&self) -> std::ffi::OsString {
        match &self.from {
            Some(from) => os_string(from.as_bytes().to_vec()),
            None => ".".into(),
        }
    }

    fn shown(&self) -> String {
        names::Shown(&self.shown_text()).to_string()
    }

    /// What has this name in it.
    fn enter(&self, name: &Name) -> Result<Self, Error> {
        let join = |dir: &Option<Name>| match dir {
            Some(dir) => dir.join(name),
            None => Ok(name.clone()),
        };
        let bad = |error| Error::BadName {
            action: self.action(),
            name: os_string(name.as_bytes().to_vec()),
            error,
        };
        let (from, to) = (join(&self.from).map_err(bad)?, join(&self.to).map_err(bad)?);
        Ok(Self { from: Some(from), tree: self.tree.clone(), to: Some(to) })
    }

    fn local_error(&self, name: &Name, status: Status) -> Error {
        match self.enter(name) {
            Ok(inner) => Error::Local {
                action: inner.action(),
                path: inner.tree.path_of(inner.to.as_ref()),
                status,
            },
            Err(error) => error,
        }
    }
}

/// Looks at what each of these is; all that is shared has no name.
fn look(session: &Session, roots: Vec<Root>) -> Result<Answers<Root, Option<Stat>>, Error> {
    let mut unknown = Vec::new();
    for (at, root) in roots.iter().enumerate() {
        if let (Some(name), None) = (&root.name, root.named.stat) {
            unknown.push((at, name.clone(), root.named.text.clone()));
        }
    }
    let ask = |client: &Client, (_, name, _): &(usize, Name, _)| client.stat(name.clone());
    let action = |(_, _, text): &(usize, Name, std::ffi::OsString)| Action::Get(text.clone());
    let mut answers = ask_all(session, unknown, action, ask)?.into_iter().peekable();
    let looked = roots.into_iter().enumerate().map(|(at, root)| {
        let stat = match answers.next_if(|((of, _, _), _)| *of == at) {
            Some((_, answer)) => answer.map(Some),
            None => Ok(root.named.stat),
        };
        (root, stat)
    });
    Ok(looked.collect())
}

fn refuse_collisions(roots: &[Root]) -> Result<(), Error> {
    let mut seen = std::collections::HashMap::new();
    for Root { named, name, is_content } in roots {
        let Some(name) = name.as_ref().filter(|_| !is_content) else { continue };
        if let Some(first) = seen.insert(name.leaf(), &named.text) {
            let (first, second) = (first.clone(), named.text.clone());
            return Err(Error::Conflict(Conflict::SameName { first, second }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
