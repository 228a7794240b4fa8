//! What to send to whom: the journal of a node's own rows, and how far each peer has heard it.
//!
//! A node writes each change of a row into its journal under a new `seq`. To a peer it sends what
//! lies above the `seq` that it has sent before; the peer acknowledges up to which `seq` it has
//! everything; if that does not move for a few ticks, sending starts again from there. So a peer
//! that was cut off hears exactly what changed meanwhile, once, and the newest state only.
//!
//! A node keeps what it hears of another's journal in a mirror, and passes it on in the same way
//! to a peer that does not hear the origin itself: rows are state, so who tells them does not matter.
//!
//! ```
//! # use distributary::proto::{Journal, Progress, Row, KeyId, LimitId, Nanos};
//! let (mut journal, mut progress) = (Journal::default(), Progress::default());
//! journal.write(Row::new(LimitId(1), KeyId(1)));
//! journal.write(Row::new(LimitId(1), KeyId(2)));
//! journal.write(Row::new(LimitId(1), KeyId(1))); // replaces the first
//! let batch = progress.next_batch(&journal, 10).expect("two rows");
//! assert_eq!((batch.after, batch.upto, batch.rows.len()), (0, 3, 2));
//! progress.sent(&batch, Nanos(0));
//! assert!(progress.next_batch(&journal, 10).is_none()); // until it is lost
//! progress.acknowledged(3, Nanos(0));
//! assert!(progress.is_heard(&journal));
//! ```

mod ahead;
mod journal;
mod mirror;
mod newest;
mod progress;

use crate::row::Row;

pub(crate) use ahead::Ahead;
pub use journal::Journal;
pub(crate) use mirror::Mirror;
use newest::Newest;
pub use progress::{Batch, Progress};

/// One origin's rows in the order in which it wrote them, the newest of each key only.
pub trait Sequence {
    /// Up to which `seq` there is nothing that is not here.
    fn last(&self) -> u64;

    /// Rows written after `seq` and up to the last, the oldest first.
    fn after(&self, seq: u64) -> impl Iterator<Item = &Row>;
}
