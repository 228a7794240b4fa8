//! The freeze: what this node holds of quiet keys is lowered, and how full they are is found out.
//!
//! Both under one hold of each shard's lock, so that what is stated of the keys is true of the very
//! moment at which a part of them is left behind. The fullest quiet keys, a bounded number, are
//! made contended first, and so are listed: the bound on the rest is what a join costs everybody.

use super::shard::{Shard, times};
use super::slots::{Said, Seen, SlotAt};
use super::{LimitIndex, SHARDS, Table, TableConfig};
use crate::limit::{Fullness, Pace};
use crate::units::{KeyId, LimitId, Nanos, Share};

/// Most quiet keys that an opening lists for being fuller than the rest, over all limits: each
/// costs every member an entry, and a few grants until it is home.
const QUIET_LISTED_MAX: usize = 1024;

/// Quiet keys that are less than this part of a burst full are not worth listing: 1/64.
const NEGLIGIBLE_PART: u64 = 64;

/// By limit, how many quanta ahead the fullest quiet key may be that is not listed.
type Tops = Vec<u64>;

impl Table {
    /// Lowers what this node holds of quiet keys; when this returns no check uses more. Makes
    /// contended the given keys and the fullest others, and says for each limit how full at most
    /// the rest were; nothing of limits of which nothing was left behind.
    pub fn freeze(
        &self,
        base: Share,
        overdraft: Share,
        keep: &[(LimitIndex, KeyId)],
        now: Nanos,
    ) -> Vec<(LimitId, Fullness)> {
        for (limit, key) in keep {
            // Without room it stays quiet, and what hangs on it is void: that burns.
            let _entry = self
                .shard(*key)
                .lock()
                .contend(&self.config, *limit, *key, now);
        }
        let shrinks = self
            .shards
            .iter()
            .any(|shard| shard.lock().shrinks_to(base));
        let tops = self.tops(shrinks, now);
        let mut fullness = vec![Fullness::EMPTY; self.config.policies.len()];
        for shard in &self.shards {
            let mut shard = shard.lock();
            if shrinks && !planted!(FullnessLeftOut) {
                shard.list_fullest(&self.config, &tops, now);
                shard.note_fullness(&self.config, &mut fullness, now);
            }
            shard.lower(base, overdraft);
        }
        let stated = self.config.policies.iter().zip(fullness);
        stated
            .filter(|_| shrinks)
            .map(|(policy, full)| (policy.id, full))
            .collect()
    }

    /// Above which fullness quiet keys are listed: as low as the number of them allows.
    fn tops(&self, shrinks: bool, now: Nanos) -> Tops {
        let policies = &self.config.policies;
        let negligible = |pace: &Pace| pace.burst_quanta() / NEGLIGIBLE_PART;
        let mut tops: Tops = policies
            .iter()
            .map(|policy| negligible(&policy.pace))
            .collect();
        if shrinks {
            for shard in &self.shards {
                shard.lock().raise_tops(&self.config, &mut tops, now);
            }
        }
        tops
    }
}

/// How many keys of one limit one shard may list.
fn quota(config: &TableConfig) -> usize {
    (QUIET_LISTED_MAX / SHARDS / config.policies.len().max(1)).max(1)
}

impl Shard {
    fn shrinks_to(&self, base: Share) -> bool {
        self.constants
            .iter()
            .any(|constants| base < constants.base())
    }

    fn lower(&mut self, base: Share, overdraft: Share) {
        for constants in &mut self.constants {
            let overdraft = constants.overdraft().min(overdraft);
            constants.hold(constants.base().min(base), overdraft);
        }
    }

    /// Raises each top to what would be left here if the fullest keys were listed.
    fn raise_tops(&self, config: &TableConfig, tops: &mut Tops, now: Nanos) {
        let quota = quota(config);
        let mut above: Vec<Vec<u64>> = vec![Vec::new(); tops.len()];
        self.each_quiet(config, now, |limit, _, ahead| {
            if ahead > tops[limit] {
                above[limit].push(ahead);
            }
        });
        for (limit, mut above) in above.into_iter().enumerate() {
            if above.len() > quota {
                let (_, rest, _) = above.select_nth_unstable_by(quota, |a, b| b.cmp(a));
                tops[limit] = *rest;
            }
            tops[limit] = tops[limit].max(self.unslotted_ahead(config, limit, now));
        }
    }

    /// Makes contended the quiet keys above the tops.
    fn list_fullest(&mut self, config: &TableConfig, tops: &Tops, now: Nanos) {
        let quota = quota(config);
        let mut above: Vec<Vec<KeyId>> = vec![Vec::new(); tops.len()];
        self.each_quiet(config, now, |limit, place, ahead| {
            if ahead > tops[limit] && above[limit].len() < quota {
                above[limit].extend(self.slots.key_at(place));
            }
        });
        for (limit, keys) in (0..).map(LimitIndex).zip(above) {
            for key in keys {
                let _entry = self.contend(config, limit, key, now);
            }
        }
    }

