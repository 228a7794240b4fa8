use super::*;
use crate::scenario::{Placement, Popularity};

const SECOND_NS: u64 = 1_000_000_000;

/// 100 units and 100/s on five nodes for 60 s; what is asked is the case's own.
fn scenario(workload: &str) -> Scenario {
    let text = format!(
        "name = \"test\"\nseed = 7\nduration_ms = 60000\n\
         [cluster]\nnodes = 5\nburst_units = 100\nrate_units = 100\n[workload]\n{workload}"
    );
    toml::from_str(&text).expect("a scenario")
}

fn drawn(scenario: &Scenario) -> Vec<Arrival> {
    let arrivals = arrivals(scenario).expect("arrivals");
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at_ns));
    let end_ns = scenario.duration_ms * 1_000_000;
    assert!(arrivals.iter().all(|arrival| arrival.at_ns < end_ns));
    arrivals
}

fn per_place(arrivals: &[Arrival], places: usize) -> Vec<usize> {
    let count = |place| {
        arrivals
            .iter()
            .filter(|a| a.place as usize == place)
            .count()
    };
    (0..places).map(count).collect()
}

#[test]
fn the_same_seed_gives_the_same_arrivals_and_another_others() {
    let mut scenario = scenario("load_milli = 2000\ncosts = [1, 2]");
    let first = drawn(&scenario);
    assert_eq!(first, drawn(&scenario));
    scenario.seed += 1;
    assert_ne!(first, drawn(&scenario));
}

#[test]
fn streams_do_not_move_each_other() {
    let even = drawn(&scenario("load_milli = 2000"));
    let many = drawn(&scenario(
        "load_milli = 1000\nkeys = 2\nplacement = \"round-robin\"",
    ));
    let instants =
        |arrivals: &[Arrival]| -> Vec<u64> { arrivals.iter().map(|a| a.at_ns).collect() };
    assert_eq!(instants(&even), instants(&many));
    assert_ne!(even, many);
}

#[test]
fn poisson_arrivals_have_the_mean_and_the_spread_of_their_law() {
    let arrivals = drawn(&scenario("load_milli = 2000"));
    // 12,000 on average, with a deviation of 110.
    assert!(arrivals.len().abs_diff(12_000) < 330, "{}", arrivals.len());
    let mut seconds = [0i64; 60];
    for arrival in &arrivals {
        seconds[(arrival.at_ns / SECOND_NS) as usize] += 1;
    }
    // The variance of a Poisson count is its mean, 200; regular arrivals have none.
    let variance = seconds.iter().map(|n| (n - 200) * (n - 200)).sum::<i64>() / 60;
    assert!((120..320).contains(&variance), "{variance}");
    for (place, count) in per_place(&arrivals, 5).into_iter().enumerate() {
        assert!(count.abs_diff(2_400) < 200, "{place}: {count}");
    }
}

#[test]
fn loads_count_units_and_may_be_fractions() {
    let regular = |rest: &str| drawn(&scenario(&format!("timing = \"regular\"\n{rest}"))).len();
    assert_eq!(regular("load_milli = 1"), 6);
    assert_eq!(regular("load_milli = 1500"), 9_000);
    assert_eq!(regular("load_milli = 1500\ncosts = [1, 2]"), 6_000);
    assert_eq!(regular("load_milli = 500\nkeys = 4"), 12_000);
    assert_eq!(regular("load_milli = 0"), 0);
    let mut huge = scenario("load_milli = 2000\ntiming = \"regular\"\ncosts = [5000000]");
    huge.cluster.rate_units = 1_000_000_000;
    assert_eq!(drawn(&huge).len(), 24_000);
    huge.workload.costs = vec![1];
    assert!(arrivals(&huge).is_err(), "120 milliards of requests");
    huge.workload.costs = vec![0];
    assert!(arrivals(&huge).is_err(), "a cost of 0");
}

#[test]
fn requests_keep_to_their_window() {
    let arrivals = drawn(&scenario(
        "load_milli = 2000\nfrom_ms = 10000\nuntil_ms = 20000",
    ));
    let window = 10 * SECOND_NS..20 * SECOND_NS;
    assert!(arrivals.iter().all(|a| window.contains(&a.at_ns)));
    assert!(arrivals.len().abs_diff(2_000) < 150, "{}", arrivals.len());
}

#[test]
fn on_off_is_silent_every_other_phase() {
    let arrivals = drawn(&scenario("load_milli = 1000\ntiming = { on-off = 5000 }"));
    assert!(
        arrivals
            .iter()
            .all(|a| (a.at_ns / (5 * SECOND_NS)).is_multiple_of(2))
    );
    assert!(arrivals.len().abs_diff(3_000) < 200, "{}", arrivals.len());
}

#[test]
fn bursts_come_whole_and_to_the_place_that_is_hot() {
    let mut scenario = scenario(
        "load_milli = 0\nplacement = { moving = 2000 }\n\
         timing = { bursts = { count = 100, within_ms = 50, each_ms = 2000, everywhere = false } }",
    );
    let arrivals = drawn(&scenario);
    assert_eq!(arrivals.len(), 3_000);
    for (number, burst) in arrivals.chunks(100).enumerate() {
        let from_ns = number as u64 * 2 * SECOND_NS;
        let span = from_ns..=from_ns + 50_000_000;
        assert!(burst.iter().all(|a| span.contains(&a.at_ns)));
        assert!(burst.iter().all(|a| a.place as usize == number % 5));
    }
    scenario.workload.timing = Timing::Bursts {
        count: 100,
        within_ms: 50,
        each_ms: 2_000,
        everywhere: true,
    };
    assert_eq!(per_place(&drawn(&scenario), 5), [3_000; 5]);
}

