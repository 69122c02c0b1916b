//! Who may do what at a server, by the key that it has proved.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::symlink,
    path::Path,
    sync::Arc,
    time::Duration,
};

use gannet_driver_mio::{
    client::{Client, ConnectError, Failure},
    netem::{LinkConfig, Relay},
    security::{ClientSecurity, ServerSecurity, ServerTrust},
    server::{Server, ServerError, ServerOptions},
    trust::{Paths, SecretKey, Ticket, authorize},
};
use gannet_protocol::{CloseCode, CloseReason, Destination, Expected, Invite, Status, TicketText};

use super::world::{World, assert_holds, content, finish, name, root_as};

fn key() -> Arc<SecretKey> {
    Arc::new(SecretKey::generate().unwrap())
}

fn add(paths: &Paths, key: &SecretKey, grant: &str) {
    authorize(&paths.authorized_clients(), &key.public(), &grant.parse().unwrap(), "").unwrap();
}

/// A server with a file `f` and a directory `d` that holds a file `g`, and a client with this grant.
fn world_and_client(grant: &str) -> (World, Client) {
    let key = key();
    let world = World::of_clients(None, |shared, paths| {
        fs::write(shared.join("f"), "content of f").unwrap();
        fs::create_dir(shared.join("d")).unwrap();
        fs::write(shared.join("d/g"), "content of g").unwrap();
        add(paths, &key, grant);
    });
    let client = world.client_as(&key);
    fs::write(world.here("new"), "new content").unwrap();
    (world, client)
}

fn status<T: std::fmt::Debug>(result: Result<T, Failure>) -> Option<Status> {
    match result {
        Ok(_) => None,
        Err(Failure::Remote { status, .. }) => Some(status),
        Err(failure) => panic!("{failure:?}"),
    }
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, Failure>) -> bool {
    match result.unwrap_err() {
        Failure::Lost(lost) => lost.reason == CloseReason::Peer(CloseCode::Refused),
        failure => panic!("{failure:?}"),
    }
}

fn invite(grant: &str) -> Invite {
    Invite { grant: grant.into(), via: "somewhere:5555".into(), seconds: 600 }
}

#[test]
fn the_owner_needs_no_line() {
    let world = World::new();
    fs::write(world.there("f"), "it").unwrap();
    let client = world.client();
    client.confirm().unwrap();
    assert_eq!(client.server_key(), Some(world.key.public()));
    finish(client.get(name("f"), world.here("f"))).unwrap();
    finish(client.exit(false)).unwrap();
}

/// Who may read what is shared must not become its owner by reading his key, nor who may write it by writing his list.
#[test]
fn keys_and_lists_are_not_shared() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let key = Arc::new(SecretKey::load_or_create(&Paths::new(at("home/config"), at("s"))).unwrap());
    let bind = |root: &Path, config: &Path| {
        let paths = Paths::new(config.to_owned(), at("s"));
        let trust = ServerTrust { key: Arc::clone(&key), paths, anyone: None };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let security = ServerSecurity::Sealed(trust);
        Server::bind(ServerOptions::new(root.to_owned(), listen, security)).map(drop)
    };
    let is_told = |result| matches!(result, Err(ServerError::Keys { .. }));
    fs::create_dir_all(at("home/shared")).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
    symlink(at("home"), at("link")).unwrap();
    for root in ["home", "home/config", "link", ""] {
        assert!(is_told(bind(&at(root), &at("home/config"))), "{root}");
        assert!(is_told(bind(&at(root), &at("link/config"))), "{root}");
    }
    bind(&at("home/shared"), &at("home/config")).unwrap();
    // What is found elsewhere by a link is where it is.
    fs::write(at("home/shared/clients"), "").unwrap();
    for file in ["authorized_clients", "known_servers", "secret_key"] {
        let config = at("elsewhere");
        bind(&at("home/shared"), &config).unwrap();
        symlink(at("home/shared/clients"), config.join(file)).unwrap();
        assert!(is_told(bind(&at("home/shared"), &config)), "{file}");
        fs::remove_file(config.join(file)).unwrap();
    }
}

