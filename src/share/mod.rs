//! Who holds which part of a key, and how parts move.
//!
//! Nothing here is needed for the promise: a grant conserves what it moves, however foolish it is.
//! What this module decides is how well the cluster uses its limit. Three flows move the rate, units
//! and the level by ordinary grants:
//!
//! - **the rate follows demand, as far as there is evidence for it.** Raw short-term rates
//!   are noise when a client comes once a minute, and chasing them is worse than a static split; so
//!   recent demand is weighed by the number of arrivals that it rests on, and mixed with habit;
//! - **units (the balance) follow where the next requests are likely to land.** Rate is not enough:
//!   a burst that lands at one node finds only what lies there;
//! - **the level follows the rate.** What is used up drains only where there is a part of the rate.
//!
//! Each node computes the same pure function from its own state and the rows it has heard, and
//! acts on its own surplus only ([`plan`]). Donors never go below their own target, so they cannot
//! over-serve anyone by much.

/// A limit that gives its whole burst back in fewer ticks comes back before units can be put together.
pub(crate) const SOON_TICKS: u64 = 8;

mod demand;
mod outbox;
mod plan;
mod rendezvous;

pub(crate) use demand::{COUNT_SCALE, nothing_count};
pub use demand::{Demand, Meter};
pub(crate) use outbox::OUTSTANDING_MAX;
pub use outbox::{AppliedClock, Grant, Outbox};
pub use plan::{Holder, MEMBERS_ALL_KEEP, Move, Scene, cost_units, donors, plan};
pub(crate) use plan::{is_asked_for, keepers_count};
pub(crate) use rendezvous::weight;
pub use rendezvous::{owner, owners};
