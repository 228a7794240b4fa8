//! The protocol core as a whole cluster, over a virtual network and in virtual time.
//!
//! Each file tells one story. All of them run real nodes with real tables through the public
//! `proto` ring; what they admit is judged by a bucket that shares no line with the library.
//! A failing case prints its seed: `DISTRIBUTARY_SEED=<seed> cargo test --test protocol <name>`
//! runs that case alone, and `DISTRIBUTARY_CASES=<n>` multiplies the number of cases.

mod audit;
mod cluster;
mod dice;
mod drive;
mod host;
mod judge;
mod links;

mod acquire_exact;
mod carried;
mod ceiling;
mod convergence;
mod cramped;
mod debts;

mod demand;
mod forgetting;
mod handover;
mod hostile;
mod recalls;
mod relays;
mod smoke;
mod views;
