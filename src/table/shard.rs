//! One shard: a part of the keys, the constants their checks use, and what was counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::Opened;
use super::map::{PlainMap, Slot, Slots};
use super::receipts::Receipts;
use super::{Constants, Counters, Entry, LimitIndex, TableConfig};
use crate::limit::{Account, UnitsTime};
use crate::row::Standing;
use crate::units::{KeyId, Nanos, NodeId};

/// Slots looked at to find one to reuse, before the request is refused for want of room.
const SURVEY_SLOTS_MAX: usize = 256;

/// Keys that a shard takes of a view at least, however small the table is.
const KEYS_OF_VIEW_MIN: usize = 64;

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) node: NodeId,
    pub(super) slots: PlainMap,
    pub(super) contended: BTreeSet<KeyId>,
    pub(super) constants: Vec<Constants>,
    pub(super) receipts: Receipts,
    pub(super) counted: Counters,
    keys_max: usize,
}

impl Shard {
    pub(super) fn new(node: NodeId, limits: usize, keys_max: usize) -> Self {
        Self {
            node,
            slots: PlainMap::default(),
            contended: BTreeSet::new(),
            constants: vec![Constants::none(); limits],
            receipts: Receipts::new(),
            counted: Counters::default(),
            keys_max,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            keys: self.slots.count() as u64,
            keys_contended: self.contended.len() as u64,
            ..self.counted
        }
    }

    pub(super) fn set_others(&mut self, others: &Arc<[Standing]>) {
        for constants in &mut self.constants {
            constants.set_others(Arc::clone(others));
        }
    }

    pub(super) fn constants(&self, limit: LimitIndex) -> &Constants {
        &self.constants[usize::from(limit.0)]
    }

    /// When a key that is not contended will have drained, at the earliest now.
    pub(super) fn quiet_time(
        &mut self,
        limit: LimitIndex,
        key: KeyId,
        now: UnitsTime,
    ) -> UnitsTime {
        let constants = &self.constants[usize::from(limit.0)];
        let (floor, given_up) = (constants.floor, constants.given_up);
        let time = match self.slots.find(key) {
            Some(Slot::Quiet(_, time)) => *time,
            _ => given_up,
        };
        time.max(floor).max(now)
    }

    /// The entry of a contended key.
    pub(super) fn contended(&mut self, key: KeyId) -> Option<(&mut Entry, &Constants)> {
        match self.slots.find(key) {
            Some(Slot::Contended(entry)) => {
                let constants = &self.constants[usize::from(entry.limit.0)];
                Some((entry, constants))
            }
            _ => None,
        }
    }

    /// The entry of a key, which becomes contended if it was quiet; `None` if there is no room.
    ///
    /// What the slot says becomes the account's level exactly: grains divide a quantum of any share.
    pub(super) fn contend(
        &mut self,
        config: &TableConfig,
        limit: LimitIndex,
        key: KeyId,
        now: Nanos,
    ) -> Option<(&mut Entry, &Constants)> {
        if !self.contended.contains(&key) {
            if self.slots.find(key).is_none() && !self.make_room(config, now) {
                return None;
            }
            let entry = self.entry_of_quiet(config, limit, key, now);
            self.slots.store(key, Slot::Contended(Box::new(entry)));
            self.contended.insert(key);
        }
        self.contended(key)
    }

    fn entry_of_quiet(
        &mut self,
        config: &TableConfig,
        limit: LimitIndex,
        key: KeyId,
        now: Nanos,
    ) -> Entry {
        let pace = &config.policies[usize::from(limit.0)].pace;
        let time = pace.at(now);
        let ahead = self.quiet_time(limit, key, time).0 - time.0;
        let constants = self.constants(limit);
        let level = pace.amount(planted!(ContendedEmpty, 0, ahead), constants.base);
        let account = Account::open(constants.base, constants.overdraft, level, time);
        let tick = now.0 / config.tick_ns;
        let opened = Opened {
            charge: self.receipts.last(),
            at: time,
            base: constants.base,
        };
        let mut entry = Entry::new(limit, account, tick, opened);
        // What has not drained yet was asked for of late: the meter starts from it, by ones.
        let units = level.floor_units();
        entry.meter.count_together(units, units, tick);
        entry
    }

