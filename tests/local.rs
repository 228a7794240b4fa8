//! Goal: a limiter for one process decides as the textbook's leaky bucket does, says when to come
//! back to the nanosecond (C10), admits exactly the rate in the long run (C2), and takes whatever key, cost, clock or limit it is given.
//!
//! Method: the public API on a clock that the test moves; properties against a reference bucket in
//! whole numbers, which knows neither quanta nor units-time.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use distributary::{
    Basis, Clock, Key, Limit, LimitError, Limiter, ManualClock, MonotonicClock, Rate, Refusal,
    Verdict, subscriber,
};
use proptest::prelude::*;

const SECOND_NS: u64 = 1_000_000_000;
const DAY: Duration = Duration::from_secs(86_400);

fn limiter(limit: Limit) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter = Limiter::local_with_clock(limit, Arc::new(clock.clone()));
    (limiter, clock)
}

/// How many of `count` requests for one unit are allowed.
fn allowed(limiter: &Limiter, key: impl Key, count: usize) -> u64 {
    let checks = (0..count).map(|_| u64::from(limiter.check(&key).is_allowed()));
    checks.sum()
}

/// No file of failures is kept: a seed that fails belongs in a test of its own.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// --- What a decision says ---

#[test]
fn a_burst_is_admitted_and_then_one_unit_at_a_time() {
    let (limiter, clock) = limiter(Limit::per_second(10).burst(3));
    for left in [2, 1, 0] {
        let decision = limiter.check("ann");
        assert!(decision.is_allowed());
        assert_eq!(decision.remaining(), left);
        assert_eq!(decision.limit_units(), 3);
        assert_eq!(decision.retry_after(), None);
        assert_eq!(
            decision.reset_after(),
            Duration::from_millis(100 * (3 - left))
        );
        assert_eq!(decision.basis(), Basis::OwnShare);
        assert_eq!(decision.view_age(), Duration::ZERO);
    }
    let refused = limiter.check("ann");
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::OverLimit));
    assert_eq!(refused.remaining(), 0);
    assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
    assert_eq!(refused.reset_after(), Duration::from_millis(300));
    assert!(limiter.check("bob").is_allowed());
    clock.advance(Duration::from_millis(100));
    assert_eq!(allowed(&limiter, "ann", 5), 1);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        allowed(&limiter, "ann", 9),
        3,
        "never more than a burst is saved up"
    );
}

#[test]
fn a_refusal_can_be_an_error() {
    let (limiter, _clock) = limiter(Limit::per_second(1));
    assert!(limiter.check("ann").into_result().is_ok());
    let refused = limiter
        .check("ann")
        .into_result()
        .expect_err("the burst is 1");
    assert_eq!(refused.refusal, Refusal::OverLimit);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
    assert!(refused.to_string().contains("OverLimit"), "{refused}");
}

#[test]
fn a_cost_of_nothing_is_allowed_and_charges_nothing() {
    let (limiter, _clock) = limiter(Limit::per_hour(2));
    assert_eq!(allowed(&limiter, "ann", 2), 2);
    for _ in 0..100 {
        let free = limiter.check_n("ann", 0);
        assert!(free.is_allowed() && !limiter.refund(&free));
        assert_eq!(free.remaining(), 0);
    }
    assert_eq!(limiter.counters().admitted_units, 2);
    assert!(limiter.check_n("new", 0).is_allowed());
    assert_eq!(limiter.peek("new").remaining, 2);
}

#[test]
fn a_cost_that_can_never_fit_has_its_own_reason_and_no_wait() {
    let (limiter, _clock) = limiter(Limit::per_second(10).burst(5));
    for cost_units in [6, 1 << 40, u64::MAX] {
        let refused = limiter.check_n("ann", cost_units);
        assert_eq!(refused.verdict(), Verdict::Refused(Refusal::CostAboveBurst));
        assert_eq!(refused.retry_after(), None);
    }
    assert!(
        limiter.check_n("ann", 5).is_allowed(),
        "nothing was charged"
    );
}

