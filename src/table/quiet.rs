//! What a check does to a quiet key: a little integer arithmetic on one word.

use super::Constants;
use super::check::{Case, View, charged, no_room, refused};
use super::shard::Shard;
use super::slots::{Said, SlotAt};
use crate::limit::{Basis, Decision, Place, Refusal, UnitsTime};

/// A quiet key's bucket is at most this part full: 1/2. Beyond it the key is contended.
const QUIET_PART: u64 = 2;

/// What a request for a quiet key is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is charged.
    Charged,
    /// It asks for nothing, and changes nothing.
    Free,
    /// There is no room for it before a point in units-time.
    Over(UnitsTime),
    /// This node holds nothing of the key.
    NoShare,
}

/// Decides, and changes nothing: the answer, when the key has drained then, and the view of it then.
/// `None` if the key is to be contended: what happens is decided then. `said` is what the key's slot
/// says.
#[inline(always)]
pub(super) fn answer(
    shard: &Shard,
    case: Case<'_>,
    said: Option<Said>,
) -> Option<(Answer, UnitsTime, View)> {
    let pace = &case.policy.pace;
    let constants = shard.constants(case.ask.limit);
    let time = pace.at(case.now);
    let drained = constants.drains(said, time);
    let (answer, drains) = decide(constants, case, drained, time)?;
    Some((answer, drains, constants.view(pace, drains, time, case.now)))
}

#[inline(always)]
fn decide(
    constants: &Constants,
    case: Case<'_>,
    drains: UnitsTime,
    time: UnitsTime,
) -> Option<(Answer, UnitsTime)> {
    let (pace, cost_units) = (&case.policy.pace, case.ask.cost_units);
    if constants.base().is_none() {
        return Some((Answer::NoShare, drains));
    }
    if cost_units == 0 {
        return Some((Answer::Free, drains));
    }
    let after = drains.0.checked_add(constants.quanta(pace, cost_units)?)?;
    let burst = pace.burst_quanta();
    if case.config.clustered && after > time.0 + burst / QUIET_PART {
        return None;
    }
    if after > time.0.saturating_add(burst) {
        return Some((Answer::Over(UnitsTime(after - burst)), drains));
    }
    Some((Answer::Charged, UnitsTime(after)))
}

/// Charges a quiet key; `at` is where its slot is, if it has one.
#[inline(always)]
pub(super) fn charge(
    shard: &mut Shard,
    case: Case<'_>,
    view: &View,
    (at, drains): (Option<SlotAt>, UnitsTime),
) -> Decision {
    let said = Said::Quiet(drains);
    match at {
        Some(at) => shard.slots.set(at, said),
        None if !add(shard, case, said) => return no_room(shard, case),
        None => {}
    }
    charged(shard, case, view, Place::Drains(drains), Basis::OwnShare)
}

/// Gives a key its first slot; false if there is no room.
#[inline(never)]
fn add(shard: &mut Shard, case: Case<'_>, said: Said) -> bool {
    let room = shard.make_room(case.config, case.now);
    if room {
        shard.slots.add(case.ask.key, case.ask.limit, said);
    }
    room
}

/// Refuses what a quiet key has no room for until `possible`.
#[inline(always)]
pub(super) fn refuse(
    shard: &mut Shard,
    case: Case<'_>,
    view: &View,
    possible: UnitsTime,
) -> Decision {
    let possible_at = case.policy.pace.instant_of(possible);
    let mut decision = refused(shard, case, view, Refusal::OverLimit);
    decision.retry_after_ns = possible_at.0.saturating_sub(case.now.0);
    decision
}
