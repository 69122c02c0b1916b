//! What the tests run: a server, a client's directory, a user's keys, a terminal, a slow link.

mod here;
mod mount;
mod process;
mod server;
mod slow;
mod terminal;
mod user;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) use here::Here;
pub(crate) use mount::{in_namespace, may_mount};
pub(crate) use process::{Process, Ran};
pub(crate) use server::Server;
pub(crate) use slow::Slow;
pub(crate) use terminal::Terminal;
pub(crate) use user::User;

/// No test waits longer for anything: what is not there then will not come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Bytes that compress badly and repeat nowhere near, the same for the same seed (xorshift64).
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// The objects that were printed.
#[track_caller]
pub(crate) fn objects(ran: &Ran) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    let objects: Vec<Value> = ran.stdout.lines().map(parse).collect();
    assert!(objects.iter().all(Value::is_object), "{ran:#?}");
    objects
}

/// The only object that was printed.
#[track_caller]
pub(crate) fn object(ran: &Ran) -> Value {
    let [object] = &objects(ran)[..] else { panic!("one object in {ran:#?}") };
    object.clone()
}

/// What is in a directory, but for nothing: hidden files too, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits for what another process does without telling anyone.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "not so after {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
