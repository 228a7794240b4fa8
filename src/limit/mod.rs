//! The divisible bucket: limits as users state them, and the leaky bucket in shares.
//!
//! Pure arithmetic: no storage, no peers, no clock. [`Account`] is one node's part of one key's
//! bucket; its four verbs are *admit*, *drain*, *split* (grant) and *absorb* (apply), and their one
//! law is that what the parts can admit by any later time sums to at most what the whole could.

mod account;
mod bound;
mod decision;
mod error;
mod fullness;
mod pace;
mod rate;
mod ratio;
mod spec;

pub use account::{Account, Parcel};
pub use bound::Bound;
pub use decision::{Basis, Charge, Decision, Refusal, Refused, Verdict};
pub(crate) use decision::{NO_RETRY, Place, Spot};
pub use error::LimitError;
pub use fullness::Fullness;
pub use pace::{Pace, UnitsTime};
pub use rate::Rate;
pub use spec::{Limit, Overshoot};
