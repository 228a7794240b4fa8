//! Goal: a cluster over real QUIC limits as one bucket does: it founds itself, agrees, grows,
//! shrinks, restarts and dies a little, and never mints a unit.
//!
//! Method: nodes in one process over loopback; everything by the public API. Limits are so slow that
//! what drains during a test is less than a unit, unless time is measured and judged.

#![cfg(feature = "quic")]

mod judge;
mod nodes;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use distributary::{
    Basis, Builder, EvictAfter, Limit, Limiter, MonotonicClock, Node, NodeId, Refusal, Share,
    ShutdownOutcome, StartOutcome, Verdict,
};
use judge::Judge;
use nodes::{PATIENCE, builder, cluster, until};

/// Gives back nothing to speak of while a test runs.
const SLOW: Limit = Limit::per_day(10).burst(60);

fn slow(_index: usize, builder: Builder) -> Builder {
    builder.limit("api", SLOW).overshoot(0.0)
}

fn api(node: &Node) -> Limiter {
    node.limiter("api").expect("every node has it")
}

/// Asks every node in turn for single units until none gives any more; says how many there were.
async fn drain(nodes: &[Node], key: &str) -> u64 {
    let mut admitted = 0;
    loop {
        let before = admitted;
        for node in nodes {
            admitted += u64::from(api(node).acquire(key).await.is_allowed());
        }
        if admitted == before {
            break;
        }
    }
    let checked = |node| u64::from(api(node).check(key).is_allowed());
    admitted + nodes.iter().map(checked).sum::<u64>()
}

/// The share of a quiet key that each member holds, by the view of one node.
fn shares(node: &Node) -> Vec<Share> {
    node.members().iter().map(|member| member.share).collect()
}

/// Waits until every node counts `count` members, itself included, each with an equal share.
async fn until_members(nodes: &[Node], count: usize) {
    until(&format!("{count} members with equal shares"), || {
        nodes.iter().all(|node| {
            let equal = Share::WHOLE.portion(1, count as u64);
            let held = shares(node).into_iter().filter(|share| !share.is_none());
            let held: Vec<_> = held.collect();
            let whole: Share = held.iter().copied().sum();
            let near = |share: &Share| (share.as_fraction() - equal.as_fraction()).abs() < 1e-12;
            node.stats().members == count
                && held.len() == count
                && whole == Share::WHOLE
                && held.iter().all(near)
        })
    })
    .await;
}

async fn join(nodes: &[Node]) -> Node {
    let seeds: Vec<_> = nodes.iter().map(Node::address).collect();
    let joining = slow(0, builder()).seeds(seeds).start();
    let node = joining.await.expect("starts");
    assert_eq!(node.start_outcome(), StartOutcome::Holding);
    node
}

