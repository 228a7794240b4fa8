//! The cluster under demonstration: the only file here that knows the library.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use distributary::{
    Clock, Decision, EvictAfter, FaultLink, Limit, Limiter, MonotonicClock, Node, NodeId,
    StartOutcome,
};
use tokio::task::JoinSet;

use super::judge::Rate;

/// What the one limit is called.
const LIMIT_NAME: &str = "per-client";

/// Known to everyone who reads this: the demo listens on loopback alone.
const SECRET: &str = "the demo's nodes trust each other by this";

/// How long nodes may take to say goodbye.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(1);

/// Nodes on loopback, each with an endpoint of its own, on one clock so that instants compare.
pub(crate) struct Cluster {
    members: Vec<Member>,
    clock: Arc<dyn Clock>,
}

struct Member {
    node: Node,
    limiter: Limiter,
    link: FaultLink,
}

/// What each node is started with.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) nodes: usize,
    pub(crate) limit: Limit,
    pub(crate) overshoot: f64,
    pub(crate) tick: Duration,
    /// None: never.
    pub(crate) evict_after: Option<Duration>,
}

/// What a node decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    /// By the cluster's clock, where the unit was charged.
    pub(crate) decided_at_ns: u64,
}

/// One client's limit as one node sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// The part of the limit that the node holds.
    pub(crate) share: f64,
    /// What the whole cluster still has, by what the node knows.
    pub(crate) remaining_units: u64,
}

/// UDP that all nodes sent since they started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
}

/// How far each node's own rows were at one moment.
pub(crate) struct Rows(Vec<(NodeId, u64)>);

/// The limit in the library's terms.
///
/// # Errors
/// A rate or burst that the library does not count.
pub(crate) fn limit(rate: Rate, burst_units: u64) -> Result<Limit> {
    let per = Limit::try_per(rate.units, Duration::from_nanos(rate.per_ns));
    let limit = per.and_then(|limit| limit.try_burst(burst_units));
    limit.context("this --rate and --burst are no limit")
}

