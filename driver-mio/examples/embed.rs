//! A program that shares a directory and fetches a file from it.

use std::{env, error::Error, fs, sync::Arc, thread};

use gannet_driver_mio::{
    client::{Client, ClientOptions},
    security::{ClientSecurity, ServerSecurity, ServerTrust},
    server::{Server, ServerOptions},
    trust::{Paths, SecretKey},
};
use gannet_protocol::{Expected, Name};

fn main() -> Result<(), Box<dyn Error>> {
    let here = env::temp_dir().join(format!("gannet-embed-{}", std::process::id()));
    fs::create_dir_all(here.join("shared"))?;
    fs::write(here.join("shared/song.txt"), "la la la")?;

    // The server's key is its owner's; who else is let in says the list in `paths`.
    let paths = Paths::new(here.join("config"), here.join("state"));
    let key = Arc::new(SecretKey::load_or_create(&paths)?);
    let trust = ServerTrust { key: Arc::clone(&key), paths, anyone: None };
    let listen = "127.0.0.1:0".parse()?;
    let options = ServerOptions::new(here.join("shared"), listen, ServerSecurity::Sealed(trust));
    let server = Server::bind(options)?;
    let address = server.local_addr();
    let serving = thread::spawn(move || server.run());

    // The client is the owner too, and knows the server by that.
    let expected = Expected::just(key.public());
    let options = ClientOptions::new(ClientSecurity::Sealed { key, expected });
    let host = address.ip().to_string();
    let client = Client::connect(&host, address.port(), &options)?;
    let fetched = client.get(Name::parse(b"song.txt")?, here.join("copy.txt")).wait()?;
    println!("{} bytes in {:?}", fetched.len, fetched.elapsed);
    assert_eq!(fs::read(here.join("copy.txt"))?, b"la la la");

    client.exit(false).wait()?;
    serving.join().map_err(|_| "the server panicked")??;
    fs::remove_dir_all(here)?;
    Ok(())
}
