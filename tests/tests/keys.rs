//! Packet keys: how long they last, and that no nonce of theirs comes twice.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use gannet_protocol::{
    CloseCode, CloseReason, Config, Security,
    sealed::{Lowered, MAX_NUMBER},
};
use gannet_tests::{
    content::Content,
    crypto::{Seals, Seeded},
    directory::name,
    host::{Job, Outcome},
    world::{ClientId, Direction, Path, World},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// 16 packets to a generation.
const LOWERED: Lowered =
    Lowered { generation_bits: 4, max_forged: u64::MAX, max_number: MAX_NUMBER };
/// Bytes before the frames of a DATA packet.
const HEADER: usize = 17;
const DATA: u8 = 7;

/// A world of sealed hosts with lowered limits, and what they seal.
struct Sealed {
    world: World,
    seals: Arc<Seals>,
    lowered: Lowered,
}

impl Sealed {
    fn new(seed: u64, lowered: Lowered) -> Self {
        let seals = Arc::<Seals>::default();
        let config = Self::config(&Self::crypto(0, &seals).identity(), lowered);
        let mut world = World::with_server(seed, config);
        world.server_mut().files.insert(&name("file"), Content::pattern(1, 400_000));
        Self { world, seals, lowered }
    }

    fn crypto(seed: u64, seals: &Arc<Seals>) -> Seeded {
        let crypto = Seeded::new(seed).recorded(seals);
        if seed.is_multiple_of(2) { crypto } else { crypto.without_aes() }
    }

    fn config(identity: &gannet_protocol::crypto::Identity, lowered: Lowered) -> Config {
        let mut config = Config::default();
        config.security = Security::Sealed(identity.clone());
        config.lowered = Some(lowered);
        config
    }

    fn client(&mut self, number: u64, path: Path) -> ClientId {
        let server = *Seeded::new(0).identity().public();
        let identity = Self::crypto(number, &self.seals).identity();
        let path = self.world.add_path(path);
        self.world.add_client_to(path, Self::config(&identity, self.lowered), server)
    }

    /// Moves a file each way.
    #[track_caller]
    fn transfer(&mut self, client: ClientId) {
        let got = self.world.start(client, Job::Get(name("file")));
        let content = Content::pattern(8, 200_000);
        let put = self.world.start(client, Job::put(&name("up"), content));
        self.world.run_until_idle(600 * SECOND);
        let outcome = self.world.outcome(client, got);
        assert!(matches!(outcome, Some(Outcome::Got(_))), "{outcome:?}");
        let outcome = self.world.outcome(client, put);
        assert!(matches!(outcome, Some(Outcome::Stored(_))), "{outcome:?}");
    }
}

fn bad(loss: f64) -> Path {
    Path::new(20_000_000, 40 * MS).loss(loss).reorder(0.1, 10 * MS).duplicate(0.05)
}

/// `docs/hostile-input.md`, row 24: files move over bad paths, in both directions, with a new key each 16 packets; numbers
/// that were left out lie between them.
#[test]
fn keys_change_each_16_packets_under_loss_and_reordering() {
    for (number, loss) in [(1, 0.05), (2, 0.1), (3, 0.2), (4, 0.3)] {
        let mut sealed = Sealed::new(number, LOWERED);
        let client = sealed.client(number, bad(loss));
        sealed.transfer(client);
        let (packets, longest) = sealed.seals.of_packets();
        assert!(packets.len() > 2 * 10, "{} keys", packets.len());
        assert!(longest <= 16, "{longest} packets with one key");
    }
}

/// `docs/hostile-input.md`, row 23: over several connections, with loss, reordering and repetition, and with handshakes that
/// are repeated, no key meets a nonce twice.
#[test]
fn no_key_meets_a_nonce_twice() {
    for lowered in [LOWERED, Lowered { generation_bits: 62, ..LOWERED }] {
        let mut sealed = Sealed::new(7, lowered);
        let clients: Vec<_> = (1..=4).map(|number| sealed.client(number, bad(0.15))).collect();
        for client in clients {
            sealed.transfer(client);
        }
        // The recorder panics at a repetition.
        assert!(sealed.seals.count() > 1_000, "{}", sealed.seals.count());
    }
}

/// `docs/hostile-input.md`, row 23: before the numbers end, the connection does, and says so.
#[test]
fn the_connection_closes_before_its_numbers_end() {
    let max_number = 400;
    let mut sealed = Sealed::new(8, Lowered { max_number, ..LOWERED });
    let client = sealed.client(2, Path::new(20_000_000, 40 * MS));
    let seen = Rc::new(RefCell::new(0));
    let eye = Rc::clone(&seen);
    sealed.world.set_filter(move |passing| {
        if passing.payload[0] == DATA {
            let number = u64::from_be_bytes(passing.payload[9..HEADER].try_into().unwrap());
            let mut largest = eye.borrow_mut();
            *largest = number.max(*largest);
        }
        true
    });
    sealed.world.start(client, Job::Get(name("file")));
    sealed.world.start(client, Job::Get(name("file")));
    sealed.world.run_for(5 * SECOND);
    let reason = sealed.world.close_reason(client);
    assert_eq!(reason, Some(CloseReason::Peer(CloseCode::KeysUsedUp)));
    let reason = sealed.world.server().closed.last().map(|(_, reason)| *reason);
    assert_eq!(reason, Some(CloseReason::KeysUsedUp));
    assert!((200..=max_number).contains(&*seen.borrow()), "{}", seen.borrow());
}

/// Who guesses tags often enough ends the connection: its keys deserve no more trust.
#[test]
fn the_connection_closes_when_too_many_packets_were_forged() {
    let mut sealed = Sealed::new(9, Lowered { max_forged: 50, ..LOWERED });
    let client = sealed.client(2, Path::new(20_000_000, 40 * MS));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&seen);
    sealed.world.set_filter(move |passing| {
        if passing.direction == Direction::Up && passing.payload[0] == DATA {
            *eye.borrow_mut() = passing.payload.to_vec();
        }
        true
    });
    sealed.transfer(client);
    let from = sealed.world.address(client);
    for guess in 0..200_u8 {
        assert_eq!(sealed.world.server().closed.is_empty(), guess <= 50, "{guess}");
        let mut packet = seen.borrow().clone();
        // A number that did not come yet.
        packet[HEADER - 1] = packet[HEADER - 1].wrapping_add(2);
        packet[HEADER] ^= guess;
        packet[HEADER + 1] ^= 1;
        sealed.world.spoof(from, &packet);
    }
    sealed.world.run_for(SECOND);
    let reason = sealed.world.close_reason(client);
    assert_eq!(reason, Some(CloseReason::Peer(CloseCode::KeysUsedUp)));
}

