//! A check in a cluster beside a check of a local limiter, while the nodes gossip.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use distributary::{Limit, Limiter, Node};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::args::Args;
use crate::contestant::Quota;
use crate::contestant::ours::{Ours, limit, runtime};
use crate::keys::{Numbered, Stream};
use crate::measure::{Mode, Walk, paired};
use crate::roster::Contestant;
use crate::works::filled;

/// Nodes of this process, over loopback.
pub struct Cluster {
    /// What their background work runs on.
    pub runtime: Runtime,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A limit that nobody comes near.
pub const QUIET: &str = "quiet";
/// A limit that is asked for more than there is.
pub const CONTENDED: &str = "contended";

/// A limit of which no node holds a unit by itself.
pub const SCARCE: &str = "scarce";

/// A limit of two a second, ten at once.
pub const MODEST: &str = "modest";
/// Units of it in a second.
pub const MODEST_PER_S: u64 = 2;

const SCARCE_LIMIT: Limit = Limit::per_second(100).burst(2);
/// Enough to be contended, and little enough to be used up at once by any walk.
const CONTENDED_LIMIT: Limit = Limit::per_second(1_000);
/// Longer than by default, so that waits are seen and not cut short.
const ACQUIRE_DEADLINE: Duration = Duration::from_millis(100);
const CONTENDED_KEYS: u64 = 1_000;

impl Cluster {
    /// `count` nodes that hold their shares, on so many threads.
    pub fn start(count: usize, threads: usize) -> Self {
        let runtime = runtime(threads);
        let nodes = runtime.block_on(async {
            let builder = || {
                Node::builder()
                    .secret("a secret of the measured cluster")
                    .limit(QUIET, limit(Quota::AMPLE))
                    .limit(CONTENDED, CONTENDED_LIMIT)
                    .limit(SCARCE, SCARCE_LIMIT)
                    .limit(MODEST, Limit::per_second(MODEST_PER_S).burst(10))
                    .keys_max(4_000_000)
                    .acquire_deadline(ACQUIRE_DEADLINE)
                    .expected_nodes(count)
                    .start_deadline(Duration::from_secs(30))
            };
            let first = builder()
                .start_deadline(Duration::from_millis(1))
                .start()
                .await;
            let mut nodes = vec![first.expect("a port of loopback is free")];
            let seed = nodes[0].address();
            let rest = (1..count).map(|_| tokio::spawn(builder().seeds([seed]).start()));
            for node in rest.collect::<Vec<_>>() {
                let node = node.await.expect("a start does not panic");
                nodes.push(node.expect("a port of loopback is free"));
            }
            while nodes.iter().any(|node| node.stats().members < count) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            nodes
        });
        Self { runtime, nodes }
    }

    /// A limiter of one of them.
    pub fn limiter(&self, node: usize, name: &str) -> Limiter {
        self.nodes[node].limiter(name).expect("named at the start")
    }
}

/// Quiet and contended keys at the first of three nodes, both ways.
pub fn of(quick: bool) -> Value {
    let args = Args {
        quick,
        ..Args::default()
    };
    let cluster = Cluster::start(3, 1);
    let stop = Arc::new(AtomicBool::new(false));
    let traffic = traffic(&cluster, &stop);
    let keys = args.either(100_000, 1_000_000);
    let local = filled(Box::new(Ours::local(Quota::AMPLE)), keys);
    let here = filled(Box::new(Ours::of(cluster.limiter(0, QUIET))), keys);
    let quiet = both(&args, &*here, &*local, keys);

    let local = Limiter::local(CONTENDED_LIMIT);
    let local: Contestant<String> = Box::new(Ours::of(local));
    let here = Box::new(Ours::of(cluster.limiter(0, CONTENDED)));
    let contended = both(&args, &*here, &*local, CONTENDED_KEYS);
    let limiter = here.limiter();
    let is_contended = |number: &u64| limiter.peek(String::numbered(*number)).contended;
    let count = (0..CONTENDED_KEYS).filter(is_contended).count();
    stop.store(true, Ordering::Relaxed);
    traffic.join().expect("traffic does not panic");
    json!({
        "quiet": quiet,
        "contended": contended,
        "keys": {"quiet": keys, "contended": count, "asked_for_as_contended": CONTENDED_KEYS},
        "datagrams": {"sent_by_first": cluster.nodes[0].stats().datagrams_sent},
    })
}

/// The one beside the other, in both modes: cluster ÷ local.
fn both(args: &Args, here: &dyn Walk<String>, local: &dyn Walk<String>, keys: u64) -> Value {
    let stream = Stream::<String>::uniform(keys, 1_000_000);
    let mut fields = serde_json::Map::new();
    for (name, mode) in [
        ("throughput", Mode::Throughput),
        ("isolated", Mode::Isolated),
    ] {
        let paired = paired(here, local, &stream, mode, 1, args.effort());
        let (cluster_ns, local_ns) = (paired.ours.ns, paired.rival.ns);
        fields.insert(format!("{name}_cluster_ns"), json!(cluster_ns));
        fields.insert(format!("{name}_local_ns"), json!(local_ns));
        fields.insert(format!("{name}_ratio"), json!(cluster_ns / local_ns));
    }
    Value::Object(fields)
}

/// What the others are asked meanwhile: each contended key about once a second at each.
fn traffic(cluster: &Cluster, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let limiters: Vec<_> = (1..cluster.nodes.len())
        .map(|node| cluster.limiter(node, CONTENDED))
        .collect();
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        for number in (0..CONTENDED_KEYS).cycle() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            for limiter in &limiters {
                let _decided = limiter.check_n(String::numbered(number), 100);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}
