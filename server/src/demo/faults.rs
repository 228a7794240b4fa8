//! The cut between the halves of the cluster, its healing, and how long rows take to agree again.

use std::{sync::Arc, time::Duration};

use super::{cluster::Cluster, options::Partition, report};

/// How often the state after healing is looked at.
const POLL: Duration = Duration::from_millis(1);

/// How long after healing rows are waited for.
const CONVERGENCE_DEADLINE_NS: u64 = 10_000_000_000;

/// How long the nodes took to have each other's rows as they were at healing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Convergence {
    /// From the first datagram that passed; counted from the last look that had seen none, so at
    /// most one look too long.
    pub(crate) from_first_datagram_ns: u64,
    pub(crate) from_healing_ns: u64,
}

/// Cuts, heals and waits for convergence; none if it does not come in time.
pub(crate) async fn cut_and_heal(
    cluster: Arc<Cluster>,
    partition: Partition,
    start_ns: u64,
) -> Option<Convergence> {
    let half = cluster.nodes() / 2;
    sleep_until(&cluster, start_ns + partition.from_ns).await;
    cluster.cut(half);
    report::announce_cut(partition.from_ns, half, cluster.nodes());
    sleep_until(&cluster, start_ns + partition.to_ns).await;
    let convergence = heal(&cluster, partition.to_ns).await;
    report::announce_convergence(convergence);
    convergence
}

async fn heal(cluster: &Cluster, at_ns: u64) -> Option<Convergence> {
    let rows = cluster.rows();
    let healed_ns = cluster.now_ns();
    cluster.heal();
    report::announce_healing(at_ns);
    let mut silent_ns = healed_ns;
    loop {
        let now_ns = cluster.now_ns();
        if !cluster.passed_since_healing() {
            silent_ns = now_ns;
        } else if cluster.all_have(&rows) {
            return Some(Convergence {
                from_first_datagram_ns: now_ns.saturating_sub(silent_ns),
                from_healing_ns: now_ns.saturating_sub(healed_ns),
            });
        }
        if now_ns.saturating_sub(healed_ns) > CONVERGENCE_DEADLINE_NS {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Sleeps until an instant of the cluster's clock.
pub(crate) async fn sleep_until(cluster: &Cluster, at_ns: u64) {
    let ahead_ns = at_ns.saturating_sub(cluster.now_ns());
    tokio::time::sleep(Duration::from_nanos(ahead_ns)).await;
}
