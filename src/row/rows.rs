//! A row, and the rows that one node has heard of one key.

use serde::{Deserialize, Serialize};

use super::{Standing, Theirs};
use crate::limit::{Pace, UnitsTime};
use crate::share::Demand;
use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};

/// One node's gossiped summary of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// The origin's counter of row writes, one per incarnation: the higher is the newer.
    pub seq: u64,
    /// P: all that went into the origin's bucket.
    pub filled: Amount,
    /// N: all that went out of it.
    pub emptied: Amount,
    /// The origin's share of the burst.
    pub share: Share,
    /// The origin's share of the rate.
    pub rate: Share,
    /// The origin's right of overdraft.
    pub overdraft: Share,
    /// What the origin is asked for.
    pub demand: Demand,
    /// Units in a request at the origin on average; one if there was none of late.
    pub cost_units: u64,
    /// Whether any was refused there of late for want of rights.
    pub unmet: bool,
}

impl Row {
    /// A row that says nothing yet.
    #[must_use]
    pub fn new(limit: LimitId, key: KeyId) -> Self {
        Self {
            limit,
            key,
            seq: 0,
            filled: Amount::ZERO,
            emptied: Amount::ZERO,
            share: Share::NONE,
            rate: Share::NONE,
            overdraft: Share::NONE,
            demand: Demand::default(),
            cost_units: 1,
            unmet: false,
        }
    }

    /// How full the origin's bucket was when it wrote the row.
    #[must_use]
    pub fn level(&self) -> Amount {
        self.filled.saturating_sub(self.emptied)
    }
}

/// A row and when it was heard, by the receiver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whose row it is.
    pub origin: NodeId,
    /// The row.
    pub row: Row,
    /// When it was heard.
    pub at: Nanos,
}

impl Heard {
    /// How full the origin's bucket is by now, had it admitted nothing since.
    #[must_use]
    pub fn level_at(&self, now: Nanos, pace: &Pace) -> Amount {
        self.level_at_time(pace.at(now), pace)
    }

    /// The same, for who has the units-time already.
    #[must_use]
    pub(super) fn level_at_time(&self, now: UnitsTime, pace: &Pace) -> Amount {
        let drained = pace.drained(pace.at(self.at), now, self.row.rate);
        self.row.level().saturating_sub(drained)
    }

    /// Units the origin can admit on its own rights by now, had it admitted nothing since.
    #[must_use]
    pub fn balance_at(&self, now: Nanos, pace: &Pace) -> Amount {
        let room = Amount::share_of_units(self.row.share, pace.burst_units());
        room.saturating_sub(self.level_at(now, pace))
    }
}

/// The newest row of each origin, for one key, in the order of the origins' ids.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Rows {
    /// What they came to when that was last reckoned, if they are still the same.
    lately: Option<(Nanos, Theirs)>,
    heard: Vec<Heard>,
}

/// Two that have heard the same are the same.
impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.heard == other.heard
    }
}

impl Eq for Rows {}

impl Rows {
    /// Joins a row in; says whether it was news. An equal `seq` is the same row.
    pub fn join(&mut self, origin: NodeId, row: Row, now: Nanos) -> bool {
        let heard = Heard {
            origin,
            row,
            at: now,
        };
        self.lately = None;
        match self
            .heard
            .binary_search_by_key(&origin, |heard| heard.origin)
        {
            Ok(index) if self.heard[index].row.seq >= row.seq && !planted!(JoinOverwrites) => false,
            Ok(index) => {
                self.heard[index] = heard;
                true
            }
            Err(index) => {
                // There are as many as members, of very many keys: no room is left over.
                self.heard.reserve_exact(1);
                self.heard.insert(index, heard);
                true
            }
        }
    }

    /// Joins all of another's rows in.
    pub fn merge(&mut self, other: &Self) {
        for heard in &other.heard {
            self.join(heard.origin, heard.row, heard.at);
        }
    }

    /// The row of `origin`, if one was heard.
    #[must_use]
    pub fn of(&self, origin: NodeId) -> Option<&Heard> {
        let index = self
            .heard
            .binary_search_by_key(&origin, |heard| heard.origin)
            .ok()?;
        self.heard.get(index)
    }

    /// All rows, by origin.
    pub fn iter(&self) -> impl Iterator<Item = &Heard> {
        self.heard.iter()
    }

    /// What the others have by them, reckoned no longer ago than `grain_ns`: what has drained since then is
    /// still counted as there. For who only tells of it, and does so often.
    pub fn theirs_lately(
        &mut self,
        others: &[Standing],
        pace: &Pace,
        now: Nanos,
        grain_ns: u64,
    ) -> Theirs {
        if let Some((at, theirs)) = &self.lately
            && now.0.saturating_sub(at.0) <= grain_ns
        {
            return theirs.aged(now.since(*at));
        }
        let theirs = Theirs::of(self, others, pace, now);
        self.lately = Some((now, theirs));
        theirs
    }

