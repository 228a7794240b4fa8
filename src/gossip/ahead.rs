//! Rows that came before those that were sent before them.

use std::collections::BTreeMap;

/// Spans of a peer's rows that were heard out of order: without them one datagram that overtook
/// another would hold the digest up until all was sent again.
#[derive(Debug, Default)]
pub(crate) struct Ahead(BTreeMap<u64, u64>);

/// Spans remembered for each peer; of more the sender repeats some.
const SPANS_MAX: usize = 64;

impl Ahead {
    /// Everything above `after` and up to `upto` was heard by one that had everything up to
    /// `seen`; says up to where it has everything now.
    pub(crate) fn hear(&mut self, seen: u64, after: u64, upto: u64) -> u64 {
        if upto > seen && (self.0.len() < SPANS_MAX || after <= seen) {
            let span = self.0.entry(after).or_default();
            *span = upto.max(*span);
        }
        let mut seen = seen;
        while let Some(first) = self.0.first_entry().filter(|first| *first.key() <= seen) {
            seen = seen.max(first.remove());
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_early_counts_when_the_gap_closes() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.hear(0, 4, 9), 0);
        assert_eq!(ahead.hear(0, 9, 12), 0);
        assert_eq!(ahead.hear(0, 0, 4), 12);
        assert_eq!(ahead.hear(12, 3, 7), 12);
        assert!(ahead.0.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut ahead = Ahead::default();
        for after in 1..1000 {
            ahead.hear(0, 2 * after, 2 * after + 1);
        }
        assert_eq!(ahead.0.len(), SPANS_MAX);
        assert_eq!(ahead.hear(0, 0, 2), 3);
    }
}
