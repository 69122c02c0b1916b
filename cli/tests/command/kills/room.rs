//! Disks that fill up in the middle, and have room again.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;

use super::{RATE, json, litter};
use crate::common::{Here, Process, Server, Slow, bytes};

/// Bytes of the file, more than the disk has room for beside what fills it.
const LEN: usize = 12 << 20;

/// `docs/hostile-input.md`, rows 53 and 55.
#[test]
fn what_came_before_the_disk_was_full_is_kept_until_there_is_room() {
    let Some(disk) = Disk::new() else {
        eprintln!("skipped: this user may mount no disk of its own");
        return;
    };
    let (server, here) = (Server::start(), Here::new());
    let content = bytes(LEN, 1);
    server.write("file", &content);
    let link = Slow::at(&server, RATE, Duration::from_millis(2));
    let get = |before: &str| {
        let command = here.gannet(["get", &link.target(), "file", "--to", "disk/", "--json"]);
        Process::start(&mut disk.command(before, here.path(), &command), b"").ran()
    };
    fs::create_dir(here.path().join("disk")).unwrap();
    let ran = get("head -c 8388608 /dev/zero > disk/filler").ended_with(1);
    assert_eq!(json(&ran)["code"], "full", "{ran:#?}");
    let told: Value = json(&get("rm disk/filler").ended_with(0));
    let _ = (told, litter(here.path()));
}
