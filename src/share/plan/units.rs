//! Where the units and the level should be.
//!
//! Units lie where the next requests will probably land, in whole ones when they are scarce. The
//! level lies where the rate is: what is used up drains only at a holder that has a part of the
//! rate, and a part of the rate whose holder has nothing to drain is lost.

use super::flow::{Flow, of};
use super::likelihood::{Likelihood, WHOLE, base_total};
use super::rates::{Keeping, MEMBERS_ALL_KEEP};
use super::{Holder, PerHolder, Scene, signed};
use crate::limit::Pace;
use crate::share::demand::COUNT_SCALE;
use crate::units::{Amount, Share};

/// Units for so many ticks of what is asked for now lie where it is asked for.
const HORIZON_TICKS: u128 = 3;

/// Below so many units for each holder, units are dealt whole: a fraction admits nothing.
const SCARCE_UNITS_PER_HOLDER: u128 = 16;

/// A holder of a part of the rate whose level is below this part of its own share of all levels may
/// soon have nothing to drain.
const LEVEL_LOW: u128 = 4;

/// The last units are dealt by who is likelier to be asked for one, told apart no finer than in so many
/// parts of a unit: who was asked last is a little likelier to be asked next, or less likely.
const LIKELIHOODS: u128 = 4;

/// By so many of these parts it has to be likelier elsewhere for a unit to go there.
const STAYS: u128 = 2;

/// Fractions that make up a unit go with this part of one more, for what drains and is rounded
/// meanwhile.
const SLACK_PART: i128 = 16;

/// Keepers hold what others do not need yet, where a burst is fewer requests' worth than so many for
/// each holder. Of more, what comes to many nodes at once finds its part there and not at a few keepers.
const POOLED_PORTIONS_PER_HOLDER: u128 = 6;

/// In a large cluster fractions are put together where a burst is fewer requests' worth than so many for each
/// holder: what is left over at each is a large part of it all then.
const LEFT_OVER_PORTIONS_PER_HOLDER: u128 = 4;

const UNIT: u128 = Amount::from_units(1).grains();

/// What each holder has and should have.
pub(super) struct Units {
    balances: PerHolder<i128>,
    targets: PerHolder<u128>,
    /// What each has above or below its target, as far as it is worth sending.
    pub(super) surplus: PerHolder<i128>,
}

impl Units {
    /// What a holder has above its target, whole or not.
    pub(super) fn spare(&self, index: usize) -> i128 {
        self.balances[index] - signed(self.targets[index])
    }
}

pub(super) fn units(scene: &Scene<'_>, likelihood: &Likelihood, keeping: &Keeping) -> Units {
    let balance = |holder: &Holder| balance(holder, scene.pace);
    let balances: PerHolder<i128> = scene.holders.iter().map(balance).collect();
    let total = balances.iter().sum::<i128>().max(0).unsigned_abs();
    let weights = weights(scene, total, likelihood);
    let mut targets = dealt(scene.holders, (total, scene.portion()), &weights, &balances);
    if keeping.few && is_small(scene) {
        pool(&mut targets, scene, likelihood, keeping);
    }
    let surplus = whole_portions(&balances, &targets, scene.portion(), likelihood.crumbles);
    Units {
        balances,
        targets,
        surplus,
    }
}

/// Moves units to where they should be.
pub(super) fn unit_flow(
    scene: &Scene<'_>,
    (own, giver): (usize, Option<usize>),
    (likelihood, keeping): (&Likelihood, &Keeping),
    units: &Units,
) -> Flow {
    let takes = |index: usize| {
        // When nobody asks, shares go home and take their units with them.
        !likelihood.idle && scene.may_take(index) && is_short(scene, units, index)
    };
    let asker = |asker| scene.holders.iter().position(|holder| holder.node == asker);
    if !keeping.few
        && let (Some(from), Some(to)) = (giver, scene.asker.and_then(asker))
        && let Some(amount) = made_up(scene, units, (from, to))
    {
        let mut surplus = PerHolder::from_elem(0, units.surplus.len());
        (surplus[from], surplus[to]) = (amount, -amount);
        return Flow::pair(&surplus, own, of(giver), takes);
    }
    Flow::pair(&units.surplus, own, of(giver), takes)
}

/// What a giver can spare, whole or not, for who asks it, if that makes up a whole portion there with
/// what is there already: what both have beyond whole ones would admit nothing. Where few keep the
/// rate they do not: at them it does soon.
fn made_up(scene: &Scene<'_>, units: &Units, (from, to): (usize, usize)) -> Option<i128> {
    let (unit, has) = (signed(scene.portion()), units.balances[to]);
    let lacks = signed(units.targets[to]) - has + signed(UNIT) / SLACK_PART;
    let amount = units.spare(from).min(lacks);
    ((has + amount).div_euclid(unit) > has.div_euclid(unit)).then_some(amount)
}

