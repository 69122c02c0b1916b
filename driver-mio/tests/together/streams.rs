//! Transfers from what can be read once and to what can be written once.

use std::{
    io::{self, Cursor, Read, Write},
    sync::mpsc::{Receiver, Sender, channel},
};

use gannet_driver_mio::client::Failure;
use gannet_protocol::Status;

use super::world::{World, assert_holds, content, finish, make_long, name, root_as};

/// What is written goes through a channel; dropping its other end breaks the pipe.
struct Channel(Sender<Vec<u8>>);

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what comes through a channel, and waits for it.
struct Waiting(Receiver<Vec<u8>>);

impl Read for Waiting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Ok(bytes) = self.0.recv() else { return Ok(0) };
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn streams_of_every_size_arrive_whole() {
    let world = World::new();
    let client = world.client();
    for len in [0, 1, 65_536, 1 << 20, (5 << 20) + 321] {
        let content = content(len as u64, len);
        let put = client.put_stream(Cursor::new(content.clone()), root_as("file"));
        let put = finish(put).unwrap();
        assert_eq!((put.len, put.name), (len as u64, Some(name("file"))));
        assert_holds(&world.there("file"), &content);
        let (tell, told) = channel();
        let got = finish(client.get_stream(name("file"), Channel(tell))).unwrap();
        assert_eq!((got.len, got.hash), (len as u64, Some(*blake3::hash(&content).as_bytes())));
        assert!(told.iter().flatten().eq(content), "{len}");
    }
}

#[test]
fn a_stream_that_waits_can_be_given_up_and_keeps_nobody_waiting() {
    let world = World::new();
    std::fs::write(world.there("file"), "x").unwrap();
    let client = world.client();
    let (_tell, told) = channel();
    let job = client.put_stream(Waiting(told), root_as("never"));
    let (tell, _read) = channel();
    finish(client.get_stream(name("file"), Channel(tell))).unwrap();
    job.cancel();
    assert_eq!(finish(job), Err(Failure::Cancelled));
    let (_tell, told) = channel();
    let _job = client.put_stream(Waiting(told), root_as("never"));
    // It ends although the source never does.
    drop(client);
    assert_eq!(world.names_there(), ["file"]);
}

#[test]
fn a_reader_that_goes_away_ends_a_get_and_nothing_else() {
    let world = World::new();
    make_long(&world.there("file"), 1 << 30);
    let client = world.client();
    let (tell, told) = channel();
    let job = client.get_stream(name("file"), Channel(tell));
    told.recv().unwrap();
    drop(told);
    assert_eq!(finish(job), Err(Failure::Unwanted));
    assert_eq!(finish(client.list(None)).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_streamed_is_told() {
    let world = World::new();
    let client = world.client();
    let (tell, told) = channel();
    let remote = |status| Failure::Remote { status, detail: 0 };
    let result = finish(client.get_stream(name("none"), Channel(tell)));
    assert_eq!(result, Err(remote(Status::NotFound)));
    assert_eq!(told.iter().count(), 0);
    let result = finish(client.put_stream(Cursor::new(vec![1; 9]), root_as("no/file")));
    assert_eq!(result, Err(remote(Status::NotFound)));
}
