//! Failures as objects.

use gannet_protocol::Status;

use super::Object;
use crate::errors::{Action, Error};

/// What is told of a failure: of which file, with which exit status, and why.
pub(crate) fn failure(verb: &'static str, error: &Error) -> Object {
    let outcome = error.outcome();
    let mut object = of_action(Object::of(verb, outcome), error.action());
    if let Error::Local { action, path, .. } = error
        && !matches!(action, Action::Put(_))
    {
        object = object.at_path(path);
    }
    if let Error::Directory(path, _) | Error::Partial(path) = error {
        object = object.at_path(path);
    }
    let (side, code) = match error {
        Error::Remote { status, .. } => (Some("server"), Some(code(*status))),
        Error::Local { status, .. } => (Some("local"), Some(code(*status))),
        Error::BadName { .. } => (None, Some(code(Status::BadName))),
        Error::NoMatch(_) => (Some("server"), Some(code(Status::NotFound))),
        _ => (None, None),
    };
    object
        .with("exit", outcome.status())
        .with_some("side", side)
        .with_some("code", code)
        .with("message", error.to_string())
}

fn of_action(object: Object, action: Option<&Action>) -> Object {
    match action {
        Some(
            Action::Get(name)
            | Action::List(Some(name))
            | Action::Stat(name)
            | Action::Remove(name)
            | Action::Mkdir(name),
        ) => object.named(name.as_encoded_bytes()),
        Some(Action::Put(path)) => object.at_path(path),
        Some(Action::Rename(old, new)) => {
            object.named(old.as_encoded_bytes()).renamed_to(new.as_encoded_bytes())
        }
        Some(Action::Join(server)) => object.with("server", server.to_string()),
        Some(Action::List(None) | Action::Exit | Action::Invite | Action::Doctor) | None => object,
    }
}

/// A status by its name in the protocol's document: `not-found`.
fn code(status: Status) -> String {
    status.name().chars().enumerate().fold(String::new(), |mut word, (place, letter)| {
        if letter.is_ascii_uppercase() && place > 0 {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
        word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_documented_name() {
        assert_eq!(code(Status::NotFound), "not-found");
        assert_eq!(code(Status::Io), "io");
        let document = include_str!("../../../docs/json.md");
        for &status in Status::ALL {
            assert!(document.contains(&format!("`{}`", code(status))), "{status:?}");
        }
    }
}
