//! Directories of this machine.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
    vec,
};

use gannet_driver_mio::client::{Client, Failure, Job, LocalEntry, LocalKind, Tree};
use gannet_protocol::{Destination, EntryKind, How, Mode, Name, Stat, Status};

use super::{Found, MOST_ASKED, Walk};
use crate::{
    args::Put,
    destination::{self, STREAM},
    errors::{Action, Conflict, Error},
    names,
    session::{Session, is_status},
    transfer::{Skipped, Step, Transfer, Within},
};

/// Directories of this machine that are stored with all that is in them.
pub(crate) struct Store {
    how: How,
    /// Those that have yet to be made at the server, the next one last.
    pending: Vec<Dir>,
    asked: VecDeque<(Dir, Making)>,
    /// Those that are there.
    made: VecDeque<Dir>,
    /// The one whose entries become steps.
    open: Option<(Dir, vec::IntoIter<LocalEntry>)>,
    found: Found,
}

/// A directory of this machine, and where what is in it lands.
#[derive(Clone, Debug)]
struct Dir {
    tree: Tree,
    from: Option<Name>,
    /// A directory of the server; none for all that it shares.
    to: Option<Name>,
    mode: Mode,
}

/// How far it is with a directory at the server.
enum Making {
    Make(Job<()>),
    /// Its name is taken: it may be that of a directory.
    Look(Job<Stat>),
}

impl Store {
    /// Looks at what the user names, and prepares to store it.
    ///
    /// # Errors
    /// All of it is a contradiction, or the user wants an end.
    pub(crate) fn new(session: &Session, put: &Put) -> Result<Self, Error> {
        let Put { files, to, existing, .. } = put;
        let mut store = Self {
            how: How::from(*existing),
            pending: Vec::new(),
            asked: VecDeque::new(),
            made: VecDeque::new(),
            open: None,
            found: Found::default(),
        };
        let is_directory =
            |file: &&PathBuf| file.as_os_str() != STREAM && session.here.resolve(file).is_dir();
        let (directories, others): (Vec<_>, Vec<_>) = files.iter().partition(is_directory);
        refuse_collisions(files)?;
        let others: Vec<_> = others.into_iter().cloned().collect();
        let landing = if directories.is_empty() {
            Landing::Into(None)
        } else {
            landing(session, to.as_deref(), files)?
        };
        let to = match (&landing, files.len()) {
            // Beside a directory it is one.
            (Landing::Into(_), 2..) => to.clone().map(with_slash),
            _ => to.clone(),
        };
        for (each, file) in
            destination::of_puts(&others, to.as_deref(), &session.here)?.into_iter().zip(others)
        {
            store.found.add(each.map_or_else(Step::Fail, |(from, to)| {
                Step::Move(match file.as_os_str() == STREAM {
                    true => Transfer::Read { to, how: store.how },
                    false => {
                        let (how, again, within) = (store.how, false, None);
                        Transfer::Put { file, from, to, how, again, within }
                    }
                })
            }));
        }
        for path in directories {
            if let Err(error) = store.begin(session, path, &landing) {
                store.found.add(Step::Fail(error));
            }
        }
        store.pending.reverse();
        Ok(store)
    }

    /// Begins with a directory that the user names.
    fn begin(&mut self, session: &Session, path: &Path, landing: &Landing) -> Result<(), Error> {
        let action = || Action::Put(path.into());
        let tree = Tree::open(&session.here.resolve(path)).map_err(|status| Error::Local {
            action: action(),
            path: path.into(),
            status,
        })?;
        let leaf =
            match path.file_name() {
                Some(leaf) if !is_content(path) => Some(names::remote(leaf).map_err(|error| {
                    Error::BadName { action: action(), name: leaf.into(), error }
                })?),
                _ => None,
            };
        let mode = tree.mode().unwrap_or(Mode::from_bits(0o755));
        let (to, is_made) = match (landing, leaf) {
            (Landing::As(name), _) => (Some(name.clone()), false),
            (Landing::Into(base), None) => (base.clone(), true),
            (Landing::Into(None), Some(leaf)) => (Some(leaf), false),
            (Landing::Into(Some(base)), Some(leaf)) => {
                let bad = |error| Error::BadName {
                    action: action(),
                    name: names::os_string(leaf.as_bytes().to_vec()),
                    error,
                };
                (Some(base.join(&leaf).map_err(bad)?), false)
            }
        };
        let dir = Dir { tree, from: None, to, mode };
        if is_made {
            self.made.push_back(dir);
        } else {
            self.pending.push(dir);
        }
        Ok(())
    }

