//! The world itself: one seed is one run, shares are never made, and clocks do not matter.
//!
//! Scenarios are small, and judged here by sums and comparisons of their own; the checkers judge
//! the same runs again elsewhere.

use simulations::history::{Arrival, Run, What};
use simulations::scenario::{Fault, FaultKind, Mode, Quality, Scenario};
use simulations::strategy::{Shares, Strategy};
use simulations::world::{Options, run};

/// Five nodes, 100 units and as many a second, asked for twice that.
fn scenario(faults: Vec<(u64, FaultKind)>) -> Scenario {
    let text = r#"
        name = "small"
        seed = 11
        duration_ms = 12000
        [cluster]
        nodes = 5
        burst_units = 100
        rate_units = 100
        [workload]
        load_milli = 2000
    "#;
    let mut scenario: Scenario = toml::from_str(text).expect("it is a scenario");
    let fault = |(at_ms, kind)| Fault { at_ms, kind };
    scenario.faults = faults.into_iter().map(fault).collect();
    scenario
}

fn arrivals(scenario: &Scenario) -> Vec<Arrival> {
    simulations::workload::arrivals(scenario).expect("a workload that can be drawn")
}

fn halves() -> FaultKind {
    FaultKind::Partition(vec![vec![0, 1], vec![2, 3, 4]])
}

/// A good part of what can go wrong.
fn faulty() -> Scenario {
    let lossy = Quality {
        loss_milli: 100,
        double_milli: 50,
        tail_milli: 20,
        ..Quality::LAN
    };
    let mut scenario = scenario(vec![
        (1_000, halves()),
        (4_000, FaultKind::Heal),
        (4_500, FaultKind::Crash(4)),
        (5_000, FaultKind::Pause(3)),
        (5_500, FaultKind::Network(lossy)),
        (6_000, FaultKind::Restart(4)),
        (7_000, FaultKind::ClockStep(0, -3_000)),
        (9_000, FaultKind::Resume(3)),
        (9_500, FaultKind::Leave(1)),
        (10_000, FaultKind::Join),
    ]);
    scenario.mode = Mode::Mixed(30);
    scenario.cluster.overshoot_milli = 200;
    scenario.heal_ms = 30_000;
    scenario
}

fn admitted(run: &Run) -> Vec<(u64, u64)> {
    let units = |arrival: u32| run.arrivals[arrival as usize].cost;
    let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
    admitted
        .map(|outcome| (outcome.charged_ns, units(outcome.arrival)))
        .collect()
}

/// How many units the fullest bucket would have had to hold, that regains r a second.
fn fullest(run: &Run, rate_per_s: f64) -> f64 {
    let (mut level, mut most, mut last_ns) = (0.0f64, 0.0f64, 0);
    for (at_ns, units) in admitted(run) {
        let drained = (at_ns - last_ns) as f64 / 1e9 * rate_per_s;
        level = (level - drained).max(0.0) + units as f64;
        (most, last_ns) = (most.max(level), at_ns);
    }
    most
}

/// Sums of shares, held and on their way, as parts of the whole, while all count as one group.
fn sums(run: &Run) -> Vec<(u64, u64)> {
    let mut groups = 1;
    let mut sums = Vec::new();
    for note in &run.notes {
        match &note.what {
            What::Groups(now) => groups = *now,
            What::Holdings(held) if groups == 1 => {
                sums.push((held.held_parts + held.in_flight_parts, held.whole_parts));
            }
            _ => {}
        }
    }
    sums
}

fn fingerprint() -> String {
    let scenario = faulty();
    let run = Shares.run(&scenario, &arrivals(&scenario));
    format!("{:016x} {}", run.trace_hash, admitted(&run).len())
}

/// Asked for by its own name in another process.
const CHILD: &str = "DISTRIBUTARY_FINGERPRINT_CHILD";

