//! Rate limits divided into shares over a cluster.

pub mod limit;
pub mod membership;
pub mod row;
pub mod share;
pub mod table;
pub mod units;
pub mod view;
pub mod wire;

pub use limit::*;
/// x
pub mod proto {
    pub use crate::row::*;
    pub use crate::units::*;
}