#[test]
fn costs_are_charged_whole_or_not_at_all() {
    let (limiter, _clock) = limiter(Limit::per_second(1).burst(10));
    assert!(limiter.check_n("ann", 7).is_allowed());
    let refused = limiter.check_n("ann", 4);
    assert!(!refused.is_allowed());
    assert_eq!(refused.remaining(), 3);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    assert!(limiter.check_n("ann", 3).is_allowed());
}

#[test]
fn a_peek_charges_nothing() {
    let (limiter, clock) = limiter(Limit::per_second(2).burst(4));
    assert!(limiter.check("ann").is_allowed());
    for _ in 0..50 {
        let peek = limiter.peek("ann");
        assert_eq!(peek.remaining, 3);
        assert_eq!(peek.reset_after, Duration::from_millis(500));
        assert!((peek.level_units - 1.0).abs() < 1e-9 && !peek.contended);
        assert!((peek.share.as_fraction() - 1.0).abs() < f64::EPSILON);
    }
    clock.advance(Duration::from_millis(500));
    assert_eq!(limiter.peek("ann").remaining, 4);
    assert_eq!(limiter.counters().admitted_units, 1);
}

// --- Refunds ---

#[test]
fn a_refund_counts_once_and_only_for_what_was_charged() {
    let (limiter, _clock) = limiter(Limit::per_hour(3));
    let charged = limiter.check_n("ann", 3);
    let refused = limiter.check("ann");
    assert!(!limiter.refund(&refused));
    assert!(limiter.refund(&charged));
    assert!(!limiter.refund(&charged));
    // A refund rounds against whoever asks for it: by less than a millionth of a unit.
    assert_eq!(allowed(&limiter, "ann", 9), 2);
    assert_eq!(limiter.counters().refunded_units, 3);
}

#[test]
fn a_refund_never_takes_a_bucket_below_empty() {
    let (limiter, clock) = limiter(Limit::per_second(5).burst(5));
    let charged = limiter.check_n("ann", 5);
    clock.advance(Duration::from_secs(10));
    assert!(limiter.refund(&charged), "late, and still good");
    assert_eq!(allowed(&limiter, "ann", 20), 5);
}

/// What has drained has come back already: given back once more, it would be a unit too many.
#[test]
fn a_refund_is_no_more_than_is_left_of_the_charge() {
    let (limiter, clock) = limiter(Limit::per_second(5).burst(5));
    let drained = limiter.check_n("ann", 5);
    clock.advance(Duration::from_secs(10));
    assert!(limiter.check_n("ann", 3).is_allowed());
    assert!(limiter.refund(&drained), "late, and nothing is left of it");
    assert_eq!(allowed(&limiter, "ann", 20), 2);
}

// --- Keys ---

#[test]
fn an_empty_key_is_nobody() {
    let (limiter, _clock) = limiter(Limit::per_second(5));
    let nobody = Verdict::Refused(Refusal::EmptyKey);
    for decision in [
        limiter.check(""),
        limiter.check(String::new()),
        limiter.check(b"".as_slice()),
        limiter.check(Vec::<u8>::new()),
        limiter.check(("", "")),
        limiter.check_n("", 0),
        limiter.check_n("", u64::MAX),
    ] {
        assert_eq!(decision.verdict(), nobody);
        assert_eq!(decision.retry_after(), None);
        assert!(!limiter.refund(&decision));
    }
    assert!(
        limiter.check(("", "a")).is_allowed(),
        "half a key is somebody"
    );
}

