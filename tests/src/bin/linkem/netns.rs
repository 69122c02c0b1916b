//! One end of the link: a network namespace that holds one TUN interface.

use rustix::{
    ioctl::{Updater, ioctl},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use std::{
    fs::{File, OpenOptions, read_to_string},
    io,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    process::Command,
    thread,
};

const INTERFACE: &str = "lk0";

/// Long enough that the emulated queue, not the interface's, is the one that overflows.
const TX_QUEUE: &str = "20000";

/// The least MTU of IPv6 (RFC 8200, section 5).
const LEAST_IPV6_MTU: u32 = 1280;

pub(crate) struct Side {
    namespace: Namespace,
    pub(crate) tun: File,
}

/// Removed when dropped.
struct Namespace(String);

impl Side {
    /// Creates the namespace, its interface and its addresses 10.77.0.HOST and fd77::HOST.
    pub(crate) fn create(name: &str, host: u8, mtu: u32) -> io::Result<Self> {
        ip(&format!("netns add {name}"))?;
        let namespace = Namespace(name.to_owned());
        let tun = namespace.run(open_tun)??;
        ip(&format!("-n {name} link set lo up"))?;
        // Before the MTU, which may be too small for IPv6 and then takes this setting away.
        ip(&format!("-n {name} link set {INTERFACE} addrgenmode none"))?;
        ip(&format!("-n {name} link set {INTERFACE} mtu {mtu} txqueuelen {TX_QUEUE} up"))?;
        ip(&format!("-n {name} addr add 10.77.0.{host}/24 dev {INTERFACE}"))?;
        if mtu >= LEAST_IPV6_MTU {
            ip(&format!("-n {name} addr add fd77::{host}/64 nodad dev {INTERFACE}"))?;
        }
        Ok(Self { namespace, tun })
    }

    /// Packets the kernel dropped before we could read them; -1 if it does not say.
    pub(crate) fn overflow(&self) -> i64 {
        let table = self.namespace.run(|| read_to_string("/proc/thread-self/net/dev"));
        let Ok(Ok(table)) = table else { return -1 };
        let row = table.lines().find_map(|l| l.trim().strip_prefix(INTERFACE)?.strip_prefix(':'));
        // proc_pid_net(5): eight numbers of what came in, then bytes, packets, errors and drops.
        row.and_then(|r| r.split_whitespace().nth(11)?.parse().ok()).unwrap_or(-1)
    }
}

impl Namespace {
    /// Runs `work` on a thread that has entered the namespace.
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let file = File::open(format!("/run/netns/{}", self.0))?;
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            worker.join().map_err(|_| io::Error::other("a namespace thread panicked"))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&format!("netns del {}", self.0)) {
            eprintln!("linkem: {error}");
        }
    }
}

/// `struct ifreq` as far as TUNSETIFF looks at it (netdevice(7)).
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    /// The rest of the union.
    rest: [u8; 22],
}

const _: () = assert!(size_of::<InterfaceRequest>() >= size_of::<libc::ifreq>());

fn open_tun() -> io::Result<File> {
    let mut options = OpenOptions::new();
    let tun = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    let mut request = InterfaceRequest {
        name: [0; libc::IFNAMSIZ],
        flags: (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short,
        rest: [0; 22],
    };
    request.name.iter_mut().zip(INTERFACE.bytes()).for_each(|(to, from)| *to = from);
    // SAFETY: TUNSETIFF reads and writes one ifreq, for which `request` has the shape and room.
    unsafe {
        const TUNSETIFF: rustix::ioctl::Opcode = libc::TUNSETIFF as rustix::ioctl::Opcode;
        ioctl(&tun, Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request))?;
    }
    Ok(tun)
}

fn ip(command: &str) -> io::Result<()> {
    let failed = |said: &str| io::Error::other(format!("ip {command}: {said}"));
    let out = Command::new("ip")
        .args(command.split_whitespace())
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if out.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&out.stderr).trim()))
}