impl Cluster {
    /// Starts all nodes at once and waits until each holds its share.
    ///
    /// # Errors
    /// A node that does not start, or is without its share when its deadline has passed.
    pub(crate) async fn start(setup: &Setup) -> Result<Self> {
        let addresses = free_addresses(setup.nodes)?;
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::new());
        let mut starting = JoinSet::new();
        for index in 0..setup.nodes {
            let (setup, clock, addresses) = (setup.clone(), Arc::clone(&clock), addresses.clone());
            starting.spawn(async move { (index, start(setup, clock, addresses, index).await) });
        }
        let mut started = starting.join_all().await;
        started.sort_by_key(|(index, _)| *index);
        let members = started.into_iter().map(|(_, member)| member);
        Ok(Self {
            members: members.collect::<Result<_>>()?,
            clock,
        })
    }

    /// Now, by the clock that all nodes decide by.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.members.len()
    }

    /// Asks a node for one unit; it decides alone.
    pub(crate) fn check(&self, node: usize, client: &str) -> Answer {
        answer(&self.members[node].limiter.check(client))
    }

    /// Asks a node for one unit; it may ask others.
    pub(crate) async fn acquire(&self, node: usize, client: &str) -> Answer {
        answer(&self.members[node].limiter.acquire(client).await)
    }

    /// The node that owns the client's key, as the first node sees it.
    pub(crate) fn owner(&self, client: &str) -> Option<usize> {
        let owner = *self.members.first()?.limiter.owners(client).first()?;
        let mut nodes = self.members.iter();
        nodes.position(|member| member.node.id() == owner)
    }

    /// What a node holds and knows of the client's limit, for people.
    pub(crate) fn view(&self, node: usize, client: &str) -> View {
        let peek = self.members[node].limiter.peek(client);
        View {
            share: peek.rate.as_fraction(),
            remaining_units: peek.remaining,
        }
    }

    /// What all nodes sent since they started.
    pub(crate) fn traffic(&self) -> Traffic {
        let stats = self.members.iter().map(|member| member.node.stats());
        stats.fold(Traffic::default(), |sum, stats| Traffic {
            datagrams: sum.datagrams + stats.datagrams_sent,
            bytes: sum.bytes + stats.bytes_sent,
        })
    }

    /// Drops all UDP between the first `half` nodes and the others, both ways.
    pub(crate) fn cut(&self, half: usize) {
        let (first, second) = self.members.split_at(half.min(self.members.len()));
        for (here, there) in first
            .iter()
            .flat_map(|a| second.iter().map(move |b| (a, b)))
        {
            here.link.cut(there.node.address());
            there.link.cut(here.node.address());
        }
    }

    /// Lets all UDP pass again.
    pub(crate) fn heal(&self) {
        for member in &self.members {
            member.link.heal_all();
        }
    }

    /// Whether a datagram that the cut would have dropped has passed since it healed.
    pub(crate) fn passed_since_healing(&self) -> bool {
        let mut links = self.members.iter().map(|member| &member.link);
        links.any(|link| link.first_passed_ns().is_some())
    }

    /// How far each node's own rows are now.
    pub(crate) fn rows(&self) -> Rows {
        let members = self.members.iter();
        Rows(
            members
                .map(|member| (member.node.id(), member.node.stats().rows_seq_own))
                .collect(),
        )
    }

    /// Whether every node has every other node's rows at least as far as they were.
    pub(crate) fn all_have(&self, rows: &Rows) -> bool {
        self.members.iter().all(|member| {
            let (id, seen) = (member.node.id(), member.node.stats().rows_seq_seen);
            let has = |origin: &NodeId| seen.get(origin).copied().unwrap_or(0);
            let others = rows.0.iter().filter(|(origin, _)| *origin != id);
            others.into_iter().all(|(origin, seq)| has(origin) >= *seq)
        })
    }

    /// Stops all nodes at once; gracefully, as far as that goes quickly.
    pub(crate) async fn shutdown(self) {
        let mut stopping = JoinSet::new();
        for member in &self.members {
            tracing::debug!(stats = ?member.node.stats(), "stops");
        }
        for member in self.members {
            stopping.spawn(async move {
                let _outcome = member.node.shutdown(SHUTDOWN_DEADLINE).await;
            });
        }
        stopping.join_all().await;
    }
}

async fn start(
    setup: Setup,
    clock: Arc<dyn Clock>,
    addresses: Vec<SocketAddr>,
    index: usize,
) -> Result<Member> {
    let link_clock = Arc::clone(&clock);
    let link = FaultLink::new(Arc::new(move || link_clock.now_ns()));
    let own = addresses[index];
    let node = Node::builder()
        .secret(SECRET)
        .cluster("demo")
        .bind(own)
        .seeds(addresses.into_iter().filter(|address| *address != own))
        .expected_nodes(setup.nodes)
        .limit(LIMIT_NAME, setup.limit)
        .overshoot(setup.overshoot)
        .tick(setup.tick)
        .evict_after(
            setup
                .evict_after
                .map_or(EvictAfter::Never, EvictAfter::After),
        )
        .clock(clock)
        .fault_link(link.clone())
        .start()
        .await
        .with_context(|| format!("node {index} does not start"))?;
    ensure!(
        node.start_outcome() == StartOutcome::Holding,
        "node {index} was given no share before its deadline"
    );
    let limiter = node
        .limiter(LIMIT_NAME)
        .context("the limit is named above")?;
    Ok(Member {
        node,
        limiter,
        link,
    })
}

/// Loopback addresses that were free a moment ago. Nodes found a cluster together only if each
/// knows the others beforehand, so ports cannot be left to each node's own socket.
fn free_addresses(count: usize) -> Result<Vec<SocketAddr>> {
    let sockets = (0..count).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let sockets: Vec<_> = sockets
        .collect::<Result<_, _>>()
        .context("no free UDP port on loopback")?;
    let addresses = sockets.iter().map(|socket| Ok(socket.local_addr()?));
    addresses.collect()
}

fn answer(decision: &Decision) -> Answer {
    Answer {
        allowed: decision.is_allowed(),
        decided_at_ns: decision.decided_at_ns(),
    }
}
