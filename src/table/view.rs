//! What a view change does to the keys: cut, install. The freeze comes before.
//!
//! The order is the whole of the safety: the constants are lowered shard by shard, each under the
//! lock that its checks take, so that when the last is lowered every check begun before has ended;
//! only then is the opening cut. What a view brings is installed entry by entry and shard by shard
//! in the same way, each shard's constants raised under the same hold of its lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::shard::Shard;
use super::{Entry, LimitIndex, SHARDS, Table, TableConfig};
use crate::limit::{Account, Fullness, Pace, Parcel, UnitsTime};
use crate::row::Standing;
use crate::units::{KeyId, LimitId, Nanos, NodeId, Share};

/// A contended key as its node opens it to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// What the node holds of it.
    pub parcel: Parcel,
}

/// What a complete view brings to one node.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// The share of quiet keys, from now on.
    pub base: Share,
    /// The right of overdraft of quiet keys, from now on.
    pub overdraft: Share,
    /// For each limit, by index, how full arrives what comes to keys that nobody listed.
    pub growth: Vec<Fullness>,
    /// What comes to each key that somebody listed.
    pub listed: BTreeMap<KeyId, (LimitIndex, Parcel)>,
    /// The other members.
    pub others: Vec<Standing>,
}

impl Settlement {
    fn growth_of(&self, limit: LimitIndex) -> Fullness {
        let growth = self.growth.get(usize::from(limit.0)).copied();
        growth.unwrap_or(Fullness::FULL)
    }
}

impl Table {
    /// Starts a new life of this node: every key is forgotten and nothing is held.
    pub fn clear(&self, node: NodeId) {
        for (number, shard) in self.shards.iter().enumerate() {
            shard.lock().clear(number, node, &self.config);
        }
    }

    /// Holds every key whole, for a table that is nobody else's.
    pub fn hold_all(&self) {
        for shard in &self.shards {
            for constants in &mut shard.lock().constants {
                constants.hold(Share::WHOLE, Share::NONE);
            }
        }
    }

    /// Lists every contended key with what this node holds of it.
    #[must_use]
    pub fn cut(&self, now: Nanos) -> Vec<Listed> {
        self.list(now, |account| Parcel {
            share: account.share(),
            rate: account.rate(),
            overdraft: account.overdraft(),
            level: account.level(),
        })
    }

    /// Lists every contended key and gives up what this node holds of it: a leaver's last word.
    #[must_use]
    pub fn close(&self, now: Nanos) -> Vec<Listed> {
        self.list(now, Account::close)
    }

    fn list(&self, now: Nanos, mut parcel: impl FnMut(&mut Account) -> Parcel) -> Vec<Listed> {
        let mut listed = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            for key in shard.contended_keys() {
                let Some((entry, _)) = shard.contended(key) else {
                    continue;
                };
                let policy = self.policy(entry.limit);
                entry.drain(&policy.pace, now);
                listed.push(Listed {
                    limit: policy.id,
                    key,
                    parcel: parcel(&mut entry.account),
                });
            }
        }
        listed
    }

    /// Whether there is room for every key that a view brings.
    #[must_use]
    pub fn has_room_for(&self, settlement: &Settlement, now: Nanos) -> bool {
        let mut wanted = vec![Vec::new(); SHARDS];
        for key in settlement.listed.keys() {
            wanted[(key.0 >> 122) as usize & (SHARDS - 1)].push(*key);
        }
        let mut shards = self.shards.iter().zip(&wanted);
        shards.all(|(shard, wanted)| {
            let mut shard = shard.lock();
            shard.with_more_room(|shard| shard.could_hold(&self.config, wanted, now))
        })
    }

    /// Installs what a complete view brings. The caller has made sure that there is room.
    pub fn install(&self, settlement: &Settlement, now: Nanos) {
        let others: Arc<[Standing]> = settlement.others.clone().into();
        for (index, shard) in self.shards.iter().enumerate() {
            let mut shard = shard.lock();
            shard.with_more_room(|shard| {
                shard.install_listed(&self.config, settlement, index, now);
            });
            shard.install_unlisted(&self.config, settlement, now);
            shard.raise(&self.config, settlement, now);
            shard.set_others(&others);
        }
    }
}

