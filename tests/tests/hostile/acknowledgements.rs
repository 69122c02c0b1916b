//! Acknowledgements that are wrong, repeated, or never come.

use super::*;

/// Row 25: nothing of it is believed.
fn an_acknowledgement_of_a_packet_never_sent(mode: Mode) {
    for largest in [1_000, u64::from(u32::MAX), (1 << 62) - 1] {
        server_closes(mode, &[&[ack(&[(0, largest)])]], Violation::AckUnsent);
        server_closes(mode, &[&[ack(&[(largest, largest)])]], Violation::AckUnsent);
        let job = Job::put(&name("file"), Content::pattern(1, 10 * MIB));
        client_closes(mode, job, &[&[ack(&[(largest, largest), (0, 1)])]], Violation::AckUnsent);
    }
}

/// `docs/hostile-input.md`, row 26: who acknowledges what it did not wait for meets a number that was left out.
fn an_acknowledgement_of_a_number_left_out(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    world.run_for(20 * MS);
    let mut largest = 0;
    let closed = (0..1_000).any(|_| {
        let frames = forged.receive(&mut world);
        largest = frames.iter().map(|(number, _)| *number).fold(largest, u64::max);
        let code = frames.iter().flat_map(|(_, frames)| frames).find_map(|frame| match frame {
            Frame::Close(code) => Some(*code),
            _ => None,
        });
        forged.send(&mut world, &[ack(&[(0, largest)])]);
        world.run_for(5 * MS);
        code == Some(Violation::AckUnsent.code())
    });
    assert!(closed, "{largest} packets acknowledged unseen");
    // The first number is left out among the first hundred or so.
    assert!(largest < 200, "{largest}");
}

/// Row 27: ranges that reach below zero; more than were promised; two frames in a packet.
fn malformed_acknowledgements(mode: Mode) {
    for bytes in [
        // Flags that are none.
        &[2, 4, 0, 0, 0, 0][..],
        // The first range reaches below zero.
        &[2, 0, 1, 0, 0, 2],
        // A gap reaches below zero.
        &[2, 0, 1, 0, 1, 0, 0, 0],
        &[2, 0, 5, 0, 1, 0, 63, 0],
        // So does a range after it.
        &[2, 0, 1, 0, 1, 0, 0, 1],
        // More are promised than there are.
        &[2, 0, 1, 0, 9, 0],
        &[2, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        &[2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0],
    ] {
        server_closes(mode, &[&[raw(bytes)]], Violation::Frame);
    }
}

/// Row 22: acknowledgements that are said again, or that say nothing new, send nothing again.
fn repeated_acknowledgements_trigger_nothing(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    world.run_for(100 * MS);
    let sent = forged.receive(&mut world);
    let largest = sent.iter().map(|(number, _)| *number).max().unwrap();
    assert!(sent.len() as u64 == largest + 1, "no number is left out yet");
    forged.send(&mut world, &[ack(&[(0, largest)])]);
    world.run_for(50 * MS);
    let (before, resent) =
        (forged.receive(&mut world).len(), world.server_stats().unwrap().body_resent);
    assert!(before > 0, "the window is open");
    for _ in 0..200 {
        forged.send(&mut world, &[ack(&[(0, largest)])]);
        forged.send(&mut world, &[ack(&[(largest, largest), (0, 0)])]);
    }
    assert_eq!(world.server_stats().unwrap().body_resent, resent);
    let answers = forged.receive(&mut world);
    assert!(answers.is_empty(), "{}", answers.len());
}

/// Row 37: it gets a window of packets and two probes each half second, and is given up after the idle timeout, though it speaks.
fn a_peer_that_never_acknowledges(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    for _ in 0..100 {
        world.run_for(SECOND);
        forged.send(&mut world, &[Frame::Ping]);
        if world.end().is_some() {
            break;
        }
    }
    let reason = world.end();
    assert_eq!(reason, Some(CloseReason::Silence(30 * SECOND)));
    assert!((30 * SECOND..33 * SECOND).contains(&world.elapsed()), "{:?}", world.elapsed());
    let bytes: u64 = forged
        .receive(&mut world)
        .iter()
        .flat_map(|(_, frames)| frames)
        .map(|frame| if let Frame::Data { bytes, .. } = frame { bytes.len() as u64 } else { 0 })
        .sum();
    assert!(bytes < 250_000, "{bytes}");
}

/// Row 37: a peer that has us acknowledge without end and never acknowledges anything gets no further after a while, so that
/// what is remembered of our packets is bounded.
fn a_peer_that_only_wants_acknowledgements(mode: Mode) {
    const PACKETS: u64 = 150_000;
    let (mut world, mut forged) = to_server(mode);
    let mut answers = 0;
    for _ in 0..PACKETS {
        // Each packet leaves a gap, and so is acknowledged at once.
        forged.number += 1;
        forged.send(&mut world, &[Frame::Ping]);
        answers += forged.receive(&mut world).len() as u64;
    }
    assert!((100_000..PACKETS - 10_000).contains(&answers), "{answers}");
    assert_eq!(world.end(), None);
    world.run_for(31 * SECOND);
    assert!(world.end().is_some());
}

/// A peer whose acknowledgements are all an hour late, as it says, is believed 25 ms of it.
fn absurd_delays_are_clamped(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    let mut received = BTreeSet::new();
    for _ in 0..50 {
        world.run_for(20 * MS);
        received.extend(forged.receive(&mut world).iter().map(|(number, _)| *number));
        let late = Ack { delay: (1 << 62) - 1, ..ack_of(&received) };
        forged.send(&mut world, &[Frame::Ack(late)]);
    }
    let stats = world.server_stats().unwrap();
    assert!(stats.rtt <= 25 * MS, "{stats:?}");
    assert!(stats.body_sent > 200_000, "{stats:?}");
}

in_both_modes! {
    an_acknowledgement_of_a_packet_never_sent
    an_acknowledgement_of_a_number_left_out
    malformed_acknowledgements
    repeated_acknowledgements_trigger_nothing
    a_peer_that_never_acknowledges
    a_peer_that_only_wants_acknowledgements
    absurd_delays_are_clamped
}