/// It is told nothing but that, whatever it asks, and whether or not there is such a file.
#[test]
fn a_stranger_is_refused() {
    let world = World::new();
    fs::write(world.there("f"), "it").unwrap();
    fs::write(world.here("up"), "mine").unwrap();
    for file in ["f", "none"] {
        let client = world.client_as(&key());
        assert!(is_refused(finish(client.get(name(file), world.here("f")))));
    }
    let client = world.client_as(&key());
    assert!(is_refused(finish(client.put(world.here("up"), root_as("up")))));
    let client = world.client_as(&key());
    assert_eq!(client.confirm().unwrap_err().reason, CloseReason::Peer(CloseCode::Refused));
    assert_eq!(world.names_here(), ["up"]);
    assert_eq!(world.names_there(), ["f"]);
}

#[test]
fn a_server_with_another_key_is_not_spoken_to() {
    let world = World::new();
    let (own, other) = (key(), key());
    let connect = |expected| {
        let security = ClientSecurity::Sealed { key: Arc::clone(&own), expected };
        let options = gannet_driver_mio::client::ClientOptions::new(security);
        Client::connect("127.0.0.1", world.address.port(), &options).unwrap_err()
    };
    let server = world.key.public();
    let ConnectError::WrongKey { key, remote } = connect(Expected::just(other.public())) else {
        panic!("not told");
    };
    assert_eq!((key, remote), (server, world.address));
    let known = Expected { known: None, own: Some(own.public()) };
    let ConnectError::UnknownKey { key, .. } = connect(known) else { panic!("not told") };
    assert_eq!(key, server);
}

/// What every role may do, verb by verb.
#[test]
fn roles_bound_verbs() {
    for (role, [get, list, put, change, invited]) in [
        ("read", [true, true, false, false, false]),
        ("drop", [false, false, true, false, false]),
        ("write", [true, true, true, true, false]),
        ("admin", [true, true, true, true, true]),
    ] {
        let (world, client) = world_and_client(role);
        let may = |status: Option<Status>| match status {
            None => true,
            Some(Status::Denied) => false,
            other => panic!("{role}: {other:?}"),
        };
        assert_eq!(may(status(finish(client.get(name("f"), world.here("f"))))), get, "{role}");
        assert_eq!(may(status(finish(client.list(None)))), list, "{role}");
        assert_eq!(may(status(finish(client.put(world.here("new"), root_as("n"))))), put, "{role}");
        let renamed = finish(client.rename(name("f"), name("moved")));
        assert_eq!(may(status(renamed)), change, "{role}");
        assert_eq!(may(status(finish(client.stat(name("d/g"))))), get, "{role}");
        assert_eq!(may(status(finish(client.remove(name("d/g"))))), change, "{role}");
        assert_eq!(may(status(finish(client.make_directory(name("made"))))), change, "{role}");
        assert_eq!(may(status(finish(client.invite(invite("read"))))), invited, "{role}");
        assert_eq!(may(status(finish(client.exit(false)))), invited, "{role}");
        assert_eq!(world.there("n").exists(), put, "{role}");
        for made in ["moved", "made"] {
            assert_eq!(world.there(made).exists(), change, "{role} {made}");
        }
        assert_eq!(world.there("d/g").exists(), !change, "{role}");
    }
}

/// Whoever may only drop learns nothing of what is there: not by answers, not by errors.
#[test]
fn a_drop_is_stored_beside_and_told_like_any_other() {
    let (world, client) = world_and_client("drop dir=d");
    fs::write(world.here("g"), "another g").unwrap();
    let names: Vec<_> = ["g", "g", "fresh"]
        .into_iter()
        .map(|file| finish(client.put(world.here("g"), root_as(file))).unwrap().name)
        .collect();
    assert_eq!(names, [Some(name("g")), Some(name("g")), Some(name("fresh"))]);
    assert_holds(&world.there("d/g"), b"content of g");
    for file in ["d/g.1", "d/g.2", "d/fresh"] {
        assert_holds(&world.there(file), b"another g");
    }
    // Whether there is such a directory is nothing that it learns.
    for path in ["f", "none"] {
        let to = Destination { path: Some(name(path)), leaf: name("g"), into_directory: true };
        assert_eq!(status(finish(client.put(world.here("g"), to))), Some(Status::Denied));
    }
    for file in ["f", "none", "g"] {
        assert_eq!(status(finish(client.get(name(file), world.here("x")))), Some(Status::Denied));
    }
}

