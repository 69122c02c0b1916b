//! `gannet key`.

use crate::{
    console::print,
    errors::Error,
    outcome::Outcome,
    settings::{Settings, own_key},
};

/// Prints the public key, alone on standard output.
pub(crate) fn run(settings: &Settings) -> Outcome {
    match show(settings) {
        Ok(()) => Outcome::Done,
        Err(error) => settings.console.report(&error),
    }
}

fn show(settings: &Settings) -> Result<(), Error> {
    let key = own_key(&settings.paths()?)?.public();
    print(format_args!("{key}\n")).map_err(Error::Stdio)?;
    settings.console.note(format_args!("fingerprint {}", key.fingerprint()));
    Ok(())
}
