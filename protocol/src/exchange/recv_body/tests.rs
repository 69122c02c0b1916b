use super::*;
use alloc::vec;
use proptest::prelude::*;

fn plenty() -> RecvCredit {
    RecvCredit::new(u64::MAX >> 2, u64::MAX >> 2)
}

fn body(len: BodyLen) -> RecvBody {
    RecvBody::new(BodyId::unowned(0), len, plenty())
}

proptest! {
    /// However a body is cut, doubled and reordered, fresh bytes are counted once each, and no byte of a whole block is
    /// handed out again.
    #[test]
    fn each_byte_is_fresh_once(
        len in 1u64..2 * BLOCK_LEN, cuts in prop::collection::vec((any::<u64>(), 1u64..200_000), 0..40),
    ) {
        let mut receiver = body(BodyLen::Known(len));
        let mut connection = plenty();
        let mut here = vec![false; len as usize];
        let whole = (0..len).step_by(100_000).map(|at| (at, 100_000));
        for (at, size) in cuts.into_iter().map(|(at, size)| (at % len, size)).chain(whole) {
            let block_end = (at / BLOCK_LEN + 1) * BLOCK_LEN;
            let chunk = at..(at + size).min(len).min(block_end);
            for chunk in [chunk.clone(), chunk] {
                let block = (chunk.start / BLOCK_LEN * BLOCK_LEN) as usize;
                let block = block..(block + BLOCK_LEN as usize).min(len as usize);
                match receiver.accept(chunk.clone(), &mut connection).unwrap() {
                    Accepted::Write { range, fresh, charged } => {
                        prop_assert_eq!(charged, fresh);
                        prop_assert!(range.start >= chunk.start && range.end <= chunk.end);
                        prop_assert!(!here[block].iter().all(|b| *b));
                        let span = &mut here[range.start as usize..range.end as usize];
                        prop_assert_eq!(span.iter().filter(|b| !**b).count() as u64, fresh);
                        span.fill(true);
                    }
                    Accepted::Known => {
                        prop_assert!(here[chunk.start as usize..chunk.end as usize].iter().all(|b| *b));
                    }
                    Accepted::Refused => prop_assert!(false),
                }
            }
        }
        // The last pieces may stop short at a block's end.
        for at in (0..len).step_by(50_000) {
            let end = (at + 50_000).min(len);
            let middle = (at / BLOCK_LEN + 1) * BLOCK_LEN;
            for part in [at..end.min(middle), middle.min(end)..end] {
                if !part.is_empty() {
                    receiver.accept(part, &mut connection).unwrap();
                }
            }
        }
        prop_assert!(receiver.is_done());
        prop_assert!(receiver.open.is_empty());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Chunk(u64, u64),
    Keep(u64, u64),
    Again(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u64>(), 1u64..300_000).prop_map(|(at, size)| Step::Chunk(at, size)),
        1 => (0u64..4, 1u64..3).prop_map(|(at, count)| Step::Keep(at, count)),
        1 => (0u64..4).prop_map(Step::Again),
    ]
}

proptest! {
    /// Whatever is kept and wanted again: each byte is charged once, when it comes first, and only bytes that are wanted are
    /// handed out; the body is done when each byte is present (`docs/hostile-input.md`, row 59).
    #[test]
    fn what_is_kept_and_wanted_again_is_accounted_for(
        len in 1u64..4 * BLOCK_LEN, steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut receiver = body(BodyLen::Known(len));
        let mut connection = plenty();
        // What ever came, and what is wanted no more.
        let (mut came, mut present) = (RangeSet::new(), RangeSet::new());
        let mut settled = 0;
        let blocks = |at: u64, count: u64| {
            (at * BLOCK_LEN).min(len)..((at + count) * BLOCK_LEN).min(len)
        };
        let rest = (0..len).step_by(1 << 18).map(|at| Step::Chunk(at, 1 << 18));
        let rest: Vec<_> = rest.collect();
        for step in steps.into_iter().chain(rest) {
            match step {
                Step::Keep(at, _) | Step::Again(at) if at * BLOCK_LEN >= len => {}
                Step::Keep(at, count) => {
                    prop_assert!(receiver.keep(&blocks(at, count)));
                    present.insert(blocks(at, count));
                }
                Step::Again(at) => {
                    receiver.again(&blocks(at, 1));
                    present.remove(blocks(at, 1));
                }
                Step::Chunk(at, size) => {
                    let at = at % len;
                    let chunk = at..(at + size).min(len).min((at / BLOCK_LEN + 1) * BLOCK_LEN);
                    let wanted: u64 = present.missing(chunk.clone()).map(|r| r.end - r.start).sum();
                    let new = came.insert(chunk.clone());
                    match receiver.accept(chunk.clone(), &mut connection).unwrap() {
                        Accepted::Write { range, fresh, charged } => {
                            prop_assert!(range.start >= chunk.start && range.end <= chunk.end);
                            prop_assert_eq!((fresh, charged), (wanted, new));
                        }
                        accepted => {
                            prop_assert_eq!((accepted, wanted), (Accepted::Known, 0));
                            // It was kept, and is settled.
                            settled += new;
                        }
                    }
                    present.insert(chunk);
                }
            }
            prop_assert_eq!(receiver.charged(), came.total());
            prop_assert_eq!(connection.left(), (u64::MAX >> 2) - came.total());
            prop_assert_eq!(receiver.present, present.total());
            prop_assert_eq!(receiver.is_done(), present.covers(&(0..len)));
        }
        prop_assert!(receiver.is_done());
        // The limit has risen by what was settled at once.
        connection.set_window(u64::MAX >> 2);
        prop_assert_eq!(connection.update(), (u64::MAX >> 2) + settled);
    }
}

