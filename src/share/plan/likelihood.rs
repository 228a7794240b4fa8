//! Where the next requests will probably land.

use super::{Holder, PerHolder, Scene, is_asked_for};
use crate::share::Demand;
use crate::share::demand::{COUNT_SCALE, DENSE_TICKS, HABIT_SCALE, SPARSE_TICKS};
use crate::units::{Amount, Share};

/// Arrivals whose evidence counts as much as habit.
const EVIDENCE_COUNT: u64 = 20 * COUNT_SCALE;

/// So many arrivals within a few ticks, at more than this multiple of the usual pace, are a surprise:
/// habit says little about where the next land then …
const SUDDEN_COUNT: u64 = 8 * COUNT_SCALE;
const SUDDEN_TIMES: u128 = 2;

/// … and so many arrivals count as much as it.
const SUDDEN_EVIDENCE_COUNT: u64 = 8 * COUNT_SCALE;

/// Arrivals that the base split, as a prior, counts for in the habit.
const PRIOR_COUNT: u64 = 20 * HABIT_SCALE;

/// Arrivals of all keys that the base split, as a prior, counts for in the nodes' loads.
const LOAD_PRIOR_COUNT: u64 = 50 * COUNT_SCALE;

/// Where a key of a slow limit at its base split admits nothing, it stays as it is until this is left
/// of its habits: a lone request is remembered for 1,700 ticks.
const REMEMBERED_COUNT: u64 = HABIT_SCALE / 4;

/// A limit is slow that gives back fewer units while sparse demand fades: who is asked for no more than
/// that is not seen by it.
const SLOW_COUNT: u64 = 8 * COUNT_SCALE;

/// How much of the next arrivals each holder will probably see, in parts of [`Share::WHOLE`]; and
/// how much of the rate should follow it.
pub(super) struct Likelihood {
    pub(super) seen: PerHolder<u128>,
    pub(super) habit: PerHolder<u128>,
    /// How much of the limit is asked for, in parts of the whole, at most the whole.
    pub(super) load: u128,
    /// Whether nobody has asked for long, and shares go home.
    pub(super) idle: bool,
    /// Whether who holds the base split can admit nothing.
    pub(super) crumbles: bool,
    /// Units asked for in a tick, times [`COUNT_SCALE`].
    pub(super) demand: u128,
}

pub(super) const WHOLE: u128 = Share::WHOLE.parts() as u128;

pub(super) fn likelihood(scene: &Scene<'_>) -> Likelihood {
    let holders = scene.holders;
    let sum = |pick: fn(&Demand) -> u64| -> u128 {
        holders
            .iter()
            .map(|holder| u128::from(pick(&holder.demand)))
            .sum()
    };
    let dense = sum(|demand| demand.dense);
    let (pick, ticks): (fn(&Demand) -> u64, u64) = if dense >= scene.count_of(EVIDENCE_COUNT) {
        (|demand| demand.dense, DENSE_TICKS)
    } else {
        (|demand| demand.sparse, SPARSE_TICKS)
    };
    let total = sum(pick);
    let crumbles = crumbles(scene);
    let habits_total = sum(|demand| demand.habit);
    let habit = habits(scene, habits_total);
    let evidence = match is_sudden(scene, dense, sum(|demand| demand.sparse)) {
        true => scene.count_of(SUDDEN_EVIDENCE_COUNT),
        false => scene.count_of(EVIDENCE_COUNT),
    };
    let weight = WHOLE * total / (total + evidence);
    let seen = holders.iter().zip(&habit).map(|(holder, habit)| {
        let recent = (WHOLE * u128::from(pick(&holder.demand)))
            .checked_div(total)
            .unwrap_or(0);
        (weight * recent + (WHOLE - weight) * habit) / WHOLE
    });
    let is_remembered =
        crumbles && is_slow(scene) && habits_total >= scene.count_of(REMEMBERED_COUNT);
    let rate = u128::from(scene.rate_count_per_tick) * u128::from(ticks);
    let load = (WHOLE * total)
        .checked_div(rate)
        .unwrap_or(WHOLE)
        .min(WHOLE);
    Likelihood {
        seen: seen.collect(),
        habit,
        load,
        idle: !is_asked_for(holders, scene.rate_count_per_tick) && !is_remembered,
        crumbles,
        demand: total / u128::from(ticks),
    }
}

/// Whether who holds its part of the base split can admit nothing on it, of burst and overdraft together.
fn crumbles(scene: &Scene<'_>) -> bool {
    let holds = scene.holders.iter().filter(|holder| !holder.base.is_none());
    let rights = holds.map(|holder| holder.base.saturating_add(holder.base_overdraft));
    let least = rights.min();
    let room = |share| Amount::share_of_units(share, scene.pace.burst_units());
    least.is_some_and(|least| room(least).grains() < scene.portion())
}

fn is_slow(scene: &Scene<'_>) -> bool {
    let given_back = u128::from(scene.rate_count_per_tick) * u128::from(SPARSE_TICKS);
    given_back < scene.count_of(SLOW_COUNT)
}

/// Whether so much was not asked for a moment ago.
fn is_sudden(scene: &Scene<'_>, dense: u128, sparse: u128) -> bool {
    let (lately, usually) = (
        dense * u128::from(SPARSE_TICKS),
        sparse * u128::from(DENSE_TICKS),
    );
    dense >= scene.count_of(SUDDEN_COUNT) && lately >= usually * SUDDEN_TIMES
}

/// Each holder's part of the arrivals of the last minutes. The prior is its part of the load of all
/// keys, and the prior of that the base split.
fn habits(scene: &Scene<'_>, total: u128) -> PerHolder<u128> {
    let holders = scene.holders;
    let (prior, base) = (scene.count_of(PRIOR_COUNT), base_total(holders));
    let loads: u128 = holders.iter().map(|holder| u128::from(holder.load)).sum();
    let load_prior = u128::from(LOAD_PRIOR_COUNT);
    let habit = |holder: &Holder| {
        let base = WHOLE * u128::from(holder.base.parts()) / base;
        let load = (WHOLE * u128::from(holder.load) + load_prior * base) / (loads + load_prior);
        (WHOLE * u128::from(holder.demand.habit) + prior * load) / (total + prior)
    };
    holders.iter().map(habit).collect()
}

pub(super) fn base_total(holders: &[Holder]) -> u128 {
    holders
        .iter()
        .map(|holder| u128::from(holder.base.parts()))
        .sum::<u128>()
        .max(1)
}
