//! CUBIC over a path with one queue.

use alloc::collections::VecDeque;

use super::*;

/// A path with one queue: what is sent waits its turn, what finds the queue full is lost.
struct Link {
    bytes_per_second: u64,
    delay: Duration,
    queue: u64,
}

/// Fills `link` under CUBIC for `time`; bytes delivered and bytes lost.
fn drive(link: &Link, time: Duration) -> (u64, u64) {
    let mut cubic = Cubic::new(MTU);
    let mut rtt = Rtt::new(ms(333));
    let slot = MTU * 1_000_000_000 / link.bytes_per_second;
    let end = Instant::ZERO + time;
    // Number, when sent, when acknowledged if delivered.
    let mut flying: VecDeque<(u64, Instant, Option<Instant>)> = VecDeque::new();
    let (mut number, mut next_send, mut free_at) = (0, Instant::ZERO, Instant::ZERO);
    let (mut delivered, mut lost) = (0, 0);
    loop {
        let in_flight = flying.len() as u64 * MTU;
        let next_ack = flying.iter().find_map(|(.., ack)| *ack);
        let may_send = in_flight + MTU <= cubic.window();
        let now = match next_ack {
            Some(ack) if !may_send || ack <= next_send => ack,
            _ => next_send,
        };
        if now >= end {
            return (delivered, lost);
        }
        if next_ack == Some(now) {
            let first = flying.iter().position(|(.., ack)| ack.is_some()).unwrap();
            let (largest, sent_at, _) = flying.remove(first).unwrap();
            rtt.update(now.saturating_since(sent_at), Duration::ZERO, now);
            delivered += MTU;
            cubic.on_acked(&Acked {
                now,
                bytes: MTU,
                largest,
                largest_sent_at: sent_at,
                in_flight: flying.len() as u64 * MTU,
                app_limited: false,
                rtt: &rtt,
                rate: None,
            });
            while let Some(&(old, sent, _)) = flying.front().filter(|(n, ..)| n + 3 <= largest) {
                flying.pop_front();
                lost += MTU;
                cubic.on_lost(&Lost {
                    now,
                    bytes: MTU,
                    largest: old,
                    largest_sent_at: sent,
                    in_flight: flying.len() as u64 * MTU,
                    persistent: false,
                    next_number: number,
                });
            }
            continue;
        }
        let waiting = free_at.saturating_since(now).as_nanos() as u64 / slot * MTU;
        let ack = (waiting + MTU <= link.queue).then(|| {
            free_at = free_at.max(now) + Duration::from_nanos(slot);
            free_at + link.delay
        });
        flying.push_back((number, now, ack));
        cubic.on_sent(&Sent { now, number, bytes: MTU, in_flight: in_flight + MTU });
        number += 1;
        let wait = MTU * 1_000_000_000 / cubic.pacing_rate(&rtt);
        next_send = now + Duration::from_nanos(wait);
    }
}

#[test]
fn fills_paths_without_much_loss() {
    let seconds = 30;
    for (mbit, delay, queue_ms) in
        [(100, 50, 50), (100, 50, 10), (100, 300, 100), (10, 20, 100), (20, 5, 5), (2, 100, 30)]
    {
        let bytes_per_second = mbit * 125_000;
        let queue = (bytes_per_second * queue_ms / 1000).max(5 * MTU);
        let link = Link { bytes_per_second, delay: ms(delay), queue };
        let (delivered, lost) = drive(&link, Duration::from_secs(seconds));
        let share = delivered * 100 / (bytes_per_second * seconds);
        assert!(share >= 85, "{share} % of {mbit} Mbit/s, {delay} ms, queue {queue_ms} ms");
        assert!(lost * 30 < delivered, "{lost} lost, {delivered} delivered at {mbit} Mbit/s");
    }
}
