//! Bodies beyond their bounds, in pieces, or too late.

use super::*;

/// An end that differs from what was announced, or from an end before, or lies below bytes that came.
fn ends_that_move(mode: Mode) {
    let moved = Violation::EndMoved;
    server_closes(mode, &[&[opening(0, [put(b"x", 5), end(6)].concat())]], moved);
    let request = get(b"file");
    let fin = |offset: u64, bytes: &[u8]| Frame::Message {
        exchange: 0,
        offset,
        fin: true,
        bytes: bytes.to_vec(),
    };
    let len = request.len() as u64;
    server_closes(mode, &[&[fin(0, &request), fin(len, b"more")]], moved);
    server_closes(mode, &[&[fin(0, &request), fin(len - 2, b"")]], moved);
    server_closes(mode, &[&[message(0, 0, &request), fin(1, b"")]], moved);
}

/// Row 30: more than was granted, or than there is.
fn beyond_credit_and_size(mode: Mode) {
    // Exchanges: 256 may be open.
    server_closes(mode, &[&[whole(256, get(b"file"))]], Violation::Credit);
    server_closes(mode, &[&[opening(0, put(b"x", 10)), data(0, 9, 2)]], Violation::BeyondEnd);
    server_closes(mode, &[&[opening(0, put(b"x", 0)), data(0, 0, 1)]], Violation::BeyondEnd);
    // A chunk that is empty, or crosses a block.
    server_closes(mode, &[&[opening(0, put(b"x", 9 * MIB)), data(0, 0, 0)]], Violation::Chunk);
    server_closes(
        mode,
        &[&[opening(0, put(b"x", 9 * MIB)), data(0, MIB - 1, 2)]],
        Violation::Chunk,
    );
    // Bytes of a message stream far beyond what came.
    server_closes(mode, &[&[message(0, 64 * 1024, b"x")]], Violation::MessageStream);
    client_closes(
        mode,
        Job::Get(name("file")),
        &[&[opening(0, meta_reply(10)), data(0, 10, 1)]],
        Violation::BeyondEnd,
    );
}

/// Row 30: body bytes beyond the window, when the disk does not take them.
fn body_bytes_beyond_the_window(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    world.server_mut().stuck.insert(name("x"));
    forged.send(&mut world, &[opening(0, put(b"x", 100 * MIB))]);
    let mut offset = 0;
    let closed = loop {
        forged.send(&mut world, &[data(0, offset, 1024)]);
        offset += 1024;
        if let Some(code) = forged.closed(&mut world) {
            break code;
        }
        assert!(offset <= 32 * MIB, "no bound");
    };
    assert_eq!(closed, Violation::Credit.code());
    // Half of the first window is all that one body may take.
    assert_eq!(offset, 2 * MIB + 1024);
}

/// Row 60: bytes of a body that is not open yet are dropped, not acknowledged, and nothing is lost.
fn body_bytes_before_the_message_that_opens_the_body(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let content = vec![7; 5000];
    forged.send(&mut world, &[data(0, 0, 1000)]);
    forged.send(&mut world, &[data(3, 0, 1000)]);
    forged.send(&mut world, &[Frame::Ping]);
    world.run_for(100 * MS);
    for (_, frames) in forged.receive(&mut world) {
        for frame in frames {
            let Frame::Ack(ack) = frame else { continue };
            assert_eq!(ack.ranges, [(2, 2)], "what was dropped is not acknowledged");
        }
    }
    let hash = blake3_group(&content);
    let talk = [put(b"x", 5000), group(0, hash), end(5000)].concat();
    forged.send(&mut world, &[whole(0, talk), data(0, 0, 1000)]);
    for i in 1..5 {
        forged.send(&mut world, &[data(0, i * 1000, 1000)]);
    }
    world.run_for(SECOND);
    let stored = world.server().files.get(&name("x")).expect("stored");
    assert_eq!(stored.content, Content::bytes(&content));
}

fn blake3_group(content: &[u8]) -> [u8; 32] {
    gannet_tests::groups::Groups::of(gannet_protocol::BodyLen::Known(content.len() as u64))
        .hash(0, content)
        .subtree
}

/// Row 22 and 59: whatever is sent again, as it was or in a new packet, is taken once. The host watches that no byte
/// is written into a group that is verified; here the new bytes differ.
fn replays_and_late_bytes_are_taken_once(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let content = vec![7; 2000];
    let talk = [put(b"x", 2000), group(0, blake3_group(&content)), end(2000)].concat();
    let packets = [
        forged.packet(&[opening(0, talk[..20].to_vec())]),
        forged.packet(&[message(0, 20, &talk[20..]), Frame::Ping]),
        forged.packet(&[data(0, 0, 1000)]),
        forged.packet(&[data(0, 1000, 1000)]),
    ];
    for packet in packets.iter().chain(&packets).chain(&packets) {
        world.spoof(STRANGER, packet);
    }
    forged.send(&mut world, &[Frame::Data { exchange: 0, offset: 0, bytes: vec![9; 1000] }]);
    forged.send(&mut world, &[opening(0, talk)]);
    world.run_for(SECOND);
    assert_eq!(forged.closed(&mut world), None);
    assert_eq!(world.server().stored.len(), 1);
    assert_eq!(world.server().files.get(&name("x")).unwrap().content, Content::bytes(&content));
}

/// Row 29: single bytes with gaps between them, in one block and over many; they are kept account of up to a bound, and
/// what is sent again in the end completes the body.
fn one_byte_fragments_with_gaps(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let len = 3 * MIB;
    let content = vec![7; usize::try_from(len).unwrap()];
    forged.send(&mut world, &[opening(0, put(b"x", len))]);
    for i in 0..20_000 {
        forged.send(&mut world, &[data(0, i * 2 % len, 1)]);
        forged.receive(&mut world);
    }
    let groups = gannet_tests::groups::Groups::of(gannet_protocol::BodyLen::Known(len));
    let mut talk = put(b"x", len);
    for range in groups.ranges(len) {
        let hash = groups.hash(range.start, &content[..usize::try_from(MIB).unwrap()]).subtree;
        talk.extend_from_slice(&group(groups.index(range.start), hash));
    }
    talk.extend_from_slice(&end(len));
    forged.send(&mut world, &[whole(0, talk)]);
    for at in (0..len).step_by(1024) {
        forged.send(&mut world, &[data(0, at, 1024)]);
        forged.receive(&mut world);
    }
    world.run_for(SECOND);
    assert_eq!(world.server().stored.len(), 1, "{:?}", world.server().closed);
}

in_both_modes! {
    ends_that_move
    beyond_credit_and_size
    body_bytes_beyond_the_window
    body_bytes_before_the_message_that_opens_the_body
    replays_and_late_bytes_are_taken_once
    one_byte_fragments_with_gaps
}
