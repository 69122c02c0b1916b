//! What fuzzers and tests run on any bytes at all. Not for applications: it may change in every version.
//!
//! Each function takes bytes as someone might paste or edit them and panics if reading them is not total, or if what was
//! read is not written back as the same.

use gannet_protocol::{
    PublicKey,
    armor::{self, Kind},
};

use super::{
    BadTicket, ClientList, HostPort, KnownPaths, KnownServers, Standing, Ticket, policy::Grant,
    words,
};

/// The text of a ticket, and the bytes of one.
pub fn tickets(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        ticket(text);
    }
    let mut text = String::new();
    if armor::write(&mut text, Kind::Ticket, bytes).is_ok() {
        ticket(&text);
    }
}

fn ticket(text: &str) {
    match Ticket::parse(text) {
        Ok(ticket) => {
            let again = ticket.reveal();
            assert!(again.eq_ignore_ascii_case(text.trim_ascii()), "{ticket:?} has a second text");
        }
        Err(BadTicket::Version(1)) => panic!("this version is known"),
        Err(_) => {}
    }
}

/// A list of authorized clients.
pub fn authorized_clients(content: &[u8]) {
    let list = ClientList::parse(content);
    let (bad, more) = list.bad();
    let lines = words::lines(content).count();
    assert!(bad.is_sorted_by_key(|(line, _)| *line), "bad lines are out of order");
    assert!(list.len() + bad.len() + more <= lines, "more than its lines");
    let mut granted = 0;
    for (key, grant) in grants(&list, content) {
        granted += 1;
        assert!(grant.to_string().parse() == Ok(grant.clone()), "{grant} changed");
        let alone = format!("{key} {grant} # comment");
        let alone = ClientList::parse(alone.as_bytes());
        assert!(alone.standing(&key) == Standing::Granted(grant), "{grant} alone is another");
        let twice = [content, b"\n", key.to_string().as_bytes()].concat();
        assert!(ClientList::parse(&twice).standing(&key) == Standing::Denied, "{key} twice");
    }
    assert!(granted == list.len(), "a grant without a line");
}

/// What each line grants that does.
fn grants<'a>(
    list: &'a ClientList,
    content: &'a [u8],
) -> impl Iterator<Item = (PublicKey, &'a Grant)> {
    words::lines(content).filter_map(|(_, line)| {
        let word = line.split(u8::is_ascii_whitespace).next()?;
        let key = std::str::from_utf8(word).ok()?.parse().ok()?;
        match list.standing(&key) {
            Standing::Granted(grant) => Some((key, grant)),
            Standing::Denied | Standing::Unlisted => None,
        }
    })
}

/// What is known of paths.
pub fn known_paths(content: &[u8]) {
    let known = KnownPaths::parse(content);
    let again = known.to_string();
    assert!(KnownPaths::parse(again.as_bytes()) == known, "{again} says something else");
}

/// A list of known servers.
pub fn known_servers(content: &[u8]) {
    let Ok(known) = KnownServers::parse(content) else { return };
    for (number, line) in words::lines(content) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut word = || words.next().and_then(|word| std::str::from_utf8(word).ok());
        let server: Option<HostPort> = word().and_then(|word| word.parse().ok());
        let key: Option<PublicKey> = word().and_then(|word| word.parse().ok());
        let (Some(server), Some(key)) = (server, key) else {
            panic!("line {number} was taken, and is none");
        };
        assert!(known.pin(&server).is_some_and(|pin| pin.key == key), "{server} got lost");
        assert!(server.to_string().parse() == Ok(server), "a name changed");
    }
}

#[cfg(test)]
mod tests;
