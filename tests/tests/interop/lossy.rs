//! Cases of links that lose, damage, and are silent for a while.

use std::{ops::Range, time::Duration};

use gannet_tests::{scenario::Way, world::Path};

use crate::{MB, SECOND, case, hosts::Hosts, path};

/// A share of the packets that a link spoils, the length of the file, and the least goodput in Mbit/s.
type Spoilt = (f64, u64, f64);

/// One by one.
const SINGLE: [Spoilt; 4] =
    [(0.02, 2 * MB, 1.5), (0.05, 2 * MB, 0.8), (0.1, MB, 0.2), (0.2, MB / 2, 0.05)];
/// Three in a row.
const BURSTS: [Spoilt; 4] =
    [(0.02, 2 * MB, 1.5), (0.05, 2 * MB, 1.0), (0.1, MB, 0.1), (0.2, MB / 2, 0.02)];

#[track_caller]
fn check_goodput(seed: u64, path: &Path, (chance, len, least): Spoilt) {
    for way in Way::BOTH {
        let moved = Hosts::new(seed).scenario(path.clone(), way, len).run(600 * SECOND);
        assert!(moved.goodput() > least * 1e6, "{way:?}, {chance} spoilt: {moved}");
    }
}

#[test]
fn transferloss() {
    case("transferloss", 12, |seed| {
        for spoilt in BURSTS {
            check_goodput(seed, &path().bursts(spoilt.0, 3.0), spoilt);
        }
        for spoilt in SINGLE {
            check_goodput(seed, &path().loss(spoilt.0), spoilt);
        }
    });
}

#[test]
fn transfercorruption() {
    case("transfercorruption", 12, |seed| {
        for spoilt in SINGLE {
            check_goodput(seed, &path().corrupt(spoilt.0), spoilt);
        }
    });
}

type Spans = Vec<Range<Duration>>;

/// Silences that last `off`, with `on` between them, the first after a time that the seed says.
fn silences(seed: u64, on: Duration, off: Duration) -> Spans {
    let first = on * (4 + (seed % 5) as u32) / 8;
    (0..20).map(|i| first + (on + off) * i).map(|from| from..from + off).collect()
}

/// What a silence costs besides its own time: a probe's pause of at most 3 s, and slow start.
#[test]
fn blackhole() {
    case("blackhole", 10, |seed| {
        for off in [2, 20] {
            let spans = silences(seed, 5 * SECOND, off * SECOND);
            let changes: [fn(&mut Path, Spans); 3] = [
                |path, spans| *path = path.clone().blackouts(&spans),
                |path, spans| path.up.blackouts = spans,
                |path, spans| path.down.blackouts = spans,
            ];
            for change in changes {
                for way in Way::BOTH {
                    let mut path = path();
                    change(&mut path, spans.clone());
                    let moved = Hosts::new(seed).scenario(path, way, 4 * MB).run(120 * SECOND);
                    // 4 s of sending.
                    let most = (5 + off + 4) * SECOND;
                    assert!(moved.time < most, "{way:?}, {off} s off: {moved}");
                    assert!(moved.wasted() < 150_000, "{way:?}, {off} s off: {moved}");
                }
            }
        }
    });
}
