//! nginx and curl.

use super::{Plan, Setup};
use crate::lab::{End, succeed};
use std::{error::Error, process::Command};

/// How many transfers of small files curl has at once: what its users are told to set, and more than its default.
const PARALLEL: &str = "50";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

pub(super) fn plan(setup: &Setup<'_>, scheme: Scheme) -> Result<Plan, Box<dyn Error>> {
    let (port, name, tls) = match scheme {
        Scheme::Http => (8081, "http", String::new()),
        Scheme::Https => (8443, "https", certificate(setup)?),
    };
    let listen = if scheme == Scheme::Https { format!("{port} ssl") } else { port.to_string() };
    let (work, shared) = (setup.work.display(), setup.shared.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {work}/{kind};\n"))
        .collect();
    let config = setup.write(
        "nginx.conf",
        &format!(
            "user root; worker_processes auto; daemon off; pid {work}/nginx.pid; error_log stderr;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; {temporary}\
             server {{ listen {listen}; root {shared}; {tls} }} }}\n"
        ),
    )?;
    let mut server = setup.command(End::Server, "nginx");
    server.arg("-c").arg(config).args(["-e", "stderr"]);

    let mut client = setup.command(End::Client, "curl");
    client.args(["-sS", "-k", "--fail", "-o"]);
    let url = format!("{name}://{}:{port}/{}", setup.lab.server(), setup.name);
    let target = setup.target.join(setup.name);
    if let Some(files) = setup.load.files() {
        client.arg(target.join("#1")).arg("--create-dirs");
        client.args(["-Z", "--parallel-max", PARALLEL]).arg(format!("{url}/[0-{}]", files - 1));
    } else {
        client.arg(target).arg(url);
    }
    Ok(Plan { server, port, client })
}

/// Makes a key and a certificate, and says how nginx is told of them.
fn certificate(setup: &Setup<'_>) -> Result<String, Box<dyn Error>> {
    let (key, certificate) = (setup.work.join("tls.key"), setup.work.join("tls.crt"));
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=lab";
    let mut make = Command::new("openssl");
    make.args(["req", "-x509"]).args(curve.split(' '));
    succeed(make.arg("-keyout").arg(&key).arg("-out").arg(&certificate))?;
    Ok(format!("ssl_certificate {}; ssl_certificate_key {};", certificate.display(), key.display()))
}