// --- Founding and agreeing ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_found_a_cluster_and_share_alike() {
    let nodes = cluster(3, |index, builder| {
        slow(index, builder).name(format!("node {index}"))
    })
    .await;
    until_members(&nodes, 3).await;
    let mut ids: Vec<_> = nodes.iter().map(Node::id).collect();
    ids.sort_unstable();
    for node in &nodes {
        let third = api(node).peek("a new key").share.as_fraction();
        assert!((third - 1.0 / 3.0).abs() < 1e-9, "{third}");
        until("all are connected", || {
            let members = node.members();
            members
                .iter()
                .all(|member| member.connected && member.reachable)
        })
        .await;
        let members = node.members();
        assert!(
            members
                .iter()
                .map(|member| member.id)
                .eq(ids.iter().copied())
        );
        let found = |of: &Node| {
            let member = members.iter().find(|member| member.id == of.id());
            member.and_then(|member| member.address) == Some(of.address())
        };
        assert!(nodes.iter().all(found));
    }
    let views: Vec<_> = nodes.iter().map(|node| node.stats().view).collect();
    assert!(views[0].is_some() && views.iter().all(|view| *view == views[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_hears_every_row_of_every_other() {
    let nodes = cluster(3, slow).await;
    for (index, node) in nodes.iter().enumerate() {
        for key in 0..20_u64 {
            let decision = api(node).check_n((index as u64, key), 15);
            assert!(decision.is_allowed(), "of its 20: {decision:?}");
        }
    }
    until("every node has written rows", || {
        nodes.iter().all(|node| node.stats().rows_seq_own > 0)
    })
    .await;
    let own: BTreeMap<NodeId, u64> = nodes
        .iter()
        .map(|node| (node.id(), node.stats().rows_seq_own))
        .collect();
    until("every node has every row", || {
        nodes.iter().all(|node| {
            let seen = node.stats().rows_seq_seen;
            let others = own.iter().filter(|(origin, _)| **origin != node.id());
            others
                .into_iter()
                .all(|(origin, seq)| seen.get(origin) >= Some(seq))
        })
    })
    .await;
    until("every node knows what was spent on one", || {
        let key = |index: u64| (0..20_u64).map(move |key| (index, key));
        let mut keys = (0..3_u64).flat_map(key);
        keys.all(|key| nodes.iter().all(|node| api(node).peek(key).remaining == 45))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_agree_on_who_owns_what() {
    let nodes = cluster(3, slow).await;
    let mut first_of = BTreeMap::new();
    for key in 0..300_u64 {
        let owners = api(&nodes[0]).owners(key);
        assert!(!owners.is_empty());
        for node in &nodes[1..] {
            assert_eq!(api(node).owners(key), owners);
        }
        *first_of.entry(owners[0]).or_insert(0) += 1;
    }
    assert_eq!(first_of.len(), 3, "{first_of:?}");
    assert!(first_of.values().all(|count| *count > 50), "{first_of:?}");
}

// --- One bucket ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spent_on_one_node_is_refused_on_another_at_once() {
    let nodes = cluster(3, slow).await;
    for (index, node) in nodes.iter().enumerate() {
        let key = format!("key {index}");
        for left in (0..60).rev() {
            let decision = api(node).acquire(&key).await;
            assert!(decision.is_allowed(), "{left} are left: {decision:?}");
            assert_eq!(decision.remaining(), left);
        }
        for other in &nodes {
            let refused = api(other).acquire(&key).await;
            assert_eq!(refused.verdict(), Verdict::Refused(Refusal::OverLimit));
            let retry_after = refused.retry_after().expect("it fits one day");
            assert!(
                retry_after > Duration::from_secs(8000) && retry_after <= Duration::from_secs(8640)
            );
            assert!(!api(other).check(&key).is_allowed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impossible_requests_are_refused_without_asking_anybody() {
    let nodes = cluster(2, slow).await;
    let refused = api(&nodes[0]).acquire("").await;
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::EmptyKey));
    let refused = api(&nodes[0]).acquire_n("ann", 61).await;
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::CostAboveBurst));
    assert!(api(&nodes[0]).acquire_n("ann", 0).await.is_allowed());
    assert_eq!(nodes[0].stats().protocol.questions_sent, 0);
    assert_eq!(drain(&nodes, "ann").await, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_on_three_nodes_get_a_burst_and_not_one_more_nor_less() {
    let nodes = cluster(3, slow).await;
    let tasks = (0..8).map(|task| {
        let limiter = api(&nodes[task % 3]);
        tokio::spawn(async move {
            let mut admitted = 0;
            for _ in 0..40 {
                admitted += u64::from(limiter.acquire("ann").await.is_allowed());
            }
            admitted
        })
    });
    let mut admitted = 0;
    for task in tasks.collect::<Vec<_>>() {
        admitted += task.await.expect("no panic");
    }
    assert_eq!(admitted, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_on_three_nodes_get_what_one_bucket_gives_over_time() {
    const FAST: Limit = Limit::per_second(50).burst(20);
    const RUN_NS: u64 = 2_000_000_000;
    let clock = Arc::new(MonotonicClock::new());
    let nodes = cluster(3, |_, builder| {
        let builder = builder.limit("api", FAST).overshoot(0.0);
        builder.clock(clock.clone())
    })
    .await;
    let tasks = (0..8).map(|task| {
        let limiter = api(&nodes[task % 3]);
        tokio::spawn(async move {
            let (mut heard, mut times) = (Judge::default(), Vec::new());
            while times
                .first()
                .zip(times.last())
                .is_none_or(|(a, b)| b - a < RUN_NS)
            {
                let decision = limiter.acquire("ann").await;
                times.push(decision.decided_at_ns());
                if !heard.hear(&decision, 1) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            (heard, times)
        })
    });
    let (mut judge, mut times) = (Judge::default(), Vec::new());
    for task in tasks.collect::<Vec<_>>() {
        let (heard, of_task) = task.await.expect("no panic");
        judge.absorb(heard);
        times.extend(of_task);
    }
    let peak = judge.peak_units(FAST);
    assert!(peak <= 20.0 + 1e-5, "the central bucket holds 20: {peak}");
    let (begin, end) = (times.iter().min(), times.iter().max());
    let elapsed_ns = end.zip(begin).map_or(0, |(end, begin)| end - begin);
    let ideal = 20.0 + 50.0 * elapsed_ns as f64 * 1e-9;
    let admitted = judge.units() as f64;
    // The last unit may have come back after the last request for it.
    assert!(admitted > ideal - 3.0, "{admitted} of {ideal}");
}

// --- Giving back ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_that_is_dropped_charges_nobody() {
    let nodes = cluster(3, slow).await;
    let mut kept = 0;
    for round in 0..300_u64 {
        let limiter = api(&nodes[round as usize % 3]);
        let patience = Duration::from_micros(round * 7 % 900);
        let decided = tokio::time::timeout(patience, limiter.acquire("ann")).await;
        if let Ok(decision) = decided
            && decision.is_allowed()
            && !limiter.refund(&decision)
        {
            kept += 1;
        }
    }
    until("nobody waits any more", || {
        nodes.iter().all(|node| node.stats().acquires_waiting == 0)
    })
    .await;
    let decider = api(&nodes[0]).owners("ann")[0];
    let decider = nodes.iter().find(|node| node.id() == decider);
    let decider = api(decider.expect("it is one of them"));
    // Every refund rounds against whoever asks for it, by far less than a unit in all.
    until("all but that is there again", || {
        decider.peek("ann").remaining >= 59 - kept
    })
    .await;
    let mut admitted = 0;
    while decider.acquire("ann").await.is_allowed() {
        admitted += 1;
    }
    assert!(
        admitted + kept == 59 || admitted + kept == 60,
        "{admitted} + {kept}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_reads_any_more_is_taken_back() {
    let nodes = cluster(2, slow).await;
    for node in &nodes {
        let limiter = api(node);
        let key = ("ann", node.id().0);
        let mut acquiring = Box::pin(limiter.acquire_n(key, 60));
        let asked = poll_fn(|context| Poll::Ready(acquiring.as_mut().poll(context)));
        let at_once = asked.await;
        until("it is answered", || node.stats().acquires_waiting == 0).await;
        drop(acquiring);
        let expected = if at_once.is_ready() { 0 } else { 59 };
        let decider = limiter.owners(key)[0];
        let decider = nodes.iter().find(|node| node.id() == decider);
        let decider = api(decider.expect("it is one of them"));
        until("the units are back", || {
            decider.peek(key).remaining >= expected
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_made_by_another_node_is_taken_back_there_and_once() {
    let nodes = cluster(3, slow).await;
    let decider = api(&nodes[0]).owners("ann")[0];
    let asker = nodes.iter().find(|node| node.id() != decider);
    let asker = asker.expect("there are three");
    let (charging, asking, asker) = (decider, asker.id(), api(asker));
    let decider = nodes.iter().find(|node| node.id() == decider);
    let decider = api(decider.expect("it is one of them"));
    let third = |node: &&Node| node.id() != charging && node.id() != asking;
    let third = api(nodes.iter().find(third).expect("there are three"));
    let charged = asker.acquire_n("ann", 60).await;
    assert!(charged.is_allowed() && !third.acquire("ann").await.is_allowed());
    assert!(matches!(charged.basis(), Basis::Holder(_)), "{charged:?}");
    let refused = decider.acquire("ann").await;
    assert!(!refused.is_allowed() && !asker.refund(&refused));
    assert!(asker.refund(&charged), "on its way");
    until("the units are back", || decider.peek("ann").remaining >= 59).await;
    // It cannot know from here that it was refunded: the node that charged does.
    let _sent = asker.refund(&charged);
    let mut admitted = 0;
    for attempt in 0.. {
        if third.acquire("ann").await.is_allowed() {
            admitted += 1;
            break;
        }
        assert!(
            attempt < 200,
            "a third, which was refused, never hears of it"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while asker.acquire("ann").await.is_allowed() {
        admitted += 1;
    }
    assert!(admitted == 59 || admitted == 60, "{admitted}");
}

// --- Coming and going ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fourth_node_joins_and_brings_no_units() {
    let mut nodes = cluster(3, slow).await;
    assert_eq!(drain(&nodes, "ann").await, 60);
    assert_eq!(drain(&nodes[..1], "by one").await, 60);
    for node in &nodes {
        assert!(api(node).check_n("quiet", 5).is_allowed());
    }
    let fourth = join(&nodes).await;
    nodes.push(fourth);
    until_members(&nodes, 4).await;
    for node in &nodes {
        let quarter = api(node).peek("a new key").share.as_fraction();
        assert!((quarter - 0.25).abs() < 1e-9, "{quarter}");
    }
    assert_eq!(drain(&nodes, "ann").await, 0);
    assert_eq!(drain(&nodes, "by one").await, 0);
    let rest = drain(&nodes, "quiet").await;
    assert!(rest <= 45, "15 were spent, and {rest} are there");
    let late = drain(&nodes, "a new key").await;
    println!("of a burst of 60, {late} are there right after a join");
    assert!(late <= 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_hands_its_share_over() {
    let mut nodes = cluster(3, slow).await;
    assert_eq!(drain(&nodes, "spent").await, 60);
    for node in &nodes {
        assert!(api(node).check_n("half spent", 10).is_allowed());
    }
    let leaver = nodes.remove(1);
    let (id, limiter) = (leaver.id(), api(&leaver));
    let outcome = leaver.shutdown(PATIENCE).await;
    assert_eq!(outcome, ShutdownOutcome::HandedOver);
    until_members(&nodes, 2).await;
    until("nobody owns anything through the leaver", || {
        nodes
            .iter()
            .all(|node| !api(node).owners("spent").contains(&id))
    })
    .await;
    let refused = limiter.check("spent");
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::NoShare));
    assert!(limiter.peek("spent").share.is_none());
    assert_eq!(drain(&nodes, "spent").await, 0);
    let rest = drain(&nodes, "half spent").await;
    println!("of 30 units left before, {rest} are there right after a leave");
    assert!(rest <= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_mints_nothing() {
    let mut nodes = cluster(3, slow).await;
    let before = {
        let mut admitted = 0;
        for _ in 0..10 {
            for node in &nodes {
                admitted += u64::from(api(node).acquire("ann").await.is_allowed());
            }
        }
        admitted
    };
    assert_eq!(before, 30);
    let first_ids: Vec<_> = nodes.iter().map(Node::id).collect();
    for _ in 0..3 {
        let outcome = nodes.remove(0).shutdown(PATIENCE).await;
        assert_eq!(outcome, ShutdownOutcome::HandedOver);
        let next = join(&nodes).await;
        nodes.push(next);
        until_members(&nodes, 3).await;
    }
    assert!(nodes.iter().all(|node| !first_ids.contains(&node.id())));
    let after = drain(&nodes, "ann").await;
    println!(
        "a rolling restart of 3 nodes burns {} of the 30 units that were left",
        30 - after.min(30)
    );
    assert!(before + after <= 60, "{before} + {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_and_restarted_is_somebody_new_and_mints_nothing() {
    let evict = EvictAfter::After(Duration::from_secs(1));
    let configure = |builder: Builder| slow(0, builder).evict_after(evict);
    let mut nodes = cluster(3, |_, builder| configure(builder)).await;
    assert_eq!(drain(&nodes, "spent").await, 60);
    let mut kept = 0;
    for node in &nodes {
        kept += u64::from(api(node).check_n("half spent", 10).is_allowed()) * 10;
    }
    let killed = nodes.remove(2);
    let (id, address) = (killed.id(), killed.address());
    drop(killed);
    let seeds: Vec<_> = nodes.iter().map(Node::address).collect();
    // Its port may be held for a moment longer by the one that was killed.
    let mut attempts = 0;
    let restarted = loop {
        let again = configure(builder()).bind(address).seeds(seeds.clone());
        match again.start().await {
            Ok(node) => break node,
            Err(error) => assert!(attempts < 100, "{error}"),
        }
        attempts += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_ne!(restarted.id(), id);
    nodes.push(restarted);
    until_members(&nodes, 3).await;
    until("the dead one is forgotten as an owner", || {
        nodes
            .iter()
            .all(|node| !api(node).owners("spent").contains(&id))
    })
    .await;
    assert_eq!(drain(&nodes, "spent").await, 0);
    let rest = drain(&nodes, "half spent").await;
    println!(
        "of {} units left before, {rest} are there after a death and a restart",
        60 - kept
    );
    assert!(kept + rest <= 60, "{kept} + {rest}");
}

// --- At rest ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_cluster_is_almost_silent() {
    let nodes = cluster(3, slow).await;
    let sent = || {
        nodes
            .iter()
            .map(|node| node.stats().datagrams_sent)
            .sum::<u64>()
    };
    let mut least = f64::MAX;
    // What founding takes fades away: it may take a few looks on a busy machine.
    for _ in 0..4 {
        let before = sent();
        tokio::time::sleep(Duration::from_secs(2)).await;
        least = least.min((sent() - before) as f64 / 2.0 / 3.0);
        if least <= 8.0 {
            break;
        }
    }
    println!("an idle cluster of 3 sends {least:.1} datagrams per node and second");
    assert!(least <= 8.0, "{least}");
}
