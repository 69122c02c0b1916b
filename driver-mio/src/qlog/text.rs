//! Events as text.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use gannet_protocol::{Instant, Metrics, TraceEvent, Traced};

/// What stands before each object of a JSON text sequence (RFC 7464).
const RECORD: char = '\u{1e}';

/// Numbers that are told as acknowledged by one event.
const MOST_ACKED: usize = 1024;

/// Events as text, as far as they were not taken.
#[derive(Debug)]
pub(super) struct Text {
    out: String,
    began: Instant,
    last: Instant,
    /// What an ACK frame acknowledges, until its packet comes.
    ranges: Vec<(u64, u64)>,
    /// What is acknowledged, and not told yet.
    acked: Vec<u64>,
}

impl Text {
    /// Begins that of a connection to `remote`.
    pub(super) fn new(remote: SocketAddr, now: Instant) -> Self {
        let mut out = String::new();
        out.push(RECORD);
        out.push_str(
            "{\"qlog_version\":\"0.3\",\"qlog_format\":\"JSON-SEQ\",\"title\":\"gannet\",\"trace\":{\
             \"vantage_point\":{\"name\":\"gannet\",\"type\":\"client\"},\
             \"common_fields\":{\"time_format\":\"relative\",\"reference_time\":0}}}\n",
        );
        let mut text = Self { out, began: now, last: now, ranges: Vec::new(), acked: Vec::new() };
        let version = if remote.is_ipv4() { "v4" } else { "v6" };
        text.event(now, "connectivity:connection_started", |out| {
            let (ip, port) = (remote.ip(), remote.port());
            write!(out, "\"ip_version\":\"{version}\",\"dst_ip\":\"{ip}\",\"dst_port\":{port}")
        });
        text
    }

    /// Bytes of what was not taken.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes it.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// The connection is over.
    pub(super) fn close(&mut self, now: Instant) {
        self.tell_acked(now);
        self.event(now, "connectivity:connection_closed", |_| Ok(()));
    }

    /// Takes an event in.
    pub(super) fn add(&mut self, &Traced { at, what }: &Traced) {
        // Whoever reads it may rely on its order.
        self.last = self.last.max(at);
        if !matches!(what, TraceEvent::Acked { .. }) || self.acked.len() >= MOST_ACKED {
            self.tell_acked(at);
        }
        match what {
            TraceEvent::Sent { number, size, eliciting, chunk } => {
                self.event(at, "transport:packet_sent", |out| {
                    packet(out, number, size)?;
                    match chunk {
                        Some((exchange, offset, len)) => write!(
                            out,
                            ",\"frames\":[{{\"frame_type\":\"stream\",\"stream_id\":{exchange},\
                             \"offset\":{offset},\"length\":{len}}}]"
                        ),
                        None if eliciting => {
                            out.write_str(",\"frames\":[{\"frame_type\":\"ping\"}]")
                        }
                        None => out.write_str(",\"frames\":[{\"frame_type\":\"padding\"}]"),
                    }
                });
            }
            TraceEvent::AckRange { from, to } => self.ranges.push((from, to)),
            TraceEvent::Received { number, size } => {
                let ranges = std::mem::take(&mut self.ranges);
                self.event(at, "transport:packet_received", |out| {
                    packet(out, number, size)?;
                    out.write_str(",\"frames\":[")?;
                    if !ranges.is_empty() {
                        out.write_str("{\"frame_type\":\"ack\",\"acked_ranges\":[")?;
                        list(out, &ranges, |out, (from, to)| write!(out, "[{from},{to}]"))?;
                        out.write_str("]}")?;
                    }
                    out.write_str("]")
                });
            }
            TraceEvent::Acked { number } => self.acked.push(number),
            TraceEvent::Lost { number } => self.event(at, "recovery:packet_lost", |out| {
                write!(out, "\"header\":{{\"packet_type\":\"1RTT\",\"packet_number\":{number}}}")
            }),
            TraceEvent::Metrics(metrics) => {
                self.event(at, "recovery:metrics_updated", |out| path(out, &metrics));
            }
            TraceEvent::Searching(searching) => {
                let state = if searching { "slow_start" } else { "congestion_avoidance" };
                self.event(at, "recovery:congestion_state_updated", |out| {
                    write!(out, "\"new\":\"{state}\"")
                });
            }
            TraceEvent::Missed(count) => {
                self.event(at, "gannet:events_missed", |out| write!(out, "\"count\":{count}"));
            }
            // A later version's.
            _ => {}
        }
    }