    /// Takes the server's answers that are there.
    fn hear(&mut self, session: &Session) {
        for (dir, mut making) in std::mem::take(&mut self.asked) {
            let answer = match &mut making {
                Making::Make(job) => job.wait_timeout(Duration::ZERO),
                Making::Look(job) => job.wait_timeout(Duration::ZERO).map(|look| match look {
                    Ok(Stat { kind: EntryKind::Directory, .. }) => Ok(()),
                    Ok(_) => Err(Failure::Remote { status: Status::NotDirectory, detail: 0 }),
                    Err(failure) => Err(failure),
                }),
            };
            match (answer, making, &dir.to) {
                (None, making, _) => self.asked.push_back((dir, making)),
                (Some(Ok(())), ..) => self.made.push_back(dir),
                (Some(Err(Failure::Lost(lost))), ..) if session.may_come_back(&lost) => {
                    // It may have been made again already.
                    self.found.lost = self.found.lost.or(session.broken());
                    self.pending.push(dir);
                }
                (Some(Err(failure)), Making::Make(_), Some(name))
                    if is_status(&failure, Status::Exists) =>
                {
                    let job = session.client().stat(name.clone());
                    self.asked.push_back((dir, Making::Look(job)));
                }
                (Some(Err(failure)), ..) => {
                    let error = session.error(Action::Put(dir.path()), failure);
                    self.found.add(Step::Fail(error));
                }
            }
        }
    }

    /// Looks at what is in a directory.
    fn enter(&mut self, dir: Dir) {
        match dir.tree.list(dir.from.as_ref()) {
            Ok(mut entries) => {
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                self.note_directories(&dir, &entries);
                self.open = Some((dir, entries.into_iter()));
            }
            Err(status) => {
                let path = dir.path();
                let action = Action::Put(path.clone());
                self.found.add(Step::Fail(Error::Local { action, path, status }));
            }
        }
    }

    fn note_directories(&mut self, dir: &Dir, entries: &[LocalEntry]) {
        // The next one is the last.
        for entry in entries.iter().rev() {
            if let LocalKind::Directory(mode) = entry.kind {
                match dir.enter(&entry.name) {
                    Ok(inner) => self.pending.push(Dir { mode, ..inner }),
                    Err(error) => self.found.add(Step::Fail(error)),
                }
            }
        }
    }

    fn step(&mut self, dir: &Dir, entry: &LocalEntry) {
        let len = match entry.kind {
            LocalKind::Directory(_) => return,
            LocalKind::File(len) => len,
            LocalKind::Link | LocalKind::Other => {
                let what = dir.path().join(&entry.name).into_os_string();
                let is_link = entry.kind == LocalKind::Link;
                return self.found.add(Step::Skip(Skipped { what, is_here: true, is_link }));
            }
        };
        let inner = match dir.enter(&entry.name) {
            Ok(inner) => inner,
            Err(error) => return self.found.add(Step::Fail(error)),
        };
        let (Dir { tree, from: Some(name), to: Some(to), .. }, how) = (inner, self.how) else {
            return;
        };
        let file = tree.path_of(Some(&name));
        let to = Destination { path: dir.to.clone(), leaf: to.leaf(), into_directory: true };
        let within = Some(Within { tree, name, len });
        let (from, again) = (file.clone(), false);
        self.found.add(Step::Move(Transfer::Put { file, from, to, how, again, within }));
    }
}

impl Walk for Store {
    fn found(&self) -> &Found {
        &self.found
    }

    fn found_mut(&mut self) -> &mut Found {
        &mut self.found
    }

