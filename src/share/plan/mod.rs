//! The flows, as one pure function.
//!
//! What a node holds of a key is three things that are conserved apart from each other: a share of
//! the burst with the level in it, a share of the rate, a right of overdraft. So each can lie where
//! it is of most use: units where requests will probably land, the rate where it is not lost, the
//! level where the rate is.

mod flow;
mod likelihood;
mod rates;
mod units;

pub use rates::MEMBERS_ALL_KEEP;
pub(crate) use rates::keepers_count;

use smallvec::SmallVec;

use flow::Flow;
use likelihood::likelihood;
use rates::{keeping, rate_flow};
use units::{fraction_flow, home_flow, level_flow, unit_flow};

use super::demand::nothing_count;
use super::{COUNT_SCALE, Demand, SOON_TICKS};
use crate::limit::{Account, Pace, Parcel};
use crate::units::{Amount, NodeId, Share};

/// Something for each holder: on the stack where they are few, as plans are made for every contended key
/// at every tick.
type PerHolder<T> = SmallVec<[T; 8]>;

/// What one node holds of a key and is asked for, as far as the planner knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub node: NodeId,
    /// Its share at the base split.
    pub base: Share,
    /// Its right of overdraft at the base split.
    pub base_overdraft: Share,
    /// Its share of the burst now.
    pub share: Share,
    /// Its share of the rate now.
    pub rate: Share,
    /// Its right of overdraft now.
    pub overdraft: Share,
    /// How full its bucket is.
    pub level: Amount,
    /// What it is asked for.
    pub demand: Demand,
    /// How it ranks as an owner of the key: the highest first.
    pub rank: u64,
    /// Whether it can be reached.
    pub reached: bool,
    /// What it is asked for of all contended keys together: where a key is too new to have habits of
    /// its own, it probably has those of the others.
    pub load: u64,
    /// Whether it has refused for want of rights, of late.
    pub unmet: bool,
    /// Units in a request there, on average; one if none came of late.
    pub cost_units: u64,
    /// Whether a grant may go to it: it was heard of late, and nothing is on its way already.
    pub ready: bool,
}

/// Units in a request of all holders, on average, as far as it is known; at least one.
#[must_use]
pub fn cost_units(holders: &[Holder]) -> u64 {
    let known = || holders.iter().filter(|holder| holder.cost_units > 0);
    let asked = |holder: &Holder| u128::from(holder.demand.sparse);
    let requests = |holder: &Holder| asked(holder) / u128::from(holder.cost_units);
    let units: u128 = known().map(asked).sum();
    let requests: u128 = known().map(requests).sum();
    clamp_u64((units + requests / 2).checked_div(requests).unwrap_or(1)).max(1)
}

/// Whether anybody asks for a key, as far as is known.
pub(crate) fn is_asked_for(holders: &[Holder], rate_count_per_tick: u64) -> bool {
    let asked = holders
        .iter()
        .map(|holder| u128::from(holder.demand.sparse));
    asked.sum::<u128>() > u128::from(nothing_count(rate_count_per_tick))
}

/// All that the planner looks at.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The limit.
    pub pace: &'a Pace,
    /// Units that the limit gives back in one tick, times [`COUNT_SCALE`].
    pub rate_count_per_tick: u64,
    /// Units in a request, on average: fewer together are of use to nobody.
    pub cost_units: u64,
    /// Every member, by id; the same list at every node that has heard the same rows.
    pub holders: &'a [Holder],
    /// The one node to give to, if one has asked: whom others give to is then left to them.
    pub asker: Option<NodeId>,
}

