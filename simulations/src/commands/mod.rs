//! What `simulate` can do, a file for each command: its options, and `execute`.

pub mod choices;
pub mod compare;
pub mod model;
pub mod mutants;
pub mod replay;
pub mod report;
pub mod run;
pub mod shrink;
pub mod swarm;
pub mod table;