#[test]
fn keys_of_different_types_are_different_keys() {
    let (limiter, _clock) = limiter(Limit::per_hour(1));
    assert!(limiter.check("7").is_allowed());
    assert!(limiter.check(7_u64).is_allowed());
    assert!(limiter.check(7_u32).is_allowed());
    assert!(limiter.check(("7", 7_u64)).is_allowed());
    assert!(limiter.check((7_u64, "7")).is_allowed());
    assert!(limiter.check(("7", 7_u64, "")).is_allowed());
    let address: IpAddr = [10, 0, 0, 1].into();
    assert!(limiter.check(address).is_allowed());
    assert!(
        !limiter.check("7".to_owned()).is_allowed(),
        "a String is its str"
    );
    assert!(!limiter.check(b"7").is_allowed(), "and its bytes");
    let shared: Arc<str> = "7".into();
    assert!(!limiter.check(&shared).is_allowed(), "and whoever owns it");
    let lent: Cow<'_, str> = "7".into();
    assert!(!limiter.check((lent, 7_u64)).is_allowed());
}

#[test]
fn addresses_of_one_subscriber_have_one_bucket() {
    let (limiter, _clock) = limiter(Limit::per_hour(1));
    let network = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 0).to_bits();
    let host = |number: u128| IpAddr::from(Ipv6Addr::from_bits(network | number));
    assert!(limiter.check(subscriber(host(1))).is_allowed());
    assert!(!limiter.check(subscriber(host(1 << 63))).is_allowed());
    let other = IpAddr::from(Ipv6Addr::from_bits(network + (1 << 64)));
    assert!(limiter.check(subscriber(other)).is_allowed());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn keys_of_any_bytes_and_any_length_are_told_apart(
        mut keys in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..200), 1..40),
        length in 1_usize..200_000,
    ) {
        keys.insert(vec![0; length]);
        let (limiter, _clock) = limiter(Limit::per_hour(1));
        for key in &keys {
            prop_assert!(limiter.check(key).is_allowed());
        }
        for key in &keys {
            prop_assert!(!limiter.check(key).is_allowed());
        }
        prop_assert_eq!(limiter.counters().keys, keys.len() as u64);
    }
}

// --- Exactness ---

/// The textbook's bucket, in whole numbers: its level is in units × the rate's period.
struct Reference {
    limit: Limit,
    level: u128,
    seen_ns: u64,
}

impl Reference {
    fn drain(&mut self, now_ns: u64) {
        let drained = u128::from(now_ns - self.seen_ns) * u128::from(self.limit.rate().units());
        self.level = self.level.saturating_sub(drained);
        self.seen_ns = now_ns;
    }

    /// By how much a cost does not fit: negative if it does.
    fn excess(&self, cost_units: u64) -> i128 {
        let period = u128::from(self.limit.rate().period_ns());
        let after = self.level + u128::from(cost_units) * period;
        let full = u128::from(self.limit.burst_units()) * period;
        after as i128 - full as i128
    }

    fn charge(&mut self, cost_units: u64) {
        self.level += u128::from(cost_units) * u128::from(self.limit.rate().period_ns());
    }
}

fn limits() -> impl Strategy<Value = Limit> {
    (1_u64..1000, 1_u64..100_000, 1_u64..200).prop_filter_map(
        "a rate of at most 1000/s",
        |(units, ms, burst)| {
            let limit = Limit::try_per(units, Duration::from_millis(ms)).ok()?;
            let slow = limit.rate().per_second() <= 1000.0;
            slow.then(|| limit.burst(burst))
        },
    )
}