#[test]
fn a_directory_bounds_every_verb() {
    let (world, client) = world_and_client("write dir=d");
    let entries = finish(client.list(None)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>(), [name("g")]);
    finish(client.get(name("g"), world.here("g"))).unwrap();
    assert_holds(&world.here("g"), b"content of g");
    finish(client.put(world.here("new"), root_as("n"))).unwrap();
    assert_holds(&world.there("d/n"), b"new content");
    finish(client.rename(name("n"), name("m"))).unwrap();
    assert_eq!(world.names_there(), ["d", "f"]);
    for outside in ["f", "d/g"] {
        let got = finish(client.get(name(outside), world.here("x")));
        assert_eq!(status(got), Some(Status::NotFound));
        assert_eq!(status(finish(client.stat(name(outside)))), Some(Status::NotFound));
        assert_eq!(status(finish(client.remove(name(outside)))), Some(Status::NotFound));
    }
    finish(client.make_directory(name("sub"))).unwrap();
    assert!(world.there("d/sub").is_dir());
    finish(client.remove(name("sub"))).unwrap();
    // Not even by what the directory itself holds.
    symlink("../f", world.there("d/link")).unwrap();
    symlink("..", world.there("d/up")).unwrap();
    for link in ["link", "up/f"] {
        assert_eq!(status(finish(client.get(name(link), world.here("x")))), Some(Status::Denied));
        assert_eq!(status(finish(client.stat(name(link)))), Some(Status::Denied));
        assert_eq!(status(finish(client.remove(name(link)))), Some(Status::Denied));
        assert!(status(finish(client.make_directory(name(link)))).is_some(), "{link}");
        let put = finish(client.put(world.here("new"), root_as(link)));
        assert!(status(put).is_some(), "{link}");
    }
    assert_eq!(status(finish(client.list(Some(name("up"))))), Some(Status::Denied));
    assert_eq!(status(finish(client.rename(name("m"), name("up/m")))), Some(Status::Denied));
    assert_holds(&world.there("f"), b"content of f");
}

#[test]
fn what_a_client_may_store_is_bounded() {
    // Twelve bytes are there.
    let (world, client) = world_and_client("write dir=d max=100");
    let put = |len: usize, to: &str| {
        fs::write(world.here("up"), content(1, len)).unwrap();
        status(finish(client.put(world.here("up"), root_as(to))))
    };
    assert_eq!(put(89, "a"), Some(Status::Full));
    assert_eq!(put(88, "a"), None);
    assert_eq!(put(1, "b"), Some(Status::Full));
    // What is replaced makes room.
    assert_eq!(put(87, "a"), None);
    assert_eq!(put(1, "b"), None);
    assert_eq!(put(89, "a"), Some(Status::Full));
    finish(client.rename(name("a"), name("c"))).unwrap();
    assert_eq!(put(1, "d"), Some(Status::Full));
}

/// Files that are on their way count, too.
#[test]
fn files_at_once_are_bounded_together() {
    let (world, client) = world_and_client("write dir=d max=1000000");
    fs::write(world.here("up"), content(1, 300_000)).unwrap();
    let jobs: Vec<_> =
        (0..10).map(|n| client.put(world.here("up"), root_as(&format!("file {n}")))).collect();
    let stored = jobs.into_iter().map(finish).filter(Result::is_ok).count();
    assert!((1..=3).contains(&stored), "{stored}");
    let kept: u64 =
        fs::read_dir(world.there("d")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= 1_000_000);
}

#[test]
fn what_is_open_to_anyone() {
    let world = World::of_clients(Some("read dir=d"), |shared, _| {
        fs::create_dir(shared.join("d")).unwrap();
        fs::write(shared.join("d/g"), "for all").unwrap();
    });
    let client = world.client_as(&key());
    finish(client.get(name("g"), world.here("g"))).unwrap();
    assert_eq!(status(finish(client.exit(true))), Some(Status::Denied));
}

