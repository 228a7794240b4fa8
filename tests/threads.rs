//! Goal: threads that ask at once are admitted what one would be, whatever the table does meanwhile.
//!
//! Method: a clock that stands still, so that each key admits its burst and no more; many threads over
//! the same keys, while the table grows, forgets what has drained and gives up what does not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use distributary::{Hashing, Limit, Limiter, ManualClock};

const BURST: u64 = 3;
const THREADS: u64 = 4;

fn limiter(clock: &ManualClock, keys_max: usize) -> Limiter {
    Limiter::builder(Limit::per(1, Duration::from_secs(60)).burst(BURST))
        .clock(Arc::new(clock.clone()))
        .keys_max(keys_max)
        .hashing(Hashing::Xxh3)
        .build()
}

/// Every thread asks once for each of the keys, in an order of its own; what was admitted of each.
fn ask_all(limiter: &Limiter, keys: u64) -> Vec<u64> {
    let admitted: Vec<AtomicU64> = (0..keys).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, admitted) = (limiter.clone(), &admitted);
            scope.spawn(move || {
                for step in 0..keys {
                    let key = (step * 7919 + thread * 13) % keys;
                    let allowed = limiter.check(key).is_allowed();
                    admitted[key as usize].fetch_add(u64::from(allowed), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_iter().map(AtomicU64::into_inner).collect()
}

#[test]
fn each_key_admits_its_burst_while_the_table_grows() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, 1 << 20);
    let keys = 100_003;
    assert!(
        ask_all(&limiter, keys)
            .iter()
            .all(|admitted| *admitted == BURST)
    );
    let counters = limiter.counters();
    assert_eq!((counters.keys, counters.keys_given_up), (keys, 0));
    assert_eq!(counters.allowed_owned, keys * BURST);
    assert_eq!(counters.refused, keys * (THREADS - BURST));
    // All has drained: the same again, in the slots that are there.
    clock.advance(Duration::from_secs(600));
    assert!(
        ask_all(&limiter, keys)
            .iter()
            .all(|admitted| *admitted == BURST)
    );
    assert_eq!(limiter.counters().keys, keys);
}

/// C6: where there is no room for all, some are refused early, and none is admitted more.
#[test]
fn no_key_admits_more_than_its_burst_where_keys_are_given_up() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, 5_000);
    let admitted = ask_all(&limiter, 20_011);
    assert!(admitted.iter().all(|admitted| *admitted <= BURST));
    let counters = limiter.counters();
    assert!(counters.keys <= 5_064, "{} keys", counters.keys);
    assert!(counters.keys_given_up > 0);
}
