//! `stat`, `remove` and `mkdir`: one or many names on one connection.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
};

use gannet_driver_mio::client::{Client, Failure, Job};
use gannet_protocol::{Name, Status};

use crate::{
    args::{Mkdir, Remove, Stat},
    errors::{Action, Error},
    expand::{Named, expand},
    listing, names,
    outcome::Outcome,
    session::{Session, is_status},
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
    each(
        session,
        telling,
        expand(session, names, Action::Stat)?,
        Action::Stat,
        Client::stat,
        |_| None,
        |name, stat| {
            telling.asked_for(
                || listing::print_stat(name, &stat),
                |object| {
                    let object =
                        object.named(name.as_bytes()).of_kind(stat.kind).with("bytes", stat.len);
                    object.with_mode(stat.mode).modified(stat.modified)
                },
            )
        },
    )
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
    let names = expand(session, names, Action::Remove)?;
    each(session, telling, names, Action::Remove, Client::remove, is_gone, |name, ()| {
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
    let names = names.iter().map(|text| Ok(Named { text: text.clone(), stat: None })).collect();
    each(session, telling, names, Action::Mkdir, Client::make_directory, is_there, |name, ()| {
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
    names: Vec<Result<Named, Error>>,
    action: fn(OsString) -> Action,
    ask: fn(&Client, Name) -> Job<T>,
    was_done: fn(&Failure) -> Option<T>,
    mut tell: impl FnMut(&Name, T) -> Result<(), Error>,
) -> Result<Outcome, Error> {
    let parsed = |named: Result<Named, Error>| {
        let Named { text, .. } = named?;
        let name = parse(&text, action)?;
        Ok((text, name))
    };
    let mut waiting: VecDeque<Result<(OsString, Name), Error>> =
        names.into_iter().map(parsed).collect();
    let mut asked: VecDeque<Result<Asked<T>, Error>> = VecDeque::new();
    let mut outcome = Outcome::Done;
    loop {
        while let Some(next) = waiting.front()
            && asked.len() < MOST_AT_ONCE
            && next
                .as_ref()
                .map_or(true, |(_, next)| !asked.iter().flatten().any(|a| meet(&a.name, next)))
            && let Some(next) = waiting.pop_front()
        {
            asked.push_back(next.map(|(text, name)| {
                let job = ask(&session.client(), name.clone());
                Asked { text, name, job }
            }));
        }
        let Some(first) = asked.pop_front() else { return Ok(outcome) };
        let told = first.and_then(|Asked { text, name, job }| {
            let again = |client: &Client| ask(client, name.clone());
            tell(&name, session.persist(|| action(text), job, again, was_done)?)
        });
        match told {
            Ok(()) => {}
            Err(error) if error.ends_all() => return Err(error),
            Err(error) => outcome = outcome.or(telling.failed(&error)),
        }
    }
}

/// That there is nothing to remove is what a removal is for.
fn is_gone(failure: &Failure) -> Option<()> {
    is_status(failure, Status::NotFound).then_some(())
}

fn is_there(failure: &Failure) -> Option<()> {
    is_status(failure, Status::Exists).then_some(())
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
