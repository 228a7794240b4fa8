//! The two flows, as one pure function.

use super::Demand;
use super::demand::{COUNT_SCALE, DENSE_TICKS, SPARSE_TICKS};
use crate::limit::{Account, Pace, Parcel};
use crate::units::{Amount, NodeId, Share};

/// What one node holds of a key and is asked for, as far as the planner knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub node: NodeId,
    /// Its share at the base split.
    pub base: Share,
    /// Its right of overdraft at the base split.
    pub base_overdraft: Share,
    /// Its share now.
    pub share: Share,
    /// Its right of overdraft now.
    pub overdraft: Share,
    /// How full its bucket is.
    pub level: Amount,
    /// What it is asked for.
    pub demand: Demand,
    /// What it is asked for of all contended keys together: where a key is too new to have habits of
    /// its own, it probably has those of the others.
    pub load: u64,
    /// Whether it has refused for want of rights, of late.
    pub unmet: bool,
    /// Whether a grant may go to it: it was heard of late, and nothing is on its way already.
    pub ready: bool,
}

/// All that the planner looks at.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The limit.
    pub pace: &'a Pace,
    /// Units that the limit gives back in one tick, times [`COUNT_SCALE`].
    pub rate_count_per_tick: u64,
    /// Every member, by id; the same list at every node that has heard the same rows.
    pub holders: &'a [Holder],
    /// The one node to give to, if one has asked: whom others give to is then left to them.
    pub asker: Option<NodeId>,
}

impl Scene<'_> {
    fn may_take(&self, index: usize) -> bool {
        let holder = &self.holders[index];
        holder.ready && self.asker.is_none_or(|asker| asker == holder.node)
    }
}

/// A parcel that one node should grant another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// To whom.
    pub to: NodeId,
    /// What.
    pub parcel: Parcel,
}

/// Arrivals whose evidence counts as much as habit.
const EVIDENCE_COUNT: u64 = 20 * COUNT_SCALE;

/// Arrivals that the base split, as a prior, counts for in the habit.
const PRIOR_COUNT: u64 = 20 * COUNT_SCALE;

/// Arrivals of all keys that the base split, as a prior, counts for in the nodes' loads.
const LOAD_PRIOR_COUNT: u64 = 50 * COUNT_SCALE;

/// A share follows demand only by more than this part of the whole: without it an evenly loaded
/// cluster trades hundreds of grants a second for nothing.
const SHARE_HYSTERESIS: u64 = 8;

/// Below so many units for each holder, units are dealt whole: a fraction admits nothing.
const SCARCE_UNITS_PER_HOLDER: u64 = 16;

/// What `own` should grant to whom, of one key.
///
/// Cost: O(n log n) in the number of holders; no allocation grows with anything else.
#[must_use]
pub fn plan(scene: &Scene<'_>, own: NodeId, account: &Account) -> Vec<Move> {
    let Some(index) = scene.holders.iter().position(|holder| holder.node == own) else {
        return Vec::new();
    };
    if scene.holders.len() < 2 || account.debt(scene.pace) > Amount::ZERO {
        return Vec::new();
    }
    let likelihood = likelihood(scene);
    let giver = scene.asker.map(|_| index);
    let shares = share_flow(scene, giver, &likelihood);
    let units = unit_flow(scene, giver, &likelihood);
    let overdraft = overdraft_flow(scene, giver, &likelihood);
    let own_units_short = units.is_short(index);
    let mut rest = *account;
    let mut moves = Vec::new();
    for (to, holder) in scene.holders.iter().enumerate() {
        let wanted = Wanted {
            share: Share::from_parts(clamp_u64(shares.amount(index, to))),
            overdraft: Share::from_parts(clamp_u64(overdraft.amount(index, to))),
            units: Amount::from_grains(units.amount(index, to)),
            keep_units: own_units_short,
        };
        let Some(parcel) = wanted.parcel(&rest, scene.pace) else {
            continue;
        };
        if rest.grant(parcel, scene.pace) {
            moves.push(Move {
                to: holder.node,
                parcel,
            });
        }
    }
    moves
}

