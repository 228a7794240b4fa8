//! How a node is configured, and how it starts.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;

use super::running::{Remote, Running};
use super::{Node, StartError, StartOutcome, driver};
use crate::limit::{Limit, Overshoot, Pace};
use crate::limiter::{Clock, Core, GuardedClock, Hashing, KEYS_MAX, KeyHasher, limit_id};
use crate::membership::MembershipConfig;
use crate::node::{EvictAfter, Fallback, Founding, NodeConfig};
use crate::quic::{FaultLink, Secret, Target, Transport, TransportConfig};
use crate::table::{Policy, Table, TableConfig};
use crate::units::NodeId;

/// Configures a node. Only the secret and one limit are needed: what is left out makes a cluster of
/// one on a free port of this machine, to which others can be added.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    secrets: Vec<Vec<u8>>,
    cluster: String,
    name: String,
    bind: SocketAddr,
    advertise: Option<SocketAddr>,
    seeds: Vec<SocketAddr>,
    problem: Option<String>,
    expected: Option<usize>,
    bootstrap: bool,
    limits: Vec<(String, Limit)>,
    overshoot: f64,
    tick: Duration,
    evict_after: EvictAfter,
    acquire_deadline: Duration,
    fallback: Fallback,
    start_deadline: Duration,
    keys_max: usize,
    hashing: Hashing,
    clock: Option<Arc<dyn Clock>>,
    fault_link: Option<FaultLink>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            cluster: "distributary".to_owned(),
            name: String::new(),
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: None,
            seeds: Vec::new(),
            problem: None,
            expected: None,
            bootstrap: false,
            limits: Vec::new(),
            overshoot: 0.2,
            tick: Duration::from_millis(100),
            evict_after: EvictAfter::After(Duration::from_secs(60)),
            acquire_deadline: Duration::from_millis(5),
            fallback: Fallback::OwnShare,
            start_deadline: Duration::from_secs(10),
            keys_max: KEYS_MAX,
            hashing: Hashing::default(),
            clock: None,
            fault_link: None,
        }
    }
}

