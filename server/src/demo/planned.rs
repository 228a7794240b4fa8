//! A stand-in for the library's node until it lands: one central bucket for each key behind every
//! node. Only what [`super::cluster`] calls.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u64);

#[derive(Clone, Copy)]
pub(crate) struct Limit {
    units: u64,
    period_ns: u64,
    burst_units: u64,
}

impl Limit {
    pub(crate) fn try_per(units: u64, period: Duration) -> Result<Self, std::fmt::Error> {
        let period_ns = u64::try_from(period.as_nanos()).map_err(|_| std::fmt::Error)?;
        Ok(Self {
            units,
            period_ns,
            burst_units: units,
        })
    }

    pub(crate) fn try_burst(self, burst_units: u64) -> Result<Self, std::fmt::Error> {
        Ok(Self {
            burst_units,
            ..self
        })
    }
}

pub(crate) trait Clock: Send + Sync + 'static {
    fn now_ns(&self) -> u64;
}

pub(crate) struct MonotonicClock(tokio::time::Instant);

impl MonotonicClock {
    pub(crate) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Copy)]
pub(crate) enum EvictAfter {
    Never,
    After(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartOutcome {
    Holding,
}

#[derive(Clone, Default)]
pub(crate) struct FaultLink(Arc<AtomicBool>);

impl FaultLink {
    pub(crate) fn new() -> Self {
        Self::default()
    }
    pub(crate) fn cut(&self, _address: SocketAddr) {
        self.0.store(true, Ordering::SeqCst);
    }
    pub(crate) fn heal_all(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
    pub(crate) fn first_passed(&self) -> Option<u64> {
        (!self.0.load(Ordering::SeqCst)).then_some(0)
    }
}

pub(crate) struct Decision {
    allowed: bool,
    at_ns: u64,
}

impl Decision {
    pub(crate) fn is_allowed(&self) -> bool {
        self.allowed
    }
    pub(crate) fn decided_at_ns(&self) -> u64 {
        self.at_ns
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Share(f64);

impl Share {
    pub(crate) fn as_fraction(self) -> f64 {
        self.0
    }
}

pub(crate) struct Peek {
    pub(crate) share: Share,
}

#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) datagrams_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) rows_seq_own: u64,
    pub(crate) rows_seq_seen: BTreeMap<NodeId, u64>,
}

/// What all nodes of one stand-in cluster share.
#[derive(Default)]
struct Central {
    nodes: Vec<NodeId>,
    levels: BTreeMap<String, (u128, u64)>,
}

type SharedCentral = Arc<Mutex<Central>>;

static CLUSTERS: Mutex<BTreeMap<SocketAddr, SharedCentral>> = Mutex::new(BTreeMap::new());

pub(crate) struct Builder {
    limit: Option<Limit>,
    clock: Arc<dyn Clock>,
    address: Option<SocketAddr>,
    seeds: Vec<SocketAddr>,
    link: FaultLink,
}

impl Builder {
    pub(crate) fn secret(self, _secret: impl AsRef<[u8]>) -> Self {
        self
    }
    pub(crate) fn cluster(self, _name: &str) -> Self {
        self
    }
    pub(crate) fn bind(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }
    pub(crate) fn seeds(mut self, seeds: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.seeds = seeds.into_iter().collect();
        self
    }
    pub(crate) fn expected_nodes(self, _nodes: usize) -> Self {
        self
    }
    pub(crate) fn limit(mut self, _name: &str, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
    pub(crate) fn overshoot(self, _overshoot: f64) -> Self {
        self
    }
    pub(crate) fn tick(self, _tick: Duration) -> Self {
        self
    }
    pub(crate) fn evict_after(self, evict_after: EvictAfter) -> Self {
        if let EvictAfter::After(delay) = evict_after {
            debug_assert!(!delay.is_zero());
        }
        self
    }
    pub(crate) fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
    pub(crate) fn fault_link(mut self, link: FaultLink) -> Self {
        self.link = link;
        self
    }
    pub(crate) async fn start(self) -> Result<Node, std::fmt::Error> {
        tokio::task::yield_now().await;
        let address = self.address.ok_or(std::fmt::Error)?;
        let first = self
            .seeds
            .iter()
            .min()
            .map_or(address, |seed| address.min(*seed));
        let central = Arc::clone(held(&CLUSTERS).entry(first).or_default());
        let id = NodeId(u64::from(address.port()));
        held(&central).nodes.push(id);
        let limiter = Limiter {
            id,
            limit: self.limit.ok_or(std::fmt::Error)?,
            clock: self.clock,
            central,
        };
        Ok(Node {
            address,
            limiter,
            link: self.link,
        })
    }
}

pub(crate) struct Node {
    address: SocketAddr,
    limiter: Limiter,
    link: FaultLink,
}

impl Node {
    pub(crate) fn builder() -> Builder {
        Builder {
            limit: None,
            clock: Arc::new(MonotonicClock::new()),
            address: None,
            seeds: Vec::new(),
            link: FaultLink::new(),
        }
    }
    pub(crate) fn start_outcome(&self) -> StartOutcome {
        StartOutcome::Holding
    }
    pub(crate) fn id(&self) -> NodeId {
        self.limiter.id
    }
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
    pub(crate) fn limiter(&self, _name: &str) -> Option<Limiter> {
        Some(self.limiter.clone())
    }
    pub(crate) fn stats(&self) -> Stats {
        let cut = self.link.first_passed().is_none();
        let seq = u64::from(!cut);
        let seen = held(&self.limiter.central).nodes.clone();
        Stats {
            rows_seq_own: 1,
            rows_seq_seen: seen.into_iter().map(|id| (id, seq)).collect(),
            ..Stats::default()
        }
    }
    pub(crate) async fn shutdown(self, _deadline: Duration) {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone)]
pub(crate) struct Limiter {
    id: NodeId,
    limit: Limit,
    clock: Arc<dyn Clock>,
    central: SharedCentral,
}

impl Limiter {
    pub(crate) fn check(&self, key: &str) -> Decision {
        let mut central = held(&self.central);
        let at_ns = self.clock.now_ns();
        let (level, since_ns) = central.levels.get(key).copied().unwrap_or((0, at_ns));
        let drained = u128::from(at_ns.saturating_sub(since_ns)) * u128::from(self.limit.units);
        let period = u128::from(self.limit.period_ns);
        let level = level.saturating_sub(drained) + period;
        let allowed = level <= u128::from(self.limit.burst_units) * period;
        if allowed {
            central.levels.insert(key.to_owned(), (level, at_ns));
        }
        Decision { allowed, at_ns }
    }
    pub(crate) async fn acquire(&self, key: &str) -> Decision {
        tokio::task::yield_now().await;
        self.check(key)
    }
    pub(crate) fn owners(&self, key: &str) -> Vec<NodeId> {
        let nodes = &held(&self.central).nodes;
        nodes
            .get(key.len() % nodes.len())
            .copied()
            .into_iter()
            .collect()
    }
    pub(crate) fn peek(&self, _key: &str) -> Peek {
        let nodes = held(&self.central).nodes.len();
        Peek {
            share: Share(1.0 / nodes as f64),
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
