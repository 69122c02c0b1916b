//! Disks that fill up in the middle, and have room again.

use std::{fs, path::Path};

use serde_json::Value;

use super::{DELAY, RATE, litter};
use crate::common::{Here, Process, Server, Slow, bytes, in_namespace, may_mount};

/// Bytes of the file.
const LEN: usize = 12 << 20;

/// Mounts a disk of 16 MiB, and gets a file of 12 twice: the disk is filled up when some of it is there, and has room in between.
const GET_TWICE: &str = r#"
    mount -t tmpfs -o size=16m none disk || exit 90
    "$@" & running=$!
    until test "$(cat disk/.gannet-*.journal 2>/dev/null | wc -c)" -gt 300; do :; done
    head -c 16777216 /dev/zero > disk/filler 2>/dev/null
    wait $running; test $? -eq 1 || exit 91
    test ! -e disk/file || exit 92
    rm disk/filler
    "$@" || exit 93
    cat disk/file > copy; ls -A disk > left
"#;

/// Mounts such a disk for a server, and fills it up when some of a file is there.
const SERVE: &str = r#"
    mount -t tmpfs -o size=16m none "$0" || exit 90
    (
        until test "$(cat "$0"/.gannet-*.journal 2>/dev/null | wc -c)" -gt 300; do :; done
        head -c 16777216 /dev/zero > "$0/filler" 2>/dev/null
    ) &
    exec "$@"
"#;

/// `docs/hostile-input.md`, rows 53 and 55.
#[test]
fn a_get_that_filled_the_disk_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(LEN, 1);
    server.write("file", &content);
    fs::create_dir(here.path().join("disk")).unwrap();
    let link = Slow::at(&server, RATE, DELAY);
    let get = here.gannet(["get", &link.target(), "file", "--to", "disk/", "--json"]);
    let ran = Process::start(&mut in_namespace(GET_TWICE, here.path(), &get), b"").ran();
    let ran = ran.ended_with(0).told(&["no space"]);
    let told: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told[1]["kept"].as_u64() > Some(3 << 20), "{told:?}");
    assert!(here.read("copy") == content);
    assert_eq!(here.read("left"), b"file\n");
}

/// `docs/hostile-input.md`, rows 53 and 55.
#[test]
fn a_put_that_filled_the_disk_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let here = Here::new();
    let server = Server::start_wrapped(|root, command| in_namespace(SERVE, root, command));
    let content = bytes(LEN, 1);
    here.write("file", &content);
    let link = Slow::at(&server, RATE, DELAY);
    let put = || here.run(["put", &link.target(), "file", "--json"]);
    put().ended_with(1).told(&["no space"]);
    assert_eq!(here.run(["list", &server.target()]).ended_with(0).stdout.lines().count(), 1);
    here.run(["remove", &server.target(), "filler"]).ended_with(0);
    let ran = put().ended_with(0);
    let told: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert!(told["kept"].as_u64() > Some(3 << 20), "{told}");
    let inside = format!("/proc/{}/root{}", server.id(), server.root().display());
    here.run(["get", &server.target(), "file", "--to", "copy"]).ended_with(0);
    assert!(here.read("copy") == content);
    assert_eq!(litter(Path::new(&inside)), [""; 0]);
}
