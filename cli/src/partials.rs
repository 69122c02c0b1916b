//! `gannet partials`.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use gannet_driver_mio::{
    partials::{self, Left},
    units::{format_duration, format_size},
};

use crate::{
    args,
    console::print,
    errors::Error,
    json::Object,
    names::{self, Shown},
    outcome::Outcome,
    settings::Settings,
    telling::Telling,
};

/// Tells what interrupted transfers left below a directory, or removes it. No server is needed.
pub(crate) fn run(args: &args::Partials, settings: &Settings) -> Outcome {
    let telling = Telling::of("partials", args.format.json, settings.console);
    let told = match args.remove {
        false => list(&args.dir, telling).map(|()| Outcome::Done),
        true => remove(&args.dir, telling),
    };
    told.unwrap_or_else(|error| telling.failed(&error))
}

fn list(dir: &Path, telling: Telling) -> Result<(), Error> {
    for found in find(dir)? {
        telling.asked_for(|| print(format_args!("{found}\n")), |o| found.describe(o, false))?;
    }
    Ok(())
}

/// Removes what is not in use; what stays though it is not is a failure.
fn remove(dir: &Path, telling: Telling) -> Result<Outcome, Error> {
    let due = partials::remove(dir, Duration::ZERO).map_err(|error| cannot_open(dir, error))?;
    let stay = find(dir)?;
    for found in sorted(dir, due) {
        if !stay.iter().any(|other| other.left.path == found.left.path) {
            let words = format_args!("removed {found}");
            telling.done(words, |object| found.describe(object, true))?;
        }
    }
    let mut outcome = Outcome::Done;
    for found in stay {
        if found.left.in_use {
            telling.done(format_args!("left {found}"), |o| found.describe(o, false))?;
        } else {
            outcome = outcome.or(telling.failed(&Error::Partial(found.part())));
        }
    }
    Ok(outcome)
}

fn find(dir: &Path) -> Result<Vec<Found<'_>>, Error> {
    Ok(sorted(dir, partials::find(dir).map_err(|error| cannot_open(dir, error))?))
}

fn sorted(dir: &Path, left: Vec<Left>) -> Vec<Found<'_>> {
    let mut found: Vec<_> = left.into_iter().map(|left| Found { dir, left }).collect();
    found.sort_by_cached_key(|found| (found.target(), found.part()));
    found
}

fn cannot_open(dir: &Path, error: std::io::Error) -> Error {
    Error::Directory(dir.to_owned(), error)
}

/// A partial file, and the directory that the user named.
struct Found<'a> {
    dir: &'a Path,
    left: Left,
}

impl Found<'_> {
    /// Where it is.
    fn part(&self) -> PathBuf {
        // So that what is in the current directory is named as it would be there.
        if self.dir == Path::new(".") {
            self.left.path.clone()
        } else {
            self.dir.join(&self.left.path)
        }
    }

    /// The file that it would have become, if that is known.
    fn target(&self) -> Option<PathBuf> {
        let name = self.left.target.as_ref()?;
        Some(self.part().with_file_name(names::local(name)))
    }

    fn describe(&self, object: Object, removed: bool) -> Object {
        let Left { len, kept, age, in_use, .. } = self.left;
        let object = object.at_path(&self.part());
        let object = match self.target() {
            Some(target) => object.for_target(&target),
            None => object,
        };
        let object = object.with("kept", kept).with_some("bytes", len);
        let object = object.with("age_seconds", age.as_secs());
        object.with("in_use", in_use).with("removed", removed)
    }
}

/// `sub/big.iso: 16.8 MB of 25.2 MB kept, last written to 3m20s ago, in use`
impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left { len, kept, age, in_use, .. } = self.left;
        let name = self.target().unwrap_or_else(|| self.part());
        write!(f, "{}: {}", Shown::from(&*name), format_size(kept))?;
        if let Some(len) = len {
            write!(f, " of {}", format_size(len))?;
        }
        write!(f, " kept, last written to {} ago", format_duration(age))?;
        f.write_str(if in_use { ", in use" } else { "" })
    }
}