/// Rights follow the list without a restart: those of what runs, too.
#[test]
fn a_line_taken_out_ends_what_runs() {
    let (key, other) = (key(), key());
    let world = World::of_clients(None, |shared, paths| {
        fs::write(shared.join("big"), content(1, 80_000_000)).unwrap();
        add(paths, &key, "write");
        add(paths, &other, "write");
    });
    // At 8 Mbit/s it would take over a minute.
    let slow = LinkConfig { rate: Some(8_000_000), ..LinkConfig::default() };
    let relay = Relay::start(world.address, slow.clone(), slow).unwrap();
    let clients = [&key, &other].map(|key| world.client_as_over(relay.address(), key));
    let mut jobs = clients.each_ref().map(|client| client.get(name("big"), world.here("big")));
    for job in &mut jobs {
        while job.progress().done == 0 {
            assert!(job.wait_timeout(Duration::from_millis(20)).is_none(), "it runs");
        }
    }
    let list = world.paths.authorized_clients();
    let text = fs::read_to_string(&list).unwrap();
    let text = text
        .replace(&key.public().to_string(), "# taken out:")
        .replace(&format!("{} write", other.public()), &format!("{} drop", other.public()));
    fs::write(&list, text).unwrap();
    let [gone, lowered] = jobs.map(finish);
    assert!(is_refused(gone));
    assert_eq!(status(lowered), Some(Status::Denied));
    drop(clients);
    assert_eq!(world.whole_here(), [""; 0]);
}

/// What runs keeps to a lowered line: a `drop` replaces nothing, and `max=` bounds what is on its way.
#[test]
fn a_line_lowered_ends_what_goes_beyond_it() {
    let keys = [(); 4].map(|()| key());
    let world = World::of_clients(None, |shared, paths| {
        fs::create_dir(shared.join("d")).unwrap();
        for (key, grant) in
            keys.iter().zip(["write", "write dir=d", "write dir=d max=9MB", "drop dir=d max=9MB"])
        {
            add(paths, key, grant);
        }
        fs::write(shared.join("big"), "as it was").unwrap();
    });
    fs::write(world.here("big"), content(1, 4_000_000)).unwrap();
    // At 8 Mbit/s all together take 16 s.
    let slow = LinkConfig { rate: Some(8_000_000), ..LinkConfig::default() };
    let relay = Relay::start(world.address, slow.clone(), slow).unwrap();
    let clients = keys.each_ref().map(|key| world.client_as_over(relay.address(), key));
    let names = ["big", "b", "c", "d"];
    let put = |n: usize| clients[n].put(world.here("big"), root_as(names[n]));
    let mut jobs = [0, 1, 2, 3].map(put);
    for job in &mut jobs {
        while job.progress().done == 0 {
            assert!(job.wait_timeout(Duration::from_millis(20)).is_none(), "it runs");
        }
    }
    let list = world.paths.authorized_clients();
    let mut text = String::new();
    for (key, grant) in
        keys.iter().zip(["drop", "write dir=d max=9MB", "write dir=d max=10MB", "write dir=d"])
    {
        text.push_str(&format!("{} {grant}\n", key.public()));
    }
    fs::write(&list, text).unwrap();
    let told = jobs.map(|job| status(finish(job)));
    assert_eq!(told, [Some(Status::Denied), Some(Status::Denied), None, None]);
    assert_holds(&world.there("big"), b"as it was");
}

fn ticket_of(text: &TicketText) -> Ticket {
    Ticket::parse(text.reveal()).unwrap()
}

fn options_of(ticket: &Ticket, key: &Arc<SecretKey>) -> gannet_driver_mio::client::ClientOptions {
    let expected = Expected::just(ticket.server());
    gannet_driver_mio::client::ClientOptions::new(ClientSecurity::Sealed {
        key: Arc::clone(key),
        expected,
    })
}

/// Two machines, one line between them.
#[test]
fn a_ticket_lets_one_client_in() {
    let world = World::new();
    fs::write(world.there("f"), "it").unwrap();
    let owner = world.client();
    let ticket = ticket_of(&finish(owner.invite(invite("read"))).unwrap());
    assert_eq!(ticket.via().to_string(), "somewhere:5555");
    let port = world.address.port();
    let (guest, late) = (key(), key());
    let options = options_of(&ticket, &guest);
    let client = Client::connect("127.0.0.1", port, &options).unwrap();
    finish(client.join(ticket.secret())).unwrap();
    finish(client.get(name("f"), world.here("f"))).unwrap();
    assert_eq!(status(finish(client.put(world.here("f"), root_as("x")))), Some(Status::Denied));
    // It holds for connections to come.
    drop(client);
    let client = Client::connect("127.0.0.1", port, &options).unwrap();
    finish(client.get(name("f"), world.here("f2"))).unwrap();
    // The ticket is used up. Nobody else gets in with it, even while another is open.
    let options = options_of(&ticket, &late);
    let client = Client::connect("127.0.0.1", port, &options).unwrap();
    assert!(is_refused(finish(client.join(ticket.secret()))));
    let _open = finish(owner.invite(invite("read"))).unwrap();
    let client = Client::connect("127.0.0.1", port, &options).unwrap();
    assert_eq!(status(finish(client.join(ticket.secret()))), Some(Status::Denied));
    assert!(is_refused(finish(client.get(name("f"), world.here("f3")))));
}