impl Builder {
    /// What every node of the cluster knows and nobody else does, at least 16 bytes. Certificates
    /// and key hashes are derived from it: a node with another one is refused, and whoever has it
    /// can make itself a member.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets.push(secret.as_ref().to_vec());
        self
    }

    /// The cluster's name. Nodes of another name are refused even if they have the secret, so that
    /// staging does not join production. Default: `distributary`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// A label for logs and reports: a host or pod name. Proves nothing; need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where to listen, over UDP. Port 0 takes a free one; `[::]` also takes IPv4. Default: a free
    /// port of loopback, which no other machine reaches.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// The same from text; what is wrong with it is told at the start.
    pub fn bind_to(mut self, address: &str) -> Self {
        match resolve(address) {
            Ok(found) if !found.is_empty() => self.bind = found[0],
            _ => self.problem = Some(address.to_owned()),
        }
        self
    }

    /// Where others reach this node, if not where it listens: behind a port mapping, say. A wrong
    /// one shows as peers that come up and are called in vain.
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise = Some(address);
        self
    }

    /// Addresses of other nodes to begin with; one that lives is enough, and its own may be among
    /// them. With no seeds, and no expected nodes, this node founds a cluster at once.
    pub fn seeds(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.seeds.extend(addresses);
        self
    }

    /// One seed from text, `host:port`; resolved now. What is wrong with it is told at the start.
    pub fn seed(mut self, address: &str) -> Self {
        match resolve(address) {
            Ok(found) if !found.is_empty() => self.seeds.extend(found),
            _ => self.problem = Some(address.to_owned()),
        }
        self
    }

    /// How many nodes to expect: the cluster is founded when all of them are there, each with an
    /// equal share, or, where eviction is allowed, when a majority is and some time has passed. Set
    /// it alike on all. Too large, and nothing is ever founded: every `check` refuses.
    pub fn expected_nodes(mut self, count: usize) -> Self {
        self.expected = Some(count);
        self
    }

    /// Founds a cluster at once, alone. For one node of a new cluster, and only for its first start:
    /// a second founder is a second group with a limit of its own.
    pub fn bootstrap(mut self) -> Self {
        self.bootstrap = true;
        self
    }

    /// Names a limit. All nodes must have the same limits under the same names: others are refused.
    pub fn limit(mut self, name: impl Into<String>, limit: Limit) -> Self {
        self.limits.push((name.into(), limit));
        self
    }

    /// ε: how far the cluster may admit above a burst, in parts of it, while nodes do not yet know of
    /// each other's admissions. 0 is strict and refuses a little too much on uneven traffic; 1 can
    /// double a burst. The long-run rate is exact in any case. Set it alike on all. Default: 0.2.
    pub fn overshoot(mut self, fraction: f64) -> Self {
        self.overshoot = fraction;
        self
    }

    /// How often nodes tell each other what changed, and move shares. Shorter follows traffic faster
    /// and costs more datagrams. Set it alike on all. Default: 100 ms; from 1 ms to 10 s.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// When a member that nobody reaches is given up and its share handed to the rest. Longer than
    /// the longest pause or partition that should do no harm: if it lives on, each side admits the
    /// whole limit. `Never` keeps the promise through anything, and needs [`Node::forget`] for what
    /// never comes back. Default: 60 s.
    pub fn evict_after(mut self, evict_after: EvictAfter) -> Self {
        self.evict_after = evict_after;
        self
    }

    /// How long `acquire` waits for a holder. A few round trips; too short, and the fallback decides
    /// most of the time. Default: 5 ms.
    pub fn acquire_deadline(mut self, deadline: Duration) -> Self {
        self.acquire_deadline = deadline;
        self
    }

    /// What `acquire` does without an answer. Default: decides on this node's own share.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    /// How long [`Builder::start`] waits for this node to hold its share. Default: 10 s.
    pub fn start_deadline(mut self, deadline: Duration) -> Self {
        self.start_deadline = deadline;
        self
    }

    /// Most keys kept, about 40 bytes each (contended ones about a kilobyte). At the maximum the
    /// key that drains first is given up, and is read as a little fuller than it was: counted as
    /// `keys_given_up`. Default: about sixteen million.
    pub fn keys_max(mut self, count: usize) -> Self {
        self.keys_max = count;
        self
    }

    /// Another hash of keys: what each costs and withstands is said at [`Hashing`]. It must be the same
    /// on all nodes: one that hashes in another way is refused as one with other limits.
    pub fn hashing(mut self, hashing: Hashing) -> Self {
        self.hashing = hashing;
        self
    }

    /// Another clock, for tests. It must be monotonic; only its rate matters.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A handle by which links to other nodes can be cut below QUIC: for demonstrations and tests.
    pub fn fault_link(mut self, link: FaultLink) -> Self {
        self.fault_link = Some(link);
        self
    }

    /// Starts the node, and waits until it holds its share or the start deadline has passed:
    /// [`Node::start_outcome`] says which.
    ///
    /// # Errors
    /// Says what is wrong with the configuration, or why the port could not be had. Nothing is left
    /// running, nor if the future is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and IO enabled.
    pub async fn start(self) -> Result<Node, StartError> {
        let policies = self.policies()?;
        let secret = self.one_secret()?;
        let config = self.node_config()?;
        if let Some(text) = self.problem.clone() {
            return Err(StartError::Address { text });
        }
        let id = NodeId(random()?);
        let mut transport =
            TransportConfig::new(Secret::new(&secret), &self.cluster, id, self.bind);
        transport.name.clone_from(&self.name);
        transport.advertise = self.advertise;
        transport.fault.clone_from(&self.fault_link);
        transport.named_limits = self.named_limits();
        transport.limits = digest(&transport.named_limits);
        let (transport, events) = Transport::start(transport).await?;
        let clock = GuardedClock::new(self.clock.clone());
        let now = clock.now();
        let hashers = self.hashers(&policies, key_secret(&secret, &self.cluster));
        let table = Arc::new(Table::new(id, self.table_config(policies)));
        let address = transport.local_address();
        let machine =
            crate::node::Node::new(id, address, config, Arc::clone(&table), now, random()?);
        for seed in &self.seeds {
            if *seed != address {
                transport.want(Target::Seed(*seed));
            }
        }
        let running = Arc::new(Running::new(machine, transport, self.acquire_deadline));
        let core = Core {
            table,
            clock,
            hashers,
            cluster: Some(Arc::new(Remote::new(&running))),
        };
        let core = Arc::new(core);
        running.attach(&core);
        let task = driver::spawn(Arc::clone(&running), Arc::clone(&core), events);
        let names = self.limits.into_iter().map(|(name, _)| name).collect();
        // It exists before it waits: whoever stops waiting drops it, and nothing is left running.
        let mut node = Node {
            running,
            core,
            names,
            outcome: StartOutcome::DeadlinePassed,
            task,
        };
        if node.holds_within(self.start_deadline).await {
            node.outcome = StartOutcome::Holding;
        }
        Ok(node)
    }
}