/// Whom `own` should ask for units, of one key: holders that have some of what it lacks, if it lacks
/// any by the same reckoning by which they would give. `own` must be the scene's asker.
#[must_use]
pub fn donors(scene: &Scene<'_>, own: NodeId) -> Vec<NodeId> {
    let Some(index) = scene.holders.iter().position(|holder| holder.node == own) else {
        return Vec::new();
    };
    let units = unit_flow(scene, None, &likelihood(scene));
    // A whole unit is worth a message; less waits for the tick.
    let least = Amount::from_units(1).grains();
    let gives = |from: &usize| units.amount(*from, index) >= least;
    (0..scene.holders.len())
        .filter(gives)
        .map(|from| scene.holders[from].node)
        .collect()
}

/// How much of the next arrivals each holder will probably see, in parts of [`Share::WHOLE`]; and
/// how much of the rate should follow it.
struct Likelihood {
    seen: Vec<u128>,
    habit: Vec<u128>,
    /// How much of the limit is asked for, in parts of the whole, at most the whole.
    load: u128,
    /// Whether nobody has asked for long.
    idle: bool,
}

const WHOLE: u128 = Share::WHOLE.parts() as u128;

fn likelihood(scene: &Scene<'_>) -> Likelihood {
    let holders = scene.holders;
    let sum = |pick: fn(&Demand) -> u64| -> u128 {
        holders
            .iter()
            .map(|holder| u128::from(pick(&holder.demand)))
            .sum()
    };
    let dense = sum(|demand| demand.dense);
    let (pick, ticks): (fn(&Demand) -> u64, u64) = if dense >= u128::from(EVIDENCE_COUNT) {
        (|demand| demand.dense, DENSE_TICKS)
    } else {
        (|demand| demand.sparse, SPARSE_TICKS)
    };
    let total = sum(pick);
    let habit = habits(holders, sum(|demand| demand.habit));
    let weight = WHOLE * total / (total + u128::from(EVIDENCE_COUNT));
    let seen = holders.iter().zip(&habit).map(|(holder, habit)| {
        let recent = (WHOLE * u128::from(pick(&holder.demand)))
            .checked_div(total)
            .unwrap_or(0);
        (weight * recent + (WHOLE - weight) * habit) / WHOLE
    });
    let rate = u128::from(scene.rate_count_per_tick) * u128::from(ticks);
    let load = (WHOLE * total)
        .checked_div(rate)
        .unwrap_or(WHOLE)
        .min(WHOLE);
    Likelihood {
        seen: seen.collect(),
        habit,
        load,
        idle: total == 0,
    }
}

/// Each holder's part of the arrivals of the last minutes. The prior is its part of the load of all
/// keys, and the prior of that the base split.
fn habits(holders: &[Holder], total: u128) -> Vec<u128> {
    let (prior, base) = (u128::from(PRIOR_COUNT), base_total(holders));
    let loads: u128 = holders.iter().map(|holder| u128::from(holder.load)).sum();
    let load_prior = u128::from(LOAD_PRIOR_COUNT);
    let habit = |holder: &Holder| {
        let base = WHOLE * u128::from(holder.base.parts()) / base;
        let load = (WHOLE * u128::from(holder.load) + load_prior * base) / (loads + load_prior);
        (WHOLE * u128::from(holder.demand.habit) + prior * load) / (total + prior)
    };
    holders.iter().map(habit).collect()
}

fn base_total(holders: &[Holder]) -> u128 {
    holders
        .iter()
        .map(|holder| u128::from(holder.base.parts()))
        .sum::<u128>()
        .max(1)
}

/// What each holder has above or below its target, and who gives what to whom.
///
/// Givers and takers are paired from the largest down, ties by id, so that nodes that know the
/// same pair alike without a word.
struct Flow {
    moves: Vec<(usize, usize, u128)>,
    short: Vec<bool>,
}