proptest! {
    #![proptest_config(config())]

    /// Wherever the reference's answer is not within two quanta (2⁻¹⁹ units) of being another.
    #[test]
    fn every_decision_is_the_reference_buckets(
        limit in limits(),
        requests in prop::collection::vec((0_u64..4000, 0_u64..12), 1..200),
    ) {
        let (limiter, clock) = limiter(limit);
        let mut reference = Reference { limit, level: 0, seen_ns: 0 };
        let unit_ns = limit.rate().period_ns() / limit.rate().units();
        let quanta = (limit.rate().period_ns() >> 19) as i128 + 1;
        for (wait, cost_units) in requests {
            clock.advance(Duration::from_nanos(wait * unit_ns / 1000));
            reference.drain(clock.now_ns());
            let decision = limiter.check_n("ann", cost_units);
            let excess = reference.excess(cost_units);
            if cost_units == 0 {
                prop_assert!(decision.is_allowed());
            } else if excess.abs() > quanta {
                prop_assert_eq!(decision.is_allowed(), excess < 0, "excess {}", excess);
            }
            if decision.is_allowed() {
                reference.charge(cost_units);
            }
        }
    }

    #[test]
    fn retry_after_is_the_earliest_instant_that_admits(
        limit in limits(), cost in 1_u64..200, begin_ns in 0..SECOND_NS, steps in
        prop::collection::vec(0.0_f64..1.0, 1..10),
    ) {
        let (limiter, clock) = limiter(limit);
        clock.set_ns(begin_ns);
        let cost = cost.min(limit.burst_units());
        while limiter.check("ann").is_allowed() {}
        let promised = limiter.check_n("ann", cost).retry_after().expect("it fits one day");
        let promised_ns = begin_ns + u64::try_from(promised.as_nanos()).expect("less than a year");
        for step in steps {
            let left_ns = promised_ns - clock.now_ns();
            let wait_ns = (left_ns as f64 * step) as u64;
            clock.advance(Duration::from_nanos(wait_ns.min(left_ns - 1)));
            let refused = limiter.check_n("ann", cost);
            prop_assert!(!refused.is_allowed());
            let left = Duration::from_nanos(promised_ns - clock.now_ns());
            prop_assert_eq!(refused.retry_after(), Some(left), "it keeps its word");
        }
        clock.set_ns(promised_ns - 1);
        prop_assert!(!limiter.check_n("ann", cost).is_allowed());
        clock.set_ns(promised_ns);
        prop_assert!(limiter.check_n("ann", cost).is_allowed());
    }
}

/// What a caller who never stops asking gets in `steps` of `step`: to the unit what the rate gave
/// back, and the burst.
fn assert_long_run(limit: Limit, step: Duration, steps: u64) {
    let (limiter, clock) = limiter(limit);
    let mut admitted = 0_u64;
    for _ in 0..=steps {
        while limiter.check("ann").is_allowed() {
            admitted += 1;
        }
        clock.advance(step);
    }
    let elapsed_ns = step.as_nanos() * u128::from(steps);
    let rate = limit.rate();
    let given_back = elapsed_ns * u128::from(rate.units()) / u128::from(rate.period_ns());
    let expected = given_back + u128::from(limit.burst_units());
    assert_eq!(u128::from(admitted), expected, "{limit:?}");
}

#[test]
fn the_long_run_is_exact_at_any_rate() {
    let fractional = |units_per_s| Limit::try_rate(units_per_s, 3).expect("a fine rate");
    let step = Duration::from_nanos(76_543_211);
    assert_long_run(fractional(2.5), step, 300_000);
    assert_long_run(fractional(0.3), step, 300_000);
    assert_long_run(fractional(1.0 / 3.0), step, 300_000);
    assert_long_run(
        Limit::per(1, Duration::from_secs(3)).burst(2),
        step,
        300_000,
    );
    assert_long_run(
        Limit::per(7, Duration::from_secs(11)).burst(2),
        step,
        300_000,
    );
    assert_long_run(Limit::per_second(999).burst(90), step, 20_000);
}

#[test]
fn a_thousand_million_a_second_is_counted_to_the_unit() {
    let (limiter, clock) = limiter(Limit::per_second(1_000_000_000).burst(5));
    assert_eq!(allowed(&limiter, "ann", 10), 5);
    assert_eq!(
        limiter.check("ann").retry_after(),
        Some(Duration::from_nanos(1))
    );
    for _ in 0..1000 {
        clock.advance(Duration::from_nanos(1));
        assert_eq!(allowed(&limiter, "ann", 3), 1);
    }
    let whole = Limit::per_second(1_000_000_000);
    let limiter = Limiter::local_with_clock(whole, Arc::new(clock));
    assert!(limiter.check_n("ann", 1_000_000_000).is_allowed());
    assert!(!limiter.check("ann").is_allowed());
}

