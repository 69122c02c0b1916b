//! Tickets as text.

use std::net::SocketAddr;

use gannet_driver_mio::trust::{BadTicket, HostPort, MAX_ADDRESSES, Proof, Ticket, TicketSecret};
use gannet_protocol::armor::{self, BadText, Kind};
use proptest::prelude::*;

use crate::world::key;

fn ticket(via: &str, addresses: &[&str]) -> Ticket {
    let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Ticket::new(key(1), via.parse().unwrap(), addresses, TicketSecret::generate().unwrap())
}

/// The text of any bytes, checksummed.
fn armored(bytes: &[u8]) -> String {
    let mut text = String::new();
    armor::write(&mut text, Kind::Ticket, bytes).unwrap();
    text
}

fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = [0; 1023];
    let len = armor::read(Kind::Ticket, text, &mut bytes).unwrap();
    bytes[..len].to_vec()
}

/// Whether both hold the same secret.
fn agree(a: &Ticket, b: &Ticket) -> bool {
    b.secret().verify(&a.secret().prove(b"transcript", &key(9)), b"transcript", &key(9))
}

#[test]
fn a_ticket_is_one_line_that_is_read_back() {
    let given = ticket("Example.org:5555", &["192.0.2.1:5555", "[2001:db8::1]:5555"]);
    let line = given.reveal();
    assert!(line.starts_with("gannetinvite1") && line.len() < 300);
    assert!(line.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    for text in [line.to_string(), format!("\n {}\r\n", *line), line.to_uppercase()] {
        let read = Ticket::parse(&text).unwrap();
        assert_eq!(read.server(), key(1));
        assert_eq!(read.via(), given.via());
        assert_eq!(read.addresses(), given.addresses());
        assert!(agree(&read, &given));
    }
    assert!(!agree(&given, &ticket("example.org:5555", &[])));
}

#[test]
fn the_longest_ticket_fits_into_a_line() {
    let host = "x".repeat(255);
    let many: Vec<String> = (1..20).map(|n| format!("[2001:db8::{n:x}]:65535")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = ticket(&format!("{host}:65535"), &many);
    assert_eq!(long.addresses().len(), MAX_ADDRESSES);
    let read = Ticket::parse(&long.reveal()).unwrap();
    assert_eq!((read.via().host(), read.addresses()), (host.as_str(), long.addresses()));
}

#[test]
fn addresses_that_lead_nowhere_are_left_out() {
    let left = ticket(
        "h:1",
        &[
            "0.0.0.0:1",
            "[::]:1",
            "224.0.0.1:1",
            "[ff02::1]:1",
            "255.255.255.255:1",
            "[fe80::1]:1",
            "192.0.2.1:0",
            "10.0.0.1:1",
            "[::1]:1",
        ],
    );
    assert_eq!(left.addresses(), ["10.0.0.1:1", "[::1]:1"].map(|text| text.parse().unwrap()));
}

/// `docs/hostile-input.md`, rows 2 and 4.
#[test]
fn what_is_no_ticket_is_told() {
    let why = |text: &str| Ticket::parse(text).unwrap_err();
    let line = ticket("host:1", &["192.0.2.1:1"]).reveal();
    assert_eq!(why(""), BadTicket::Text(BadText::NotOurs));
    assert_eq!(why(&key(1).to_string()), BadTicket::Text(BadText::Other(Kind::PublicKey)));
    assert_eq!(why(&line.replacen('1', "1b", 1)), BadTicket::Text(BadText::Checksum));
    let bytes = bytes_of(&line);
    for cut in 1..bytes.len() {
        assert_eq!(why(&armored(&bytes[..cut])), BadTicket::Content, "cut at {cut}");
    }
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        why(&armored(&bytes))
    };
    assert_eq!(with(&|bytes| bytes[0] = 2), BadTicket::Version(2));
    assert_eq!(with(&|bytes| bytes.push(0)), BadTicket::Content);
    assert_eq!(with(&|bytes| bytes[49] = 255), BadTicket::Content);
    let host = 50;
    assert_eq!(with(&|bytes| bytes[host] = b' '), BadTicket::Content);
    assert_eq!(with(&|bytes| bytes[host] = 0xff), BadTicket::Content);
    assert_eq!(with(&|bytes| bytes[host + 5] = 0), BadTicket::Content, "port 0");
    let count = host + 4 + 2;
    assert_eq!(with(&|bytes| bytes[count] = 9), BadTicket::Content);
    assert_eq!(with(&|bytes| bytes[count] = 0), BadTicket::Content);
    assert_eq!(with(&|bytes| bytes[count + 1] = 5), BadTicket::Content, "no family");
    assert_eq!(with(&|bytes| bytes[count + 2..count + 6].fill(0)), BadTicket::Content, "0.0.0.0");
}

/// `docs/hostile-input.md`, row 40.
#[test]
fn a_secret_is_neither_displayed_nor_in_errors() {
    let given = ticket("host:1", &[]);
    let line = given.reveal();
    let secret = &bytes_of(&line)[33..49];
    let shown = format!("{given:?} {given:#?} {:?}", given.secret());
    assert!(!shown.contains(&format!("{secret:?}")[1..20]), "{shown}");
    // The characters that stand for the secret's bytes alone.
    let characters = &line[14 + 53..14 + 78];
    assert!(!shown.contains(characters));
    for at in 14..line.len() {
        for with in ['B', 'b', 'q', ' '] {
            let mut broken = line.to_string();
            broken.replace_range(at..=at, with.to_string().as_str());
            if let Err(error) = Ticket::parse(&broken) {
                let told = format!("{error} {error:?}");
                assert!(!told.contains(&characters[..10]) && !told.contains('\''), "{told}");
            }
        }
    }
}

#[test]
fn a_proof_is_for_one_connection_and_one_client() {
    let given = ticket("host:1", &[]);
    let proof = given.secret().prove(b"this handshake", &key(9));
    let verify =
        |proof: &Proof, transcript: &[u8], n| given.secret().verify(proof, transcript, &key(n));
    assert!(verify(&proof, b"this handshake", 9));
    assert!(verify(&Proof::from_bytes(*proof.as_bytes()), b"this handshake", 9));
    assert!(!verify(&proof, b"that handshake", 9));
    assert!(!verify(&proof, b"this handshake", 8));
    for bit in 0..256 {
        let mut bytes = *proof.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&Proof::from_bytes(bytes), b"this handshake", 9));
    }
}