    fn is_searching(&self) -> bool {
        !self.pending.is_empty()
            || !self.asked.is_empty()
            || !self.made.is_empty()
            || self.open.is_some()
    }

    fn advance(&mut self, session: &Session) {
        self.hear(session);
        while self.found.lost.is_none()
            && self.asked.len() + self.made.len() < MOST_ASKED
            && !self.found.is_far_ahead()
            && let Some(dir) = self.pending.pop()
        {
            match &dir.to {
                Some(name) => {
                    let job = session.client().make_directory_as(name.clone(), dir.mode);
                    self.asked.push_back((dir, Making::Make(job)));
                }
                None => self.made.push_back(dir),
            }
        }
        while !self.found.is_far_ahead() {
            let Some((dir, mut entries)) = self.open.take() else {
                let Some(dir) = self.made.pop_front() else { break };
                self.enter(dir);
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
}

impl Dir {
    fn path(&self) -> PathBuf {
        self.tree.path_of(self.from.as_ref())
    }

    /// What has this name in it.
    fn enter(&self, name: &OsStr) -> Result<Self, Error> {
        let action = || Action::Put(self.path().join(name));
        let bad = |error| Error::BadName { action: action(), name: name.to_owned(), error };
        let leaf = names::remote(name).map_err(bad)?;
        let join = |dir: &Option<Name>| match dir {
            Some(dir) => dir.join(&leaf),
            None => Ok(leaf.clone()),
        };
        let (from, to) = (join(&self.from).map_err(bad)?, join(&self.to).map_err(bad)?);
        Ok(Self { tree: self.tree.clone(), from: Some(from), to: Some(to), mode: self.mode })
    }
}

/// Where what the user names lands at the server.
enum Landing {
    /// In this directory, which is there, or in all that is shared, under its last component.
    Into(Option<Name>),
    /// Under this name.
    As(Name),
}

/// What `--to` means at the server, for `files` of which one at least is a directory.
fn landing(session: &Session, to: Option<&OsStr>, files: &[PathBuf]) -> Result<Landing, Error> {
    let Some(to) = to else { return Ok(Landing::Into(None)) };
    let action = || Action::Put(files.first().cloned().unwrap_or_default());
    let name = names::remote_directory(to).map_err(|error| Error::BadName {
        action: action(),
        name: to.into(),
        error,
    })?;
    let Some(name) = name else { return Ok(Landing::Into(None)) };
    if files.len() > 1 || names::ends_in_slash(to) {
        let ask = |client: &Client| client.make_directory(name.clone());
        // Whatever it is; if it is no directory, that is told of what is stored in it.
        let is_there = |failure: &Failure| is_status(failure, Status::Exists).then_some(());
        match session.persist(action, ask(&session.client()), ask, is_there) {
            Ok(()) => {}
            Err(error) if error.is_remote(Status::Exists) => {}
            Err(error) => return Err(error),
        }
        return Ok(Landing::Into(Some(name)));
    }
    let ask = |client: &Client| client.stat(name.clone());
    match session.persist(action, ask(&session.client()), ask, |_| None) {
        Ok(Stat { kind: EntryKind::Directory, .. }) => Ok(Landing::Into(Some(name))),
        Ok(_) => Err(Error::Remote { action: action(), status: Status::NotDirectory, detail: 0 }),
        Err(error) if error.is_remote(Status::NotFound) => Ok(Landing::As(name)),
        Err(error) => Err(error),
    }
}

/// Whether it stands for what is in it.
fn is_content(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none() || bytes.ends_with(b"/.") || bytes.ends_with(b"/./")
}

fn with_slash(mut to: OsString) -> OsString {
    to.push("/");
    to
}

fn refuse_collisions(files: &[PathBuf]) -> Result<(), Error> {
    let mut seen = std::collections::HashMap::new();
    for file in files.iter().filter(|file| !is_content(file)) {
        let Some(leaf) = file.file_name() else { continue };
        if let Some(first) = seen.insert(leaf, file) {
            let (first, second) = (first.clone().into(), file.clone().into());
            return Err(Error::Conflict(Conflict::SameName { first, second }));
        }
    }
    Ok(())
}
