//! How long members have been there: what is young may well be gone again soon.

use std::collections::BTreeMap;

use crate::units::{Nanos, NodeId};
use crate::view::View;

/// Who has been a member for so many ticks is settled whoever else was there before.
pub(super) const SETTLED_TICKS: u32 = 100;

/// Since when each member of the last complete view has been counted, by this node's clock; nothing
/// for who was there before this node.
#[derive(Debug, Default)]
pub(super) struct Ages {
    since: BTreeMap<NodeId, Option<Nanos>>,
}

impl Ages {
    /// A view is complete: who has come, and who is gone.
    pub(super) fn follow(&mut self, view: &View, now: Nanos) {
        self.since.retain(|node, _| view.has(*node));
        for member in &view.members {
            let is_new = member.before.is_none();
            self.since
                .entry(member.node)
                .or_insert(is_new.then_some(now));
        }
    }

    /// Whether a member has been there for `settled_ns`, or for half as long as anybody. A process
    /// that fails soon after each start never is, and takes nothing with it.
    pub(super) fn is_settled(&self, node: NodeId, now: Nanos, settled_ns: u64) -> bool {
        let age = |since: &Option<Nanos>| {
            since.map_or(settled_ns, |at| now.0.saturating_sub(at.0).min(settled_ns))
        };
        let oldest = self.since.values().map(age).max().unwrap_or(0);
        self.since
            .get(&node)
            .is_some_and(|since| age(since) * 2 >= oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Share;
    use crate::view::{Member, ViewId};

    const SETTLED_NS: u64 = 100;

    /// A view of members, each with whether it held anything before.
    fn view(members: &[(u64, bool)]) -> View {
        let id = ViewId::default();
        let half = Share::WHOLE.portion(1, 2);
        let member = |(node, held): &(u64, bool)| Member {
            node: NodeId(*node),
            before: if *held { half } else { Share::NONE },
            after: half,
        };
        View {
            id,
            members: members.iter().map(member).collect(),
            evicted: Vec::new(),
            carried: Vec::new(),
            departed: Vec::new(),
            era: id,
            root: id,
        }
    }

    fn settled(ages: &Ages, now: u64) -> Vec<bool> {
        let is_settled = |node| ages.is_settled(NodeId(node), Nanos(now), SETTLED_NS);
        (0..3).map(is_settled).collect()
    }

    #[test]
    fn founders_are_all_of_an_age() {
        let mut ages = Ages::default();
        ages.follow(&view(&[(0, false), (1, false), (2, false)]), Nanos(1000));
        assert_eq!(settled(&ages, 1000), [true; 3]);
    }

    #[test]
    fn a_newcomer_is_settled_when_it_has_been_there_half_as_long() {
        let mut ages = Ages::default();
        ages.follow(&view(&[(0, false), (1, false)]), Nanos(1000));
        ages.follow(&view(&[(0, true), (1, true), (2, false)]), Nanos(1020));
        assert_eq!(settled(&ages, 1039), [true, true, false]);
        assert_eq!(settled(&ages, 1040), [true; 3]);
        // What is gone and comes back has to begin anew.
        ages.follow(&view(&[(0, true), (2, true)]), Nanos(1050));
        ages.follow(&view(&[(0, true), (1, false), (2, true)]), Nanos(2000));
        assert_eq!(settled(&ages, 2049), [true, false, true]);
        assert_eq!(settled(&ages, 2050), [true; 3]);
    }

    #[test]
    fn to_a_newcomer_the_others_are_old() {
        let mut ages = Ages::default();
        ages.follow(&view(&[(0, true), (1, true), (2, false)]), Nanos(5));
        assert_eq!(settled(&ages, 5), [true, true, false]);
        assert_eq!(settled(&ages, 54), [true, true, false]);
        assert_eq!(settled(&ages, 55), [true; 3]);
    }
}