#[test]
fn one_a_day_and_one_a_month_come_back_on_the_nanosecond() {
    let month = DAY * 30;
    for (limit, period) in [(Limit::per_day(1), DAY), (Limit::per(1, month), month)] {
        let (limiter, clock) = limiter(limit);
        assert_eq!(allowed(&limiter, "ann", 3), 1);
        assert_eq!(limiter.check("ann").retry_after(), Some(period));
        clock.advance(period - Duration::from_nanos(1));
        assert!(!limiter.check("ann").is_allowed());
        clock.advance(Duration::from_nanos(1));
        assert!(limiter.check("ann").is_allowed());
    }
}

// --- Threads ---

#[test]
fn eight_threads_get_a_burst_and_not_one_more_nor_less() {
    const BURST: u64 = 5000;
    let (limiter, _clock) = limiter(Limit::per_second(1).burst(BURST));
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (limiter, admitted) = (limiter.clone(), &admitted);
            scope.spawn(move || {
                admitted.fetch_add(allowed(&limiter, "ann", 1500), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(admitted.load(Ordering::SeqCst), BURST);
    let counters = limiter.counters();
    assert_eq!((counters.allowed_owned, counters.refused), (BURST, 7000));
}

// --- Clocks ---

#[test]
fn a_clock_that_stands_still_or_steps_back_only_burns() {
    let (limiter, clock) = limiter(Limit::per_second(1).burst(2));
    clock.set_ns(100 * SECOND_NS);
    assert_eq!(allowed(&limiter, "ann", 50), 2);
    clock.set_ns(0);
    assert_eq!(allowed(&limiter, "ann", 50), 0, "back");
    clock.set_ns(50 * SECOND_NS);
    assert_eq!(
        allowed(&limiter, "ann", 50),
        0,
        "forward over the same time"
    );
    clock.set_ns(101 * SECOND_NS);
    assert_eq!(allowed(&limiter, "ann", 50), 1);
}

#[test]
fn a_clock_may_begin_anywhere_and_end() {
    let limit = Limit::per_second(1_000_000).burst(2);
    for begin_ns in [1_780_000_000 * SECOND_NS, 1 << 61, u64::MAX - SECOND_NS / 2] {
        let clock = ManualClock::new();
        clock.set_ns(begin_ns);
        let limiter = Limiter::local_with_clock(limit, Arc::new(clock.clone()));
        assert_eq!(limiter.check("ann").decided_at_ns(), begin_ns);
        assert_eq!(allowed(&limiter, "ann", 9), 1);
        clock.advance(Duration::from_micros(1));
        assert_eq!(allowed(&limiter, "ann", 9), 1, "from {begin_ns}");
        clock.advance(Duration::MAX);
        assert_eq!(clock.now_ns(), u64::MAX);
        assert!(
            allowed(&limiter, "ann", 9) <= 2,
            "at the end of time it stands still"
        );
    }
    let (limiter, clock) = limiter(limit);
    clock.set_ns(u64::MAX);
    assert_eq!(allowed(&limiter, "ann", 9), 2);
    assert_eq!(
        allowed(&limiter, "ann", 9),
        0,
        "and refuses rather than panics"
    );
}

/// Panics when told to, without a word on standard error.
struct Moody {
    clock: ManualClock,
    panics: Arc<AtomicBool>,
}

impl Clock for Moody {
    fn now_ns(&self) -> u64 {
        if self.panics.load(Ordering::SeqCst) {
            resume_unwind(Box::new("a moody clock"));
        }
        self.clock.now_ns()
    }
}

#[test]
fn a_clock_that_panics_leaves_check_working() {
    let (clock, panics) = (ManualClock::new(), Arc::new(AtomicBool::new(false)));
    let moody = Moody {
        clock: clock.clone(),
        panics: Arc::clone(&panics),
    };
    let limiter = Limiter::local_with_clock(Limit::per_second(1).burst(3), Arc::new(moody));
    assert!(limiter.check("ann").is_allowed());
    panics.store(true, Ordering::SeqCst);
    assert_eq!(
        allowed(&limiter, "ann", 10),
        2,
        "on the latest time it gave"
    );
    assert_eq!(limiter.peek("ann").remaining, 0);
    panics.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    assert_eq!(allowed(&limiter, "ann", 10), 1);
    assert_eq!(limiter.counters().refused, 8 + 9);
}

#[test]
fn the_systems_clock_moves_on() {
    let clock = MonotonicClock::new();
    let begin_ns = clock.now_ns();
    while clock.now_ns() == begin_ns {}
    let limiter = Limiter::local(Limit::per_hour(2));
    assert_eq!(allowed(&limiter, "ann", 5), 2);
}

// --- Limits ---

#[test]
fn every_mistake_in_a_limit_has_its_name() {
    use LimitError as E;
    let second = Duration::from_secs(1);
    let rate = |units_per_s| Limit::try_rate(units_per_s, 1).err();
    assert_eq!(rate(0.0), Some(E::RateZero));
    assert_eq!(rate(-0.0), Some(E::RateZero));
    assert_eq!(rate(-2.0), Some(E::RateNegative(-2.0)));
    assert!(matches!(rate(f64::NAN), Some(E::RateNotFinite(given)) if given.is_nan()));
    assert_eq!(rate(f64::INFINITY), Some(E::RateNotFinite(f64::INFINITY)));
    assert_eq!(
        rate(f64::NEG_INFINITY),
        Some(E::RateNotFinite(f64::NEG_INFINITY))
    );
    assert_eq!(rate(1.1e9), Some(E::RateTooHigh));
    assert_eq!(rate(f64::MAX), Some(E::RateTooHigh));
    assert_eq!(rate(f64::MIN_POSITIVE), Some(E::RateTooLow));
    assert_eq!(Limit::try_per(0, second), Err(E::RateZero));
    assert_eq!(Limit::try_per(5, Duration::ZERO), Err(E::PeriodZero));
    assert_eq!(Limit::try_per(u64::MAX, second), Err(E::RateTooHigh));
    assert_eq!(Limit::try_per(1, Duration::MAX), Err(E::RateTooLow));
    assert_eq!(Limit::per_second(1).try_burst(0), Err(E::BurstZero));
    assert_eq!(Limit::try_rate(1.0, 0), Err(E::BurstZero));
    let much = (1 << 40) + 1;
    assert_eq!(
        Limit::per_second(1).try_burst(much),
        Err(E::BurstTooLarge(much))
    );
    assert!(Limit::per_second(1).try_burst(1 << 40).is_ok());
    for overshoot in [-0.1, f64::NAN, f64::INFINITY, 1001.0] {
        let error = distributary::Overshoot::new(overshoot).expect_err("out of range");
        assert!(matches!(error, E::OvershootOutOfRange(_)));
        assert!(error.to_string().contains("overshoot"), "{error}");
    }
    assert_eq!(Rate::new(3, Duration::ZERO), Err(E::PeriodZero));
}

#[test]
fn limits_are_constants() {
    const API: Limit = Limit::per_minute(100).burst(250);
    assert_eq!(API.burst_units(), 250);
    let rate = API.rate();
    assert_eq!((rate.units(), rate.period_ns()), (1, SECOND_NS * 6 / 10));
    assert_eq!(Limit::per_hour(3600), Limit::per_second(1).burst(3600));
}
