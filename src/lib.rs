//! Rate limits divided into shares over a cluster.

pub mod units;

#[cfg(feature = "quic")]
pub mod quic;
