//! One shard: a part of the keys, the constants their checks use, and what was counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::Opened;
use super::receipts::Receipts;
use super::slots::{Keeping, Said, Seen, SlotAt, Slots};
use super::{Constants, Counters, Entry, LimitIndex, SHARDS, TableConfig};
use crate::limit::{Account, UnitsTime};
use crate::row::Standing;
use crate::units::{KeyId, Nanos, NodeId};

/// Slots looked at to find one to reuse, before the request is refused for want of room.
const SURVEY_SLOTS_MAX: usize = 256;

/// Keys that are given up at once for want of room, at most.
const GIVEN_UP_AT_ONCE: usize = 8;

/// And at most one of so many that a shard has room for, so that a small table keeps nearly all.
const PARTS_GIVEN_UP_MIN: usize = 32;

/// Keys that a shard takes of a view at least, however small the table is.
const KEYS_OF_VIEW_MIN: usize = 64;

/// Its order is that of its memory: with the lock before it, what a check writes is on one cache line, and
/// what it reads on the next. Two cores that ask for one key have that line and the key's to pass to and fro.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Shard {
    pub(super) receipts: Receipts,
    pub(super) counted: Counters,
    pub(super) slots: Slots,
    pub(super) constants: Vec<Constants>,
    pub(super) node: NodeId,
    keys_max: usize,
    /// The entries of contended keys, by the numbers that their slots name.
    pub(super) entries: Vec<Option<Box<Entry>>>,
    /// Numbers of entries that are nobody's.
    free: Vec<usize>,
    /// Their keys: what is done with all is done in this order.
    contended: BTreeSet<KeyId>,
}

impl Shard {
    /// The shard of this number.
    pub(super) fn new(number: usize, node: NodeId, config: &TableConfig) -> Self {
        Self {
            slots: slots(number, config),
            constants: vec![Constants::none(); config.policies.len()],
            counted: Counters::default(),
            receipts: Receipts::new(),
            node,
            keys_max: config.keys_max.div_ceil(SHARDS).max(1),
            entries: Vec::new(),
            free: Vec::new(),
            contended: BTreeSet::new(),
        }
    }