impl Flow {
    fn pair(
        surplus: &[i128],
        gives: impl Fn(usize) -> bool,
        takes: impl Fn(usize) -> bool,
    ) -> Self {
        let largest_first = |sign: i128, keep: &dyn Fn(usize) -> bool| {
            let mut list: Vec<_> = surplus
                .iter()
                .enumerate()
                .filter(|(index, amount)| **amount * sign > 0 && keep(*index))
                .map(|(index, amount)| (amount.unsigned_abs(), index))
                .collect();
            list.sort_unstable_by_key(|(amount, index)| (std::cmp::Reverse(*amount), *index));
            list
        };
        let mut givers = largest_first(1, &gives).into_iter();
        let mut takers = largest_first(-1, &takes).into_iter();
        let (mut giver, mut taker) = (givers.next(), takers.next());
        let mut moves = Vec::new();
        while let (Some((has, from)), Some((wants, to))) = (giver, taker) {
            let amount = has.min(wants);
            moves.push((from, to, amount));
            giver = if has > amount {
                Some((has - amount, from))
            } else {
                givers.next()
            };
            taker = if wants > amount {
                Some((wants - amount, to))
            } else {
                takers.next()
            };
        }
        Self {
            moves,
            short: surplus.iter().map(|amount| *amount <= 0).collect(),
        }
    }

    fn amount(&self, from: usize, to: usize) -> u128 {
        let pairs = self
            .moves
            .iter()
            .filter(|(giver, taker, _)| (*giver, *taker) == (from, to));
        pairs.map(|(_, _, amount)| amount).sum()
    }

    fn is_short(&self, index: usize) -> bool {
        self.short.get(index).copied().unwrap_or(false)
    }
}

/// The first flow: where the rate should be, in parts.
fn share_flow(scene: &Scene<'_>, giver: Option<usize>, likelihood: &Likelihood) -> Flow {
    let holders = scene.holders;
    // Of all there is, not of what is seen: a share on its way is at nobody's, and targets that
    // shrank with it would send the rest after it.
    let all = base_total(holders);
    let owed: Vec<u128> = holders
        .iter()
        .map(|holder| {
            repayment(
                holder,
                all / holders.len() as u128,
                likelihood.idle,
                scene.pace,
            )
        })
        .collect();
    let rest = all.saturating_sub(owed.iter().sum());
    let target = |index: usize| {
        if likelihood.idle {
            return owed[index] + u128::from(holders[index].base.parts()) * rest / all;
        }
        let follow = likelihood.load * likelihood.seen[index];
        let stay = (WHOLE - likelihood.load) * likelihood.habit[index];
        owed[index] + rest * ((follow + stay) / WHOLE) / WHOLE
    };
    let surplus: Vec<_> = holders
        .iter()
        .enumerate()
        .map(|(index, holder)| i128::from(holder.share.parts()) - signed(target(index)))
        .collect();
    let least = if likelihood.idle {
        1
    } else {
        all / u128::from(SHARE_HYSTERESIS)
    };
    let repays = |index: usize| u128::from(holders[index].share.parts()) < owed[index] / 2;
    let takes = |index: usize| {
        scene.may_take(index) && (surplus[index].unsigned_abs() >= least || repays(index))
    };
    Flow::pair(
        &surplus,
        |index| giver.is_none_or(|giver| giver == index),
        takes,
    )
}

/// The share that a node in debt needs to repay it, asked for or not: as much as the debt is of a
/// burst, so that it takes a burst's time or two, and at most `most`. Without a share it never
/// could. A node at its base share when the key is idle repays by that.
fn repayment(holder: &Holder, most: u128, idle: bool, pace: &Pace) -> u128 {
    let debt = balance(holder, pace).min(0).unsigned_abs();
    if debt == 0 || (idle && !holder.base.is_none()) {
        return 0;
    }
    let burst = u128::from(pace.burst_units()) << Amount::FRACTION_BITS;
    debt.div_ceil(burst.max(1)).min(most)
}

/// Rights of overdraft are moved by view changes alone, and go home when a key is idle.
fn overdraft_flow(scene: &Scene<'_>, giver: Option<usize>, likelihood: &Likelihood) -> Flow {
    let surplus = |holder: &Holder| {
        i128::from(holder.overdraft.parts()) - i128::from(holder.base_overdraft.parts())
    };
    let surplus: Vec<_> = scene.holders.iter().map(surplus).collect();
    let takes = |index: usize| likelihood.idle && scene.may_take(index);
    Flow::pair(
        &surplus,
        |index| giver.is_none_or(|giver| giver == index),
        takes,
    )
}