impl Shard {
    /// Makes room for these keys, those that have a slot already among them, giving up quiet ones if
    /// need be; false if it cannot.
    fn could_hold(&mut self, config: &TableConfig, wanted: &[KeyId], now: Nanos) -> bool {
        loop {
            let lacks = |key: &&KeyId| self.slots.find(**key).is_none();
            let lacking = wanted.iter().filter(|key| lacks(key)).count();
            if self.free() >= lacking {
                return true;
            }
            // What is given up may be wanted itself: what lacks is counted anew then.
            while self.free() < lacking {
                if !self.give_up_some(config, now) {
                    return false;
                }
            }
        }
    }

    fn install_listed(
        &mut self,
        config: &TableConfig,
        settlement: &Settlement,
        index: usize,
        now: Nanos,
    ) {
        let first = KeyId((index as u128) << 122);
        let last = KeyId(first.0 | (u128::MAX >> 6));
        for (key, (limit, parcel)) in settlement.listed.range(first..=last) {
            let Some((entry, _)) = self.contend(config, *limit, *key, now) else {
                // Room was made before; were it gone, the share is lost, which only burns.
                continue;
            };
            settle_in(
                entry,
                *parcel,
                settlement,
                &config.policies[usize::from(limit.0)].pace,
                now,
            );
        }
    }

    /// Keys that became contended here since the freeze and that nobody listed: they grow as quiet
    /// keys do.
    fn install_unlisted(&mut self, config: &TableConfig, settlement: &Settlement, now: Nanos) {
        for key in self.contended_keys() {
            if settlement.listed.contains_key(&key) {
                continue;
            }
            let Some((entry, constants)) = self.contended(key) else {
                continue;
            };
            let pace = &config.policies[usize::from(entry.limit.0)].pace;
            let share = settlement.base.saturating_sub(constants.base());
            let parcel = Parcel {
                share,
                rate: share,
                overdraft: settlement.overdraft.saturating_sub(constants.overdraft()),
                level: settlement.growth_of(entry.limit).level(share, pace),
            };
            settle_in(entry, parcel, settlement, pace, now);
        }
    }

    /// Raises the constants. What comes is as full as the settlement says, as one floor for all
    /// quiet keys of a limit: reading it twice changes nothing.
    fn raise(&mut self, config: &TableConfig, settlement: &Settlement, now: Nanos) {
        let known = self.quiet_fullness(config, now);
        let limits = (0..).map(LimitIndex).zip(&config.policies).zip(known);
        for ((limit, policy), known) in limits {
            let constants = &mut self.constants[usize::from(limit.0)];
            let grown = settlement.base.saturating_sub(constants.base());
            if !grown.is_none() {
                let growth = settlement.growth_of(limit);
                let full = floor(known, constants.base(), growth, grown);
                let time = policy
                    .pace
                    .at(now)
                    .0
                    .saturating_add(full.quanta(&policy.pace));
                constants.floor = constants.floor.max(UnitsTime(time));
            }
            constants.hold(settlement.base, settlement.overdraft);
        }
    }
}

/// How full every quiet key reads at least once a part that is as full as `growth` has joined: full
/// enough for the fullest, which is `known`. A key that is fuller than what comes needs no floor,
/// as it keeps its own fullness for the part that came.
fn floor(known: Fullness, old: Share, growth: Fullness, grown: Share) -> Fullness {
    known.min(growth).mixed(old, growth, grown)
}

/// What a view brings to one entry; rows of nodes that are not members are dropped.
fn settle_in(entry: &mut Entry, parcel: Parcel, settlement: &Settlement, pace: &Pace, now: Nanos) {
    entry.drain(pace, now);
    entry.account.apply(parcel);
    entry.rows.retain(|heard| {
        settlement
            .others
            .iter()
            .any(|other| other.node == heard.origin)
    });
    entry.granted.clear();
}
