//! What cannot be done is told, and leaves nothing behind.

use std::{fs, os::unix::fs::symlink};

use gannet_driver_mio::client::Failure;
use gannet_protocol::{Destination, Status};

use super::world::{World, assert_holds, finish, make_long, name, root_as};

fn remote(status: Status) -> Failure {
    Failure::Remote { status, detail: 0 }
}

#[test]
fn what_is_missing_at_the_server_is_told() {
    let world = World::new();
    let client = world.client();
    let result = finish(client.get(name("no/file"), world.here("copy")));
    assert_eq!(result, Err(remote(Status::NotFound)));
    assert_eq!(finish(client.list(Some(name("none")))), Err(remote(Status::NotFound)));
    let result = finish(client.rename(name("none"), name("other")));
    assert_eq!(result, Err(remote(Status::NotFound)));
    fs::write(world.here("file"), "x").unwrap();
    let result = finish(client.put(world.here("file"), root_as("no/file")));
    assert!(result.is_err(), "{result:?}");
    assert_eq!(world.names_here(), ["file"]);
    assert_eq!(world.names_there(), [""; 0]);
}

#[test]
fn what_is_missing_here_is_told() {
    let world = World::new();
    fs::write(world.there("file"), "x").unwrap();
    let client = world.client();
    let local = |path: &str, status| Failure::Local { path: world.here(path), status };
    let result = finish(client.put(world.here("none"), root_as("file")));
    assert_eq!(result, Err(local("none", Status::NotFound)));
    let result = finish(client.get(name("file"), world.here("no/copy")));
    assert_eq!(result, Err(local("no/copy", Status::NotFound)));
    assert_holds(&world.there("file"), b"x");
    assert_eq!(world.names_here(), [""; 0]);
    assert_eq!(world.names_there(), ["file"]);
}

#[test]
fn a_directory_is_not_a_file() {
    let world = World::new();
    fs::create_dir_all(world.there("dir/taken")).unwrap();
    fs::create_dir(world.here("dir")).unwrap();
    fs::write(world.here("taken"), "x").unwrap();
    fs::write(world.there("file"), "x").unwrap();
    let client = world.client();
    let local = Failure::Local { path: world.here("dir"), status: Status::IsDirectory };
    let result = finish(client.get(name("dir"), world.here("copy")));
    assert_eq!(result, Err(remote(Status::IsDirectory)));
    assert_eq!(finish(client.put(world.here("dir"), root_as("x"))), Err(local.clone()));
    assert_eq!(finish(client.get(name("file"), world.here("dir"))), Err(local));
    assert_eq!(finish(client.list(Some(name("file")))), Err(remote(Status::NotDirectory)));
    let into = Destination { path: Some(name("dir")), leaf: name("taken"), into_directory: true };
    let result = finish(client.put(world.here("taken"), into));
    assert_eq!(result, Err(remote(Status::IsDirectory)));
}

/// `docs/hostile-input.md`, row 50.
#[test]
fn a_rename_onto_something_is_refused() {
    let world = World::new();
    fs::write(world.there("a"), "a").unwrap();
    fs::write(world.there("b"), "b").unwrap();
    let result = finish(world.client().rename(name("a"), name("b")));
    assert_eq!(result, Err(remote(Status::Exists)));
    assert_holds(&world.there("a"), b"a");
    assert_holds(&world.there("b"), b"b");
}

#[test]
fn a_directory_that_holds_something_is_not_removed() {
    let world = World::new();
    fs::create_dir(world.there("dir")).unwrap();
    fs::write(world.there("dir/file"), "x").unwrap();
    symlink("dir/file", world.there("link")).unwrap();
    let client = world.client();
    assert_eq!(finish(client.remove(name("dir"))), Err(remote(Status::NotEmpty)));
    assert_eq!(finish(client.remove(name("none"))), Err(remote(Status::NotFound)));
    assert_eq!(finish(client.make_directory(name("dir"))), Err(remote(Status::Exists)));
    assert_eq!(finish(client.stat(name("none"))), Err(remote(Status::NotFound)));
    assert_eq!(finish(client.remove(name("link"))), Ok(()));
    assert_holds(&world.there("dir/file"), b"x");
    assert_eq!(world.names_there(), ["dir"]);
}

/// `docs/hostile-input.md`, row 43.
#[test]
fn a_link_that_leads_out_is_not_followed() {
    let world = World::new();
    fs::write(world.here("secret"), "secret").unwrap();
    symlink(world.here("secret"), world.there("file")).unwrap();
    symlink(world.here(""), world.there("dir")).unwrap();
    let client = world.client();
    assert!(finish(client.get(name("file"), world.here("copy"))).is_err());
    assert!(finish(client.get(name("dir/secret"), world.here("copy"))).is_err());
    assert!(finish(client.list(Some(name("dir")))).is_err());
    assert!(finish(client.put(world.here("secret"), root_as("dir/written"))).is_err());
    assert!(finish(client.rename(name("dir/secret"), name("stolen"))).is_err());
    for out in ["file", "dir", "dir/secret"] {
        assert_eq!(finish(client.stat(name(out))), Err(remote(Status::Denied)), "{out}");
        assert_eq!(finish(client.remove(name(out))), Err(remote(Status::Denied)), "{out}");
    }
    assert_eq!(finish(client.make_directory(name("dir/d"))), Err(remote(Status::Denied)));
    assert_eq!(world.names_there(), ["dir", "file"]);
    assert_eq!(world.names_here(), ["secret"]);
}

/// `docs/hostile-input.md`, row 53.
#[test]
#[cfg(target_os = "linux")]
fn no_permission_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let secret = |shared: &std::path::Path| {
        fs::set_permissions(shared, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(shared.join("secret"), "x").unwrap();
        fs::set_permissions(shared.join("secret"), fs::Permissions::from_mode(0o200)).unwrap();
        fs::create_dir(shared.join("closed")).unwrap();
        fs::set_permissions(shared.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    };
    let world = World::with(secret, become_nobody);
    fs::write(world.here("file"), "x").unwrap();
    let client = world.client();
    let result = finish(client.get(name("secret"), world.here("copy")));
    assert_eq!(result, Err(remote(Status::Denied)));
    let result = finish(client.put(world.here("file"), root_as("closed/file")));
    assert_eq!(result, Err(remote(Status::Denied)));
    assert_eq!(world.names_here(), ["file"]);
}

/// Root may do anything, so the server's thread, and those that it starts, give that up.
#[cfg(target_os = "linux")]
fn become_nobody() {
    if rustix::process::geteuid().is_root() {
        let nobody = rustix::thread::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
    }
}

#[test]
fn a_cancelled_job_leaves_only_what_can_be_gone_on_with() {
    let world = World::new();
    make_long(&world.there("file"), 4 << 30);
    let client = world.client();
    let job = client.get(name("file"), world.here("copy"));
    while job.progress().done == 0 {
        std::thread::yield_now();
    }
    job.cancel();
    assert_eq!(finish(job), Err(Failure::Cancelled));
    let other = finish(client.list(None)).unwrap();
    assert_eq!(other.len(), 1, "the connection lives on");
    drop(client);
    assert_eq!(world.whole_here(), [""; 0]);
}
