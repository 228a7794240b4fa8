//! What `simulate` can do, a file for each command: its options, and `execute`.

pub mod run;
pub mod table;
