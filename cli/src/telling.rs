//! How a verb tells what it did: in words on stderr, or by JSON on stdout.

use std::fmt;

use crate::{
    console::Console,
    errors::Error,
    json::{self, Object},
    names::Shown,
    outcome::Outcome,
    transfer::Skipped,
};

/// How a verb tells what it did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    pub(crate) console: Console,
    /// The verb, if the user wants JSON of it.
    json: Option<&'static str>,
}

impl Telling {
    /// Of a verb, by JSON if the user wants it.
    pub(crate) fn of(verb: &'static str, json: bool, console: Console) -> Self {
        Self { console, json: json.then_some(verb) }
    }

    /// Of nothing in particular, in words.
    pub(crate) fn in_words(console: Console) -> Self {
        Self { console, json: None }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json.is_some()
    }

    /// Tells of a success: in words, unless the user wants quiet, or as the object that `describe` makes of its beginning.
    ///
    /// # Errors
    /// [`Error::Stdio`]
    pub(crate) fn done(
        self,
        words: impl fmt::Display,
        describe: impl FnOnce(Object) -> Object,
    ) -> Result<(), Error> {
        match self.json {
            None => {
                self.console.note(words);
                Ok(())
            }
            Some(verb) => self.objects([describe(Object::of(verb, Outcome::Done))]),
        }
    }

    /// The same for what was asked for: `print` writes it for people.
    ///
    /// # Errors
    /// [`Error::Stdio`]
    pub(crate) fn asked_for(
        self,
        print: impl FnOnce() -> std::io::Result<()>,
        describe: impl FnOnce(Object) -> Object,
    ) -> Result<(), Error> {
        match self.json {
            None => print().map_err(Error::Stdio),
            Some(verb) => self.objects([describe(Object::of(verb, Outcome::Done))]),
        }
    }

    /// The beginning of an object of this verb about something else than what was done.
    pub(crate) fn object(self, status: &'static str) -> Object {
        Object::about(self.json.unwrap_or_default(), status)
    }

    /// Tells of a success in words alone.
    pub(crate) fn note(self, words: impl fmt::Display) {
        if self.json.is_none() {
            self.console.note(words);
        }
    }

    /// Prints objects.
    ///
    /// # Errors
    /// [`Error::Stdio`]
    pub(crate) fn objects(self, objects: impl IntoIterator<Item = Object>) -> Result<(), Error> {
        json::print(objects).map_err(Error::Stdio)
    }

    /// Tells that something was left out.
    ///
    /// # Errors
    /// [`Error::Stdio`]
    pub(crate) fn skipped(self, skipped: &Skipped) -> Result<(), Error> {
        let Skipped { what, is_here, is_link } = skipped;
        let why = if *is_link { "a symbolic link" } else { "no regular file" };
        match self.json {
            None => {
                self.console.note(format_args!("skipped {}: {why}", Shown(what)));
                Ok(())
            }
            Some(verb) => {
                let object = Object::skipped(verb);
                let object = match is_here {
                    true => object.at_path(what.as_ref()),
                    false => object.named(what.as_encoded_bytes()),
                };
                self.objects([object.with("message", why)])
            }
        }
    }

    /// Tells of a failure to programs alone, and what it is as an exit status; in words it is told later.
    pub(crate) fn failed_silently(self, error: &Error) -> Outcome {
        self.tell_programs(error);
        error.outcome()
    }

    fn tell_programs(self, error: &Error) {
        if let Some(verb) = self.json {
            // Where standard output is what failed, the words are left.
            let _ = json::print([json::failure(verb, error)]);
        }
    }

    /// Tells of a failure, in words in both cases, and what it is as an exit status.
    pub(crate) fn failed(self, error: &Error) -> Outcome {
        self.tell_programs(error);
        self.console.report(error)
    }
}