    /// Raises each limit's fullness to that of its fullest key here that is not contended.
    fn note_fullness(&self, config: &TableConfig, fullness: &mut [Fullness], now: Nanos) {
        let mut ahead_max: Vec<u64> = (0..fullness.len())
            .map(|limit| self.unslotted_ahead(config, limit, now))
            .collect();
        self.each_quiet(config, now, |limit, _, ahead| {
            ahead_max[limit] = ahead_max[limit].max(ahead);
        });
        for ((full, ahead), policy) in fullness.iter_mut().zip(ahead_max).zip(&config.policies) {
            *full = (*full).max(Fullness::of_quanta(ahead, &policy.pace));
        }
    }

    /// How full any key of a limit is at most that is not contended, now.
    pub(super) fn quiet_fullness(&self, config: &TableConfig, now: Nanos) -> Vec<Fullness> {
        let mut fullness = vec![Fullness::EMPTY; config.policies.len()];
        self.note_fullness(config, &mut fullness, now);
        fullness
    }

    /// How far ahead a key reads that has no slot.
    fn unslotted_ahead(&self, config: &TableConfig, limit: usize, now: Nanos) -> u64 {
        let constants = &self.constants[limit];
        let time = config.policies[limit].pace.at(now);
        constants
            .floor
            .max(constants.given_up)
            .0
            .saturating_sub(time.0)
    }

    /// How far ahead each quiet key is, and where it is.
    fn each_quiet(
        &self,
        config: &TableConfig,
        now: Nanos,
        mut look: impl FnMut(usize, SlotAt, u64),
    ) {
        let times = times(config, now);
        for Seen { place, limit, said } in self.slots.each() {
            if let Said::Quiet(time) = said {
                let limit = usize::from(limit.0);
                look(limit, place, time.0.saturating_sub(times[limit].0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limit;
    use crate::table::Ask;
    use crate::table::fixture::{self, LIMIT, NOW, grown};

    /// A table that holds half of each key.
    fn half(burst: u64) -> Table {
        let limit = Limit::per(1, std::time::Duration::from_secs(86_400)).burst(burst);
        fixture::table(limit, Share::WHOLE.portion(1, 2))
    }

    fn key(number: u128) -> KeyId {
        KeyId(number << 122 | number)
    }

    fn use_up(table: &Table, key: KeyId, cost_units: u64) {
        let ask = Ask {
            limit: LIMIT,
            key,
            cost_units,
        };
        assert!(table.check(ask, NOW).is_allowed());
    }

    fn freeze(table: &Table) -> Fullness {
        let stated = table.freeze(Share::WHOLE.portion(1, 4), Share::NONE, &[], NOW);
        stated[0].1
    }

    #[test]
    fn a_few_used_keys_are_listed_and_the_rest_is_empty() {
        let table = half(100);
        use_up(&table, key(1), 20);
        use_up(&table, key(2), 5);
        assert_eq!(freeze(&table), Fullness::EMPTY);
        let listed = table.cut(NOW);
        let half = Share::WHOLE.portion(1, 2);
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|listed| listed.parcel.share == half));
    }

    #[test]
    fn what_is_not_listed_bounds_the_rest() {
        let table = half(100);
        for number in 0..40 {
            // All in one shard: more than it may list.
            use_up(&table, KeyId(number), 5 + u64::from(number < 16));
        }
        // 5 of 50, rounded up.
        let full = freeze(&table);
        assert!(full >= Fullness::from_parts(Fullness::FULL.parts() / 10));
        assert!(full <= Fullness::from_parts(Fullness::FULL.parts() / 10 + 1));
        assert_eq!(table.cut(NOW).len(), 16);
    }

    #[test]
    fn a_node_that_leaves_nothing_behind_states_nothing() {
        let table = half(100);
        use_up(&table, key(1), 20);
        assert_eq!(table.freeze(Share::WHOLE, Share::NONE, &[], NOW), []);
        assert_eq!(table.cut(NOW), []);
    }

    /// INV-9: the floor covers a used quiet key and what has come to it, and no more.
    #[test]
    fn growth_comes_as_full_as_it_is_said_to_be() {
        let table = half(100);
        use_up(&table, key(1), 10);
        table.install(&grown(Share::WHOLE, Fullness::FULL), NOW);
        // 10 of 50 are used, and 50 come used: 60 of 100; rounding takes a grain.
        let left = |key| table.peek(LIMIT, key, NOW).remaining;
        assert_eq!(left(key(1)), 39);
        // In a shard without a used key nothing but what came is used.
        assert_eq!(left(key(2)), 50);
        let table = half(100);
        use_up(&table, key(1), 10);
        table.install(&grown(Share::WHOLE, Fullness::EMPTY), NOW);
        assert_eq!(
            (left_of(&table, key(1)), left_of(&table, key(2))),
            (80, 100)
        );
    }

    fn left_of(table: &Table, key: KeyId) -> u64 {
        table.peek(LIMIT, key, NOW).remaining
    }
}