/// A ticket gives no more than its inviter has, and nothing once that one is gone.
#[test]
fn a_ticket_is_worth_what_its_inviter_is() {
    let admin = key();
    let world = World::of_clients(None, |shared, paths| {
        fs::create_dir_all(shared.join("d/e")).unwrap();
        add(paths, &admin, "admin dir=d");
    });
    let client = world.client_as(&admin);
    let ticket = ticket_of(&finish(client.invite(invite("read dir=e"))).unwrap());
    let second = ticket_of(&finish(client.invite(invite("admin"))).unwrap());
    let guest = key();
    let port = world.address.port();
    let joined = Client::connect("127.0.0.1", port, &options_of(&ticket, &guest)).unwrap();
    finish(joined.join(ticket.secret())).unwrap();
    let list = world.paths.authorized_clients();
    let text = fs::read_to_string(&list).unwrap();
    assert!(text.contains(&format!("{} read dir=d/e", guest.public())), "{text}");
    fs::write(&list, text.replace(&admin.public().to_string(), "# taken out:")).unwrap();
    let late = key();
    let joined = Client::connect("127.0.0.1", port, &options_of(&second, &late)).unwrap();
    assert_eq!(status(finish(joined.join(second.secret()))), Some(Status::Denied));
}

/// A ticket gives no more than its inviter has when it is used.
#[test]
fn a_ticket_shrinks_with_its_inviter() {
    let admin = key();
    let world = World::of_clients(None, |shared, paths| {
        fs::create_dir_all(shared.join("d/e")).unwrap();
        add(paths, &admin, "admin");
    });
    let client = world.client_as(&admin);
    let cases = [
        ("write", false),
        ("read dir=dd", false),
        ("write dir=d", false),
        ("write dir=d max=2kB", false),
        ("write dir=d max=1kB", true),
        ("read dir=d/e", true),
    ];
    let ticket = |grant| ticket_of(&finish(client.invite(invite(grant))).unwrap());
    let tickets = cases.map(|(grant, _)| ticket(grant));
    let list = world.paths.authorized_clients();
    let text = fs::read_to_string(&list).unwrap().replace(" admin", " admin dir=d max=1kB");
    fs::write(&list, text).unwrap();
    for ((grant, gets_in), ticket) in cases.into_iter().zip(tickets) {
        let options = options_of(&ticket, &key());
        let guest = Client::connect("127.0.0.1", world.address.port(), &options).unwrap();
        let expected = if gets_in { None } else { Some(Status::Denied) };
        // Guesses are limited, and all come from one address.
        let joined = loop {
            match status(finish(guest.join(ticket.secret()))) {
                Some(Status::Overloaded) => std::thread::sleep(Duration::from_millis(100)),
                joined => break joined,
            }
        };
        assert_eq!(joined, expected, "{grant}");
    }
}

/// Whoever has no ticket cannot take all places of those who have one.
#[test]
fn a_host_of_strangers_has_few_places() {
    let world = World::new();
    let owner = world.client();
    let ticket = ticket_of(&finish(owner.invite(invite("read"))).unwrap());
    let connect = || {
        let options = options_of(&ticket, &key());
        Client::connect("127.0.0.1", world.address.port(), &options).unwrap()
    };
    let mut idle: Vec<_> = (0..8).map(|_| connect()).collect();
    assert!(is_refused(finish(connect().join(ticket.secret()))));
    finish(idle.remove(0).join(ticket.secret())).unwrap();
}

/// Neither mode is talked down to the other: no such server answers.
#[test]
fn plain_and_sealed_do_not_meet() {
    let world = World::new();
    let mut options = gannet_driver_mio::client::ClientOptions::new(ClientSecurity::Plain);
    options.connect_timeout = Duration::from_millis(500);
    let error = Client::connect("127.0.0.1", world.address.port(), &options).unwrap_err();
    assert!(matches!(error, ConnectError::NoAnswer { .. }), "{error:?}");
}
