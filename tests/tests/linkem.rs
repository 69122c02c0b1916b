//! The link emulator, for real: needs root and TUN, and says so where it cannot run.

#![cfg(target_os = "linux")]

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    os::fd::AsFd,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Long enough that only a lost packet takes it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Linkem {
    child: Child,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Linkem {
    /// Started and ready; none where it cannot run.
    fn start(test: &str, options: &[&str]) -> Option<Self> {
        let name = format!("linkem-{test}-{}", std::process::id());
        if !can_open_tun() || !can_make_namespace(&name) {
            eprintln!("SKIPPED {test}: needs root, /dev/net/tun and the command ip");
            return None;
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_linkem"))
            .args(["--name", &name])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("linkem starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "READY\n");
        Some(Self { child, output, name })
    }

    /// A socket on side `a` or `b`.
    fn socket(&self, side: &str) -> UdpSocket {
        let file = File::open(format!("/run/netns/{}-{side}", self.name)).expect("a namespace");
        let host = if side == "a" { "10.77.0.1:0" } else { "10.77.0.2:0" };
        // Only a thread of its own may leave for another namespace; the socket stays there.
        let bound = thread::spawn(move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(file.as_fd(), network).expect("entered");
            UdpSocket::bind(host).expect("bound")
        });
        let socket = bound.join().expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// Ends it by the end of its input: its statistics.
    fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("statistics");
        assert!(self.child.wait().expect("it ends").success());
        for side in ["a", "b"] {
            assert!(!Path::new(&format!("/run/netns/{}-{side}", self.name)).exists());
        }
        rest
    }
}

fn can_open_tun() -> bool {
    OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok()
}

fn can_make_namespace(name: &str) -> bool {
    let ip = |verb| Command::new("ip").args(["netns", verb, name]).output();
    let done = |verb| ip(verb).is_ok_and(|out| out.status.success());
    done("add") && done("del")
}

/// The first of a direction's counters with this name.
fn count(statistics: &str, direction: &str, counter: &str) -> u64 {
    let after = |text: &str, key: &str| {
        let at = text.find(&format!("\"{key}\":")).expect("a key") + key.len() + 3;
        text[at..].to_owned()
    };
    let digits = after(&after(statistics, direction), counter);
    let end = digits.find(|c: char| !c.is_ascii_digit()).expect("more follows");
    digits[..end].parse().expect("a number")
}

#[test]
fn a_round_trip_takes_both_delays() {
    let Some(linkem) = Linkem::start("delay", &["--delay", "50ms"]) else { return };
    let (a, b) = (linkem.socket("a"), linkem.socket("b"));
    let begun = Instant::now();
    a.send_to(b"ping", b.local_addr().expect("bound")).expect("sent");
    let mut buffer = [0; 100];
    let (len, from) = b.recv_from(&mut buffer).expect("it arrives");
    b.send_to(&buffer[..len], from).expect("sent");
    let len = a.recv(&mut buffer).expect("it comes back");
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(&buffer[..len], b"ping");
    let statistics = linkem.stop();
    // The kernel may have sent packets of its own, such as router solicitations.
    assert!(count(&statistics, "a_to_b", "packets") >= 1, "{statistics}");
    assert!(count(&statistics, "b_to_a", "delivered") >= 1, "{statistics}");
    assert!(count(&statistics, "b_to_a", "delivered_bytes") >= 32, "{statistics}");
    assert!(statistics.contains("\"tun_overflow\":[0,0]"), "{statistics}");
}

#[test]
fn corruption_that_checksums_miss_reaches_the_program() {
    // An MTU that is too small for IPv6 must do.
    let back = "--corrupt-unseen 0 --loss 100%";
    let options = ["--mtu", "600", "--corrupt-unseen", "100%", "--back", back];
    let Some(linkem) = Linkem::start("corrupt", &options) else { return };
    let (a, b) = (linkem.socket("a"), linkem.socket("b"));
    let sent: Vec<u8> = (0..200).collect();
    a.send_to(&sent, b.local_addr().expect("bound")).expect("sent");
    let mut heard = [0; 300];
    let (len, from) = b.recv_from(&mut heard).expect("the kernel took it");
    let flipped: u32 = sent.iter().zip(&heard).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((len, flipped), (200, 2));
    b.send_to(b"lost", from).expect("sent");
    let statistics = linkem.stop();
    assert!(count(&statistics, "a_to_b", "corrupted") >= 1, "{statistics}");
    assert!(count(&statistics, "b_to_a", "dropped_loss") >= 1, "{statistics}");
    assert_eq!(count(&statistics, "b_to_a", "delivered"), 0, "{statistics}");
}

#[test]
fn bad_options_are_a_usage_error() {
    let out = Command::new(env!("CARGO_BIN_EXE_linkem"))
        .args(["--loss", "2"])
        .output()
        .expect("linkem starts");
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("'2' is not a chance: from 0 to 1, or from 0% to 100%"), "{said}");
}