    fn tell_acked(&mut self, at: Instant) {
        let acked = std::mem::take(&mut self.acked);
        if !acked.is_empty() {
            self.event(at, "transport:packets_acked", |out| {
                out.write_str("\"packet_numbers\":[")?;
                list(out, &acked, |out, number| write!(out, "{number}"))?;
                out.write_str("]")
            });
        }
    }

    /// Writes one event; text takes whatever is written.
    fn event(
        &mut self,
        at: Instant,
        name: &str,
        data: impl FnOnce(&mut String) -> std::fmt::Result,
    ) {
        self.last = self.last.max(at);
        let time = millis(self.last.saturating_since(self.began));
        let out = &mut self.out;
        let _ = write!(out, "{RECORD}{{\"time\":{time},\"name\":\"{name}\",\"data\":{{");
        let _ = data(out);
        out.push_str("}}\n");
    }
}

fn packet(out: &mut String, number: u64, size: u16) -> std::fmt::Result {
    write!(
        out,
        "\"header\":{{\"packet_type\":\"1RTT\",\"packet_number\":{number}}},\"raw\":{{\"length\":{size}}}"
    )
}

fn path(out: &mut String, metrics: &Metrics) -> std::fmt::Result {
    let Metrics { min_rtt, rtt, latest_rtt, window, in_flight, pacing, .. } = *metrics;
    write!(
        out,
        "\"min_rtt\":{},\"smoothed_rtt\":{},\"latest_rtt\":{},\"congestion_window\":{window},\
         \"bytes_in_flight\":{in_flight},\"pacing_rate\":{}",
        millis(min_rtt),
        millis(rtt),
        millis(latest_rtt),
        pacing.saturating_mul(8)
    )
}

fn list<T: Copy>(
    out: &mut String,
    items: &[T],
    write: impl Fn(&mut String, T) -> std::fmt::Result,
) -> std::fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, *item)?;
    }
    Ok(())
}

/// Milliseconds to the nanosecond.
fn millis(time: Duration) -> String {
    let nanos = time.as_nanos();
    format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_a_record() {
        let at = |ms| Instant::ZERO + Duration::from_millis(ms);
        let mut text = Text::new("192.0.2.1:5".parse().unwrap(), at(5));
        let mut add = |ms, what| text.add(&Traced { at: at(ms), what });
        add(6, TraceEvent::Sent { number: 1, size: 1200, eliciting: true, chunk: Some((2, 3, 4)) });
        add(9, TraceEvent::AckRange { from: 0, to: 1 });
        add(9, TraceEvent::Acked { number: 0 });
        add(9, TraceEvent::Acked { number: 1 });
        // A clock that goes back is not followed.
        add(8, TraceEvent::Received { number: 7, size: 60 });
        text.close(at(10));
        let text = text.take();
        let records: Vec<_> = text.split(RECORD).map(str::trim_end).skip(3).collect();
        let head = r#""data":{"header":{"packet_type":"1RTT","packet_number":"#;
        assert_eq!(
            records,
            [
                format!(r#"{{"time":1.000000,"name":"transport:packet_sent",{head}1}},"raw":{{"length":1200}},"frames":[{{"frame_type":"stream","stream_id":2,"offset":3,"length":4}}]}}}}"#),
                r#"{"time":4.000000,"name":"transport:packets_acked","data":{"packet_numbers":[0,1]}}"#.to_owned(),
                format!(r#"{{"time":4.000000,"name":"transport:packet_received",{head}7}},"raw":{{"length":60}},"frames":[{{"frame_type":"ack","acked_ranges":[[0,1]]}}]}}}}"#),
                r#"{"time":5.000000,"name":"connectivity:connection_closed","data":{}}"#.to_owned(),
            ]
        );
    }
}
