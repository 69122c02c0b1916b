//! An ssh server of this run's own, and scp.

use super::{Plan, Setup};
use crate::lab::{End, succeed};
use std::{
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

const PORT: u16 = 2222;

/// A server that lets in a key of this run.
pub(super) fn server(setup: &Setup<'_>) -> Result<(Command, u16), Box<dyn Error>> {
    for key in ["host", "user"].map(|name| setup.work.join(name)) {
        if !key.exists() {
            let mut make = Command::new("ssh-keygen");
            succeed(make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key))?;
        }
    }
    fs::create_dir_all("/run/sshd")?;
    let work = setup.work.display();
    let config = setup.write(
        "sshd_config",
        &format!(
            "Port {PORT}\nHostKey {work}/host\nAuthorizedKeysFile {work}/user.pub\nStrictModes no\n\
             PermitRootLogin prohibit-password\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n"
        ),
    )?;
    fs::set_permissions(&config, Permissions::from_mode(0o600))?;
    let mut server = setup.command(End::Server, "/usr/sbin/sshd");
    server.args(["-D", "-e", "-q", "-f"]).arg(config);
    Ok((server, PORT))
}

/// Options of ssh and scp that lead to it.
pub(super) fn options(setup: &Setup<'_>) -> Vec<String> {
    let settings = [
        format!("Port={PORT}"),
        format!("IdentityFile={}/user", setup.work.display()),
        "StrictHostKeyChecking=no".into(),
        "UserKnownHostsFile=/dev/null".into(),
        "BatchMode=yes".into(),
        "LogLevel=ERROR".into(),
        "User=root".into(),
    ];
    let given = settings.into_iter().flat_map(|setting| ["-o".into(), setting]);
    ["-F".into(), "none".into()].into_iter().chain(given).collect()
}

pub(super) fn scp(setup: &Setup<'_>) -> Result<Plan, Box<dyn Error>> {
    let (server, port) = server(setup)?;
    let mut client = setup.command(End::Client, "scp");
    client.args(["-q", "-r"]).args(options(setup));
    client.arg(format!("{}:{}", setup.lab.server(), setup.source().display())).arg(setup.target);
    Ok(Plan { server, port, client })
}
