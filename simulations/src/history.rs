//! What was seen of a run from outside: all that the checkers know.
//!
//! Times are true virtual time in nanoseconds from the run's first request (the warm-up lies
//! before 0 and is not recorded), never a node's own clock.

use serde::{Deserialize, Serialize};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When it arrives.
    pub at_ns: u64,
    /// At which place.
    pub place: u32,
    /// For which key, by number.
    pub key: u32,
    /// How many units it costs.
    pub cost: u64,
}

/// What became of a request. There is one for each arrival that reached a running process, in the
/// order of `decided_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its number: the index among the run's arrivals.
    pub arrival: u32,
    /// When units were charged, or the request refused.
    pub charged_ns: u64,
    /// When the caller had its answer.
    pub answered_ns: u64,
    /// Whether it was admitted.
    pub admitted: bool,
    /// On what grounds.
    pub basis: Basis,
}

/// On what grounds a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// On the share of the node that it reached.
    OwnShare,
    /// On its overdraft.
    Overdraft,
    /// By a holder that was asked.
    Holder,
    /// Without an answer.
    Fallback,
}

/// A request that nobody answered: the process died under it, or answers never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// The index among the run's arrivals.
    pub arrival: u32,
    /// Whether units may have been charged for it all the same.
    pub maybe_charged: bool,
}

/// Everything seen of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What was asked, in order.
    pub arrivals: Vec<Arrival>,
    /// What became of it.
    pub outcomes: Vec<Outcome>,
    /// What became of nothing.
    pub unanswered: Vec<Unanswered>,
    /// What happened besides, in order of time.
    pub notes: Vec<Note>,
    /// What travelled.
    pub traffic: Traffic,
    /// Largest clock rate error of any node, in millionths: ρ.
    pub clock_error_ppm: u64,
    /// A hash over every input and output of every node; 0 for rivals.
    pub trace_hash: u64,
    /// Rare branches that were taken, and how often.
    pub marks: std::collections::BTreeMap<String, u64>,
    /// When the run ended, healing included.
    pub ended_ns: u64,
}

/// What travelled between nodes from the first request to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Over how long.
    pub span_ns: u64,
    /// Nodes, on average over time.
    pub nodes: f64,
    /// Grants sent.
    pub grants: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes sent, headers included.
    pub bytes: u64,
}

/// Something worth knowing that happened at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at_ns: u64,
    /// What.
    pub what: What,
}

/// What a note tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A fault, in words, as the scenario has it.
    Fault(String),
    /// All was healed: phase two begins.
    Healed,
    /// So many groups of nodes count apart from each other from now on: κ. The groups are found by
    /// comparing who each node says it counts with, not by asking the library for κ.
    Groups(u32),
    /// Nodes that remembered nothing founded the cluster anew.
    Founded,
    /// A life adopted and completed a view: its number and its members' places.
    ViewComplete {
        /// At which place.
        place: u32,
        /// The view's number.
        view: u64,
        /// Members.
        members: u32,
    },
    /// What all nodes hold of one key, seen between two events.
    Holdings(Holdings),
    /// What all living nodes together could admit of one key at this instant, if each were asked for
    /// all that its own rights allow, overdraft included: in 2⁻²⁰ of a unit, rounded down.
    Room {
        /// The key, by number.
        key: u32,
        /// How much.
        parts: u64,
    },
    /// How far the living nodes are apart in what they think the cluster still has of a key: the
    /// most less the least, in units.
    Apart {
        /// The key, by number.
        key: u32,
        /// Units between the two views that are furthest apart.
        units: u64,
    },
    /// All living, reachable nodes' rows and merged views of every contended key are equal.
    Converged,
    /// They are not yet, at the end of the run.
    NotConverged(String),
    /// The most that any node's queues, tables and outboxes held.
    Resources(Resources),
    /// Contended keys over all nodes.
    Contended(u64),
    /// A place's node came to hold shares, so long after its process started.
    Holding {
        /// At which place.
        place: u32,
        /// After how long.
        after_ns: u64,
    },
    /// A node came to think another place's life dead, or alive again, though it was (not).
    Suspected {
        /// Who thinks so.
        by: u32,
        /// Of whom.
        of: u32,
        /// Whether it is thought alive.
        alive: bool,
        /// Whether its process really runs.
        runs: bool,
    },
}

/// What of a key nodes hold parts of: each is shared out apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The burst.
    #[default]
    Burst,
    /// The rate.
    Rate,
    /// The right of overdraft.
    Overdraft,
}

/// What all nodes together hold of one key, in parts of a share, and of units in 2⁻²⁰.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The key, by number.
    pub key: u32,
    /// What it is that they hold parts of.
    #[serde(default)]
    pub of: Part,
    /// Σ shares held by living processes that count with somebody.
    pub held_parts: u64,
    /// Σ shares in grants that were sent, not yet applied, and can still be.
    pub in_flight_parts: u64,
    /// Parts that there are in all: those of a whole share, or of all rights of overdraft.
    pub whole_parts: u64,
    /// Counters that only grow, by life: (life, rows' seq, P, N); and by life and origin for rows that
    /// were heard, of which only the seq is told. Monotone entries.
    pub counters: Vec<(u64, u64, u64, u64)>,
}

/// High-water marks over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Keys with a slot at one node.
    pub keys: u64,
    /// Frames waiting at one node to be sent.
    pub outputs: u64,
    /// Grants waiting for an acknowledgement from one peer.
    pub grants: u64,
    /// Bytes of the largest frame.
    pub frame_bytes: u64,
    /// Peers remembered by one node.
    pub peers: u64,
}
