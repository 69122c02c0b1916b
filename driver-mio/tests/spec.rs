//! Chances, bursts and spans are read as documented.

use gannet_driver_mio::netem::{
    Burst,
    spec::{parse_burst, parse_chance, parse_rate_change, parse_span},
};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn chances_are_read() {
    for (text, chance) in
        [("0", 0.0), ("0.01", 0.01), ("1%", 0.01), ("0.5%", 0.005), ("1", 1.0), ("100%", 1.0)]
    {
        assert_eq!(parse_chance(text), Ok(chance), "{text}");
    }
    for text in ["", "%", ".", "1.1", "101%", "-1%", "+0.1", "nan", "inf", "1e-3", "0.1 ", "1%%"] {
        let said = parse_chance(text).expect_err(text).to_string();
        assert_eq!(said, format!("'{text}' is not a chance: from 0 to 1, or from 0% to 100%"));
    }
}

#[test]
fn bursts_are_read() {
    let burst = |good_to_bad, bad_to_good, loss_in_bad, loss_in_good| {
        Ok(Burst { good_to_bad, bad_to_good, loss_in_bad, loss_in_good })
    };
    assert_eq!(parse_burst("1%:25%"), burst(0.01, 0.25, 1.0, 0.0));
    assert_eq!(parse_burst("0.1:0.2:90%"), burst(0.1, 0.2, 0.9, 0.0));
    assert_eq!(parse_burst("0.1:0.2:0.9:0.5%"), burst(0.1, 0.2, 0.9, 0.005));
    for (text, start) in [("1%", "1 chances"), ("0:0:0:0:0", "5 chances"), ("1%:", "'' is not")] {
        let said = parse_burst(text).expect_err(text).to_string();
        assert!(said.starts_with(start), "{said}");
    }
}

#[test]
fn spans_and_rate_changes_are_read() {
    let seconds = Duration::from_secs;
    assert_eq!(parse_span("5s-7s"), Ok(seconds(5)..seconds(7)));
    assert_eq!(parse_span("0-1m30s"), Ok(seconds(0)..seconds(90)));
    for (text, start) in [
        ("5s", "'5s' is not a span"),
        ("7s-5s", "'7s-5s' is not a span"),
        ("5s-5s", "'5s-5s' is not a span"),
        ("5-7s", "a unit is missing"),
    ] {
        let said = parse_span(text).expect_err(text).to_string();
        assert!(said.starts_with(start), "{said}");
    }
    assert_eq!(parse_rate_change("10s:20mbit"), Ok((seconds(10), 20_000_000)));
    for (text, start) in
        [("10s", "'10s' is not a rate change"), ("10s:20", "a unit is missing: a rate")]
    {
        let said = parse_rate_change(text).expect_err(text).to_string();
        assert!(said.starts_with(start), "{said}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), "[0-9.%:sm-]{0,12}"]) {
        let _ = (parse_burst(&text), parse_span(&text), parse_rate_change(&text));
    }

    #[test]
    fn chances_come_back(chance in 0.0..=1.0_f64) {
        prop_assert_eq!(parse_chance(&format!("{chance}")), Ok(chance));
    }
}