    /// Lets a contended key be quiet, if it holds exactly the base split, no peer has more to say
    /// of it, and its bucket is at most half the threshold full.
    pub(super) fn settle(&mut self, config: &TableConfig, key: KeyId, now: Nanos) -> bool {
        let Some((entry, constants)) = self.contended(key) else {
            return false;
        };
        let pace = &config.policies[usize::from(entry.limit.0)].pace;
        entry.drain(pace, now);
        let account = &entry.account;
        let at_base = account.share() == constants.base
            && account.rate() == constants.base
            && account.overdraft() == constants.overdraft;
        let Some(ahead) = pace.quanta_ceil(account.level(), account.share()) else {
            return false;
        };
        let calm = ahead <= pace.burst_quanta() / 4 && entry.rows.is_empty();
        if !at_base || !calm || entry.unmet_units > 0 || entry.gathered_until > now {
            return false;
        }
        let slot = Slot::Quiet(entry.limit, UnitsTime(pace.at(now).0 + ahead));
        if ahead == 0 {
            self.slots.remove(key);
        } else {
            self.slots.store(key, slot);
            self.receipts.settled(key);
        }
        self.contended.remove(&key);
        true
    }

    /// Makes room for one more key: reuses a drained slot, or gives up the quiet key that drains
    /// first, whose time becomes the floor of keys without a slot. False if all are contended.
    pub(super) fn make_room(&mut self, config: &TableConfig, now: Nanos) -> bool {
        self.free() > 0 || self.give_up_one(config, now)
    }

    /// Does something with twice the room. A view lists what all its members hold, which may be more
    /// than one of them has room for; without the view nobody's shares come home again, and then no
    /// room is ever made.
    pub(super) fn with_more_room<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let usual = self.keys_max;
        self.keys_max = usual.saturating_mul(2).max(KEYS_OF_VIEW_MIN);
        let done = act(self);
        self.keys_max = usual;
        done
    }

    /// How many more keys fit.
    pub(super) fn free(&self) -> usize {
        self.keys_max.saturating_sub(self.slots.count())
    }

    pub(super) fn give_up_one(&mut self, config: &TableConfig, now: Nanos) -> bool {
        let mut first: Option<(Nanos, KeyId, LimitIndex, UnitsTime)> = None;
        self.slots.survey(SURVEY_SLOTS_MAX, &mut |key, slot| {
            let Slot::Quiet(limit, time) = slot else {
                return;
            };
            let pace = &config.policies[usize::from(limit.0)].pace;
            let drains = pace.instant_of(*time);
            if first.is_none_or(|(earliest, ..)| drains < earliest) {
                first = Some((drains, key, *limit, *time));
            }
        });
        let Some((drains, key, limit, time)) = first else {
            return false;
        };
        self.slots.remove(key);
        if drains > now {
            let given_up = &mut self.constants[usize::from(limit.0)].given_up;
            *given_up = (*given_up).max(time);
            self.counted.keys_given_up += 1;
        } else {
            self.counted.keys_drained += 1;
        }
        true
    }

    /// Drops drained slots among the next few: what keeps memory from growing to its maximum.
    pub(super) fn sweep(&mut self, config: &TableConfig, now: Nanos, count: usize) {
        let mut drained = Vec::new();
        self.slots.survey(count, &mut |key, slot| {
            if let Slot::Quiet(limit, time) = slot
                && (*time <= config.policies[usize::from(limit.0)].pace.at(now)
                    || planted!(LiveKeyForgotten))
            {
                drained.push(key);
            }
        });
        self.counted.keys_drained += drained.len() as u64;
        drained.into_iter().for_each(|key| self.slots.remove(key));
    }
}
