//! `--trace`: what happened to packets, as qlog.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use serde_json::Value;

use crate::common::{Here, Server, Slow, bytes};

/// The objects of a JSON text sequence.
#[track_caller]
fn records(text: &str) -> Vec<Value> {
    let mut records = text.split('\u{1e}');
    assert_eq!(records.next(), Some(""), "each record begins with a separator");
    let parse =
        |record| serde_json::from_str(record).unwrap_or_else(|why| panic!("{why}: {record}"));
    let records: Vec<Value> = records.map(parse).collect();
    assert_eq!(records[0]["qlog_version"], "0.3");
    assert_eq!(records[0]["qlog_format"], "JSON-SEQ");
    records
}

/// What became of each packet that was sent, by the events of a trace; looks at their order and times.
#[derive(Default)]
struct Packets {
    /// Bytes of those in flight.
    in_flight: BTreeMap<u64, u64>,
    sent: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    lost: BTreeSet<u64>,
    received: u64,
    metrics: u64,
    names: BTreeSet<String>,
}

impl Packets {
    #[track_caller]
    fn of(records: &[Value]) -> Self {
        let (mut packets, mut last) = (Self::default(), 0.0);
        for record in &records[1..] {
            let time = record["time"].as_f64().unwrap();
            assert!(time >= last, "{record} after {last}");
            last = time;
            packets.take(record);
        }
        packets
    }

    #[track_caller]
    fn take(&mut self, record: &Value) {
        let (name, data) = (record["name"].as_str().unwrap(), &record["data"]);
        self.names.insert(name.to_owned());
        let number = data["header"]["packet_number"].as_u64();
        match name {
            "transport:packet_sent" => {
                let number = number.unwrap();
                assert!(self.sent.insert(number), "{number} is sent once");
                if data["frames"][0]["frame_type"] != "padding" {
                    self.in_flight.insert(number, data["raw"]["length"].as_u64().unwrap());
                }
            }
            "transport:packet_received" => self.received += 1,
            "transport:packets_acked" => {
                for number in data["packet_numbers"].as_array().unwrap() {
                    let number = number.as_u64().unwrap();
                    assert!(self.sent.contains(&number), "{number} was never sent");
                    self.acked.insert(number);
                    self.in_flight.remove(&number);
                }
            }
            "recovery:packet_lost" => {
                let number = number.unwrap();
                assert!(self.sent.contains(&number), "{number} was never sent");
                assert!(!self.acked.contains(&number), "{number} had arrived");
                self.lost.insert(number);
                self.in_flight.remove(&number);
            }
            "recovery:metrics_updated" => {
                self.metrics += 1;
                let told = data["bytes_in_flight"].as_u64().unwrap();
                assert_eq!(told, self.in_flight.values().sum::<u64>(), "{record}");
                assert!(data["congestion_window"].as_u64().unwrap() > 0);
                assert!(data["smoothed_rtt"].as_f64().unwrap() > 0.0);
            }
            _ => {}
        }
    }
}

#[test]
fn each_packet_is_acknowledged_lost_or_in_flight() {
    let (server, here) = (Server::start(), Here::new());
    here.write("ours", bytes(3_000_000, 2));
    let link = Slow::at(&server, 20_000_000, Duration::from_millis(10));
    here.run(["put", &link.target(), "ours", "--trace", "put.sqlog"]).ended_with(0);
    let text = String::from_utf8(here.read("put.sqlog")).unwrap();
    let packets = Packets::of(&records(&text));
    let Packets { in_flight, sent, acked, lost, received, metrics, names } = packets;
    assert!(sent.len() > 100 && received > 10 && metrics > 10, "{} sent", sent.len());
    assert!(acked.len() + lost.len() + in_flight.len() <= sent.len() + lost.len());
    // The last acknowledgements may come after the end.
    assert!(in_flight.len() < 50, "{in_flight:?}");
    for name in [
        "connectivity:connection_started",
        "connectivity:connection_closed",
        "recovery:congestion_state_updated",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
}

#[test]
fn nothing_secret_is_in_it() {
    let (server, here) = (Server::start(), Here::new());
    server.write("a-name-of-theirs", "a content of theirs");
    here.run(["get", &server.target(), "a-name-of-theirs", "--trace", "get.sqlog"]).ended_with(0);
    let text = String::from_utf8(here.read("get.sqlog")).unwrap();
    assert!(Packets::of(&records(&text)).received > 0);
    for secret in ["of-theirs", "of theirs", &here.user().key(), "secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn a_trace_that_cannot_be_written_is_a_warning_and_no_failure() {
    let (server, here) = (Server::start(), Here::new());
    server.write("theirs", bytes(1_000_000, 1));
    let target = server.target();
    for file in ["no/such/directory", "/dev/full"] {
        let get = ["get", &target, "theirs", "--fresh", "--trace", file];
        let ran = here.run(get).ended_with(0);
        assert!(ran.stderr.contains("warning: the trace"), "{file}: {ran:#?}");
        assert_eq!(here.read("theirs"), bytes(1_000_000, 1));
    }
    assert!(fs::metadata("/dev/full").is_ok());
}
