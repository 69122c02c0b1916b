//! Through a link that loses, reorders, repeats and damages packets.

use std::{
    fs,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gannet_driver_mio::netem::{LinkConfig, Relay, RelayReport};

use super::world::{World, assert_holds, content, finish, name, root_as};

/// Moves a file each way, at once, through a relay.
fn move_through(link: &LinkConfig, len: usize) -> RelayReport {
    let world = World::new();
    let back = LinkConfig { seed: link.seed + 1, ..link.clone() };
    let relay = Relay::start(world.address, link.clone(), back).unwrap();
    let client = world.client_over(relay.address());
    fs::write(world.there("a"), content(1, len)).unwrap();
    fs::write(world.here("b"), content(2, len)).unwrap();
    let get = client.get(name("a"), world.here("a"));
    let put = client.put(world.here("b"), root_as("b"));
    finish(get).unwrap();
    finish(put).unwrap();
    assert_holds(&world.here("a"), &content(1, len));
    assert_holds(&world.there("b"), &content(2, len));
    drop(client);
    relay.stop()
}

fn lan() -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(2), ..LinkConfig::default() }
}

#[test]
fn loss_is_made_good() {
    let report = move_through(&LinkConfig { loss: 0.05, ..lan() }, 3 << 20);
    assert!(report.forward.dropped_loss > 0 && report.back.dropped_loss > 0, "{report:?}");
}

#[test]
fn disorder_and_repetition_do_no_harm() {
    let link = LinkConfig { reorder: 0.1, duplicate: 0.1, ..lan() };
    let report = move_through(&link, 3 << 20);
    assert!(report.forward.duplicated > 0 && report.back.reordered > 0, "{report:?}");
}

/// Also such damage as the checksums of UDP do not see.
#[test]
fn damage_is_noticed() {
    let link = LinkConfig { corrupt: 0.02, corrupt_unseen: 0.02, ..lan() };
    let report = move_through(&link, 3 << 20);
    assert!(report.forward.corrupted > 0 && report.back.corrupted > 0, "{report:?}");
}

#[test]
fn a_blackout_is_outlived() {
    let world = World::new();
    let relay = Relay::start(world.address, lan(), lan()).unwrap();
    let client = world.client_over(relay.address());
    fs::write(world.there("a"), content(1, 30 << 20)).unwrap();
    let get = client.get(name("a"), world.here("a"));
    while get.progress().done == 0 {
        std::thread::yield_now();
    }
    relay.handle().set_blackout(true);
    std::thread::sleep(Duration::from_millis(1500));
    relay.handle().set_blackout(false);
    finish(get).unwrap();
    assert_holds(&world.here("a"), &content(1, 30 << 20));
}

/// A NAT that forgets: the server hears the same client from another port.
#[test]
fn a_new_port_does_not_end_a_transfer() {
    let world = World::new();
    let relay = Relay::start(world.address, lan(), lan()).unwrap();
    let client = world.client_over(relay.address());
    fs::write(world.there("a"), content(1, 30 << 20)).unwrap();
    let get = client.get(name("a"), world.here("a"));
    while get.progress().done == 0 {
        std::thread::yield_now();
    }
    relay.handle().rebind().unwrap();
    finish(get).unwrap();
    assert_holds(&world.here("a"), &content(1, 30 << 20));
}

/// `docs/hostile-input.md`, rows 1 and 6: strangers send nothing, and rubbish, as fast as they can.
#[test]
fn noise_does_not_keep_a_server_from_its_work() {
    let world = World::new();
    let done = Arc::new(AtomicBool::new(false));
    let noise = [content(9, 0), content(9, 1), content(9, 1200), vec![0; 30]];
    let (stop, address) = (Arc::clone(&done), world.address);
    let stranger = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !stop.load(Ordering::Relaxed) {
            for datagram in &noise {
                // The server's socket may be full.
                let _ = socket.send_to(datagram, address);
            }
        }
    });
    fs::write(world.there("a"), content(1, 3 << 20)).unwrap();
    let client = world.client();
    finish(client.get(name("a"), world.here("a"))).unwrap();
    done.store(true, Ordering::Relaxed);
    stranger.join().unwrap();
    assert_holds(&world.here("a"), &content(1, 3 << 20));
}
