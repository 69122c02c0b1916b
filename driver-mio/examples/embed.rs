//! A program that shares a directory and fetches a file from it.

use std::{env, error::Error, fs, thread};

use gannet_driver_mio::{
    client::{Client, ClientOptions},
    server::{Server, ServerOptions},
};
use gannet_protocol::Name;

fn main() -> Result<(), Box<dyn Error>> {
    let here = env::temp_dir().join(format!("gannet-embed-{}", std::process::id()));
    fs::create_dir_all(here.join("shared"))?;
    fs::write(here.join("shared/song.txt"), "la la la")?;

    let listen = "127.0.0.1:0".parse()?;
    let server = Server::bind(ServerOptions::new(here.join("shared"), listen))?;
    let address = server.local_addr();
    let serving = thread::spawn(move || server.run());

    let host = address.ip().to_string();
    let client = Client::connect(&host, address.port(), &ClientOptions::default())?;
    let fetched = client.get(Name::parse(b"song.txt")?, here.join("copy.txt")).wait()?;
    println!("{} bytes in {:?}", fetched.len, fetched.elapsed);
    assert_eq!(fs::read(here.join("copy.txt"))?, b"la la la");

    client.exit(false).wait()?;
    serving.join().map_err(|_| "the server panicked")??;
    fs::remove_dir_all(here)?;
    Ok(())
}
