use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::ranges::RangeSet;

const MAX: u64 = VARINT_MAX;

#[derive(Clone, Debug)]
enum Owned {
    Ping,
    Message(u64, u64, bool, Vec<u8>),
    Credit(Credit),
    BodyCredit(u64, u64),
    Reset(Reset),
    Challenge([u8; 8]),
    Response([u8; 8]),
    Close(u64),
}

impl Owned {
    fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Ping => write_ping(w),
            Self::Message(exchange, offset, fin, bytes) => {
                write_message(w, *exchange, *offset, *fin, bytes);
            }
            Self::Credit(credit) => write_credit(w, credit),
            Self::BodyCredit(exchange, limit) => write_body_credit(w, *exchange, *limit),
            Self::Reset(reset) => write_reset(w, reset),
            Self::Challenge(token) => write_path_challenge(w, *token),
            Self::Response(token) => write_path_response(w, *token),
            Self::Close(code) => write_close(w, *code),
        }
    }

    fn view(&self) -> Frame<'_> {
        match self {
            Self::Ping => Frame::Ping,
            Self::Message(exchange, offset, fin, bytes) => {
                Frame::Message { exchange: *exchange, offset: *offset, fin: *fin, bytes }
            }
            Self::Credit(credit) => Frame::Credit(*credit),
            Self::BodyCredit(exchange, limit) => {
                Frame::BodyCredit { exchange: *exchange, limit: *limit }
            }
            Self::Reset(reset) => Frame::Reset(*reset),
            Self::Challenge(token) => Frame::PathChallenge(*token),
            Self::Response(token) => Frame::PathResponse(*token),
            Self::Close(code) => Frame::Close { code: *code },
        }
    }
}

fn frame() -> impl Strategy<Value = Owned> {
    let bytes = prop::collection::vec(any::<u8>(), 0..50);
    prop_oneof![
        Just(Owned::Ping),
        (0..=MAX, 0..MAX_BODY / 2, any::<bool>(), bytes)
            .prop_map(|(x, o, fin, b)| Owned::Message(x, o, fin, b)),
        (0..=MAX, 0..=MAX, 0..=MAX).prop_map(|(body, exchanges, messages)| Owned::Credit(Credit {
            body,
            exchanges,
            messages
        })),
        (0..=MAX, 0..=MAX).prop_map(|(x, l)| Owned::BodyCredit(x, l)),
        (0..=MAX, prop::sample::select(Status::ALL), 0..=MAX, 0..=MAX, 0..=MAX).prop_map(
            |(exchange, status, detail, body, messages)| Owned::Reset(Reset {
                exchange,
                status,
                detail,
                body,
                messages
            })
        ),
        any::<[u8; 8]>().prop_map(Owned::Challenge),
        any::<[u8; 8]>().prop_map(Owned::Response),
        (0..=MAX).prop_map(Owned::Close),
    ]
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0; 4000];
    let mut w = Writer::new(&mut buf);
    write(&mut w);
    let len = w.finish().unwrap();
    buf.truncate(len);
    buf
}

proptest! {
    #[test]
    fn frames_come_back_and_a_cut_one_does_not(frames in prop::collection::vec(frame(), 1..8)) {
        let bytes = written(|w| frames.iter().for_each(|f| f.write(w)));
        let read: Vec<_> = Frames::new(&bytes).collect();
        let want: Vec<_> = frames.iter().map(|f| Ok(f.view())).collect();
        prop_assert_eq!(read, want);
        let last = written(|w| frames[frames.len() - 1].write(w));
        for cut in bytes.len() - last.len() + 1..bytes.len() {
            prop_assert_eq!(Frames::new(&bytes[..cut]).last(), Some(Err(Malformed)));
        }
    }

    #[test]
    fn any_bytes_decode_in_bounded_work(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut ranges = 0;
        for frame in Frames::new(&bytes) {
            if let Ok(Frame::Ack(ack)) = frame {
                let all: Vec<_> = ack.ranges().collect();
                prop_assert!(all.windows(2).all(|w| w[1].end() + 1 < *w[0].start()));
                ranges += all.len();
            }
        }
        prop_assert!(ranges <= bytes.len());
    }

    #[test]
    fn an_ack_says_the_newest_ranges_that_fit(
        numbers in prop::collection::btree_set(0u64..5000, 1..900), room in 40usize..1200,
        delay in 0u64..1 << 20, marks in prop::option::of(any::<[u32; 3]>()),
    ) {
        let mut set = RangeSet::new();
        numbers.iter().for_each(|&n| { set.insert(n..n + 1); });
        let ecn = marks.map(|m| m.map(u64::from));
        let mut smallest = None;
        let bytes = written(|w| smallest = write_ack(w, room, &mut set.iter().rev(), delay, ecn));
        prop_assert!(bytes.len() <= room);
        let mut frames = Frames::new(&bytes);
        let Some(Ok(Frame::Ack(ack))) = frames.next() else { panic!("no ack") };
        prop_assert!(frames.next().is_none());
        prop_assert_eq!((ack.delay, ack.ecn, Some(ack.smallest())), (delay, ecn, smallest));
        let told: Vec<u64> = ack.ranges().flatten().collect();
        let want: Vec<u64> = numbers.iter().copied().filter(|&n| Some(n) >= smallest).collect();
        prop_assert_eq!(ack.partial, want.len() < numbers.len());
        prop_assert_eq!(told.iter().copied().collect::<alloc::collections::BTreeSet<_>>(), want.into_iter().collect());
    }
}

#[test]
fn padding_fills_a_packet_to_its_end() {
    let frames: Vec<_> = Frames::new(&[PING, 0, 0, 0]).collect();
    assert_eq!(frames, [Ok(Frame::Ping), Ok(Frame::Padding)]);
    assert_eq!(Frames::new(&[0, 0, PING]).last(), Some(Err(Malformed)));
}

#[test]
fn an_ack_below_zero_is_malformed() {
    // Largest 3, no delay, one more range, first range 3..=3, then a gap that leads below zero.
    for gap in [2u8, 3, 0x3f] {
        let bytes = [ACK, 0, 3, 0, 1, 0, gap, 0];
        assert_eq!(Frames::new(&bytes).last(), Some(Err(Malformed)), "gap {gap}");
    }
    assert_eq!(Frames::new(&[ACK, 0, 3, 0, 0, 4]).last(), Some(Err(Malformed)));
}
