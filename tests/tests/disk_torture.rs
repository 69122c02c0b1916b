//! Every call of the file system fails once, in every scenario: in the manner of curl's torture tests.

use gannet_tests::machines::{
    Command, Random,
    torture::{File, Scenario, Side},
};

const MIB: usize = 1 << 20;

fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed, 7);
    let mut bytes = vec![0; len];
    bytes.chunks_mut(8).for_each(|chunk| {
        let word = random.next().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    });
    bytes
}

fn file(side: Side, name: &'static str, before: Option<&[u8]>, after: Option<&[u8]>) -> File {
    let [before, after] = [before, after].map(|content| content.map(<[u8]>::to_vec));
    File { side, name, before, after }
}

/// A file that stays what it is.
fn constant(side: Side, name: &'static str, content: &[u8]) -> File {
    file(side, name, Some(content), Some(content))
}

#[test]
fn put() {
    let new = content(1, 100_000);
    Scenario {
        name: "put",
        files: vec![
            constant(Side::Client, "here", &new),
            file(Side::Server, "there", None, Some(&new)),
        ],
        commands: vec![Command::put("here", "there")],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn put_of_a_long_file_onto_another() {
    let (old, new) = (content(1, 2 * MIB + 5), content(2, 2 * MIB + 77));
    Scenario {
        name: "put_of_a_long_file_onto_another",
        files: vec![
            constant(Side::Client, "here", &new),
            file(Side::Server, "there", Some(&old), Some(&new)),
        ],
        commands: vec![Command::put("here", "there")],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn put_that_is_gone_on_with() {
    let new = content(2, 4 * MIB + 77);
    Scenario {
        name: "put_that_is_gone_on_with",
        files: vec![
            constant(Side::Client, "here", &new),
            file(Side::Server, "there", None, Some(&new)),
        ],
        before: Some((Command::put("here", "there"), Side::Server, 38)),
        commands: vec![Command::put("here", "there")],
    }
    .torture();
}

#[test]
fn get() {
    let new = content(1, 100_000);
    Scenario {
        name: "get",
        files: vec![
            constant(Side::Server, "there", &new),
            file(Side::Client, "here", None, Some(&new)),
        ],
        commands: vec![Command::get("there", "here")],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn get_of_a_long_file_onto_another() {
    let (old, new) = (content(1, 2 * MIB), [content(1, MIB), content(3, MIB + 9)].concat());
    Scenario {
        name: "get_of_a_long_file_onto_another",
        files: vec![
            constant(Side::Server, "there", &new),
            file(Side::Client, "here", Some(&old), Some(&new)),
        ],
        commands: vec![Command::get("there", "here")],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn get_that_is_gone_on_with() {
    let new = content(2, 4 * MIB + 77);
    Scenario {
        name: "get_that_is_gone_on_with",
        files: vec![
            constant(Side::Server, "there", &new),
            file(Side::Client, "here", None, Some(&new)),
        ],
        before: Some((Command::get("there", "here"), Side::Client, 24)),
        commands: vec![Command::get("there", "here")],
    }
    .torture();
}

#[test]
fn small_files_together() {
    let names = ["a", "b", "c", "d", "e"];
    let mut files = Vec::new();
    for (seed, name) in (0..).zip(names) {
        let new = content(seed, 1000 * seed as usize);
        files.push(constant(Side::Client, name, &new));
        files.push(file(Side::Server, name, (seed % 2 == 0).then_some(b"old"), Some(&new)));
    }
    Scenario {
        name: "small_files_together",
        files,
        commands: names.iter().map(|name| Command::put(name, name)).collect(),
        ..Scenario::default()
    }
    .torture();
}

fn name(text: &str) -> gannet_protocol::Name {
    gannet_protocol::Name::parse(text.as_bytes()).unwrap()
}

#[test]
fn rename() {
    let content = content(1, 1000);
    Scenario {
        name: "rename",
        files: vec![
            file(Side::Server, "from", Some(&content), None),
            file(Side::Server, "to", None, Some(&content)),
        ],
        commands: vec![Command::Rename { from: name("from"), to: name("to") }],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn remove() {
    Scenario {
        name: "remove",
        files: vec![file(Side::Server, "file", Some(b"content"), None)],
        commands: vec![Command::Remove(name("file"))],
        ..Scenario::default()
    }
    .torture();
}

#[test]
fn make_directory() {
    Scenario {
        name: "make_directory",
        files: vec![file(Side::Server, "dir/file", None, None)],
        commands: vec![Command::MakeDirectory(name("dir"))],
        ..Scenario::default()
    }
    .torture();
}
