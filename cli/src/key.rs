//! `gannet key`.

use crate::{
    args,
    console::print,
    errors::Error,
    outcome::Outcome,
    settings::{Settings, own_key},
    telling::Telling,
};

/// Prints the public key, alone on standard output.
pub(crate) fn run(args: &args::Key, settings: &Settings) -> Outcome {
    let telling = Telling::of("key", args.format.json, settings.console);
    match show(settings, telling) {
        Ok(()) => Outcome::Done,
        Err(error) => telling.failed(&error),
    }
}

fn show(settings: &Settings, telling: Telling) -> Result<(), Error> {
    let key = own_key(&settings.paths()?)?.public();
    let fingerprint = key.fingerprint();
    telling.asked_for(
        || print(format_args!("{key}\n")),
        |object| object.with("key", key.to_string()).with("fingerprint", fingerprint.to_string()),
    )?;
    telling.note(format_args!("fingerprint {fingerprint}"));
    Ok(())
}