#[test]
fn only_whole_blocks_are_kept() {
    let len = 2 * BLOCK_LEN + 5;
    let mut receiver = body(BodyLen::Known(len));
    for (start, end) in [(0, 1), (1, BLOCK_LEN), (0, BLOCK_LEN + 1), (0, len + 1)] {
        assert!(!receiver.keep(&(start..end)), "{start} {end}");
    }
    assert!(!receiver.keep(&(0..3 * BLOCK_LEN)));
    assert!(receiver.keep(&(BLOCK_LEN..len)) && receiver.keep(&(0..BLOCK_LEN)));
    assert!(receiver.is_done());
    assert!(!body(BodyLen::Open).keep(&(0..BLOCK_LEN)));
}

#[test]
fn a_group_beyond_the_end_takes_nothing_back() {
    let mut connection = plenty();
    let mut receiver = body(BodyLen::Open);
    assert!(matches!(receiver.accept(0..1000, &mut connection), Ok(Accepted::Write { .. })));
    assert!(receiver.end(1000) && receiver.is_done());
    receiver.again(&(1000..1000));
    assert!(receiver.is_done());
}

#[test]
fn keeping_costs_no_memory_for_what_never_comes() {
    let len = 1 << 60;
    let mut receiver = body(BodyLen::Known(len));
    assert!(receiver.keep(&(0..len)));
    assert!(receiver.is_done() && receiver.open.is_empty() && receiver.kept.len() == 1);
    receiver.again(&(0..1 << 50));
    assert!(!receiver.is_done() && receiver.kept.len() == 1);
    assert!(receiver.keep(&(0..1 << 50)) && receiver.is_done());
}

#[test]
fn one_byte_fragments_are_bounded() {
    let mut receiver = body(BodyLen::Known(1 << 40));
    let mut connection = plenty();
    let refused = (0..5000u64)
        .filter(|i| {
            let at = i * 2;
            receiver.accept(at..at + 1, &mut connection) == Ok(Accepted::Refused)
        })
        .count();
    assert_eq!(refused, 5000 - MAX_GAPS);
    let blocks = (1..1000u64)
        .filter(|i| {
            let at = i * BLOCK_LEN;
            receiver.accept(at..at + 1, &mut connection) == Ok(Accepted::Refused)
        })
        .count();
    assert_eq!(blocks, 1000 - MAX_OPEN_BLOCKS);
    // What fills a gap is still taken.
    assert!(matches!(receiver.accept(1..2, &mut connection), Ok(Accepted::Write { .. })));
}

#[test]
fn ends_and_credit_hold() {
    let mut connection = RecvCredit::new(150, 150);
    let mut receiver = body(BodyLen::Known(1000));
    assert_eq!(receiver.accept(900..1001, &mut connection), Err(ChunkError::BeyondEnd));
    assert_eq!(receiver.accept(5..5, &mut connection), Err(ChunkError::CrossesBlock));
    assert!(receiver.accept(0..150, &mut connection).is_ok());
    assert_eq!(receiver.accept(0..150, &mut connection), Ok(Accepted::Known));
    assert_eq!(receiver.accept(150..151, &mut connection), Err(ChunkError::OverCredit));
    let mut open = body(BodyLen::Open);
    let across = BLOCK_LEN - 1..BLOCK_LEN + 1;
    assert_eq!(open.accept(across, &mut plenty()), Err(ChunkError::CrossesBlock));
    open.accept(0..10, &mut plenty()).unwrap();
    assert!(!open.end(9));
    assert!(open.end(10) && open.is_done() && open.open.is_empty());
}
