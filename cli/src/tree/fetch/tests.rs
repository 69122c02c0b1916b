//! What becomes of what servers say is in directories.

use std::fs;

use proptest::prelude::*;

use super::*;

fn fetch() -> Fetch {
    Fetch::empty(How::default(), true)
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

fn entry(text: &str, kind: EntryKind, is_link: bool) -> Entry {
    let (mode, modified) = (Mode::from_bits(0o755), FileTime::default());
    Entry { name: name(text), kind, is_link, len: 1, mode, modified }
}

/// What a server says is in a directory: names twice, as a file and as a directory, and links.
///
/// `docs/hostile-input.md`, row 46.
#[test]
fn a_listing_that_contradicts_itself_lands_where_it_may() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join("d/taken"), "ours").unwrap();
    let tree = Tree::open(root.path()).unwrap();
    let dir = Dir { from: Some(name("x/d")), tree, to: Some(name("d")) };
    let mut fetch = fetch();
    let listing = vec![
        entry("twice", EntryKind::File, false),
        entry("both", EntryKind::Directory, false),
        entry("twice", EntryKind::File, false),
        entry("both", EntryKind::File, false),
        entry("taken", EntryKind::Directory, false),
        entry("round", EntryKind::Directory, true),
        entry("device", EntryKind::Other, false),
    ];
    fetch.enter(dir, listing);
    let (dir, left) = fetch.open.take().unwrap();
    left.for_each(|entry| fetch.step(&dir, &entry));
    let mut told: Vec<_> = std::iter::from_fn(|| fetch.found.next())
        .map(|step| match step {
            Step::Move(Transfer::Get { from, to, .. }) => {
                let to = to.strip_prefix(root.path()).unwrap().display().to_string();
                format!("{from} to {to}")
            }
            Step::Skip(Skipped { what, .. }) => format!("skip {}", what.display()),
            Step::Fail(error) => error.action().unwrap().to_string(),
            Step::Move(_) => unreachable!("it is fetched"),
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        ["get x/d/taken", "skip x/d/device", "skip x/d/round", "x/d/twice to d/twice"]
    );
    let pending: Vec<_> = fetch.pending.iter().map(|dir| dir.to.clone().unwrap()).collect();
    assert_eq!(pending, [name("d/both")]);
    assert!(root.path().join("d/both").is_dir());
    assert_eq!(fs::read(root.path().join("d/taken")).unwrap(), b"ours");
}

proptest! {
    /// However deep, what is in a directory lands below what that lands in, under its own name.
    #[test]
    fn what_is_within_lands_within(
        components in prop::collection::vec("[^/\0]{1,20}", 1..8),
        has_to in any::<bool>(),
    ) {
        let names: Vec<_> =
            components.iter().filter_map(|text| Name::parse(text.as_bytes()).ok()).collect();
        let root = tempfile::tempdir().unwrap();
        let tree = Tree::open(root.path()).unwrap();
        let to = has_to.then(|| name("there"));
        let first = Dir { from: None, tree, to: to.clone() };
        let last = names.iter().try_fold(first, |dir, name| dir.enter(name)).unwrap();
        let expected: Vec<_> =
            to.iter().chain(&names).map(|name| name.as_bytes().to_vec()).collect();
        let landed: Vec<_> =
            last.to.iter().flat_map(|to| to.components()).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(&landed, &expected);
        let path = last.tree.path_of(last.to.as_ref());
        prop_assert!(path.starts_with(root.path()));
        prop_assert_eq!(path.components().count(), root.path().components().count() + landed.len());
        prop_assert_eq!(last.from.map_or(0, |from| from.components().count()), names.len());
    }

    /// However many names are twice, none is fetched twice.
    #[test]
    fn no_name_is_fetched_twice(names in prop::collection::vec("[abc]{1,2}", 0..20)) {
        let root = tempfile::tempdir().unwrap();
        let mut fetch = fetch();
        let dir = Dir { from: None, tree: Tree::open(root.path()).unwrap(), to: None };
        fetch.enter(dir, names.iter().map(|name| entry(name, EntryKind::File, false)).collect());
        let (_, left) = fetch.open.take().unwrap();
        let fetched: Vec<_> = left.map(|entry| entry.name).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().map(|text| name(text)).collect();
        prop_assert_eq!(fetched, distinct.into_iter().collect::<Vec<_>>());
    }
}
