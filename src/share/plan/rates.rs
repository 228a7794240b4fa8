//! Where the rate should be.
//!
//! The rate follows demand. Where there is enough of it for all, every holder has its part; where
//! there is not, it is kept by a few: a unit that drains in fifty places at once is for a long time
//! nowhere a whole one.

use super::flow::{Flow, of};
use super::likelihood::{Likelihood, WHOLE, base_total};
use super::units::balance;
use super::{Holder, PerHolder, Scene, signed};
use crate::share::{COUNT_SCALE, SOON_TICKS};
use crate::units::Amount;

/// A rate follows demand only by more than this part of the whole: without it an evenly loaded
/// cluster trades hundreds of grants a second for nothing.
const RATE_HYSTERESIS: u128 = 8;

/// A keeper's part of the burst is at least so many units, or there are fewer keepers.
const KEEPER_UNITS: u64 = 8;

/// With more members than this a key has [`KEEPERS_MAX`] keepers at most: what it costs to keep them
/// informed grows with their number times that of the members.
pub const MEMBERS_ALL_KEEP: usize = 8;

/// Most keepers of a key of a large cluster.
const KEEPERS_MAX: usize = 3;

/// How many holders keep the rate of a limit of this burst.
pub(crate) fn keepers_count(burst_units: u64, members: usize) -> usize {
    let enough = usize::try_from(burst_units / KEEPER_UNITS).unwrap_or(usize::MAX);
    let most = if members > MEMBERS_ALL_KEEP {
        KEEPERS_MAX
    } else {
        members
    };
    enough.min(most).clamp(1, members.max(1))
}

/// Who keeps the rate, and what part of it.
pub(super) struct Keeping {
    /// Each holder's part of the rate; nothing where it should keep none.
    pub(super) targets: PerHolder<u128>,
    /// What of it serves to repay a debt.
    owed: PerHolder<u128>,
    /// Whether some keep none.
    pub(super) few: bool,
}

impl Keeping {
    pub(super) fn keeps(&self, index: usize) -> bool {
        self.targets[index] > self.owed[index]
    }
}

/// Who should keep how much of the rate.
pub(super) fn keeping(scene: &Scene<'_>, likelihood: &Likelihood) -> Keeping {
    let holders = scene.holders;
    let cost_units = scene.cost_units.max(1);
    // What a tick brings anew is soon a whole unit wherever it drains, however small the burst.
    let flows = scene.rate_count_per_tick / COUNT_SCALE * SOON_TICKS;
    let room = scene.pace.burst_units().max(flows) / cost_units;
    let count = keepers_count(room, holders.len());
    let few = count < holders.len();
    let mixed: PerHolder<u128> = (0..holders.len())
        .map(|index| mixed(likelihood, index))
        .collect();
    let parts = if few {
        among(holders, &mixed, count)
    } else {
        mixed
    };
    // Of all there is, not of what is seen: a share on its way is at nobody's, and targets that
    // shrank with it would send the rest after it.
    let all = base_total(holders);
    let owed = owed(scene, likelihood, all);
    let rest = all.saturating_sub(owed.iter().sum());
    let target = |index: usize| match likelihood.idle {
        true => owed[index] + rest * u128::from(holders[index].base.parts()) / all,
        false => owed[index] + rest * parts[index] / WHOLE,
    };
    Keeping {
        targets: (0..holders.len()).map(target).collect(),
        owed,
        few,
    }
}

/// The part of the rate that each holder in debt needs to repay it, asked for or not: as much as the
/// debt is of a burst, so that it takes a burst's time or two, and at most an equal part. Without a
/// rate it never could. One at its base when the key is idle repays by that.
fn owed(scene: &Scene<'_>, likelihood: &Likelihood, all: u128) -> PerHolder<u128> {
    let most = all / scene.holders.len().max(1) as u128;
    let burst = u128::from(scene.pace.burst_units()) << Amount::FRACTION_BITS;
    let owed = |holder: &Holder| {
        let debt = balance(holder, scene.pace).min(0).unsigned_abs();
        match likelihood.idle && !holder.base.is_none() {
            true => 0,
            false => debt.div_ceil(burst.max(1)).min(most),
        }
    };
    scene.holders.iter().map(owed).collect()
}

/// Demand as far as the limit is asked for, habit for the rest.
fn mixed(likelihood: &Likelihood, index: usize) -> u128 {
    let follow = likelihood.load * likelihood.seen[index];
    let stay = (WHOLE - likelihood.load) * likelihood.habit[index];
    (follow + stay) / WHOLE
}

/// The parts of `count` keepers: those where much of the demand is keep what they see of it, and the
/// rest is kept evenly by the first owners that can be reached.
fn among(holders: &[Holder], mixed: &[u128], count: usize) -> PerHolder<u128> {
    let all = base_total(holders);
    let hot = |index: usize| {
        // Who keeps much already is not replaced for a little less demand.
        let keeps = u128::from(holders[index].rate.parts()) * 2 * count as u128 >= all;
        let part = mixed[index] + if keeps { mixed[index] / 4 } else { 0 };
        part * count.max(2) as u128 >= WHOLE && holders[index].reached
    };
    let mut order: PerHolder<usize> = (0..holders.len())
        .filter(|index| holders[*index].reached)
        .collect();
    order.sort_by_key(|index| {
        let heat = if hot(*index) { mixed[*index] } else { 0 };
        (
            std::cmp::Reverse(heat),
            std::cmp::Reverse(holders[*index].rank),
            *index,
        )
    });
    order.truncate(count);
    let mut parts = PerHolder::from_elem(0, holders.len());
    let warm: u128 = order
        .iter()
        .filter(|index| hot(**index))
        .map(|index| mixed[*index])
        .sum();
    let cool: PerHolder<usize> = order.iter().copied().filter(|index| !hot(*index)).collect();
    let rest = WHOLE.saturating_sub(warm);
    for index in &order {
        parts[*index] = match cool.is_empty() {
            // All of it is theirs, in proportion.
            true => mixed[*index] * WHOLE / warm.max(1),
            false if hot(*index) => mixed[*index],
            false => rest / cool.len() as u128,
        };
    }
    parts
}

/// Moves the rate to where it should be.
pub(super) fn rate_flow(
    scene: &Scene<'_>,
    (own, giver): (usize, Option<usize>),
    likelihood: &Likelihood,
    keeping: &Keeping,
) -> Flow {
    let holders = scene.holders;
    let target = |index: usize| keeping.targets[index];
    let surplus = |index: usize| i128::from(holders[index].rate.parts()) - signed(target(index));
    let surplus: PerHolder<_> = (0..holders.len()).map(surplus).collect();
    let all = base_total(holders);
    let scattered = !likelihood.idle
        && (0..holders.len()).any(|index| target(index) == 0 && surplus[index] > 0);
    let takes = |index: usize| {
        // Crumbs go home; but a debt that shrinks draws no rate after it with each tick.
        let any = (likelihood.idle || scattered) && keeping.owed[index] == 0;
        let least = if any { 1 } else { all / RATE_HYSTERESIS };
        let much = surplus[index].unsigned_abs() >= least;
        // A crumb of what it should have: less than this loses what drains nowhere else.
        let fair = all / (2 * holders.len() as u128);
        let crumb = u128::from(holders[index].rate.parts()) < target(index) / 2;
        let repays = u128::from(holders[index].rate.parts()) < keeping.owed[index] / 2;
        scene.may_take(index) && (much || repays || (crumb && target(index) >= fair))
    };
    let gives = of(giver);
    Flow::pair(&surplus, own, gives, takes)
}
