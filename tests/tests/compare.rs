//! The comparison, for real, as far as gannet goes: needs root and TUN, and says so where it cannot run.

#![cfg(target_os = "linux")]

use std::{fs, path::Path, process::Command};

#[test]
fn gannet_takes_part_over_a_link_and_is_drawn() {
    let compare = Path::new(env!("CARGO_BIN_EXE_compare"));
    let is_built = compare.parent().is_some_and(|dir| dir.join("gannet").exists());
    let is_root = rustix::process::geteuid().is_root();
    if !is_built || !is_root || !Path::new("/dev/net/tun").exists() {
        eprintln!("SKIPPED gannet_takes_part: needs root, /dev/net/tun and gannet, built before");
        return;
    }
    let place = tempfile::tempdir().expect("a place");
    let chart = place.path().join("chart.svg");
    let name = format!("cmp{}", std::process::id());
    let output = Command::new(compare)
        .args(["--name", &name, "--peer", "gannet", "--rounds", "1", "--size", "200kB"])
        .args(["--link", "--rate 50mbit --delay 2ms", "--rate", "50mbit", "--svg"])
        .arg(&chart)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ip\" \"netns") || said.contains("no link") {
        eprintln!("SKIPPED gannet_takes_part: no namespaces: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    let table = String::from_utf8_lossy(&output.stdout);
    let line = table.lines().find(|line| line.starts_with("| gannet |")).expect("a line");
    assert!(line.contains("| 1.00 |"), "{line}");
    let drawn = fs::read_to_string(chart).expect("a chart");
    assert!(drawn.starts_with("<svg ") && drawn.contains(">gannet</text>"), "{drawn}");
}