/// Checks: each turns what was given into what is valid, or says what is wrong with it.
impl Builder {
    fn hashers(&self, policies: &[Policy], secret: [u8; 16]) -> Box<[KeyHasher]> {
        let policies = policies.iter();
        let hashers = policies.map(|policy| KeyHasher::new(secret, self.hashing, policy.id));
        hashers.collect()
    }

    fn one_secret(&self) -> Result<Vec<u8>, StartError> {
        let first = self.secrets.first().ok_or(StartError::SecretMissing)?;
        if self.secrets.iter().any(|other| other != first) {
            return Err(StartError::SecretsDiffer);
        }
        Ok(first.clone())
    }

    fn policies(&self) -> Result<Vec<Policy>, StartError> {
        if self.limits.is_empty() {
            return Err(StartError::LimitMissing);
        }
        if self.limits.len() > usize::from(u16::MAX) {
            return Err(StartError::LimitsTooMany);
        }
        let mut policies: Vec<Policy> = Vec::new();
        for (index, (name, limit)) in self.limits.iter().enumerate() {
            if self.limits[..index].iter().any(|(other, _)| other == name) {
                return Err(StartError::LimitTwice(name.clone()));
            }
            let id = limit_id(name, self.hashing);
            let fits = !name.is_empty() && name.len() <= LIMIT_NAME_BYTES_MAX;
            if !fits || policies.iter().any(|policy| policy.id == id) {
                return Err(StartError::LimitName(name.clone()));
            }
            policies.push(Policy {
                id,
                limit: *limit,
                pace: Pace::new(*limit),
            });
        }
        Ok(policies)
    }

    fn node_config(&self) -> Result<NodeConfig, StartError> {
        if self.tick < TICK_MIN || self.tick > TICK_MAX {
            return Err(StartError::Tick(self.tick));
        }
        let alone = self.seeds.is_empty() && self.expected.is_none();
        let founding = Founding {
            // Without a word on how many to expect a node with seeds waits to be taken in.
            expected: self.expected.unwrap_or(usize::MAX),
            bootstrap: self.bootstrap || alone || self.expected == Some(1),
        };
        Ok(NodeConfig {
            tick: self.tick,
            overshoot: Overshoot::new(self.overshoot)?,
            evict_after: self.evict_after,
            fallback: self.fallback,
            founding,
            gather_timeout: self.acquire_deadline / 5 * 3,
            membership: MembershipConfig::default(),
        })
    }

    fn table_config(&self, policies: Vec<Policy>) -> TableConfig {
        TableConfig {
            policies,
            keys_max: self.keys_max,
            capacity: 0,
            tick_ns: u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX),
            clustered: true,
        }
    }

    /// The limits for people, by name: what nodes compare, and log if they differ.
    fn named_limits(&self) -> Vec<(String, String)> {
        let mut named: Vec<_> = self
            .limits
            .iter()
            .map(|(name, limit)| {
                let rate = limit.rate();
                let period = Duration::from_nanos(rate.period_ns());
                let value = format!(
                    "burst {}, {} per {period:?}",
                    limit.burst_units(),
                    rate.units()
                );
                (name.clone(), value)
            })
            .collect();
        named.sort();
        named
    }
}

/// Longest name of a limit, in bytes.
const LIMIT_NAME_BYTES_MAX: usize = 256;

const TICK_MIN: Duration = Duration::from_millis(1);
const TICK_MAX: Duration = Duration::from_secs(10);

/// A hash of all limits: nodes with another one are refused.
fn digest(named_limits: &[(String, String)]) -> [u8; 32] {
    let mut text = Vec::new();
    for (name, value) in named_limits {
        for part in [name, value] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What keys are hashed under: the same on all nodes of a cluster, and nobody else's.
fn key_secret(secret: &[u8], cluster: &str) -> [u8; 16] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let mut text = b"distributary key ids\0".to_vec();
    text.extend_from_slice(cluster.as_bytes());
    let tag = ring::hmac::sign(&key, &text);
    tag.as_ref()[..16]
        .try_into()
        .expect("an HMAC-SHA-256 has 32 bytes")
}

fn random() -> Result<u64, StartError> {
    SysRng
        .try_next_u64()
        .map_err(|error| StartError::Randomness(error.to_string()))
}

fn resolve(address: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(address.to_socket_addrs()?.collect())
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
