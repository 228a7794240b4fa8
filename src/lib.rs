//! Rate limits divided into shares over a cluster.

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
pub use limiter::{Clock, Key, KeyHash, Limiter, ManualClock, MonotonicClock, subscriber};
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
    pub use crate::gossip::{Batch, Journal, Progress};
    pub use crate::limit::{Account, Charge, Pace, Parcel, UnitsTime};
    pub use crate::membership::{MembershipConfig, Peer};
    pub use crate::node::{
        Event, Founding, Node, NodeConfig, NodeCounters, Output, Request, Ticket,
    };
    pub use crate::row::{Heard, Merged, Row, Rows, Standing};
    pub use crate::share::{Demand, Grant, owner, owners};
    pub use crate::table::{
        Ask, Counters, LimitIndex, Listed, Peek, Policy, Table, TableConfig, Wake,
    };
    pub use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};
    pub use crate::view::{Ledger, Member, View, ViewId};
    pub use crate::wire::{DATAGRAM_BYTES, FRAME_BYTES_MAX, Message, WireError};
}
