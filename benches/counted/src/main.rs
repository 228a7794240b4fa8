//! Checks to be counted instruction by instruction: see `.ci/instructions`.
//!
//! `distributary-counted CASE COUNT` does COUNT checks after a fixed preparation. Two runs with different
//! counts differ by nothing but checks, so that what the rest costs cancels out.

mod contended;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use distributary::{Key, Limit, Limiter, MonotonicClock};

const KEYS: u64 = 1_000;

/// Nothing drains while this runs: each unit lasts for an hour or longer.
const AMPLE: Limit = Limit::per_hour(1).burst(1_000_000);
const SPENT: Limit = Limit::per_hour(1);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (case, count) = (words.next(), words.next());
    let count: Option<u64> = count.and_then(|count| count.parse().ok());
    let strings = || (0..KEYS).map(|number| format!("{number:036}"));
    match (case.as_deref(), count) {
        (Some("quiet-string"), Some(count)) => walk(AMPLE, &strings().collect::<Vec<_>>(), count),
        (Some("quiet-u64"), Some(count)) => walk(AMPLE, &(0..KEYS).collect::<Vec<_>>(), count),
        (Some("denied-string"), Some(count)) => walk(SPENT, &strings().collect::<Vec<_>>(), count),
        (Some("contended"), Some(count)) => contended::walk(contended::AMPLE, count),
        (Some("contended-denied"), Some(count)) => contended::walk(contended::SPENT, count),
        _ => {
            eprintln!(
                "usage: distributary-counted \
                 quiet-string|quiet-u64|denied-string|contended|contended-denied COUNT"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn walk<K: Key>(limit: Limit, keys: &[K], count: u64) {
    // The fast clock reads the system's now and then, by the time it takes: no two runs would be alike.
    let clock = Arc::new(MonotonicClock::new());
    let limiter = Limiter::local_with_clock(limit, clock);
    for key in keys {
        let _decided = limiter.check(key);
    }
    for key in keys.iter().cycle().take(count as usize) {
        let _decided = black_box(limiter.check(black_box(key)));
    }
}