#[test]
fn one_seed_is_one_run_in_two_processes() {
    let here = fingerprint();
    if std::env::var_os(CHILD).is_some() {
        println!("fingerprint {here}");
        return;
    }
    let name = "one_seed_is_one_run_in_two_processes";
    let child = std::process::Command::new(std::env::current_exe().expect("this test runs"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test binary can be run again");
    let told = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(
        told.contains(&format!("fingerprint {here}")),
        "{here}: {told}"
    );
    let mut other = faulty();
    other.seed += 1;
    let run = Shares.run(&other, &arrivals(&other));
    assert!(
        !here.starts_with(&format!("{:016x}", run.trace_hash)),
        "seeds must show"
    );
}

#[test]
fn shares_are_never_made_whatever_goes_wrong() {
    let scenario = faulty();
    let deep = Options {
        deep: true,
        ..Options::default()
    };
    let seen = run(&scenario, &arrivals(&scenario), deep);
    let sums = sums(&seen);
    assert!(sums.len() > 1_000, "only {} readings", sums.len());
    for (sum, whole) in sums {
        assert!(sum <= whole, "{sum} of {whole}");
    }
    assert!(
        fullest(&seen, 100.0) <= 120.0 + 1e-6,
        "{}",
        fullest(&seen, 100.0)
    );
    for mark in [
        "restarted",
        "left",
        "datagram-lost",
        "link-timed-out",
        "clock-held-back",
    ] {
        assert!(seen.marks[mark] > 0, "{mark} was not hit: {:?}", seen.marks);
    }
}

#[test]
fn watching_closely_changes_nothing() {
    let scenario = faulty();
    let arrivals = arrivals(&scenario);
    let deep = Options {
        deep: true,
        ..Options::default()
    };
    let (far, close) = (
        run(&scenario, &arrivals, Options::default()),
        run(&scenario, &arrivals, deep),
    );
    assert_eq!(
        (far.trace_hash, far.outcomes),
        (close.trace_hash, close.outcomes)
    );
}

#[test]
fn both_sides_of_a_partition_go_on_within_the_bound() {
    let scenario = scenario(vec![(2_000, halves()), (9_000, FaultKind::Heal)]);
    let run = Shares.run(&scenario, &arrivals(&scenario));
    assert!(
        fullest(&run, 100.0) <= 100.0 + 1e-6,
        "{}",
        fullest(&run, 100.0)
    );
    let within = |outcome: &&simulations::Outcome| {
        outcome.admitted && (5_000_000_000..9_000_000_000).contains(&outcome.charged_ns)
    };
    let mut sides = [0, 0];
    for outcome in run.outcomes.iter().filter(within) {
        sides[usize::from(run.arrivals[outcome.arrival as usize].place > 1)] += 1;
    }
    // Four seconds at r, divided as shares were when the cut came: some two to three.
    assert!(sides[0] > 80 && sides[1] > 120, "{sides:?}");
    assert!(sides[0] + sides[1] <= 401, "{sides:?}");
}

#[test]
fn a_paused_process_admits_only_what_its_own_bucket_allows() {
    let scenario = scenario(vec![
        (3_000, FaultKind::Pause(2)),
        (9_000, FaultKind::Resume(2)),
    ]);
    let run = Shares.run(&scenario, &arrivals(&scenario));
    let asleep = |at_ns: u64| (3_000_000_000..9_000_000_000).contains(&at_ns);
    let at_two = run
        .outcomes
        .iter()
        .filter(|one| run.arrivals[one.arrival as usize].place == 2);
    assert!(at_two.clone().all(|one| !asleep(one.answered_ns)));
    let woken = at_two.filter(|one| one.answered_ns == 9_000_000_000);
    assert!(woken.count() > 100, "requests wait for it");
    assert!(fullest(&run, 100.0) <= 100.0 + 1e-6);
    assert!(run.marks["resumed-lost"] > 0 && run.marks["link-timed-out"] > 0);
}

/// Hours apart, clocks decide nothing.
#[test]
fn clocks_hours_apart_make_no_difference() {
    let scenario = faulty();
    let arrivals = arrivals(&scenario);
    let at_one = Options {
        clocks_apart: false,
        ..Options::default()
    };
    let together = run(&scenario, &arrivals, at_one);
    let apart = run(&scenario, &arrivals, Options::default());
    assert!(together.outcomes.len() > 1_000);
    assert_eq!(together.outcomes, apart.outcomes);
}

/// A clock that runs too fast gives too much, and says so; by no more than its part of it.
#[test]
fn a_fast_clock_gives_no_more_than_its_rate_error() {
    let mut scenario = scenario(
        (0..5)
            .map(|place| (0, FaultKind::ClockRate(place, 10_000)))
            .collect(),
    );
    scenario.duration_ms = 30_000;
    let run = Shares.run(&scenario, &arrivals(&scenario));
    assert_eq!(run.clock_error_ppm, 10_000);
    assert!(
        fullest(&run, 101.0) <= 100.0 + 1e-6,
        "{}",
        fullest(&run, 101.0)
    );
    assert!(
        fullest(&run, 100.0) > 101.0,
        "nobody runs fast: {}",
        fullest(&run, 100.0)
    );
}

#[test]
fn a_killed_node_is_missed_and_a_healed_cluster_agrees() {
    let mut scenario = scenario(vec![(2_000, FaultKind::Crash(1))]);
    scenario.heal_ms = 30_000;
    scenario.cluster.evict_after_ms = Some(4_000);
    let run = Shares.run(&scenario, &arrivals(&scenario));
    let missed = |note: &&simulations::history::Note| {
        matches!(
            note.what,
            What::Suspected {
                of: 1,
                alive: false,
                runs: false,
                ..
            }
        )
    };
    assert_eq!(run.notes.iter().filter(missed).count(), 4);
    assert!(run.marks["evicted"] > 0);
    assert!(run.notes.iter().any(|note| note.what == What::Converged));
    assert!(
        (4.1..4.3).contains(&run.traffic.nodes),
        "{} nodes on average",
        run.traffic.nodes
    );
}

#[test]
fn acquire_is_exact_and_its_charges_are_dated_by_their_holder() {
    let mut scenario = scenario(Vec::new());
    scenario.mode = Mode::Acquire;
    let run = Shares.run(&scenario, &arrivals(&scenario));
    let by_holder = run
        .outcomes
        .iter()
        .filter(|one| one.basis == simulations::history::Basis::Holder);
    // Two flights of one to three milliseconds: charged in the middle.
    let trip = |one: &simulations::Outcome| one.answered_ns - one.charged_ns;
    assert!(by_holder.clone().count() > 100);
    assert!(
        by_holder
            .filter(|one| one.admitted)
            .all(|one| trip(one) <= 3_100_000)
    );
    assert!(
        fullest(&run, 100.0) <= 100.0 + 1e-6,
        "{}",
        fullest(&run, 100.0)
    );
    assert!(admitted(&run).len() > 1_250, "{}", admitted(&run).len());
}
