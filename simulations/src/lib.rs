//! The deterministic world that the library is proved in.
//!
//! A [`Scenario`] says all there is to say of a run: cluster, network, faults, workload and seed.
//! [`workload`] draws its arrivals; a [`Strategy`] decides them (`shares` is the library's own node
//! and table in the [`world`], the others are rivals); what was seen from outside is a [`Run`];
//! checkers, which share no code with the library, judge it.

pub mod args;
pub mod checker;
pub mod choices;
pub mod clock;
pub mod commands;
pub mod dice;
pub mod history;
pub mod measure;
#[cfg(mutant)]
pub mod mutants;
pub mod network;
pub mod report;
mod say;
pub mod scenario;
pub mod shrink;
pub mod strategy;
pub mod swarm;
pub mod tables;
pub mod trial;
pub mod verdict;
pub mod workload;
pub mod world;

pub use history::{Outcome, Run, Traffic};
pub use scenario::Scenario;
pub use strategy::Strategy;
pub use verdict::{Finding, Verdict};
