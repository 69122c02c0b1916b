//! Point 10: the demo.

use crate::common::{Here, names};

#[test]
fn it_moves_50_mb_over_a_bad_link_and_tells_what_was_sent_lost_resent_and_verified() {
    let here = Here::new();
    let ran = here.run(["demo"]).ended_with(0);
    for part in [
        "100 Mbit/s, 80.0 ms",
        "2% of packets lost",
        "would need minutes",
        "sent      50.0 MB in ",
        "lost      ",
        "resent    ",
        "verified  all of it",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    assert_eq!(ran.stderr, "");
    assert_eq!(names(here.path()), [""; 0]);
}

#[test]
fn it_shows_the_bar_and_ends_at_once_at_ctrl_c() {
    let here = Here::new();
    let mut running = here.terminal(["demo"]);
    running.expect("of 50.0 MB");
    running.press("\x03");
    assert_eq!(running.ends().0, Some(130));
}