impl Scene<'_> {
    /// What one request needs together.
    fn portion(&self) -> u128 {
        Amount::from_units(self.cost_units.max(1)).grains()
    }

    /// So many requests, as they are counted.
    fn count_of(&self, requests_count: u64) -> u128 {
        u128::from(requests_count) * u128::from(self.cost_units.max(1))
    }

    /// Whether a whole burst comes back within a few ticks.
    fn comes_back_soon(&self) -> bool {
        let soon = u128::from(self.rate_count_per_tick) * u128::from(SOON_TICKS);
        soon > u128::from(self.pace.burst_units()) * u128::from(COUNT_SCALE)
    }

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
    let flows = Flows::of(scene, index);
    let mut rest = *account;
    let mut moves = Vec::new();
    for (to, holder) in scene.holders.iter().enumerate() {
        let Some(parcel) = flows.wanted(to).parcel(&rest, scene.pace) else {
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
///
/// Ties fall differently for each asker, so that not all ask the same.
#[must_use]
pub fn donors(scene: &Scene<'_>, own: NodeId) -> Vec<NodeId> {
    let Some(index) = scene.holders.iter().position(|holder| holder.node == own) else {
        return Vec::new();
    };
    let likelihood = likelihood(scene);
    let units = units::units(scene, &likelihood, &keeping(scene, &likelihood));
    let unit = signed(scene.portion());
    let (count, mut wants) = (scene.holders.len(), -units.surplus[index]);
    let gives = |from: &usize| spares_a_portion(scene, *from, units.spare(*from));
    let mut order: Vec<usize> = (0..count).filter(gives).collect();
    order.sort_by_key(|from| {
        let turn = (*from + count - index) % count;
        (std::cmp::Reverse(units.surplus[*from] / unit), turn)
    });
    let asked = order.into_iter().take_while(|from| {
        let lacks = wants > 0;
        wants -= units.surplus[*from];
        lacks
    });
    asked.map(|from| scene.holders[from].node).collect()
}

/// Whether a holder is worth asking: what one request needs is worth a message, less waits for the
/// tick. What drains is reckoned, and what is only just enough there may not be so here; but where a
/// burst comes back within a few ticks nobody ever has more than that to spare.
fn spares_a_portion(scene: &Scene<'_>, index: usize, spare: i128) -> bool {
    let (holder, unit) = (&scene.holders[index], signed(scene.portion()));
    let least = match holder.rate.is_none() || scene.comes_back_soon() {
        true => unit,
        false => unit + signed(Amount::from_units(1).grains()) / 2,
    };
    holder.reached && spare >= least
}

/// All flows of one key from one giver, by who takes.
struct Flows {
    home: Flow,
    rate: Flow,
    overdraft: Flow,
    units: Flow,
    level: Flow,
}

impl Flows {
    /// As the giver at `own` sees them: who is asked decides for itself alone.
    ///
    /// Nearly always there is nothing to give, so what it takes to know that is looked at first.
    fn of(scene: &Scene<'_>, own: usize) -> Self {
        let giver = scene.asker.map(|_| own);
        let (likelihood, holder) = (likelihood(scene), &scene.holders[own]);
        let has_units = units::balance(holder, scene.pace) > 0 && !likelihood.idle;
        let breaks_up = (likelihood.crumbles || units::leaves_much_over(scene)) && !likelihood.idle;
        let mut flows = Self {
            home: home_flow(scene, (own, giver), &likelihood, |holder| {
                (holder.share, holder.base)
            }),
            // Rights of overdraft are moved by view changes alone, and go home when a key is idle.
            overdraft: home_flow(scene, (own, giver), &likelihood, |holder| {
                (holder.overdraft, holder.base_overdraft)
            }),
            level: level_flow(scene, (own, giver), &likelihood),
            rate: Flow::default(),
            units: Flow::default(),
        };
        if holder.rate.is_none() && !has_units && !breaks_up {
            return flows;
        }
        let keeping = keeping(scene, &likelihood);
        if breaks_up {
            flows.home = fraction_flow(scene, (own, giver), &likelihood, &keeping);
        }
        flows.rate = rate_flow(scene, (own, giver), &likelihood, &keeping);
        if has_units {
            let units = units::units(scene, &likelihood, &keeping);
            flows.units = unit_flow(scene, (own, giver), (&likelihood, &keeping), &units);
        }
        flows
    }

    fn wanted(&self, to: usize) -> Wanted {
        let share = |flow: &Flow| Share::from_parts(clamp_u64(flow.amount(to)));
        Wanted {
            home: share(&self.home),
            rate: share(&self.rate),
            overdraft: share(&self.overdraft),
            units: Amount::from_grains(self.units.amount(to)),
            level: Amount::from_grains(self.level.amount(to)),
        }
    }
}

/// What the flows together want of one giver for one taker.
struct Wanted {
    /// Share of the burst that goes home, as full as what stays.
    home: Share,
    rate: Share,
    overdraft: Share,
    units: Amount,
    level: Amount,
}

impl Wanted {
    /// A share of the burst large enough for the units and the level that go.
    fn parcel(&self, account: &Account, pace: &Pace) -> Option<Parcel> {
        let burst = u128::from(pace.burst_units()) << Amount::FRACTION_BITS;
        let carried = self.units.saturating_add(self.level.min(account.level()));
        let carrier = Share::from_parts(clamp_u64(carried.grains().div_ceil(burst)));
        let share = self.home.max(carrier).min(account.share());
        let rate = self.rate.min(account.rate());
        let overdraft = self.overdraft.min(account.overdraft());
        if share.is_none() && rate.is_none() && overdraft.is_none() {
            return None;
        }
        let room = Amount::share_of_units(share, pace.burst_units());
        let level = if carrier.is_none() {
            account.proportional(share).level
        } else {
            room.saturating_sub(self.units)
        };
        let level = level
            .min(room)
            .min(account.level())
            .max(self.least_level(account, share, pace));
        Some(Parcel {
            share,
            rate,
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
mod shortcuts;
#[cfg(test)]
mod tests;
