//! Bodies that are received into memory.

use gannet_protocol::{Ticket, Write};

use super::{receiving::chunks, *};
use crate::transfer::buffers::BLOCK;

#[test]
fn a_listing_is_collected_in_memory() {
    for len in [0, 1, 70_000, BLOCK, 2 * BLOCK + 9] {
        let content = content(len, 1);
        let mut rig = Rig::new(&Limits::default(), 1);
        rig.transfers.receive_memory(body(1));
        let mut chunks = chunks(len, 9000);
        chunks.reverse();
        for chunk in chunks {
            rig.write(body(1), &content, &chunk, chunk.len);
        }
        rig.note_all(body(1), &content, BodyLen::Open);
        rig.run_all();
        let collected = rig.outputs.iter().find_map(|output| match output {
            Output::Collected { body: of, bytes } if *of == body(1) => Some(bytes),
            _ => None,
        });
        assert!(collected == Some(&content), "{len}");
        assert_eq!(rig.settled, len as u64);
    }
}

#[test]
fn a_wrong_listing_is_refused() {
    let content = content(70_000, 1);
    let mut wrong = content.clone();
    wrong[69_999] ^= 1;
    let mut rig = Rig::new(&Limits::default(), 1);
    rig.transfers.receive_memory(body(1));
    rig.write_all(body(1), &wrong, 9000);
    rig.note_all(body(1), &content, BodyLen::Open);
    rig.run_all();
    assert_eq!(rig.failure(body(1)), Some(Status::Corrupt));

    rig.transfers.receive_memory(body(2));
    let ticket = Ticket::unowned(1);
    rig.transfers.write(Write { body: body(2), offset: 1 << 40, data: b"x", fresh: 1, ticket });
    rig.run_all();
    assert_eq!(rig.failure(body(2)), Some(Status::TooLarge));

    rig.transfers.receive_memory(body(3));
    rig.write_all(body(3), &content, 9000);
    rig.transfers.note(rig.now, body(3), end_of(&content));
    rig.run_all();
    assert_eq!(rig.failure(body(3)), Some(Status::Corrupt), "its hashes were never told");
    assert_eq!(rig.settled, 140_001);
}