    /// Forgets all keys; what is held is nothing, until a view brings some.
    pub(super) fn clear(&mut self, number: usize, node: NodeId, config: &TableConfig) {
        let counted = self.counted;
        *self = Self::new(number, node, config);
        self.counted = counted;
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
    pub(super) fn quiet_time(&self, limit: LimitIndex, key: KeyId, now: UnitsTime) -> UnitsTime {
        let said = self.slots.find(key).map(|(_, said)| said);
        self.constants(limit).drains(said, now)
    }

    /// The entry of a contended key.
    pub(super) fn contended(&mut self, key: KeyId) -> Option<(&mut Entry, &Constants)> {
        match self.slots.find(key) {
            Some((_, Said::Contended(number))) => self.entry(number),
            _ => None,
        }
    }

    /// The entry that a slot names.
    pub(super) fn entry(&mut self, number: usize) -> Option<(&mut Entry, &Constants)> {
        let entry = self.entries.get_mut(number)?.as_deref_mut()?;
        let constants = &self.constants[usize::from(entry.limit.0)];
        Some((entry, constants))
    }

    /// The contended keys, in order.
    pub(super) fn contended_keys(&self) -> Vec<KeyId> {
        self.contended.iter().copied().collect()
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
        let found = self.slots.find(key);
        let number = match found {
            Some((_, Said::Contended(number))) => number,
            _ => self.open(config, (limit, key), found, now)?,
        };
        self.entry(number)
    }

    /// Makes contended what was `found` to be a quiet key; the number of its entry.
    pub(super) fn open(
        &mut self,
        config: &TableConfig,
        (limit, key): (LimitIndex, KeyId),
        found: Option<(SlotAt, Said)>,
        now: Nanos,
    ) -> Option<usize> {
        let room = found.is_some() || self.make_room(config, now);
        let (at, said) = found.unzip();
        let entry = room.then(|| self.entry_of_quiet(config, limit, said, now))?;
        let number = self.keep(entry);
        match at {
            Some(at) => self.slots.set(at, Said::Contended(number)),
            None => self.slots.add(key, limit, Said::Contended(number)),
        }
        self.contended.insert(key);
        Some(number)
    }

    /// Keeps an entry; its number.
    fn keep(&mut self, entry: Entry) -> usize {
        let number = self.free.pop().unwrap_or(self.entries.len());
        if number == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[number] = Some(Box::new(entry));
        number
    }

    fn entry_of_quiet(
        &mut self,
        config: &TableConfig,
        limit: LimitIndex,
        said: Option<Said>,
        now: Nanos,
    ) -> Entry {
        let pace = &config.policies[usize::from(limit.0)].pace;
        let time = pace.at(now);
        let constants = self.constants(limit);
        let ahead = constants.drains(said, time).0 - time.0;
        let level = pace.amount(planted!(ContendedEmpty, 0, ahead), constants.base());
        let account = Account::open(constants.base(), constants.overdraft(), level, time);
        let tick = now.0 / config.tick_ns;
        let opened = Opened {
            charge: self.receipts.last(),
            at: time,
            base: constants.base(),
        };
        let mut entry = Entry::new(limit, account, tick, opened);
        // What has not drained yet was asked for of late: the meter starts from it.
        entry.meter.start_from(level.floor_units(), tick);
        entry
    }

    /// Lets a contended key be quiet, if it holds exactly the base split, no peer has more to say
    /// of it, and its bucket is at most half the threshold full.
    pub(super) fn settle(&mut self, config: &TableConfig, key: KeyId, now: Nanos) -> bool {
        let Some((place, Said::Contended(number))) = self.slots.find(key) else {
            return false;
        };
        let Some((entry, constants)) = self.entry(number) else {
            return false;
        };
        if !entry.may_settle(constants) || entry.gathered_until > now {
            return false;
        }
        let pace = &config.policies[usize::from(entry.limit.0)].pace;
        entry.drain(pace, now);
        let Some(ahead) = pace.quanta_ceil(entry.account.level(), entry.account.share()) else {
            return false;
        };
        if ahead > pace.burst_quanta() / 4 {
            return false;
        }
        let drains = UnitsTime(pace.at(now).0 + ahead);
        if ahead == 0 {
            self.slots.vacate(place);
        } else {
            self.slots.set(place, Said::Quiet(drains));
            self.receipts.settled(key);
        }
        self.entries[number] = None;
        self.free.push(number);
        self.contended.remove(&key);
        true
    }

    /// Makes room for one more key: reuses drained slots, or gives up the quiet keys that drain
    /// first, whose time becomes the floor of keys without a slot. False if all are contended.
    pub(super) fn make_room(&mut self, config: &TableConfig, now: Nanos) -> bool {
        self.free() > 0 || self.give_up_some(config, now)
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

    /// Gives up the quiet keys that drain first of the next few, several at once, as looking for one takes
    /// as long. What has drained is nobody's: where there is any of that no other is given up.
    pub(super) fn give_up_some(&mut self, config: &TableConfig, now: Nanos) -> bool {
        let at_once = (self.keys_max / PARTS_GIVEN_UP_MIN).clamp(1, GIVEN_UP_AT_ONCE);
        let (mut quiet, mut drained) = (Vec::with_capacity(SURVEY_SLOTS_MAX), 0);
        self.slots
            .survey(SURVEY_SLOTS_MAX, |Seen { place, limit, said }| {
                if let Said::Quiet(time) = said {
                    let drains = instant(config, limit, time);
                    drained += usize::from(drains <= now);
                    quiet.push((drains, place, limit, time));
                }
                drained < at_once
            });
        let count = if drained > 0 {
            drained
        } else {
            at_once.min(quiet.len())
        };
        if count == 0 {
            return false;
        }
        quiet.select_nth_unstable_by_key(count - 1, |(drains, ..)| *drains);
        for (drains, place, limit, time) in quiet.into_iter().take(count) {
            self.slots.vacate(place);
            if drains > now {
                let given_up = &mut self.constants[usize::from(limit.0)].given_up;
                *given_up = (*given_up).max(time);
                self.counted.keys_given_up += 1;
            } else {
                self.counted.keys_drained += 1;
            }
        }
        true
    }

    /// Drops drained slots among the next few: what keeps memory from growing to its maximum.
    pub(super) fn sweep(&mut self, config: &TableConfig, now: Nanos, count: usize) {
        let times = times(config, now);
        let mut drained = Vec::new();
        self.slots.survey(count, |Seen { place, limit, said }| {
            if let Said::Quiet(time) = said
                && (time <= times[usize::from(limit.0)] || planted!(LiveKeyForgotten))
            {
                drained.push(place);
            }
            true
        });
        self.counted.keys_drained += drained.len() as u64;
        drained
            .into_iter()
            .for_each(|place| self.slots.vacate(place));
    }
}

/// What the slots of a table are to keep.
fn slots(shard: usize, config: &TableConfig) -> Slots {
    Slots::new(Keeping {
        ids: config.clustered,
        limits: config.policies.len() > 1,
        room: config.capacity.div_ceil(SHARDS),
        shard,
    })
}

/// What time it is by each limit.
pub(super) fn times(config: &TableConfig, now: Nanos) -> Vec<UnitsTime> {
    let policies = config.policies.iter();
    policies.map(|policy| policy.pace.at(now)).collect()
}

fn instant(config: &TableConfig, limit: LimitIndex, time: UnitsTime) -> Nanos {
    config.policies[usize::from(limit.0)].pace.instant_of(time)
}
