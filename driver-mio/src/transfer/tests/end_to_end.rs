//! Files from one table of transfers to another, through the threads of a disk.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
};

use gannet_protocol::{Source, Ticket, Unread, Write};

use super::*;
use crate::{
    disk::Disk,
    transfer::{Done, sending::MIN_SPAN},
};

/// Bytes of a chunk: what a packet carries.
const CHUNK: u64 = 1400;

/// How many chunks of a body are moved before it is the next one's turn.
const TURN: usize = 64;

/// Who sent what in what state.
pub(super) struct Copy {
    from: BodyId,
    to: BodyId,
    len: u64,
    at: u64,
}

/// Both ends, and the disk that they share.
pub(super) struct Ends {
    pub(super) sender: Transfers,
    pub(super) receiver: Transfers,
    disk: Disk<(bool, Done)>,
    woken: mpsc::Receiver<()>,
    pub(super) outputs: Vec<Output>,
    settled: u64,
}

impl Ends {
    pub(super) fn new(limits: &Limits) -> Self {
        let (wake, woken) = mpsc::channel();
        let mut disk = Disk::new(Arc::new(move || wake.send(()).unwrap_or_default()));
        disk.start().unwrap();
        Self {
            sender: Transfers::with_limits(limits),
            receiver: Transfers::with_limits(limits),
            disk,
            woken,
            outputs: Vec::new(),
            settled: 0,
        }
    }

    /// Moves what can be moved of all bodies until all are stored or have failed.
    pub(super) fn run(&mut self, copies: &mut [Copy]) {
        let mut open: VecDeque<usize> = (0..copies.len()).collect();
        let mut over = 0;
        while over < copies.len() {
            let mut moved = false;
            for _ in 0..open.len() {
                let Some(index) = open.pop_front() else { break };
                let copy = &mut copies[index];
                moved |= self.turn(copy);
                if copy.at < copy.len {
                    open.push_back(index);
                }
            }
            let (is_new, more_over) = self.turn_disk(copies);
            over += more_over;
            if !moved && !is_new && over < copies.len() {
                self.woken.recv().unwrap();
            }
        }
    }

    /// Moves some chunks of one body.
    fn turn(&mut self, copy: &mut Copy) -> bool {
        let mut packet = [0; CHUNK as usize];
        for turn in 0..TURN {
            let len = CHUNK.min(copy.len - copy.at).min(BLOCK_LEN - copy.at % BLOCK_LEN);
            let data = &mut packet[..usize::try_from(len).unwrap()];
            match self.sender.read(copy.from, copy.at, data) {
                Ok(()) if len > 0 => {}
                Ok(()) | Err(Unread::Pending) => return turn > 0,
                Err(Unread::Failed(status)) => panic!("{status}"),
            }
            let ticket = Ticket::unowned(len);
            let fresh = data.len();
            let (body, offset) = (copy.to, copy.at);
            self.receiver.write(Write { body, offset, data, fresh, ticket });
            copy.at += len;
        }
        self.sender.release(copy.from, copy.at.saturating_sub(BLOCK_LEN));
        true
    }

    /// Takes results and outputs; tells whether there were results, and how many bodies are over by that.
    fn turn_disk(&mut self, copies: &[Copy]) -> (bool, usize) {
        let (mut is_new, mut over) = (false, 0);
        while let Some((is_senders, done)) = self.disk.try_recv() {
            is_new = true;
            if is_senders {
                self.sender.handle_done(Instant::ZERO, done);
            } else {
                self.receiver.handle_done(Instant::ZERO, done);
            }
        }
        while let Some(output) = self.sender.poll_output() {
            if let Output::Note { body, note } = output {
                let copy = copies.iter().find(|copy| copy.from == body).unwrap();
                let note = match note {
                    Note::End(end) => Note::End(End { identity: IDENTITY, ..end }),
                    group => group,
                };
                self.receiver.note(Instant::ZERO, copy.to, note);
            }
        }
        while let Some(output) = self.receiver.poll_output() {
            match output {
                Output::File(FileDone::Settled(ticket)) => self.settled += ticket.len(),
                Output::Held { .. } => {}
                output => {
                    over += 1;
                    self.outputs.push(output);
                }
            }
        }
        for (is_senders, transfers) in [(true, &mut self.sender), (false, &mut self.receiver)] {
            while self.disk.has_room()
                && let Some(job) = transfers.poll_job()
            {
                self.disk.submit(job.pace(), move || (is_senders, job.run())).unwrap();
            }
        }
        (is_new, over)
    }
}

/// Starts to copy a file of the rig's directory into another.
pub(super) fn copy(ends: &mut Ends, rig: &Rig, number: u32, from: &str, to: &str) -> Copy {
    let source = rig.root.open_source(&Name::parse(from.as_bytes()).unwrap()).unwrap();
    let len = source.len();
    let copy = Copy { from: body(2 * number), to: body(2 * number + 1), len, at: 0 };
    ends.sender.send_file(copy.from, source, false);
    ends.receiver.receive_file(copy.to, &meta(BodyLen::Known(len)));
    let partial = rig.root.create_partial(
        &Placing::Replace(Name::parse(to.as_bytes()).unwrap()),
        BodyLen::Known(len),
    );
    ends.receiver.open(Instant::ZERO, copy.to, partial);
    copy
}

#[test]
fn many_files_of_all_sizes_arrive() {
    // A chunk may lie in two spans, so less than two would never do.
    let least = Limits { sending: 2 * MIN_SPAN, ..TIGHT };
    for limits in [least, TIGHT, Limits::default()] {
        let rig = Rig::new(&TIGHT, 1);
        let mut ends = Ends::new(&limits);
        let mut copies = Vec::new();
        for i in 0..60 {
            let len = [0, 1, 1400, 70_000, 1 << 20, (1 << 20) + 1, 3_000_000][i % 7];
            fs::write(rig.path(&format!("from{i}")), content(len, i as u64)).unwrap();
            let (from, to) = (format!("from{i}"), format!("to{i}"));
            copies.push(copy(&mut ends, &rig, u32::try_from(i).unwrap(), &from, &to));
        }
        ends.run(&mut copies);
        for i in 0..60 {
            let [from, to] = ["from", "to"].map(|name| fs::read(rig.path(&format!("{name}{i}"))));
            assert!(from.unwrap() == to.unwrap(), "{i}");
        }
        assert!(ends.outputs.iter().all(|output| matches!(output, Output::Stored { .. })));
        assert_eq!(ends.settled, copies.iter().map(|copy| copy.len).sum::<u64>());
        assert_eq!(rig.files(), 120);
    }
}
