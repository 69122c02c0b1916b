//! The vectors of sealed suites in docs/protocol.md, "Sealed suites", with real cryptography and given keys.

use std::collections::{BTreeMap, BTreeSet};

use gannet_protocol::{
    Protect,
    crypto::{Cipher, Identity, Suite},
    noise::{Initiator, Responder},
    sealed::{Limits, Sealed},
};

use crate::scripted;

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// Bytes of a DATA packet's header.
const HEADER: usize = 17;
const CLIENT_ID: u64 = 0xc11e_0001;
const SERVER_ID: u64 = 0x5e47_0002;

/// An identity whose secret is 32 times `own`, and whose ephemeral secrets are 32 times `ephemeral`.
fn identity(own: u8, ephemeral: u8) -> Identity {
    scripted::identity([own; 32], std::iter::repeat(ephemeral))
}

/// The document's vectors, by name.
fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let blocks = DOCUMENT.split("\n```vector ").skip(1);
    let block = |block: &'static str| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (lines, _) = rest.split_once("\n```").unwrap();
        let words =
            lines.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
        let bytes = words.flat_map(|word| match word.strip_prefix("00*") {
            Some(count) => vec![0; count.parse().unwrap()],
            None => unhex(word),
        });
        (name, bytes.collect())
    };
    blocks.map(block).collect()
}

fn unhex(word: &str) -> Vec<u8> {
    (0..word.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What both ends know alike, as the document has it.
fn prologue(suite: Suite) -> Vec<u8> {
    let version = 1_u32.to_be_bytes();
    // No cookie.
    [&b"gannet"[..], &version, &[suite.number()], &[0], &CLIENT_ID.to_be_bytes()].concat()
}

/// A DATA packet of number 5, to be sealed, with a PING.
fn ping(to: u64, number: u64) -> Vec<u8> {
    let mut packet = vec![7];
    packet.extend_from_slice(&to.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.push(1);
    packet.resize(HEADER + 1 + 16, 0);
    packet
}

/// All that the vectors of one suite hold, by name.
fn conversation(cipher: Cipher, name: &str, said: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (client, server) = (identity(0x11, 0x33), identity(0x22, 0x44));
    let prologue = prologue(Suite::Sealed(cipher));
    let initiator = Initiator::new(&client, cipher, &prologue, b"").unwrap();
    let first = initiator.message().to_vec();
    let responder = Responder::read_1(&server, cipher, &prologue, &first).unwrap();
    let mut answering = responder.write_2(said).unwrap();
    let second = answering.message().to_vec();
    let answer = initiator.read_2(&second).unwrap();
    assert_eq!((answer.payload(), answer.peer()), (said, server.public()));
    let (third, keys) = answer.write_3(said).unwrap();
    let confirmed = answering.read_3(&third).unwrap();
    assert_eq!((&confirmed.payload[..], &confirmed.peer), (said, client.public()));
    let transcript = keys.transcript.to_vec();
    let limits = Limits::new(cipher);
    let mut up = Sealed::new(client.crypto(), keys, limits);
    let mut down = Sealed::new(server.crypto(), confirmed.keys, limits);
    let mut parts = vec![("hello", first), ("answer", second), ("finish", third)];
    parts.push(("transcript", transcript));
    // The last packet of the first generation's key, and the first of the next one's.
    for (part, number) in [("data", 5), ("data-next", 1 << 22)] {
        let mut packet = ping(SERVER_ID, number);
        up.seal(number, HEADER, &mut packet).unwrap();
        assert_eq!(down.open(number, HEADER, &mut packet.clone()), Ok(&[1][..]));
        parts.push((part, packet));
    }
    let mut packet = ping(CLIENT_ID, 5);
    down.seal(5, HEADER, &mut packet).unwrap();
    assert_eq!(up.open(5, HEADER, &mut packet.clone()), Ok(&[1][..]));
    parts.push(("data-down", packet));
    parts.into_iter().map(|(part, bytes)| (format!("sealed-{name}-{part}"), bytes)).collect()
}

#[test]
fn sealed_suites_are_as_documented() {
    let vectors = vectors();
    let said = [&SERVER_ID.to_be_bytes()[..], &vectors["parameters"]].concat();
    let mut compared = BTreeSet::new();
    for (cipher, name) in [(Cipher::Aes256Gcm, "aes"), (Cipher::ChaCha20Poly1305, "chacha")] {
        for (name, bytes) in conversation(cipher, name, &said) {
            let documented = vectors.get(&name[..]).map(|bytes| hex(bytes));
            assert_eq!(documented, Some(hex(&bytes)), "{name}");
            compared.insert(name);
        }
    }
    // A vector that no test compares would be free to be wrong.
    let documented = vectors.keys().filter(|name| name.starts_with("sealed-"));
    assert!(documented.map(ToString::to_string).eq(compared), "others are documented");
}
