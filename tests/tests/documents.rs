//! What the documents say of the code is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use gannet_protocol::{Status, Violation};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The text of every Rust file of the project.
fn sources() -> Vec<String> {
    let mut directories: Vec<_> =
        ["protocol", "driver-mio", "cli", "tests"].map(|name| root().join(name)).into();
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

/// Names of all tests: of functions that stand behind `#[test]` and other attributes and comments, and of those that are run in
/// both modes.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for source in sources() {
        let mut is_test = false;
        for line in source.lines().map(str::trim_start) {
            is_test |= line == "#[test]";
            if let Some(rest) = line.strip_prefix("fn ") {
                let name = rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next();
                tests.extend(name.filter(|_| is_test).map(String::from));
                is_test = false;
            }
        }
        let in_both_modes = source.split("in_both_modes! {\n").nth(1).unwrap_or_default();
        let names = in_both_modes.split('}').next().unwrap_or_default();
        tests.extend(names.split_whitespace().map(String::from));
    }
    tests
}

/// The cells of each row of a document's tables whose first cell is a number or a code.
fn rows(document: &str) -> Vec<Vec<&str>> {
    let rows = document.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells[0].starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[test]
fn every_row_of_hostile_input_has_tests_that_exist() {
    let document = read("docs/hostile-input.md");
    let tests = tests();
    assert!(tests.contains("every_row_of_hostile_input_has_tests_that_exist"));
    let mut last = 0;
    for row in rows(&document) {
        let [number, _, _, named] = row[..] else { panic!("{row:?} has not four cells") };
        let number: u32 = number.parse().unwrap();
        assert!(number > last, "row {number} stands behind row {last}");
        last = number;
        let named: Vec<_> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "row {number} has no test");
        let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
        assert!(missing.is_empty(), "row {number} names tests that are not there: {missing:?}");
    }
    assert!(last >= 62, "the table is cut off");
}

/// `docs/protocol.md, "Heading"` in a comment leads somewhere.
#[test]
fn sections_that_comments_cite_exist() {
    let document = read("docs/protocol.md");
    let headings: BTreeSet<_> = document
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches(|c: char| "#. ".contains(c) || c.is_ascii_digit()))
        .collect();
    let mut cited = 0;
    for source in sources() {
        for citation in source.split("docs/protocol.md, \"").skip(1) {
            let heading = citation.split('"').next().unwrap();
            // This test's own text is not one.
            if heading != "Heading" && !heading.ends_with('\\') {
                assert!(headings.contains(heading), "{heading:?} is not in docs/protocol.md");
                cited += 1;
            }
        }
    }
    assert!(cited > 5);
}

/// The tables of statuses and of violations are those of the code.
#[test]
fn codes_are_as_documented() {
    let document = read("docs/protocol.md");
    let section = |heading: &str| {
        let (_, rest) = document.split_once(heading).unwrap();
        rest.split("\n## ").next().unwrap()
    };
    let statuses: Vec<_> = rows(section("\n## 10. Statuses\n"))
        .iter()
        .map(|row| format!("{} {}", row[0], row[1]))
        .collect();
    let known: Vec<_> = Status::ALL.iter().map(|s| format!("{} {s:?}", s.code())).collect();
    assert_eq!(statuses, known);
    let violations: Vec<_> =
        rows(section("\n## 17. Violations\n")).iter().map(|row| row[0].to_string()).collect();
    let known: Vec<_> = Violation::ALL.iter().map(|v| format!("{:#04x}", v.code())).collect();
    assert_eq!(violations, known);
}

/// What `.ci/run` runs is what README.md tells its readers, and that is everything.
#[test]
fn the_readme_says_how_to_run_all_tests() {
    let readme = read("README.md");
    let command = readme.lines().map(str::trim).find(|line| line.starts_with("cargo test"));
    assert_eq!(command, Some("cargo test --workspace"));
}
