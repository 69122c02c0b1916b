//! rsync, with a daemon and over ssh.

use super::{Plan, Setup, ssh};
use crate::lab::End;
use std::error::Error;

const PORT: u16 = 8730;

pub(super) fn daemon(setup: &Setup<'_>) -> Result<Plan, Box<dyn Error>> {
    let shared = setup.shared.display();
    let module = format!("use chroot = no\nuid = root\ngid = root\n[lab]\npath = {shared}\n");
    let config = setup.write("rsyncd.conf", &module)?;
    let mut server = setup.command(End::Server, "rsync");
    server.args(["--daemon", "--no-detach", "--port"]).arg(PORT.to_string());
    server.arg("--config").arg(config);
    let mut client = setup.command(End::Client, "rsync");
    client.arg("-r").arg(format!("rsync://{}:{PORT}/lab/{}", setup.lab.server(), setup.name));
    client.arg(setup.target);
    Ok(Plan { server, port: PORT, client })
}

pub(super) fn over_ssh(setup: &Setup<'_>) -> Result<Plan, Box<dyn Error>> {
    let (server, port) = ssh::server(setup)?;
    let shell = format!("ssh {}", ssh::options(setup).join(" "));
    let mut client = setup.command(End::Client, "rsync");
    client.args(["-r", "-e", &shell]);
    client.arg(format!("{}:{}", setup.lab.server(), setup.source().display())).arg(setup.target);
    Ok(Plan { server, port, client })
}
