//! Newtypes that everything else counts in: time, ids, exact shares, amounts.
//!
//! Nothing here knows what a limit or a node is. Arithmetic is integer, checked or saturating, and
//! where it rounds it says which way.

mod amount;
mod id;
pub(crate) mod pack;
mod share;
mod time;

pub use amount::{Amount, UNITS_MAX};
pub use id::{KeyId, LimitId, NodeId};
pub use share::Share;
pub use time::Nanos;
pub(crate) use time::duration_ns;