#[test]
fn placements_are_what_they_say() {
    let placed = |placement: Placement| {
        let mut scenario = scenario("load_milli = 2000\nkeys = 50");
        scenario.workload.load_milli = 40;
        scenario.workload.placement = placement;
        drawn(&scenario)
    };
    let skewed = placed(Placement::Skewed(890));
    let counts = per_place(&skewed, 5);
    let hot_milli = counts[0] * 1000 / skewed.len();
    assert!(hot_milli.abs_diff(890) < 12, "{hot_milli}");
    assert!(
        counts[1..].iter().all(|n| n.abs_diff(counts[4]) < 100),
        "{counts:?}"
    );
    let in_turn = placed(Placement::RoundRobin);
    assert!((0..).zip(&in_turn).all(|(k, a)| a.place == k % 5));
    let moving = placed(Placement::Moving(2_000));
    let hot = |at_ns: u64| at_ns / (2 * SECOND_NS) % 5;
    assert!(moving.iter().all(|a| u64::from(a.place) == hot(a.at_ns)));
    let sticky = placed(Placement::Sticky);
    let mut homes = std::collections::BTreeMap::new();
    assert!(
        sticky
            .iter()
            .all(|a| *homes.entry(a.key).or_insert(a.place) == a.place)
    );
    assert!(per_place(&sticky, 5).iter().all(|count| *count > 0));
}

#[test]
fn popularity_follows_zipf() {
    let mut scenario = scenario("load_milli = 1\nkeys = 100000");
    scenario.workload.popularity = Popularity::Zipf(1_000);
    scenario.workload.load_milli = 5;
    let arrivals = drawn(&scenario);
    let count = |key| arrivals.iter().filter(|a| a.key == key).count() as f64;
    // Σ 1/k up to 10⁵ is 12.09.
    let expected = arrivals.len() as f64 / 12.09;
    assert!((count(0) / expected - 1.0).abs() < 0.02, "{}", count(0));
    assert!((count(1) / expected - 0.5).abs() < 0.02, "{}", count(1));
    assert!(arrivals.iter().any(|a| a.key > 90_000));
}

#[test]
fn nobody_is_sent_to_a_place_that_does_not_run() {
    let mut scenario = scenario("load_milli = 2000\nplacement = { skewed = 900 }");
    scenario.faults = toml::from_str::<Faults>(
        "[[faults]]\nat_ms = 10000\nkind = { crash = 0 }\n\
         [[faults]]\nat_ms = 20000\nkind = { restart = 0 }\n\
         [[faults]]\nat_ms = 30000\nkind = \"join\"\n\
         [[faults]]\nat_ms = 40000\nkind = { leave = 1 }\n",
    )
    .expect("faults")
    .faults;
    let arrivals = drawn(&scenario);
    let within = |from: u64, to: u64, place: u32| {
        let span = from * SECOND_NS..to * SECOND_NS;
        let there = arrivals.iter().filter(|a| a.place == place);
        there.filter(|a| span.contains(&a.at_ns)).count()
    };
    assert_eq!(within(10, 20, 0), 0);
    assert!(within(10, 20, 1) > 1_500, "the next place has the hot spot");
    assert!(within(20, 30, 0) > 1_500);
    assert_eq!(within(0, 30, 5), 0);
    assert!(within(30, 60, 5) > 50);
    assert_eq!(within(40, 60, 1), 0);
}

#[test]
fn a_log_plays_at_a_speed_and_spreads_each_second() {
    let log = std::env::temp_dir().join(format!("distributary-log-{}", std::process::id()));
    let line = |client: &str, second: u32| {
        format!("{client} - - [01/Aug/1995:06:00:{second:02} +0000] \"GET / HTTP/1.0\" 200 1\n")
    };
    let text = [line("a", 5), line("b", 7), line("a", 7), line("a", 9)].concat();
    std::fs::write(&log, text).expect("a file");
    let mut scenario = scenario("load_milli = 0");
    let path = log.display().to_string();
    assert_eq!(log_span_s(&path).expect("a log"), 5);
    scenario.workload.timing = Timing::Log {
        path,
        seconds: Some(3),
        speed: 1,
    };
    let found: Vec<(u64, u32)> = drawn(&scenario).iter().map(|a| (a.at_ns, a.key)).collect();
    if let Timing::Log { speed, .. } = &mut scenario.workload.timing {
        *speed = 600;
    }
    let fast: Vec<u64> = drawn(&scenario).iter().map(|a| a.at_ns).collect();
    assert_eq!(
        fast,
        [0, 2 * SECOND_NS / 600, 5 * SECOND_NS / 1200],
        "and at 600 times it"
    );
    assert_eq!(
        found,
        [
            (0, 0),
            (2 * SECOND_NS, 1),
            (2 * SECOND_NS + SECOND_NS / 2, 0)
        ]
    );
    std::fs::remove_file(log).expect("it was there");
    assert!(arrivals(&scenario).is_err(), "no such file");
}

#[derive(serde::Deserialize)]
struct Faults {
    faults: Vec<crate::scenario::Fault>,
}
