//! `acquire`: with the rights at hand, and answered by another node.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use distributary::{Basis, Limiter};
use serde_json::{Value, json};

use super::cluster::{Cluster, QUIET, SCARCE};
use crate::keys::Numbered;
use crate::measure::{median, process_ns, quantile, thread_ns, wall_ns};

const KEYS: u64 = 3_000;
const PER_NODE_AND_S: u64 = 5_000;

/// Three nodes; so many seconds of asking others.
pub fn of(seconds: u64) -> Value {
    let cluster = Cluster::start(3, 2);
    let here = here(&cluster);
    let there = there(&cluster, seconds);
    json!({"here": here, "there": there})
}

/// Keys that this node decides for first, and those that it does not.
fn divided(cluster: &Cluster, node: usize, limit: &str) -> (Vec<String>, Vec<String>) {
    let (id, limiter) = (cluster.nodes[node].id(), cluster.limiter(node, limit));
    let keys = (0..KEYS).map(String::numbered);
    keys.partition(|key| limiter.owners(key).first() == Some(&id))
}

/// One after another at the node that decides for the key, beside `check` of the same keys.
fn here(cluster: &Cluster) -> Value {
    let (own, _) = divided(cluster, 0, QUIET);
    let limiter = cluster.limiter(0, QUIET);
    let (mut acquired_ns, mut checked_ns, mut whole_ns) = (Vec::new(), Vec::new(), Vec::new());
    let mut own_share = 0;
    for round in 0..11 {
        let begun_ns = (thread_ns(), process_ns());
        cluster.runtime.block_on(async {
            for key in &own {
                let decision = black_box(limiter.acquire(key).await);
                own_share += u64::from(decision.basis() == Basis::OwnShare);
            }
        });
        let each_ns = |since: u64, now: u64| (now - since) as f64 / own.len() as f64;
        let between_ns = thread_ns();
        whole_ns.push(each_ns(begun_ns.1, process_ns()));
        for key in &own {
            let _decided = black_box(limiter.check(key));
        }
        // The first round meets keys that nobody has asked for.
        if round > 0 {
            acquired_ns.push(each_ns(begun_ns.0, between_ns));
            checked_ns.push(each_ns(between_ns, thread_ns()));
        }
    }
    let (acquire_ns, check_ns) = (median(&mut acquired_ns), median(&mut checked_ns));
    json!({
        "acquire_ns": acquire_ns,
        "check_ns": check_ns,
        "ratio": acquire_ns / check_ns,
        "acquire_ns_all_threads": median(&mut whole_ns),
        "own_share": own_share as f64 / (own.len() * 11) as f64,
    })
}

/// Waits by the wall for answers of holders elsewhere, in microseconds; and how many decisions came
/// otherwise.
#[derive(Default)]
struct Waits {
    there_us: Vec<f64>,
    here: u64,
    fallbacks: u64,
    refused: u64,
}

/// Every node asks for keys of others, at an even pace. No node's share of the limit is a whole unit,
/// so that each question has to be asked elsewhere.
fn there(cluster: &Cluster, seconds: u64) -> Value {
    let waits = Arc::new(Mutex::new(Waits::default()));
    asked(cluster, 2, &waits);
    *waits.lock().expect("nobody panics with it") = Waits::default();
    let begun_ns = wall_ns();
    asked(cluster, seconds, &waits);
    let took_s = (wall_ns() - begun_ns) as f64 / 1e9;
    let mut waits = waits.lock().expect("nobody panics with it");
    let answered = waits.there_us.len() as f64;
    let per_node_and_s = answered / took_s / cluster.nodes.len() as f64;
    let (here, fallbacks, refused) = (waits.here, waits.fallbacks, waits.refused);
    let mut quantiles = |part| quantile(&mut waits.there_us, part);
    json!({
        "p50_us": quantiles(0.5),
        "p99_us": quantiles(0.99),
        "p999_us": quantiles(0.999),
        "answered_there_per_node_and_s": per_node_and_s,
        "answered_here": here,
        "fallbacks": fallbacks,
        "refused": refused,
    })
}

/// All nodes at once, for so many seconds.
fn asked(cluster: &Cluster, seconds: u64, waits: &Arc<Mutex<Waits>>) {
    let askers = (0..cluster.nodes.len()).map(|node| {
        let (_, alien) = divided(cluster, node, SCARCE);
        let limiter = cluster.limiter(node, SCARCE);
        cluster
            .runtime
            .spawn(ask(limiter, alien, seconds, Arc::clone(waits)))
    });
    let askers: Vec<_> = askers.collect();
    cluster.runtime.block_on(async {
        for asker in askers {
            asker.await.expect("asking does not panic");
        }
    });
}

/// Some questions each millisecond, none waiting for another's answer.
async fn ask(limiter: Limiter, keys: Vec<String>, seconds: u64, waits: Arc<Mutex<Waits>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut keys = keys.into_iter().cycle();
    let mut asked = Vec::new();
    for _ in 0..seconds * 1_000 {
        ticks.tick().await;
        for key in keys.by_ref().take(PER_NODE_AND_S as usize / 1_000) {
            let (limiter, waits) = (limiter.clone(), Arc::clone(&waits));
            asked.push(tokio::spawn(async move {
                let begun_ns = wall_ns();
                let decision = limiter.acquire(key).await;
                let waited_us = (wall_ns() - begun_ns) as f64 / 1e3;
                let mut waits = waits.lock().expect("nobody panics with it");
                match decision.basis() {
                    _ if !decision.is_allowed() => waits.refused += 1,
                    Basis::Holder(_) => waits.there_us.push(waited_us),
                    Basis::Fallback => waits.fallbacks += 1,
                    _ => waits.here += 1,
                }
            }));
        }
    }
    for one in asked {
        one.await.expect("asking does not panic");
    }
}
