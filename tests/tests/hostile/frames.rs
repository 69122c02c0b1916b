//! Frames, messages and packets that are wrong, or out of place.

use super::*;

/// Row 3 and 4: unknown types; lengths and counts above what remains.
fn malformed_frames(mode: Mode) {
    for bytes in [
        &[13][..],
        &[9],
        &[0x3f],
        &[0xff; 30],
        // PADDING that is none.
        &[0, 1],
        // Lengths of messages: missing, above what remains, absurd.
        &[3, 0, 0],
        &[3, 0, 0, 5, 1, 2],
        &[3, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[4, 0xc0],
        // Offsets whose sum goes beyond the largest body.
        &[3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1],
        &[5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        // A number not in its shortest form.
        &[7, 0x40, 0, 0],
        &[5],
        &[6, 0, 0],
        &[7, 0],
        &[8, 0, 1, 0, 0],
        &[8, 0, 99, 0, 0, 0],
        &[10, 1, 2, 3],
        &[11, 1, 2, 3, 4, 5, 6, 7],
        &[12],
    ] {
        server_closes(mode, &[&[raw(bytes)]], Violation::Frame);
        client_closes(mode, Job::Get(name("file")), &[&[raw(bytes)]], Violation::Frame);
    }
}

/// Row 2: every frame cut at every byte.
fn frames_cut_anywhere(mode: Mode) {
    let frames = [
        ack(&[(1, 2)]),
        Frame::Ack(Ack { partial: true, delay: 7, ecn: Some([1, 2, 300]), ranges: vec![(0, 1)] }),
        message(0, 0, &get(b"file")),
        Frame::Credit(1 << 40, 1 << 20, 1 << 21),
        Frame::BodyCredit { exchange: 700, limit: 1 << 40 },
        Frame::Reset { exchange: 0, status: 16, detail: 0, body: 0, messages: 0 },
        Frame::PathChallenge([1; 8]),
        Frame::PathResponse([2; 8]),
        Frame::Close(1 << 20),
    ];
    for frame in frames {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        for cut in 1..bytes.len() {
            server_closes(mode, &[&[raw(&bytes[..cut])]], Violation::Frame);
        }
    }
}

fn malformed_messages(mode: Mode) {
    let long = [b'x'; 300];
    for bytes in [
        message::message(0x7f, &[]),
        message::message(0, &[]),
        get(b""),
        get(b"/etc/passwd"),
        get(b"../x"),
        get(b"a//b"),
        get(b"a/./b"),
        get(b"nul\0"),
        get(&long),
        get(b".gannet-x"),
        put(b"two/components", 5),
        put(b"file", MAX_BODY + 1),
        message::message(1, &[&message::prefixed(b"x"), b"more"]),
        message::message(
            2,
            &[&[2], &message::prefixed(b""), &message::prefixed(b"x"), &message::meta(1)],
        ),
        message::message(5, &[&[2]]),
        message::message(5, &[]),
        vec![0],
    ] {
        server_closes(mode, &[&[whole(0, bytes)]], Violation::Message);
    }
    // A stream that ends within a message.
    let cut = get(b"file").split_last().unwrap().1.to_vec();
    server_closes(mode, &[&[whole(0, cut)]], Violation::Message);
    // A message over the greatest length is refused before it is here.
    let mut long = Vec::new();
    forge::put_varint(&mut long, 16 * 1024 + 1);
    server_closes(mode, &[&[message(0, 0, &long)]], Violation::MessageTooLong);
    client_closes(mode, Job::Get(name("x")), &[&[message(0, 0, &long)]], Violation::MessageTooLong);
}

/// Row 10: well-formed messages where they have no place.
fn messages_out_of_place(mode: Mode) {
    let wrong = Violation::UnexpectedMessage;
    for bytes in [meta_reply(5), message::done(), end(0), group(0, [0; 32])] {
        server_closes(mode, &[&[opening(0, bytes)]], wrong);
    }
    // Two requests in one exchange.
    server_closes(mode, &[&[opening(0, [get(b"file"), get(b"file")].concat())]], wrong);
    // A note on a body that the server sends; after the end; of a group that cannot be.
    server_closes(mode, &[&[opening(0, [get(b"file"), end(0)].concat())]], wrong);
    server_closes(mode, &[&[opening(0, [put(b"x", 0), end(0), end(0)].concat())]], wrong);
    server_closes(mode, &[&[opening(0, [put(b"x", 5), group(1, [0; 32])].concat())]], wrong);
    let job = || Job::Get(name("file"));
    for bytes in [get(b"x"), message::done(), end(0), [meta_reply(1), meta_reply(1)].concat()] {
        client_closes(mode, job(), &[&[opening(0, bytes)]], wrong);
    }
    let rename = Job::Rename(name("a"), name("b"));
    client_closes(mode, rename, &[&[opening(0, meta_reply(1))]], wrong);
}

/// What only one side may say.
fn frames_of_the_wrong_role(mode: Mode) {
    let (mut world, client, mut forged) = to_client(mode, Job::Get(name("file")));
    // A server opens no exchange.
    forged.send(&mut world, &[whole(5, get(b"file"))]);
    let reason = world.close_reason(client);
    assert!(matches!(reason, Some(CloseReason::Violation(_))), "{reason:?}");
    // A client has no answers, and sends no body that nobody asked for.
    let (mut world, mut forged) = to_server(mode);
    forged.send(&mut world, &[whole(0, get(b"missing")), data(0, 0, 1)]);
    world.run_for(SECOND);
    assert_eq!((world.server().connected.len(), world.end()), (2, None));
}

/// RESETs of exchanges that never were, are over, or say what cannot be.
fn resets(mode: Mode) {
    let reset = |exchange, body, messages| Frame::Reset {
        exchange,
        status: Status::Cancelled.code(),
        detail: 0,
        body,
        messages,
    };
    let (mut world, mut forged) = to_server(mode);
    for exchange in 0..256 {
        forged.send(&mut world, &[reset(exchange, 0, 0)]);
        forged.send(&mut world, &[reset(exchange, 0, 0)]);
    }
    world.run_for(SECOND);
    assert_eq!(forged.closed(&mut world), None);
    assert_eq!(world.server().performed.len(), 1, "that of the honest client");
    // More body bytes than the credit, fewer than came.
    server_closes(mode, &[&[reset(0, 1 << 40, 0)]], Violation::Credit);
    server_closes(mode, &[&[reset(0, 0, 1 << 40)]], Violation::Credit);
    server_closes(
        mode,
        &[&[opening(0, put(b"x", 5000)), data(0, 0, 1000)], &[reset(0, 999, 1000)]],
        Violation::EndMoved,
    );
    server_closes(mode, &[&[reset(256, 0, 0)]], Violation::Credit);
}

/// Row 10: packets of a server to a server, of a client to a client, and one's own that come back, as they were and under
/// the right id.
fn packets_of_the_wrong_side(mode: Mode) {
    let (mut world, mut forged) = to_server(mode);
    let (mut other, client, mut forged_server) = to_client(mode, Job::Get(name("file")));
    forged.send(&mut world, &[whole(0, get(b"file"))]);
    for packet in world.take_strays(STRANGER) {
        world.spoof(STRANGER, &packet);
        world.spoof(STRANGER, &with_id(&packet, forged.server));
        other.spoof_down(client, &packet);
    }
    let said = forged_server.receive();
    // Its hello would be as good a one as any.
    for packet in said.into_iter().filter(|packet| packet[0] != forge::HELLO) {
        world.spoof(STRANGER, &packet);
        other.spoof_down(client, &packet);
        other.spoof_down(client, &with_id(&packet, forged_server.id()));
    }
    assert!(world.strays().iter().all(|(_, packet)| packet[0] != forge::ANSWER));
    assert_eq!((world.end(), other.close_reason(client)), (None, None));
    forged_server.send(&mut other, &[opening(0, meta_reply(5))]);
    assert_eq!(other.close_reason(client), None);
}

/// The packet with another receiver. In plain mode its checksum is wrong then.
fn with_id(packet: &[u8], id: u64) -> Vec<u8> {
    [&packet[..1], &id.to_be_bytes(), &packet[9..]].concat()
}

in_both_modes! {
    malformed_frames
    frames_cut_anywhere
    malformed_messages
    messages_out_of_place
    frames_of_the_wrong_role
    resets
    packets_of_the_wrong_side
}
