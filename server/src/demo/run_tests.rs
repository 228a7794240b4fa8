//! Whole runs in small, and the way from a history to an exit code.

use clap::Parser;

use super::*;
use crate::demo::{args::Args, drive::Outcome, exit_code, schedule::Request, verdict::bound};

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

fn options(typed: &str) -> Options {
    let words = std::iter::once("demo").chain(typed.split_whitespace());
    let args = Typed::try_parse_from(words).expect("good").args;
    Options::new(&args, 1).expect("good")
}

/// A plan for `requests` requests of one client, one a millisecond.
fn plan(typed: &str, requests: u64) -> Plan {
    let options = options(typed);
    let requests = (0..requests).map(|index| Request {
        at_ns: index * 1_000_000,
        client: 0,
        target: None,
    });
    let schedule = Schedule {
        requests: requests.collect(),
        clients: vec!["a".to_owned()],
        ..Schedule::default()
    };
    Plan {
        setup: Setup {
            nodes: options.nodes,
            limit: cluster::limit(options.rate, options.limit.burst_units).expect("a limit"),
            overshoot: options.overshoot.as_f64(),
            tick: options.tick,
            evict_after: options.evict_after,
        },
        schedule: Arc::new(schedule),
        lines: None,
        json: None,
        page: None,
        options,
    }
}

/// So many units admitted to one client at one instant.
fn admitted_at_once(units: usize) -> Seen {
    let outcome = Outcome {
        client: 0,
        allowed: true,
        decided_at_ns: 5,
        took_ns: 100,
        misdated: false,
    };
    Seen {
        driven: Driven {
            outcomes: vec![outcome; units],
            lag_ns_max: 0,
        },
        duration_ns: 1,
        ..Seen::default()
    }
}

#[test]
fn a_history_one_unit_over_the_bound_ends_with_exit_code_1() {
    let plan = plan("--rate 1/s --burst 10 --overshoot 0.2", 20);
    let code = |units| {
        let (figures, verdict) = plan.figures(&admitted_at_once(units));
        (figures.overshoot_units, exit_code(Ok(verdict)))
    };
    assert_eq!(code(12), (2.0, 0));
    assert_eq!(code(13), (3.0, 1));
    assert_eq!(code(3), (0.0, 0));
}

#[test]
fn failures_have_their_own_exit_codes() {
    assert_eq!(exit_code(Err(Failure::Input(anyhow!("bad")))), 2);
    assert_eq!(exit_code(Err(Failure::Run(anyhow!("bad")))), 3);
}

/// C8: a demo that makes groups is judged by their bound.
#[test]
fn a_cut_that_outlasts_the_eviction_widens_the_bound() {
    let second = 1_000_000_000;
    let short = bound(
        &options("--partition 10..18 --evict-after 60s"),
        30 * second,
    );
    assert_eq!((short.groups, short.grouped_ns), (1, 0));
    let never = bound(
        &options("--partition 10..18 --evict-after never"),
        30 * second,
    );
    assert_eq!((never.groups, never.grouped_ns), (1, 0));
    let long = bound(&options("--partition 10..18 --evict-after 2s"), 30 * second);
    assert_eq!((long.groups, long.grouped_ns), (2, 18 * second));
}

#[test]
fn a_partition_must_end_within_the_run() {
    let options = options("--partition 10..18");
    assert!(check_partition(&options, 18_000_000_000).is_ok());
    assert!(check_partition(&options, 17_999_999_999).is_err());
}

#[test]
fn a_run_asks_for_everything_and_keeps_its_bound() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for mode in ["check", "acquire"] {
        let typed = format!("--rate 10/s --burst 20 --mode {mode} --partition 0.05..0.1");
        let plan = plan(&typed, 150);
        let seen = runtime.block_on(plan.see()).expect("a run");
        let (figures, verdict) = plan.figures(&seen);
        assert_eq!(verdict, Verdict::Kept);
        assert_eq!((figures.requests, seen.driven.outcomes.len()), (150, 150));
        assert_eq!(figures.ideal_admitted, 21);
        assert!(figures.admitted > 0);
        assert_eq!(seen.driven.misdated(), 0);
        assert!(figures.converged_ms.is_some());
        assert_eq!(figures.check_ns.is_some(), mode == "check");
        assert_eq!(figures.acquire_us.is_some(), mode == "acquire");
    }
}

#[test]
fn an_idle_run_asks_for_nothing() {
    let plan = Plan::new(options("--idle 1")).expect("good");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = runtime.block_on(plan.see()).expect("a run");
    let (figures, verdict) = plan.figures(&seen);
    assert_eq!(
        (figures.requests, figures.admitted, verdict),
        (0, 0, Verdict::Kept)
    );
    assert_eq!(figures.utilisation, None);
    assert!(seen.duration_ns >= 1_000_000_000);
}