fn is_short(scene: &Scene<'_>, units: &Units, index: usize) -> bool {
    let unit = signed(scene.portion());
    let (balance, target) = (units.balances[index], signed(units.targets[index]));
    let asks = scene.asker == Some(scene.holders[index].node);
    let low = asks || balance < unit || balance < target / 2;
    low && target >= unit && (balance < unit || target - balance >= unit / 4)
}

/// Units a holder can admit, below zero in debt.
pub(super) fn balance(holder: &Holder, pace: &Pace) -> i128 {
    let room = Amount::share_of_units(holder.share, pace.burst_units());
    signed(room.grains()) - signed(holder.level.grains())
}

/// How likely the units' next requests land at each holder: as many as will be asked for within the
/// horizon lie where requests come now, the rest where they come usually. Who asks has shown that it
/// is alive to this key: it counts for half its base at least.
fn weights(scene: &Scene<'_>, total: u128, likelihood: &Likelihood) -> PerHolder<u128> {
    let wanted = likelihood.demand * HORIZON_TICKS * (UNIT / u128::from(COUNT_SCALE));
    let near = wanted
        .checked_div(total / WHOLE)
        .unwrap_or(WHOLE)
        .min(WHOLE);
    let base = base_total(scene.holders);
    let weight = |(index, holder): (usize, &Holder)| {
        let mixed =
            (near * likelihood.seen[index] + (WHOLE - near) * likelihood.habit[index]) / WHOLE;
        let least = WHOLE * u128::from(holder.base.parts()) / base / 2;
        match scene.asker == Some(holder.node) {
            true => mixed.max(least),
            false => mixed,
        }
    };
    scene.holders.iter().enumerate().map(weight).collect()
}

/// Whether a burst is so few requests' worth for each holder that one who is asked has seldom enough
/// of its own.
fn is_small(scene: &Scene<'_>) -> bool {
    let burst = Amount::from_units(scene.pace.burst_units()).grains();
    burst / scene.portion() < POOLED_PORTIONS_PER_HOLDER * scene.holders.len() as u128
}

/// Whether each holder of many has so few whole portions that what is left over beside them counts.
pub(super) fn leaves_much_over(scene: &Scene<'_>) -> bool {
    let (holders, burst_units) = (scene.holders.len(), scene.pace.burst_units());
    let burst = Amount::from_units(burst_units).grains();
    holders > MEMBERS_ALL_KEEP
        && burst / scene.portion() < LEFT_OVER_PORTIONS_PER_HOLDER * holders as u128
}

/// Deals `total` grains in proportion; where they are scarce, in whole portions of what one request
/// needs, the likeliest first. One stays where it is for little: what moves after every request is
/// nowhere when the next comes. Of places that are as likely the one that was asked longest ago is
/// first: many take turns.
pub(super) fn dealt(
    holders: &[Holder],
    (total, portion): (u128, u128),
    weights: &[u128],
    balances: &[i128],
) -> PerHolder<u128> {
    let sum: u128 = weights.iter().sum::<u128>().max(1);
    let units = total / portion;
    if units >= SCARCE_UNITS_PER_HOLDER * weights.len() as u128 {
        return weights.iter().map(|part| total / sum * part).collect();
    }
    let mut targets: PerHolder<_> = weights.iter().map(|part| units * part / sum).collect();
    let left = units - targets.iter().sum::<u128>();
    let remainder = |index: usize| {
        let has_another = balances[index] >= signed((targets[index] + 1) * portion);
        let stays = if has_another { STAYS } else { 0 };
        (units * weights[index] % sum * LIKELIHOODS + sum / 2) / sum + stays
    };
    let place = |index: usize| {
        let asked = holders[index].demand.habit;
        (std::cmp::Reverse(remainder(index)), asked, index)
    };
    let mut order: PerHolder<_> = match left {
        0 => PerHolder::new(),
        _ => (0..weights.len()).map(place).collect(),
    };
    order.sort_unstable();
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    for (.., index) in order.into_iter().take(left) {
        targets[index] += 1;
    }
    targets.into_iter().map(|units| units * portion).collect()
}

/// Where few keep the rate they keep the units too that others will hardly need before they can ask
/// for more: what lies with one of many is found by nobody else.
///
/// Who asks is given what a keeper does not need itself: what it lacks is surplus in small parts at
/// all the others.
fn pool(targets: &mut [u128], scene: &Scene<'_>, likelihood: &Likelihood, keeping: &Keeping) {
    let keepers: PerHolder<usize> = (0..targets.len())
        .filter(|index| keeping.keeps(*index))
        .collect();
    if keepers.is_empty() {
        return;
    }
    let (near, portion) = (likelihood.demand * HORIZON_TICKS, scene.portion());
    let portion_count = scene.count_of(COUNT_SCALE);
    let mut spared = 0;
    for (index, target) in targets.iter_mut().enumerate() {
        let need = near * likelihood.seen[index] / WHOLE / portion_count + 1;
        let pools = keeping.keeps(index) && scene.asker.is_none();
        if !pools && *target > need * portion {
            spared += *target - need * portion;
            *target = need * portion;
        }
    }
    if scene.asker.is_some() {
        return;
    }
    let count = keepers.len() as u128;
    let (each, extra) = (spared / portion / count, spared / portion % count);
    for (place, index) in keepers.into_iter().enumerate() {
        targets[index] += (each + u128::from((place as u128) < extra)) * portion;
    }
}

