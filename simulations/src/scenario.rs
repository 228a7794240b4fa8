//! What a run is made of. Written by hand as TOML, drawn by the swarm, made smaller by the shrinker.
//!
//! Times are virtual and in the unit that their names say; instants count from the run's start.

use serde::{Deserialize, Serialize};

/// All there is to say of a run: the same scenario gives the same history, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What people call it.
    pub name: String,
    /// Decides every random choice.
    pub seed: u64,
    /// How long requests and faults go on.
    pub duration_ms: u64,
    /// How long the cluster runs before the first request, so that it is founded.
    #[serde(default = "warm_up_ms")]
    pub warm_up_ms: u64,
    /// How long all is healed and quiet at the end, for the checks of phase two. 0 is none.
    #[serde(default)]
    pub heal_ms: u64,
    /// Who limits what.
    pub cluster: Cluster,
    /// How requests are decided.
    #[serde(default)]
    pub mode: Mode,
    /// What the network does to a datagram, unless a fault says otherwise.
    #[serde(default)]
    pub network: Quality,
    /// What goes wrong, and when; sorted by time.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What is asked.
    pub workload: Workload,
}

/// The cluster and its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Nodes at the start.
    pub nodes: usize,
    /// Units in a full bucket: C.
    pub burst_units: u64,
    /// Units regained per period: r.
    pub rate_units: u64,
    /// The period of the rate.
    #[serde(default = "second_ms")]
    pub rate_period_ms: u64,
    /// ε in thousandths.
    #[serde(default)]
    pub overshoot_milli: u64,
    /// The gossip tick.
    #[serde(default = "tick_ms")]
    pub tick_ms: u64,
    /// When silent members are evicted; `None` is never.
    #[serde(default)]
    pub evict_after_ms: Option<u64>,
    /// What `acquire` does without an answer.
    #[serde(default)]
    pub fallback: Fallback,
    /// How long `acquire` waits for an answer.
    #[serde(default = "acquire_deadline_ms")]
    pub acquire_deadline_ms: u64,
    /// Owners per key; `None` lets the library choose by the cluster's size.
    #[serde(default)]
    pub owners: Option<usize>,
    /// Most keys a node's table may hold.
    #[serde(default = "keys_max")]
    pub keys_max: usize,
}

/// As the library's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Decides as `check` would.
    #[default]
    OwnShare,
    /// Allows.
    Allow,
    /// Refuses.
    Deny,
}

/// How requests are decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// At the node that they reach.
    #[default]
    Check,
    /// Wherever the rights are.
    Acquire,
    /// So many per cent by `acquire`, the rest by `check`.
    Mixed(u8),
}

/// What happens to a datagram between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    /// Shortest one-way delay.
    pub delay_us_min: u64,
    /// Longest one-way delay, but for the tail.
    pub delay_us_max: u64,
    /// So many in a thousand take up to ten times the longest delay.
    pub tail_milli: u32,
    /// So many in a thousand are lost.
    pub loss_milli: u32,
    /// So many in a thousand arrive twice.
    pub double_milli: u32,
    /// Whether later datagrams may overtake earlier ones.
    pub reorders: bool,
    /// Bytes per second and direction of a pair; 0 is no limit.
    pub bandwidth_bytes: u64,
}

impl Quality {
    /// Processes of one machine.
    pub const HOST: Self = Self {
        delay_us_min: 50,
        delay_us_max: 200,
        ..Self::LAN
    };

    /// One to three milliseconds, nothing lost.
    pub const LAN: Self = Self {
        delay_us_min: 1_000,
        delay_us_max: 3_000,
        tail_milli: 0,
        loss_milli: 0,
        double_milli: 0,
        reorders: true,
        bandwidth_bytes: 0,
    };

    /// 30 to 60 milliseconds, one in twenty lost.
    pub const WAN: Self = Self {
        delay_us_min: 30_000,
        delay_us_max: 60_000,
        loss_milli: 50,
        ..Self::LAN
    };
}

impl Default for Quality {
    fn default() -> Self {
        Self::LAN
    }
}

/// Something that goes wrong, or is put right, at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When.
    pub at_ms: u64,
    /// What.
    pub kind: FaultKind,
}