/// The second flow: where the units should be, in grains.
fn unit_flow(scene: &Scene<'_>, giver: Option<usize>, likelihood: &Likelihood) -> Flow {
    let holders = scene.holders;
    let balances: Vec<i128> = holders
        .iter()
        .map(|holder| balance(holder, scene.pace))
        .collect();
    let total = balances.iter().sum::<i128>().max(0).unsigned_abs();
    let targets = unit_targets(total, &likelihood.seen);
    let surplus: Vec<_> = balances
        .iter()
        .zip(&targets)
        .map(|(balance, target)| balance - signed(*target))
        .collect();
    let takes = |index: usize| {
        if likelihood.idle {
            // Nobody asks: shares go home and take their units with them.
            return false;
        }
        let unit = signed(Amount::from_units(1).grains());
        let (balance, target) = (balances[index], signed(targets[index]));
        let low = balance < unit || balance < target / 2;
        scene.may_take(index) && low && target >= unit && target - balance >= unit / 4
    };
    Flow::pair(
        &surplus,
        |index| giver.is_none_or(|giver| giver == index),
        takes,
    )
}

/// Units a holder can admit, below zero in debt.
fn balance(holder: &Holder, pace: &Pace) -> i128 {
    let room = Amount::share_of_units(holder.share, pace.burst_units());
    signed(room.grains()) - signed(holder.level.grains())
}

/// Deals `total` grains in proportion; where they are scarce, in whole units, the likeliest first.
fn unit_targets(total: u128, likelihood: &[u128]) -> Vec<u128> {
    let weights: u128 = likelihood.iter().sum::<u128>().max(1);
    let unit = Amount::from_units(1).grains();
    let units = total / unit;
    if units >= u128::from(SCARCE_UNITS_PER_HOLDER) * likelihood.len() as u128 {
        return likelihood
            .iter()
            .map(|part| total / weights * part)
            .collect();
    }
    let mut targets: Vec<_> = likelihood
        .iter()
        .map(|part| units * part / weights)
        .collect();
    let left = units - targets.iter().sum::<u128>();
    let mut order: Vec<_> = (0..likelihood.len()).collect();
    let remainder = |index: usize| units * likelihood[index] % weights;
    order.sort_by_key(|index| (std::cmp::Reverse(remainder(*index)), *index));
    for index in order
        .into_iter()
        .take(usize::try_from(left).unwrap_or(usize::MAX))
    {
        targets[index] += 1;
    }
    targets.into_iter().map(|units| units * unit).collect()
}

/// What the two flows together want of one giver for one taker.
struct Wanted {
    share: Share,
    overdraft: Share,
    units: Amount,
    /// The giver is short of units itself: what it gives should be as used as can be.
    keep_units: bool,
}

impl Wanted {
    /// A share large enough for the units that go, and the level that the rest of it needs.
    fn parcel(&self, account: &Account, pace: &Pace) -> Option<Parcel> {
        let burst = u128::from(pace.burst_units()) << Amount::FRACTION_BITS;
        let carrier = Share::from_parts(clamp_u64(self.units.grains().div_ceil(burst)));
        let share = self.share.max(carrier).min(account.share());
        let overdraft = self.overdraft.min(account.overdraft());
        if share.is_none() && overdraft.is_none() {
            return None;
        }
        let room = Amount::share_of_units(share, pace.burst_units());
        let level = if self.units > Amount::ZERO {
            room.saturating_sub(self.units)
        } else if self.keep_units {
            room
        } else {
            account.proportional(share).level.min(room)
        };
        let level = level
            .min(account.level())
            .max(self.least_level(account, share, pace));
        Some(Parcel {
            share,
            overdraft,
            level,
        })
    }

    /// What stays must fit what stays: at least this much of the level has to go.
    fn least_level(&self, account: &Account, share: Share, pace: &Pace) -> Amount {
        let stays = account.share().saturating_sub(share);
        account
            .level()
            .saturating_sub(Amount::share_of_units(stays, pace.burst_units()))
    }
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX / 4)
}

fn clamp_u64(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
