//! Goal: whatever becomes of the task that drives a node, `check` goes on, `acquire` and `shutdown`
//! come back, and `stats` says what has happened.
//!
//! Method: the driver told to panic, nodes dropped, links cut, a caller's clock that panics.

#![cfg(feature = "quic")]

mod nodes;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use distributary::{
    Basis, Clock, DriverState, EvictAfter, Fallback, FaultLink, Limit, Limiter, MonotonicClock,
    Node, Refusal, ShutdownOutcome, Verdict,
};
use nodes::{PATIENCE, builder, cluster, until};

const LIMIT: Limit = Limit::per_day(10).burst(30);

fn api(node: &Node) -> Limiter {
    node.limiter("api").expect("every node has it")
}

/// What a future brings, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let clock = MonotonicClock::new();
    let result = tokio::time::timeout(PATIENCE, future).await;
    let took = Duration::from_nanos(clock.now_ns());
    (result.expect("it comes back"), took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_that_panics_leaves_check_working_and_is_seen() {
    let nodes = cluster(2, |_, builder| {
        let deadline = Duration::from_millis(100);
        builder
            .limit("api", LIMIT)
            .overshoot(0.0)
            .acquire_deadline(deadline)
    })
    .await;
    let (victim, other) = (&nodes[0], &nodes[1]);
    assert_eq!(victim.stats().driver, DriverState::Running);
    victim.panic_driver();
    until("the panic is seen", || {
        victim.stats().driver == DriverState::Panicked
    })
    .await;
    let limiter = api(victim);
    let allowed = (0..40)
        .filter(|_| limiter.check("ann").is_allowed())
        .count();
    assert_eq!(allowed, 15, "its half, and no more");
    for round in 0..5 {
        let (decision, took) = timed(limiter.acquire(("bob", round))).await;
        assert!(decision.is_allowed(), "by its own share: {decision:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    let charged = limiter.check_n("eve", 5);
    assert!(limiter.refund(&charged) && limiter.peek("eve").level_units < 0.001);
    assert_eq!(limiter.owners("ann").len(), api(other).owners("ann").len());
    let (decision, took) = timed(api(other).acquire("zoe")).await;
    assert!(
        decision.is_allowed() && took < Duration::from_secs(5),
        "{decision:?} {took:?}"
    );
    let victim = nodes.into_iter().next().expect("there are two");
    let (outcome, took) = timed(victim.shutdown(Duration::from_secs(15))).await;
    assert_eq!(outcome, ShutdownOutcome::DeadlinePassed);
    assert!(
        took < Duration::from_secs(10),
        "a dead driver is not waited for: {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limiter_outlives_its_node() {
    let nodes = cluster(2, |_, builder| builder.limit("api", LIMIT).overshoot(0.0)).await;
    let mut nodes = nodes.into_iter();
    let (gone, other) = (nodes.next().expect("one"), nodes.next().expect("two"));
    let (limiter, id) = (api(&gone), gone.id());
    let charged = limiter.check_n("ann", 5);
    drop(gone);
    // Its driver may be at work still, and what it asks for now be given and lost.
    until("the other sees that it is gone", || {
        let members = other.members();
        let left = members.iter().find(|member| member.id == id);
        left.is_none_or(|member| !member.connected)
    })
    .await;
    let allowed = (0..40)
        .filter(|_| limiter.check("ann").is_allowed())
        .count();
    assert_eq!(allowed, 10, "what is left of its half");
    let (decision, took) = timed(limiter.acquire("bob")).await;
    assert_eq!(decision.basis(), Basis::OwnShare);
    assert!(
        decision.is_allowed() && took < Duration::from_secs(2),
        "{took:?}"
    );
    assert!(limiter.owners("ann").is_empty());
    assert!(!limiter.refund(&charged), "nobody to take it back");
    assert_eq!(
        other.stats().members,
        2,
        "gone abruptly: it is a member still"
    );
    assert!(api(&other).check("ann").is_allowed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_that_cannot_hand_over_ends_at_its_deadline() {
    let link = FaultLink::new(Arc::new(|| 0));
    let nodes = cluster(2, |index, builder| {
        let builder = builder.limit("api", LIMIT).evict_after(EvictAfter::Never);
        if index == 0 {
            builder.fault_link(link.clone())
        } else {
            builder
        }
    })
    .await;
    let mut nodes = nodes.into_iter();
    let (leaver, other) = (nodes.next().expect("one"), nodes.next().expect("two"));
    let (limiter, id) = (api(&leaver), leaver.id());
    link.cut(other.address());
    let (outcome, took) = timed(leaver.shutdown(Duration::from_millis(300))).await;
    assert_eq!(outcome, ShutdownOutcome::DeadlinePassed);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(link.dropped() > 0);
    let held = api(&other).peek("ann").share.as_fraction();
    assert!((held - 0.5).abs() < 1e-9, "nothing was handed over: {held}");
    let (decision, took) = timed(limiter.acquire("ann")).await;
    assert!(took < Duration::from_secs(2), "{decision:?} after {took:?}");
    other.forget(id);
    until("an operator's word gives it the whole", || {
        other.stats().members == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_does_not_answer_is_fallen_back_from() {
    for (fallback, verdict) in [
        (Fallback::OwnShare, Verdict::Allowed),
        (Fallback::Allow, Verdict::Allowed),
        (Fallback::Deny, Verdict::Refused(Refusal::NoAnswer)),
    ] {
        let link = FaultLink::new(Arc::new(|| 0));
        let nodes = cluster(2, |index, builder| {
            let builder = builder.limit("api", LIMIT).fallback(fallback);
            let builder = builder.acquire_deadline(Duration::from_millis(50));
            if index == 0 {
                builder.fault_link(link.clone())
            } else {
                builder
            }
        })
        .await;
        let limiter = api(&nodes[0]);
        let far = (0..).find(|key: &u64| limiter.owners(key)[0] == nodes[1].id());
        let far = far.expect("every other key is");
        link.cut(nodes[1].address());
        let (decision, took) = timed(limiter.acquire(far)).await;
        assert_eq!(decision.verdict(), verdict, "{fallback:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        let by_itself = decision.basis() == Basis::OwnShare;
        assert_eq!(by_itself, fallback == Fallback::OwnShare);
        assert_eq!(limiter.refund(&decision), by_itself, "only that charged");
        assert_eq!(nodes[0].stats().acquires_waiting, 0);
    }
}

/// Panics when told to, without a word on standard error.
struct Moody(MonotonicClock, Arc<AtomicBool>);

impl Clock for Moody {
    fn now_ns(&self) -> u64 {
        if self.1.load(Ordering::SeqCst) {
            resume_unwind(Box::new("a moody clock"));
        }
        self.0.now_ns()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_panics_leaves_the_node_running_and_is_seen() {
    let panics = Arc::new(AtomicBool::new(false));
    let moody = Moody(MonotonicClock::new(), Arc::clone(&panics));
    let alone = builder().limit("api", LIMIT).clock(Arc::new(moody));
    let node = alone.start().await.expect("starts");
    let limiter = api(&node);
    assert_eq!(node.stats().clock_panics, 0);
    panics.store(true, Ordering::SeqCst);
    let allowed = (0..40)
        .filter(|_| limiter.check("ann").is_allowed())
        .count();
    assert_eq!(allowed, 30, "alone it holds the whole");
    assert!(node.stats().clock_panics >= 40);
    assert!(limiter.acquire("bob").await.is_allowed());
    panics.store(false, Ordering::SeqCst);
    assert_eq!(node.stats().driver, DriverState::Running);
    let outcome = node.shutdown(PATIENCE).await;
    assert_eq!(outcome, ShutdownOutcome::HandedOver);
}
