//! `stat`, `remove` and `mkdir`: one or many names on one connection.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
};

use gannet_driver_mio::client::{Client, Job};
use gannet_protocol::Name;

use crate::{
    args::{Mkdir, Remove, Stat},
    errors::{Action, Error},
    listing, names,
    outcome::Outcome,
    session::Session,
    telling::Telling,
    transfer::MOST_AT_ONCE,
};

/// Tells what each of the names is, and returns the failure of the first that failed.
///
/// # Errors
/// The user wants an end, or standard output cannot be written.
pub(crate) fn stat(
    session: &Session,
    telling: Telling,
    Stat { names, .. }: &Stat,
) -> Result<Outcome, Error> {
    each(session, telling, names, Action::Stat, Client::stat, |name, stat| {
        telling.asked_for(
            || listing::print_stat(name, &stat),
            |object| {
                let object =
                    object.named(name.as_bytes()).of_kind(stat.kind).with("bytes", stat.len);
                object.with_mode(stat.mode).modified(stat.modified)
            },
        )
    })
}

/// Removes files and empty directories, and returns the failure of the first that failed.
///
/// # Errors
/// The user wants an end.
pub(crate) fn remove(
    session: &Session,
    telling: Telling,
    Remove { names, .. }: &Remove,
) -> Result<Outcome, Error> {
    each(session, telling, names, Action::Remove, Client::remove, |name, ()| {
        telling.done(format_args!("removed {name}"), |object| object.named(name.as_bytes()))
    })
}

/// Makes directories, and returns the failure of the first that failed.
///
/// # Errors
/// The user wants an end.
pub(crate) fn mkdir(
    session: &Session,
    telling: Telling,
    Mkdir { names, .. }: &Mkdir,
) -> Result<Outcome, Error> {
    each(session, telling, names, Action::Mkdir, Client::make_directory, |name, ()| {
        telling.done(format_args!("made {name}/"), |object| object.named(name.as_bytes()))
    })
}

/// A name that is asked for.
struct Asked<T> {
    text: OsString,
    name: Name,
    job: Job<T>,
}

/// Asks for every name, many at once, and tells of them in their order.
fn each<T>(
    session: &Session,
    telling: Telling,
    texts: &[OsString],
    action: fn(OsString) -> Action,
    ask: fn(&Client, Name) -> Job<T>,
    mut tell: impl FnMut(&Name, T) -> Result<(), Error>,
) -> Result<Outcome, Error> {
    let mut waiting: VecDeque<_> = texts.iter().map(|text| (text, parse(text, action))).collect();
    let mut asked: VecDeque<Result<Asked<T>, Error>> = VecDeque::new();
    let mut outcome = Outcome::Done;
    loop {
        while let Some((_, next)) = waiting.front()
            && asked.len() < MOST_AT_ONCE
            && next
                .as_ref()
                .map_or(true, |next| !asked.iter().flatten().any(|a| meet(&a.name, next)))
            && let Some((text, name)) = waiting.pop_front()
        {
            asked.push_back(name.map(|name| {
                let job = ask(&session.client, name.clone());
                Asked { text: text.clone(), name, job }
            }));
        }
        let Some(first) = asked.pop_front() else { return Ok(outcome) };
        let told = first.and_then(|Asked { text, name, job }| {
            let result = session.wait(job);
            tell(&name, result.map_err(|failure| session.error(action(text), failure))?)
        });
        match told {
            Ok(()) => {}
            Err(error @ (Error::Interrupted | Error::Stdio(_))) => return Err(error),
            Err(error) => outcome = outcome.or(telling.failed(&error)),
        }
    }
}

fn parse(text: &OsStr, action: fn(OsString) -> Action) -> Result<Name, Error> {
    names::remote_path(text).map_err(|error| Error::BadName {
        action: action(text.to_owned()),
        name: text.to_owned(),
        error,
    })
}

/// Whether the one is the other or in it: then what becomes of them depends on their order, which a server does not keep.
fn meet(a: &Name, b: &Name) -> bool {
    let (shorter, longer) = if a.as_bytes().len() <= b.as_bytes().len() { (a, b) } else { (b, a) };
    let rest = longer.as_bytes().strip_prefix(shorter.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_that_are_in_each_other() {
        let name = |text: &str| Name::parse(text.as_bytes()).unwrap();
        for (a, b, expected) in [
            ("a", "a", true),
            ("a", "a/b", true),
            ("a/b/c", "a/b", true),
            ("a", "ab", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(meet(&name(a), &name(b)), expected, "{a} {b}");
        }
    }
}
