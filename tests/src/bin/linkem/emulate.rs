//! The loop between two TUN interfaces.

use crate::{args::Args, direction::Direction, netns::Side, stop::Stop};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    thread::set_current_timer_slack,
};
use std::{
    io::{self, Write, stdout},
    num::NonZeroU64,
    time,
};

/// Sets the link up, runs it until it is told to stop, and prints what it has done.
pub(crate) fn run() -> io::Result<()> {
    let words: Vec<_> = std::env::args().collect();
    let (forward, back) = Args::both_ways(&words).unwrap_or_else(|error| error.exit());
    // First, so that a signal never leaves a namespace behind.
    let stop = Stop::new()?;
    let name = &forward.name;
    let a = Side::create(&format!("{name}-a"), 1, forward.mtu)?;
    let b = Side::create(&format!("{name}-b"), 2, forward.mtu)?;
    become_realtime();
    let start = time::Instant::now();
    let mut forth = Direction::new(&a.tun, &b.tun, forward.link(&back), start);
    let mut back = Direction::new(&b.tun, &a.tun, back.link(&forward), start);
    // Not println, which would panic if nobody reads.
    writeln!(stdout(), "READY")?;

    let read = |side| PollFd::new(side, PollFlags::IN);
    let mut polled: Vec<_> =
        [read(&a.tun), read(&b.tun)].into_iter().chain(stop.polled()).collect();
    loop {
        forth.deliver();
        back.deliver();
        wait(&mut polled, [&forth, &back], start)?;
        if let [a, b, ends @ ..] = &polled[..] {
            if !a.revents().is_empty() {
                forth.accept()?;
            }
            if !b.revents().is_empty() {
                back.accept()?;
            }
            if stop.has_come(ends)? {
                break;
            }
        }
    }
    writeln!(
        stdout(),
        r#"{{"name":"{name}","seconds":{:.3},"a_to_b":{},"b_to_a":{},"tun_overflow":[{},{}]}}"#,
        start.elapsed().as_secs_f64(),
        forth.json(),
        back.json(),
        a.overflow(),
        b.overflow(),
    )
}

/// Until there is something to read or a packet is due.
fn wait(
    polled: &mut [PollFd<'_>],
    directions: [&Direction<'_>; 2],
    start: time::Instant,
) -> io::Result<()> {
    let due = directions.into_iter().filter_map(Direction::next_due).min();
    let now = gannet_protocol::Instant::ZERO + start.elapsed();
    let timeout = due.and_then(|due| Timespec::try_from(due.saturating_since(now)).ok());
    match poll(polled, timeout.as_ref()) {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => {
            polled.iter_mut().for_each(PollFd::clear_revents);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for exact timers, and for the processor ahead of the programs under test.
fn become_realtime() {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: a plain system call on this process with a valid parameter block.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) } != 0;
    if set_current_timer_slack(NonZeroU64::new(1)).is_err() || refused {
        eprintln!("linkem: no realtime priority; timing may suffer under load");
    }
}