proptest! {
    /// Whatever stands behind the checksum: what is read is written back as the same.
    #[test]
    fn any_bytes_are_a_ticket_or_told_why_not(mut bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0..60_usize) {
        if let Some(version) = bytes.first_mut() {
            *version = 1;
        }
        // A valid start, and anything behind it.
        let good = bytes_of(&ticket("host:1", &["192.0.2.1:1"]).reveal());
        let mixed = [&good[..cut.min(good.len())], &bytes[..]].concat();
        for bytes in [bytes, mixed].into_iter().filter(|bytes| !bytes.is_empty()) {
            let text = armored(&bytes);
            if let Ok(ticket) = Ticket::parse(&text) {
                prop_assert_eq!(ticket.reveal().to_string(), text);
            }
        }
    }

    #[test]
    fn any_ticket_is_read_back(
        host in "[a-z0-9.-]{1,40}", port in 1..=u16::MAX,
        addresses in prop::collection::vec((any::<std::net::IpAddr>(), any::<u16>()), 0..12),
    ) {
        let Ok(via) = HostPort::new(&host, port) else { return Ok(()) };
        let addresses = addresses.into_iter().map(SocketAddr::from);
        let given = Ticket::new(key(1), via, addresses, TicketSecret::generate().unwrap());
        let read = Ticket::parse(&given.reveal()).unwrap();
        prop_assert_eq!((read.via(), read.addresses()), (given.via(), given.addresses()));
        prop_assert!(agree(&read, &given));
    }
}
