//! Rate limits divided into shares over a cluster, with nobody in the middle and a stated ceiling.
//!
//! Every limit is divided into shares, one per node. A node admits requests against its own share,
//! in memory; shares move between nodes, toward demand. For a limit of burst `C` and rate `r`, and
//! an overshoot `ε` that you choose, every interval of length `T` sees, over all nodes together,
//! at most
//!
//! ```text
//! (1 + ε)·C + (1 + ρ)·r·T
//! ```
//!
//! admitted, whatever the network, the processes and the wall clocks do; `ρ` is the rate error of
//! the fastest node's monotonic clock. [`EvictAfter`] is the one place where that can be traded for
//! availability, and [`Bound`] has both forms.
//!
//! ```
//! use distributary::{Limit, Limiter};
//!
//! let limiter = Limiter::local(Limit::per_second(100).burst(2));
//! assert!(limiter.check("ann").is_allowed());
//! assert!(limiter.check("ann").is_allowed());
//! assert!(limiter.check("ann").retry_after().is_some());
//! ```
//!
//! In a cluster the same [`Limiter`] comes from a running `Node`: see `Node::builder`, of the
//! feature `quic`, which is on by default. Without it this is the local limiter and [`proto`].

/// Whether a bug is planted, or its value in place of the right one: see the module `mutant`.
#[cfg(mutant)]
macro_rules! planted {
    ($name:ident) => {
        $crate::mutant::is_planted($crate::mutant::Mutant::$name)
    };
    ($name:ident, $wrong:expr, $right:expr) => {
        if planted!($name) { $wrong } else { $right }
    };
}

/// Nothing is: what would be wrong is not even compiled.
#[cfg(not(mutant))]
macro_rules! planted {
    ($name:ident) => {
        $crate::nothing_is_planted()
    };
    ($name:ident, $wrong:expr, $right:expr) => {
        $right
    };
}

#[cfg(not(mutant))]
const fn nothing_is_planted() -> bool {
    false
}

#[cfg(mutant)]
pub mod mutant;

mod gossip;
mod limit;
mod limiter;
mod membership;
mod node;
mod row;
mod share;
mod table;
mod units;
mod view;
mod wire;

#[cfg(feature = "quic")]
mod cluster;
#[cfg(feature = "quic")]
mod quic;

#[cfg(feature = "quic")]
pub use cluster::{
    Builder, DriverState, Member, Node, ShutdownOutcome, StartError, StartOutcome, Stats,
};
pub use limit::{
    Basis, Bound, Decision, Limit, LimitError, Overshoot, Rate, Refusal, Refused, Verdict,
};
pub use limiter::{
    Clock, Hashing, Key, KeyHash, Limiter, LocalBuilder, ManualClock, MonotonicClock, TscClock,
    subscriber,
};
pub use node::{EvictAfter, Fallback, NodeCounters};
#[cfg(feature = "quic")]
pub use quic::{FaultLink, TransportCounters, TransportError};
pub use table::{Counters, Peek};
pub use units::{NodeId, Share};

/// The protocol without a transport: for those who bring their own, and for simulations.
///
/// No type of tokio or quinn is here, and nothing here opens a socket or reads a clock. This ring
/// may change with any minor version.
pub mod proto {
    pub use crate::gossip::{Batch, Journal, Progress, Sequence};
    pub use crate::limit::{Account, Charge, Pace, Parcel, UnitsTime};
    pub use crate::membership::{MembershipConfig, Peer};
    pub use crate::node::{
        Event, Founding, Memory, Node, NodeConfig, NodeCounters, Output, Request, Ticket,
    };
    pub use crate::row::{Heard, Merged, Row, Rows, Standing};
    pub use crate::share::{Demand, Grant, owner, owners};
    pub use crate::table::{
        Ask, Counters, LimitIndex, Listed, Peek, Policy, Table, TableConfig, Wake,
    };
    pub use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};
    pub use crate::view::{Ledger, Member, View, ViewId};
    pub use crate::wire::{DATAGRAM_BYTES, FRAME_BYTES_MAX, Message, WireError};

    /// What the state machine is made of, for who checks its steps one by one.
    #[doc(hidden)]
    pub mod parts {
        pub use crate::limit::Fullness;
        pub use crate::share::{AppliedClock, Outbox};
        pub use crate::table::Settlement;
        pub use crate::view::{
            Adoption, Candidate, Opening, OpeningChunk, Pending, Report, Statement, propose, settle,
        };
        pub use crate::wire::{Gather, Gossip};
    }
}

/// Compiles and runs what the README shows.
#[cfg(all(doctest, feature = "quic"))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