/// What each holder has above or below its target, in whole units where anybody has a whole one to
/// spare: what is lacking is rounded up and what is spared down, so that no fraction that somebody
/// else needs to make up a unit goes on a journey. Where nobody has, fractions are put together, with
/// a little more for what drains and is rounded meanwhile; or they have been, at a keeper.
fn whole_portions(
    balances: &[i128],
    targets: &[u128],
    portion: u128,
    crumbles: bool,
) -> PerHolder<i128> {
    let unit = signed(portion);
    let surplus = |(balance, target): (&i128, &u128)| balance - signed(*target);
    let raw = || balances.iter().zip(targets).map(surplus);
    if crumbles || raw().any(|surplus| surplus >= unit) {
        return raw()
            .map(|surplus| surplus.div_euclid(unit) * unit)
            .collect();
    }
    let slack = |surplus: i128| {
        if surplus < 0 {
            surplus - signed(UNIT) / SLACK_PART
        } else {
            surplus
        }
    };
    raw().map(slack).collect()
}

/// Moves what is used up to where it drains.
pub(super) fn level_flow(
    scene: &Scene<'_>,
    (own, giver): (usize, Option<usize>),
    likelihood: &Likelihood,
) -> Flow {
    let holders = scene.holders;
    if likelihood.idle || holders[own].level == Amount::ZERO {
        return Flow::default();
    }
    let total: u128 = holders.iter().map(|holder| holder.level.grains()).sum();
    let rates: u128 = holders
        .iter()
        .map(|holder| u128::from(holder.rate.parts()))
        .sum();
    // Coarse, so that the product fits: 2⁻³³ of a unit is nothing here.
    let target =
        |holder: &Holder| ((total >> 40) * u128::from(holder.rate.parts()) / rates.max(1)) << 40;
    let targets: PerHolder<u128> = holders.iter().map(target).collect();
    let surplus =
        |(holder, target): (&Holder, &u128)| signed(holder.level.grains()) - signed(*target);
    let surplus: PerHolder<_> = holders.iter().zip(&targets).map(surplus).collect();
    // Where each unit counts, a grain that drains nowhere keeps one from ever being whole.
    let crumb = if likelihood.crumbles { 1 } else { UNIT / 256 };
    let stranded =
        |index: usize| holders[index].rate.is_none() && holders[index].level.grains() >= crumb;
    let low = |index: usize| {
        let level = holders[index].level.grains();
        targets[index] >= UNIT / 2 && level < targets[index] / LEVEL_LOW
    };
    let may_take = |index: usize| scene.may_take(index);
    let gives = of(giver);
    if (0..holders.len()).any(low) {
        return Flow::pair(&surplus, own, gives, |index| may_take(index) && low(index));
    }
    Flow::pair(
        &surplus,
        own,
        |index| gives(index) && stranded(index),
        |index| may_take(index) && !holders[index].rate.is_none(),
    )
}

/// Where each unit counts, who keeps no rate holds whole ones or nothing: what is left over goes to a
/// keeper, who puts it together.
pub(super) fn fraction_flow(
    scene: &Scene<'_>,
    (own, giver): (usize, Option<usize>),
    likelihood: &Likelihood,
    keeping: &Keeping,
) -> Flow {
    let burst = u128::from(scene.pace.burst_units()) << Amount::FRACTION_BITS;
    let portion = scene.portion().div_ceil(burst);
    let over = |index: usize| {
        let share = u128::from(scene.holders[index].share.parts());
        let whole = share * burst / scene.portion() * portion;
        match keeping.keeps(index) {
            true => 0,
            false => share.saturating_sub(whole),
        }
    };
    let all: u128 = (0..scene.holders.len()).map(over).sum();
    let surplus = |index: usize| match keeping.keeps(index) {
        true => -signed(all),
        false => signed(over(index)),
    };
    let surplus: PerHolder<_> = (0..scene.holders.len()).map(surplus).collect();
    let takes = |index: usize| !likelihood.idle && scene.may_take(index) && keeping.keeps(index);
    Flow::pair(&surplus, own, of(giver), takes)
}

/// What is picked goes home to the base split when a key is idle.
pub(super) fn home_flow(
    scene: &Scene<'_>,
    (own, giver): (usize, Option<usize>),
    likelihood: &Likelihood,
    pick: fn(&Holder) -> (Share, Share),
) -> Flow {
    if !likelihood.idle {
        return Flow::default();
    }
    let surplus = |holder: &Holder| {
        let (has, base) = pick(holder);
        i128::from(has.parts()) - i128::from(base.parts())
    };
    let surplus: PerHolder<_> = scene.holders.iter().map(surplus).collect();
    let takes = |index: usize| scene.may_take(index);
    let gives = of(giver);
    Flow::pair(&surplus, own, gives, takes)
}