/// `docs/hostile-input.md`, row 21: each packet of a connection comes once more with a bit flipped, before the right one. Nothing
/// that either end knows or sends is another for it, to the nanosecond.
#[test]
fn forged_packets_change_nothing_at_all() {
    let run = |forge: bool| {
        let mut sealed = Sealed::new(10, LOWERED);
        let client = sealed.client(2, Path::new(20_000_000, 40 * MS).loss(0.05));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let eye = Rc::clone(&seen);
        sealed.world.set_filter(move |passing| {
            if passing.payload[0] == DATA {
                eye.borrow_mut().push((passing.from, passing.payload.to_vec()));
            }
            true
        });
        let got = sealed.world.start(client, Job::Get(name("file")));
        sealed.world.start(client, Job::put(&name("up"), Content::pattern(8, 200_000)));
        let (mut figures, mut flip) = (Vec::new(), 0);
        for _ in 0..4_000 {
            let here = sealed.world.address(client);
            let packets = std::mem::take(&mut *seen.borrow_mut());
            for (from, mut packet) in packets.into_iter().filter(|_| forge) {
                flip += 1;
                let bit = flip * 7919 % ((packet.len() - 1 - 8) * 8);
                packet[9 + bit / 8] ^= 1 << (bit % 8);
                let elsewhere = std::net::SocketAddr::from(([203, 0, 113, 9], 999));
                let claimed = if flip % 3 == 0 { elsewhere } else { here };
                match from == here {
                    true => sealed.world.spoof(claimed, &packet),
                    false => sealed.world.spoof_down(client, &packet),
                }
            }
            sealed.world.run_for(MS);
            figures.push((sealed.world.server_stats(), sealed.world.client_stats(client)));
        }
        assert!(matches!(sealed.world.outcome(client, got), Some(Outcome::Got(_))));
        assert!(!forge || flip > 500, "{flip}");
        (figures, sealed.world.trace_hash())
    };
    let (honest, forged) = (run(false), run(true));
    assert!(honest.0 == forged.0, "figures differ");
    assert_eq!(honest.1, forged.1);
}

/// `docs/hostile-input.md`, row 21: forged packets do not keep a connection alive whose peer is gone.
#[test]
fn forged_packets_keep_nothing_alive() {
    let mut sealed = Sealed::new(11, LOWERED);
    let client = sealed.client(2, Path::new(20_000_000, 40 * MS));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let eye = Rc::clone(&seen);
    sealed.world.set_filter(move |passing| {
        if passing.direction == Direction::Up {
            *eye.borrow_mut() = passing.payload.to_vec();
        }
        true
    });
    sealed.transfer(client);
    sealed.world.set_blackout(client, true);
    let from = sealed.world.address(client);
    for second in 0..29 {
        sealed.world.run_for(SECOND);
        let mut packet = seen.borrow().clone();
        packet[HEADER + 2] ^= 1 << (second % 8);
        sealed.world.spoof(from, &packet);
    }
    assert!(sealed.world.server().closed.is_empty());
    sealed.world.run_for(2 * SECOND);
    let reason = sealed.world.server().closed.last().map(|(_, reason)| *reason);
    assert!(matches!(reason, Some(CloseReason::Silence(_))), "{reason:?}");
}
