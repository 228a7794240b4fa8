//! Goal: a refund brings back all of a charge that has not drained, and nothing that has (C1).
//!
//! Method: the public API on a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use distributary::{Decision, Limit, Limiter, ManualClock};

fn limiter(limit: Limit) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter = Limiter::local_with_clock(limit, Arc::new(clock.clone()));
    (limiter, clock)
}

/// C1: what has drained since it was charged is in use again already, and does not come back twice.
#[test]
fn what_has_drained_is_not_refunded_again() {
    let (limiter, clock) = limiter(Limit::per_second(10).burst(2));
    let first = limiter.check_n("ann", 2);
    assert!(first.is_allowed());
    clock.advance(Duration::from_millis(200));
    assert!(limiter.check_n("ann", 2).is_allowed());
    assert!(limiter.refund(&first), "a good receipt, for nothing left");
    assert!(!limiter.check("ann").is_allowed());
    clock.advance(Duration::from_millis(100));
    let last = limiter.check("ann");
    clock.advance(Duration::from_millis(50));
    assert!(
        limiter.refund(&last),
        "it lies behind what was there before"
    );
    let level = limiter.peek("ann").level_units;
    assert!((level - 0.5).abs() < 0.001, "{level}");
}

/// Rounding is against whoever asks, by less than a millionth of a unit.
#[test]
fn refunds_in_any_order_bring_back_all_that_has_not_drained() {
    let (limiter, _clock) = limiter(Limit::per_day(1).burst(20));
    let charge_all = || (0..12).map(|_| limiter.check("ann")).collect::<Vec<_>>();
    let refund_all = |decisions: &[Decision], order: &[usize]| {
        let good = order.iter().filter(|at| limiter.refund(&decisions[**at]));
        assert_eq!(good.count(), 12);
        let level = limiter.peek("ann").level_units;
        assert!(level < 0.001, "{level} left after {order:?}");
    };
    let forward: Vec<usize> = (0..12).collect();
    let backward: Vec<usize> = (0..12).rev().collect();
    let mixed: Vec<usize> = (0..12).map(|at| at * 5 % 12).collect();
    for order in [forward, backward, mixed] {
        refund_all(&charge_all(), &order);
    }
}
