//! Many seeds of one story, and how to hear a failing one again.

use std::{any::Any, env, ops::Range, panic};

/// How many seeds to try instead of a story's own number.
const COUNT: &str = "GANNET_SEEDS";
/// The only seed to try.
const ONLY: &str = "GANNET_SEED";

/// Tells a story with each of `count` seeds; with `GANNET_SEEDS=N` in the environment with so many, and with `GANNET_SEED=N`
/// with that one alone.
///
/// `test` is the name of the test's file, `name` that of the test.
///
/// # Panics
/// With the seed of the first story that does, what it said, and the command that repeats it.
pub fn each_seed(test: &str, name: &str, count: u64, story: impl Fn(u64) + panic::RefUnwindSafe) {
    for seed in seeds(count) {
        panic::catch_unwind(|| story(seed)).unwrap_or_else(|why| {
            panic!(
                "seed {seed} fails: {}\n{ONLY}={seed} cargo test -p gannet-tests --test {test} {name} repeats it",
                words(why.as_ref())
            )
        });
    }
}

fn seeds(count: u64) -> Range<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    match number(ONLY) {
        Some(seed) => seed..seed + 1,
        None => 0..number(COUNT).unwrap_or(count),
    }
}

/// What a panic said.
fn words(why: &(dyn Any + Send)) -> &str {
    let owned = why.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| why.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_seed_and_how_to_repeat_it() {
        let story = |seed| assert!(seed != 2, "it rained");
        let failed = panic::catch_unwind(|| each_seed("weather", "sunshine", 5, story));
        let why = failed.expect_err("the third seed fails");
        let words = words(why.as_ref());
        let command = "GANNET_SEED=2 cargo test -p gannet-tests --test weather sunshine";
        assert!(words.contains("seed 2 fails: it rained") && words.contains(command), "{words}");
    }
}
