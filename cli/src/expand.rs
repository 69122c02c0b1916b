//! Patterns of names at the server, and the names that they stand for.
//!
//! The client looks them up, level by level, in listings: that takes nothing of the server that it does not do anyway, and a
//! round trip for each level that has a pattern.

use std::{
    collections::{HashSet, VecDeque},
    ffi::{OsStr, OsString},
};

use gannet_driver_mio::{
    client::{Client, Job},
    pattern::{Pattern, is_pattern},
};
use gannet_protocol::{Entry, EntryKind, Name, Stat, Status};

use crate::{
    errors::{Action, Conflict, Error},
    names::{self, os_string},
    session::Session,
};

/// Directories that are looked through at a time.
const MOST_ASKED: usize = 64;
/// Most names that one command's patterns may stand for: some 100 MB of them.
const MOST_NAMES: usize = 1_000_000;

/// A name at the server.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) text: OsString,
    /// What it is, if that was asked to find it.
    pub(crate) stat: Option<Stat>,
}

/// Puts in the place of each pattern the names that it stands for, in their order and each once; all other texts stay, and a text
/// that is a name itself is no pattern.
///
/// # Errors
/// The user wants an end, or the server is lost for good. Of each: no name matches, or the directories cannot be listed.
pub(crate) fn expand(
    session: &Session,
    texts: &[OsString],
    action: fn(OsString) -> Action,
) -> Result<Vec<Result<Named, Error>>, Error> {
    let (mut named, mut seen) = (Vec::new(), HashSet::new());
    for text in texts {
        if !is_pattern(text.as_encoded_bytes()) {
            named.push(Ok(Named { text: text.clone(), stat: None }));
            continue;
        }
        for found in (Search { session, text, action }).run()? {
            match found {
                Ok((name, stat)) => {
                    if seen.insert(name.clone()) {
                        let text = os_string(name.as_bytes().to_vec());
                        named.push(Ok(Named { text, stat: Some(stat) }));
                    }
                }
                Err(error) => named.push(Err(error)),
            }
        }
        if named.len() > MOST_NAMES {
            return Err(Error::Conflict(Conflict::TooManyNames(text.clone())));
        }
    }
    Ok(named)
}

/// What was answered of each.
pub(crate) type Answers<K, T> = Vec<(K, Result<T, Error>)>;

/// Asks for the same of many, some of them at a time.
///
/// # Errors
/// What ends everything; of each, what the server says.
pub(crate) fn ask_all<K, T>(
    session: &Session,
    keys: Vec<K>,
    action: impl Fn(&K) -> Action,
    ask: impl Fn(&Client, &K) -> Job<T>,
) -> Result<Answers<K, T>, Error> {
    let (mut waiting, mut asked, mut answers) = (keys.into_iter(), VecDeque::new(), Vec::new());
    loop {
        while asked.len() < MOST_ASKED
            && let Some(key) = waiting.next()
        {
            let job = ask(&session.client(), &key);
            asked.push_back((key, job));
        }
        let Some((key, job)) = asked.pop_front() else { return Ok(answers) };
        match session.persist(|| action(&key), job, |client| ask(client, &key), |_| None) {
            Err(error) if error.ends_all() => return Err(error),
            answer => answers.push((key, answer)),
        }
    }
}

/// Reads a name at the server that may be a directory's; a `.` at its end stands for all that is in it. Nothing is the root.
pub(crate) fn directory(text: &OsStr, action: Action) -> Result<(Option<Name>, bool), Error> {
    let bytes = text.as_encoded_bytes();
    let (within, is_content) = match bytes {
        b"." | b"./" => return Ok((None, true)),
        _ => match bytes.strip_suffix(b"/.").or_else(|| bytes.strip_suffix(b"/./")) {
            Some(within) => (os_string(within.to_vec()), true),
            None => (text.to_owned(), false),
        },
    };
    let name = names::remote_path(&within);
    name.map(|name| (Some(name), is_content)).map_err(|error| Error::BadName {
        action,
        name: text.into(),
        error,
    })
}

type Found = Vec<Result<(Name, Stat), Error>>;

/// The search for what one pattern stands for.
struct Search<'a> {
    session: &'a Session,
    text: &'a OsStr,
    action: fn(OsString) -> Action,
}

/// A place that the pattern leads to so far: a directory, or none for the root, and what it is if that is known.
type Place = (Option<Name>, Option<Stat>);

