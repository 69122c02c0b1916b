//! gannet, sealed and with what it does by itself.

use super::{Plan, Setup};
use crate::lab::{End, beside};
use std::error::Error;

const PORT: u16 = 5555;

pub(super) fn plan(setup: &Setup<'_>) -> Result<Plan, Box<dyn Error>> {
    let program = beside("gannet")?;
    // A user of both machines: nothing has to be asked, and nothing is known of the path.
    let config = setup.work.join("gannet");
    let mut server = setup.command(End::Server, &program);
    server.arg("server").arg(PORT.to_string()).arg("--root").arg(setup.shared);
    server.args(["--quiet", "--listen", setup.lab.server(), "--config"]).arg(&config);

    let mut client = setup.command(End::Client, &program);
    // What it remembers of paths is of this run alone.
    client.env("XDG_STATE_HOME", setup.work.join("state"));
    client.args(["get", "--quiet", "--accept-new", "--config"]).arg(&config);
    if setup.load.files().is_some() {
        client.arg("-r");
    }
    client.arg(format!("{}:{PORT}", setup.lab.server())).arg(setup.name).current_dir(setup.target);
    Ok(Plan { server, port: PORT, client })
}