    /// Keeps only the rows that `keep` says to keep: those of members, and not expired.
    pub fn retain(&mut self, keep: impl FnMut(&Heard) -> bool) {
        self.lately = None;
        self.heard.retain(keep);
    }

    /// Whether no row was heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crdts::{CmRDT, PNCounter};
    use proptest::prelude::*;

    use super::*;

    fn heard() -> impl Strategy<Value = (NodeId, Row)> {
        (0u64..4, 1u64..9).prop_map(|(origin, seq)| {
            let row = Row::new(LimitId(1), KeyId(2));
            // The origin's seq fixes the rest: it is the only writer.
            let filled = Amount::from_grains(u128::from(seq * 100 + origin));
            (NodeId(origin), Row { seq, filled, ..row })
        })
    }

    fn rows(heard: &[(NodeId, Row)]) -> Rows {
        let mut rows = Rows::default();
        for (origin, row) in heard {
            rows.join(*origin, *row, Nanos(0));
        }
        rows
    }

    #[test]
    fn what_they_come_to_is_reckoned_anew_in_time_and_when_one_is_heard() {
        let pace = Pace::new(crate::limit::Limit::per_second(10));
        let others = [1, 2].map(|node| Standing {
            node: NodeId(node),
            base: Share::WHOLE.portion(1, 2),
        });
        let row = |seq, units| Row {
            seq,
            filled: Amount::from_units(units),
            share: Share::WHOLE.portion(1, 2),
            rate: Share::WHOLE.portion(1, 2),
            ..Row::new(LimitId(1), KeyId(2))
        };
        let mut rows = Rows::default();
        rows.join(NodeId(1), row(1, 5), Nanos(0));
        let grain_ns = 100_000_000;
        let lately = |rows: &mut Rows, at| {
            let lately = rows.theirs_lately(&others, &pace, Nanos(at), grain_ns);
            (
                lately,
                lately == Theirs::of(rows, &others, &pace, Nanos(at)),
            )
        };
        assert!(lately(&mut rows, grain_ns).1);
        let (then, is_exact) = lately(&mut rows, 2 * grain_ns);
        assert!(!is_exact, "what drains within a grain is not seen");
        assert_eq!(
            then,
            lately(&mut rows, grain_ns)
                .0
                .aged(std::time::Duration::from_nanos(grain_ns))
        );
        assert!(lately(&mut rows, 2 * grain_ns + 1).1);
        rows.join(NodeId(2), row(1, 3), Nanos(2 * grain_ns));
        assert!(lately(&mut rows, 2 * grain_ns + 2).1);
        rows.retain(|heard| heard.origin == NodeId(1));
        assert!(lately(&mut rows, 2 * grain_ns + 3).1);
    }

    proptest! {
        /// INV-4: the join is commutative, associative and idempotent.
        #[test]
        fn rows_are_a_semilattice(
            a in prop::collection::vec(heard(), 0..12),
            b in prop::collection::vec(heard(), 0..12),
            c in prop::collection::vec(heard(), 0..12),
        ) {
            let join = |left: &Rows, right: &Rows| {
                let mut joined = left.clone();
                joined.merge(right);
                joined
            };
            let (a, b, c) = (rows(&a), rows(&b), rows(&c));
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(join(&a, &a), a);
        }

        /// The merged level is what a PN-counter with one term per node counts.
        #[test]
        fn merged_rows_are_a_pn_counter(
            ops in prop::collection::vec((0u64..4, 1u64..50, any::<bool>()), 1..60),
        ) {
            let mut oracle = PNCounter::new();
            let mut newest = vec![Row::new(LimitId(1), KeyId(2)); 4];
            let mut rows = Rows::default();
            for (origin, grains, fill) in ops {
                let row = &mut newest[origin as usize];
                let by = u128::from(grains).min(if fill { u128::MAX } else { row.level().grains() });
                let counter = if fill { &mut row.filled } else { &mut row.emptied };
                *counter = counter.saturating_add(Amount::from_grains(by));
                row.seq += 1;
                let steps = u64::try_from(by).expect("small");
                let op = if fill {
                    oracle.inc_many(origin, steps)
                } else {
                    oracle.dec_many(origin, steps)
                };
                oracle.apply(op);
                rows.join(NodeId(origin), *row, Nanos(0));
            }
            let merged: Amount = rows.iter().map(|heard| heard.row.level()).sum();
            prop_assert_eq!(merged.grains().to_string(), oracle.read().to_string());
        }
    }
}