/// What can go wrong. Places count from 0 in order of joining; a place outlives the lives there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Nothing passes from any of the first places to any of the second: one way.
    CutOneWay(Vec<usize>, Vec<usize>),
    /// Nothing passes between groups, in either direction. Places in no group reach everybody: a
    /// bridge. Groups may overlap: rings.
    Partition(Vec<Vec<usize>>),
    /// Datagrams from the first to the second places wait until the network is healed: a clog.
    Clog(Vec<usize>, Vec<usize>),
    /// Everybody's network is so from now on.
    Network(Quality),
    /// All cuts and clogs end.
    Heal,
    /// The process ends at once.
    Crash(usize),
    /// A new life begins at a place whose process ended; it remembers nothing.
    Restart(usize),
    /// The process stands still.
    Pause(usize),
    /// It goes on.
    Resume(usize),
    /// A node joins at a new place.
    Join,
    /// A node leaves in order; its process ends when it has left, or at the deadline.
    Leave(usize),
    /// An operator says that the dead life at a place is gone for good.
    Forget(usize),
    /// The clock of a place runs so many millionths too fast (below zero: too slow).
    ClockRate(usize, i64),
    /// The monotonic clock of a place stands still for so many milliseconds.
    ClockFreeze(usize, u64),
    /// The monotonic clock of a place jumps (below zero: back) by so many milliseconds.
    ClockStep(usize, i64),
}

/// Who asks for what, where and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Requests of one key (or of all keys together, where there are many), as a multiple of r
    /// (times the number of keys), in thousandths.
    pub load_milli: u64,
    /// Keys.
    #[serde(default = "one")]
    pub keys: usize,
    /// How keys are chosen.
    #[serde(default)]
    pub popularity: Popularity,
    /// At which node.
    #[serde(default)]
    pub placement: Placement,
    /// When.
    #[serde(default)]
    pub timing: Timing,
    /// Units per request: drawn evenly from these.
    #[serde(default = "unit_costs")]
    pub costs: Vec<u64>,
    /// First instant with requests.
    #[serde(default)]
    pub from_ms: u64,
    /// Last instant with requests; `None` is the run's duration.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

impl Workload {
    /// One key, one unit a request, at any place and at any time of the run.
    #[must_use]
    pub fn plain(load_milli: u64) -> Self {
        Self {
            load_milli,
            keys: one(),
            popularity: Popularity::default(),
            placement: Placement::default(),
            timing: Timing::default(),
            costs: unit_costs(),
            from_ms: 0,
            until_ms: None,
        }
    }
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Popularity {
    /// Each as likely as any other.
    #[default]
    Even,
    /// By Zipf's law with this exponent in thousandths.
    Zipf(u64),
}

/// At which node a request arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Anywhere, each as likely.
    #[default]
    Even,
    /// In turn.
    RoundRobin,
    /// So many in a thousand at place 0, the rest evenly at the others.
    Skewed(u32),
    /// All at one place, which changes after so many milliseconds.
    Moving(u64),
    /// Each key always at its own place.
    Sticky,
}

/// When requests arrive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// One independent of the other.
    #[default]
    Poisson,
    /// Evenly spaced.
    Regular,
    /// So many requests within so many milliseconds, each so many milliseconds.
    Bursts {
        /// Requests in one burst (at each place, where `everywhere`).
        count: u64,
        /// How long a burst takes.
        within_ms: u64,
        /// From the start of one to the start of the next.
        each_ms: u64,
        /// Whether it comes to every node at once.
        everywhere: bool,
    },
    /// Poisson for so many milliseconds, then silence for as many.
    OnOff(u64),
    /// An access log: a key per client host.
    Log {
        /// Where it lies, by an environment variable's name or as a path.
        path: String,
        /// Seconds of the log to play; `None` is all of it.
        seconds: Option<u64>,
        /// How many times its own speed.
        #[serde(default = "own_speed")]
        speed: u64,
    },
}

const fn own_speed() -> u64 {
    1
}

const fn warm_up_ms() -> u64 {
    3_000
}

const fn second_ms() -> u64 {
    1_000
}

const fn tick_ms() -> u64 {
    100
}

const fn acquire_deadline_ms() -> u64 {
    50
}

const fn keys_max() -> usize {
    200_000
}

const fn one() -> usize {
    1
}

fn unit_costs() -> Vec<u64> {
    vec![1]
}