impl Search<'_> {
    fn run(&self) -> Result<Found, Error> {
        if let Ok(name) = names::remote_path(self.text) {
            // What has this very name is meant.
            let ask = |client: &Client, name: &Name| client.stat(name.clone());
            let exact = ask_all(self.session, vec![name], |_| self.action(), ask)?;
            let exact = exact.into_iter().find_map(|(name, stat)| Some((name, stat.ok()?)));
            if let Some(exact) = exact {
                return Ok(vec![Ok(exact)]);
            }
        }
        let bytes = self.text.as_encoded_bytes();
        let mut components: Vec<_> = bytes.split(|&byte| byte == b'/').collect();
        // A directory is meant.
        let only_directories = components.last() == Some(&&b""[..]);
        components.truncate(components.len() - usize::from(only_directories));
        let (mut places, mut troubles): (Vec<Place>, _) = (vec![(None, None)], Vec::new());
        let count = components.len();
        for (at, component) in components.into_iter().enumerate() {
            let pattern = Pattern::parse(component);
            let is_within = at + 1 < count || only_directories;
            places = match pattern.literal() {
                Some(literal) => self.step(places, &literal)?,
                None => self.look(places, &pattern, is_within, &mut troubles)?,
            };
            if places.len() > MOST_NAMES {
                return Err(Error::Conflict(Conflict::TooManyNames(self.text.into())));
            }
        }
        let mut found = self.settle(places, only_directories)?;
        found.extend(troubles.into_iter().map(Err));
        if found.is_empty() {
            found.push(Err(Error::NoMatch(self.action())));
        }
        Ok(found)
    }

    fn action(&self) -> Action {
        (self.action)(self.text.into())
    }

    /// Goes on to what has this name in each place, be it there or not.
    fn step(&self, places: Vec<Place>, literal: &[u8]) -> Result<Vec<Place>, Error> {
        let bad = |error| Error::BadName { action: self.action(), name: self.text.into(), error };
        let leaf = Name::parse(literal).map_err(bad)?;
        let join = |dir: Option<Name>| match dir {
            Some(dir) => dir.join(&leaf),
            None => Ok(leaf.clone()),
        };
        places.into_iter().map(|(dir, _)| Ok((Some(join(dir).map_err(bad)?), None))).collect()
    }

    /// Goes on to what matches in each place.
    fn look(
        &self,
        places: Vec<Place>,
        pattern: &Pattern,
        only_directories: bool,
        troubles: &mut Vec<Error>,
    ) -> Result<Vec<Place>, Error> {
        let dirs = places.into_iter().map(|(dir, _)| dir).collect();
        let ask = |client: &Client, dir: &Option<Name>| client.list(dir.clone());
        let mut found = Vec::new();
        for (dir, entries) in ask_all(self.session, dirs, |_| self.action(), ask)? {
            let entries = match entries {
                Ok(entries) => entries,
                // It was there only for all that is known.
                Err(error) if error.is_remote(Status::NotFound) => continue,
                Err(error) if error.is_remote(Status::NotDirectory) => continue,
                Err(error) => {
                    troubles.push(error);
                    continue;
                }
            };
            let matching = entries.into_iter().filter(|entry| {
                let fits = !only_directories || entry.kind == EntryKind::Directory;
                fits && pattern.matches(entry.name.as_bytes())
            });
            let join = |name: &Name| match &dir {
                Some(dir) => dir.join(name).ok(),
                None => Some(name.clone()),
            };
            let mut matching: Vec<Place> = matching
                .filter_map(|entry| Some((Some(join(&entry.name)?), Some(stat_of(&entry)))))
                .collect();
            matching.sort_by(|(a, _), (b, _)| a.cmp(b));
            found.append(&mut matching);
        }
        Ok(found)
    }

    /// Asks what is there of that which no listing told.
    fn settle(&self, places: Vec<Place>, only_directories: bool) -> Result<Found, Error> {
        let mut found = Vec::new();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (name, stat) in places {
            match (name, stat) {
                (Some(name), Some(stat)) => known.push((name, stat)),
                (Some(name), None) => unknown.push(name),
                (None, _) => {}
            }
        }
        found.extend(known.into_iter().map(Ok));
        let ask = |client: &Client, name: &Name| client.stat(name.clone());
        for (name, stat) in ask_all(self.session, unknown, |_| self.action(), ask)? {
            match stat {
                Ok(stat) if only_directories && stat.kind != EntryKind::Directory => {}
                Ok(stat) => found.push(Ok((name, stat))),
                Err(error) if error.is_remote(Status::NotFound) => {}
                Err(error) if error.is_remote(Status::NotDirectory) => {}
                Err(error) => found.push(Err(error)),
            }
        }
        Ok(found)
    }
}

fn stat_of(entry: &Entry) -> Stat {
    Stat { kind: entry.kind, len: entry.len, mode: entry.mode, modified: entry.modified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_end_stands_for_what_is_in_it() {
        let read = |text: &str| {
            let read = directory(OsStr::new(text), Action::Get(text.into()));
            read.map(|(name, content)| (name.map(|name| name.to_string()), content)).ok()
        };
        assert_eq!(read("."), Some((None, true)));
        assert_eq!(read("./"), Some((None, true)));
        assert_eq!(read("a/."), Some((Some("a".into()), true)));
        assert_eq!(read("a/b/"), Some((Some("a/b".into()), false)));
        assert_eq!(read("a"), Some((Some("a".into()), false)));
        assert_eq!(read("../a"), None);
        assert_eq!(read("/"), None);
    }
}
