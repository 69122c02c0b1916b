use std::fs::{self, File};

use gannet_protocol::FileTime;

use super::{names::rename_over_placeholder, writing::overwrite, *};

#[test]
fn both_ways_of_renaming_refuse_a_taken_name() {
    type Rename = fn(&File, &Path, &File, &Path) -> io::Result<()>;
    let ways: [Rename; 2] = [rename_to_free, rename_over_placeholder];
    for rename in ways {
        let dir = tempfile::tempdir().unwrap();
        let held = File::open(dir.path()).unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "content").unwrap();
        fs::write(at("taken"), "other").unwrap();
        fs::create_dir(at("dir")).unwrap();
        fs::write(at("dir/inner"), "inner").unwrap();
        let go = |from: &str, to: &str| {
            rename(&held, Path::new(from), &held, Path::new(to)).map_err(|e| e.kind())
        };
        for from in ["file", "dir"] {
            for to in ["taken", "file", "dir"] {
                assert_eq!(go(from, to), Err(io::ErrorKind::AlreadyExists), "{from} {to}");
            }
        }
        assert_eq!(go("missing", "new"), Err(io::ErrorKind::NotFound));
        assert!(go("dir", "dir/below").is_err());
        assert_eq!(fs::read_to_string(at("taken")).unwrap(), "other");
        assert_eq!(fs::read_dir(at("dir")).unwrap().count(), 1, "nothing is left behind");
        assert_eq!(go("file", "moved"), Ok(()));
        assert_eq!(go("dir", "moved-dir"), Ok(()));
        assert_eq!(fs::read_to_string(at("moved")).unwrap(), "content");
        assert_eq!(fs::read_to_string(at("moved-dir/inner")).unwrap(), "inner");
        assert!(!at("file").exists() && !at("dir").exists());
    }
}

#[test]
fn what_is_cleared_reads_as_zeros() {
    let dir = tempfile::tempdir().unwrap();
    for clear in [clear, overwrite] {
        let path = dir.path().join("file");
        fs::write(&path, [7; 300_000]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        clear(&file, 65_536..200_000).unwrap();
        clear(&file, 299_999..500_000).unwrap();
        let mut expected = vec![7; 300_000];
        expected[65_536..200_000].fill(0);
        expected[299_999] = 0;
        assert!(fs::read(path).unwrap() == expected);
    }
}

#[test]
fn times_before_1970_are_kept() {
    let file = tempfile::tempfile().unwrap();
    for time in [FileTime::new(-5, 250_000_000), FileTime::new(1_700_000_000, 1)] {
        set_modified(&file, time).unwrap();
        assert_eq!(modified(&file.metadata().unwrap()), time);
    }
}
