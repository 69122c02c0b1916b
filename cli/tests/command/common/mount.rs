//! Disks that only one process and its children see.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Whether this user may mount such disks; says so if not.
pub(crate) fn may_mount() -> bool {
    let probe = Command::new("unshare")
        .args(["-rm", "--", "sh", "-c", "mount -t tmpfs none /tmp"])
        .stderr(Stdio::null())
        .status();
    let may = probe.is_ok_and(|status| status.success());
    if !may {
        eprintln!("skipped: this user may mount no disk of its own");
    }
    may
}

/// Runs a script that is given `place` and `command` where what it mounts is seen by nobody else.
pub(crate) fn in_namespace(script: &str, place: &Path, command: &Command) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["-rm", "--", "sh", "-c", script]).arg(place);
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        outer.current_dir(directory);
    }
    outer
}
