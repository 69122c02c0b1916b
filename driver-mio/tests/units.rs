//! Sizes, rates and times are read and written alike.

use gannet_driver_mio::units::{
    UnitError, format_duration, format_rate, format_size, parse_duration, parse_rate, parse_size,
};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn sizes_are_read() {
    for (text, bytes) in [
        ("0", 0),
        ("1500", 1500),
        ("1500B", 1500),
        (" 10 MB ", 10_000_000),
        ("10mb", 10_000_000),
        ("10MiB", 10 << 20),
        ("1.5GiB", 3 << 29),
        ("0.5kB", 500),
        ("1.4999B", 1),
        ("1.5B", 2),
        ("0.3333333333333333333333333333EB", 333_333_333_333_333_333),
        ("15EiB", 15 << 60),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn rates_are_read() {
    for (text, bits) in [
        ("100mbit", 100_000_000),
        ("100Mbit", 100_000_000),
        ("2.5gbit", 2_500_000_000),
        ("64 kbit/s", 64_000),
        ("1bit", 1),
        ("0bit", 0),
    ] {
        assert_eq!(parse_rate(text), Ok(bits), "{text}");
    }
}

#[test]
fn times_are_read() {
    for (text, time) in [
        ("0", Duration::ZERO),
        ("0ms", Duration::ZERO),
        ("17ns", Duration::from_nanos(17)),
        ("50ms", Duration::from_millis(50)),
        ("0.1s", Duration::from_millis(100)),
        ("10m", Duration::from_secs(600)),
        ("1h30m", Duration::from_secs(5400)),
        ("1 h 30 m", Duration::from_secs(5400)),
        ("2d", Duration::from_secs(172_800)),
    ] {
        assert_eq!(parse_duration(text), Ok(time), "{text}");
    }
}

#[test]
fn mistakes_are_told_in_words() {
    let said = |error: UnitError| error.to_string();
    let bytes = "a size is in bytes, as 1500, 10kB, 10MB, 10GB, or 10KiB, 10MiB, 10GiB";
    let bits = "a rate is in bits per second, as 500kbit, 100mbit or 2.5gbit";
    let times = "a time is in ns, us, ms, s, m (minutes), h or d, as 50ms or 10m";
    let size = |text| said(parse_size(text).expect_err(text));
    let rate = |text| said(parse_rate(text).expect_err(text));
    let time = |text| said(parse_duration(text).expect_err(text));
    assert_eq!(size(""), "a number is missing");
    assert_eq!(size("much"), "'much' is not a number");
    assert_eq!(size("-5 kB"), "'-5' is not a number");
    for text in ["1..2", "1.2.3", ".5", "5.", "."] {
        assert_eq!(size(text), format!("'{text}' is not a number"));
    }
    assert_eq!(size("10M"), format!("'M' is not a unit for this: {bytes}"));
    assert_eq!(size("10mbit"), format!("'mbit' is not a unit for this: {bytes}"));
    assert_eq!(size("1MB5kB"), "'5kB' is one part too many");
    assert_eq!(size("18446744073709551616"), "the number is too large");
    assert_eq!(size("19EB"), "the number is too large");
    assert_eq!(size(&"9".repeat(100)), "the number is too large");
    assert_eq!(rate("100"), format!("a unit is missing: {bits}"));
    assert_eq!(rate("10MB"), format!("'MB' is not a unit for this: {bits}"));
    assert_eq!(time("5"), format!("a unit is missing: {times}"));
    assert_eq!(time("5 min"), format!("'min' is not a unit for this: {times}"));
    assert_eq!(time("5s5m"), "'5m' is one part too many");
    assert_eq!(time("5m5m"), "'5m' is one part too many");
    assert_eq!(time("5ms ms"), format!("'ms ms' is not a unit for this: {times}"));
    assert_eq!(time("600000d"), "the number is too large");
    assert_eq!(time("213503d47h"), "the number is too large");
}

#[test]
fn sizes_and_rates_are_written() {
    for (bytes, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_995, "10.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1 << 30, "1.07 GB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(format_size(bytes), text);
    }
    assert_eq!(format_rate(0), "0 bit/s");
    assert_eq!(format_rate(94_123_456), "94.1 Mbit/s");
    assert_eq!(format_rate(u64::MAX), "18446744 Tbit/s");
}

#[test]
fn times_are_written() {
    let second = Duration::from_secs(1);
    for (time, text) in [
        (Duration::ZERO, "0 ns"),
        (Duration::from_nanos(1_500), "1.50 us"),
        (Duration::from_micros(80_040), "80.0 ms"),
        (Duration::from_micros(999_900), "1.00 s"),
        (Duration::from_millis(59_949), "59.9 s"),
        (Duration::from_millis(59_950), "1m00s"),
        (90 * second, "1m30s"),
        (Duration::from_millis(3_599_499), "59m59s"),
        (Duration::from_millis(3_599_500), "1h00m"),
        (86_369 * second, "23h59m"),
        (86_370 * second, "1d00h"),
        (100_000 * second, "1d04h"),
        (Duration::MAX, "213503d23h"),
    ] {
        assert_eq!(format_duration(time), text);
    }
}

/// Numbers of every magnitude.
fn any_magnitude() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

/// Quantities as people write them, well or badly.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[0-9.]{0,30} ?[kmgtMGe]?i?[bBdhs]?(it)?(/s)?[0-9]{0,3}[a-z]?"]
}

proptest! {
    #[test]
    fn no_text_panics(text in any_text()) {
        let _ = (parse_size(&text), parse_rate(&text), parse_duration(&text));
    }

    #[test]
    fn whole_numbers_are_read_as_they_are(number in any_magnitude()) {
        prop_assert_eq!(parse_size(&number.to_string()), Ok(number));
        prop_assert_eq!(parse_rate(&format!("{number}bit")), Ok(number));
        let time = Duration::from_nanos(number);
        prop_assert_eq!(parse_duration(&format!("{number}ns")), Ok(time));
        let seconds = format!("{}.{:09}s", time.as_secs(), time.subsec_nanos());
        prop_assert_eq!(parse_duration(&seconds), Ok(time));
    }

    #[test]
    fn what_is_written_reads_the_same_but_for_rounding(number in any_magnitude()) {
        let near = |read: u64| read.abs_diff(number) <= number / 200;
        let size = format_size(number);
        let read = parse_size(&size).expect("a size");
        prop_assert!(near(read), "{size}");
        prop_assert_eq!(format_size(read), size);

        let rate = format_rate(number);
        let read = parse_rate(&rate).expect("a rate");
        prop_assert!(near(read), "{rate}");
        prop_assert_eq!(format_rate(read), rate);

        let time = format_duration(Duration::from_nanos(number));
        let read = parse_duration(&time).expect("a time");
        prop_assert_eq!(&format_duration(read), &time);
        // Half of the second unit: 1m00s may be 60.5 s, 1h00m 3630 s, 1d00h 24.5 h.
        let nanos = u64::try_from(read.as_nanos()).expect("it fits");
        prop_assert!(nanos.abs_diff(number) <= number / 46, "{time}");
    }
}
