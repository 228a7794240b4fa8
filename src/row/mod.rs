//! The row CRDT: what each node says of each contended key, and what the rows say together.
//!
//! A row is one node's summary of one key: its two counters P and N, its share, what it is asked
//! for. Its origin alone writes it and numbers it with `seq`. Nodes keep, per origin, the row with
//! the highest `seq`: taking the maximum is commutative, associative and idempotent, so rows may
//! be lost, doubled, reordered and relayed, and whoever has heard the same rows holds the same
//! state. The rows of one key are together a PN-counter with a term per node: ΣP − ΣN is the
//! cluster's level.
//!
//! Rows are hints. An admission on a node's own share never looks at one, and an overdraft that
//! does is bounded by that node's own right: losing every row costs accuracy, never safety.
//!
//! ```
//! # use distributary::proto::{Row, Rows};
//! # use distributary::proto::{KeyId, LimitId, Nanos, NodeId};
//! // Two nodes' rows of one key converge whatever the order they are heard in.
//! let row = |seq| Row { seq, ..Row::new(LimitId(1), KeyId(2)) };
//! let (a, b) = (NodeId(10), NodeId(11));
//! let mut one = Rows::default();
//! let mut other = Rows::default();
//! for (origin, seq) in [(a, 1), (b, 7), (a, 2)] {
//!     one.join(origin, row(seq), Nanos(5));
//! }
//! for (origin, seq) in [(a, 2), (a, 1), (b, 7), (b, 7)] {
//!     other.join(origin, row(seq), Nanos(5));
//! }
//! assert_eq!(one, other);
//! ```

mod growth;
mod merged;
mod rows;

pub use growth::Growth;
pub use merged::{Merged, Standing, Theirs};
pub use rows::{Heard, Row, Rows};
