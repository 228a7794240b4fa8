//! Goal: the fast clock says what the system's says, from however many threads.
//!
//! Method: both are read in turns while the fast one is set right again and again, and after a gap.

use std::time::Duration;

use distributary::{Clock, MonotonicClock, TscClock};

/// Two clocks, and how far the one began after the other.
fn clocks() -> (MonotonicClock, TscClock) {
    let fast = TscClock::new();
    (MonotonicClock::new(), fast)
}

#[test]
fn the_counter_goes_with_the_system() {
    let (system, fast) = clocks();
    let watch = || {
        let mut now_ns = 0;
        while now_ns < 200_000_000 {
            let before_ns = system.now_ns();
            now_ns = fast.now_ns();
            let after_ns = system.now_ns();
            // The system's was made a little later, so it is behind; a thread may sleep in between, and
            // the fast one is late by as much then, for 20 ms.
            assert!(
                now_ns <= after_ns + 5_000_000,
                "{now_ns} is long after {after_ns}"
            );
            assert!(
                now_ns + 100_000_000 >= before_ns,
                "{now_ns} is long before {before_ns}"
            );
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(watch);
        scope.spawn(watch);
    });
}

#[test]
fn after_a_gap_the_system_decides() {
    let (system, fast) = clocks();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(25));
        let before_ns = system.now_ns();
        assert!(
            fast.now_ns() >= before_ns,
            "as late as a thread that has slept"
        );
    }
}
