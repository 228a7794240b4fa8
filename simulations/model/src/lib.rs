//! All that three nodes can do within small bounds, state by state.
//!
//! The simulator draws worlds; this crate leaves nothing to chance. Three nodes, one or two keys, a
//! few units, a few steps of the clock: `stateright` walks through every order in which requests,
//! grants, crashes, restarts, leavers and views can come, with every message lost, doubled, late
//! and out of order. The steps are the library's own functions: accounts, outboxes and applied
//! clocks, ledgers, proposals, openings and settlements. A planner is not among them: any grant
//! that an account lets go may be made at any time.
//!
//! What is judged is added up here, without the library's arithmetic, and [`Planted`] bugs show
//! that each claim can fail.

mod action;
pub mod claims;
mod explore;
mod healing;
mod holder;
mod marks;
mod network;
mod planted;
mod rules;
mod scope;
mod state;
mod steps;

pub use action::Action;
pub use explore::{Exploration, Outcome, Search, explore, falsify};
pub use holder::Holder;
pub use marks::Mark;
pub use network::{Message, Network, Receipt};
pub use planted::Planted;
pub use rules::Rules;
pub use scope::{Cargo, Scope};
pub use state::{NODES, State};
