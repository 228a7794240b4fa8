//! The decision itself: one shard, one key, one moment.
//!
//! This is the line where the node asks the bucket, and then the merged view: an audit of what can
//! be admitted begins here, at [`check`].

use std::num::NonZero;
use std::time::Duration;

use super::quiet::{self, Answer};
use super::retry::{NEVER, Wanted};
use super::shard::Shard;
use super::signals::Signal;
use super::slots::{Said, SlotAt};
use super::{Ask, Entry, LimitIndex, Peek, Policy, TableConfig};
use crate::limit::{Basis, Charge, Decision, NO_RETRY, Pace, Place, Refusal, Verdict};
use crate::row::{Merged, Theirs};
use crate::units::{Amount, KeyId, Nanos, Share, duration_ns};

/// The protocol is told of one key's want at most once in this part of a tick.
const URGENT_PER_TICK: u64 = 20;

/// And the less often the more often it was told in vain: up to about three ticks apart.
const VAIN_DOUBLINGS_MAX: u32 = 6;

/// The first few go out at their usual pace: an answer takes a round trip.
const VAIN_FREE: u32 = 2;

/// What the others have is reckoned so often in a tick at most, for who is told of it beside a yes.
const THEIRS_PER_TICK: u64 = 16;

/// What a node holds of a key is used by `check` for so many ticks after the last.
const CHECKED_TICKS: u64 = 50;

/// One request, and what it is decided by.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) config: &'a TableConfig,
    pub(super) policy: &'a Policy,
    pub(super) ask: Ask,
    pub(super) now: Nanos,
    /// Whether rights that run out here are to be asked for.
    pub(super) wants: bool,
}

/// Decides. What the protocol should be told of it goes into `signal`, which says nothing so far.
///
/// Part of its caller, as all is that a quiet key needs: a decision is large, and made in registers it is
/// written once, where it goes to.
#[inline(always)]
pub(super) fn check(shard: &mut Shard, case: Case<'_>, signal: &mut Signal) -> Decision {
    if case.ask.cost_units > case.policy.pace.burst_units() {
        return refused(shard, case, &View::NOTHING, Refusal::CostAboveBurst);
    }
    let found = shard.slots.find_here(case.ask.key);
    if let Some((_, Said::Contended(number))) = found {
        return check_contended(shard, case, number, signal);
    }
    let (at, said) = found.unzip();
    let Some((answer, drains, view)) = quiet::answer(shard, case, said) else {
        return check_crossing(shard, case, found, signal);
    };
    match answer {
        Answer::Charged => quiet::charge(shard, case, &view, (at, drains)),
        Answer::Free => decided(case, &view, Verdict::Allowed, Basis::OwnShare, None),
        Answer::Over(possible) => quiet::refuse(shard, case, &view, possible),
        Answer::NoShare => without_share(shard, case),
    }
}

/// Who holds nothing refuses; a free request is allowed even so.
#[cold]
fn without_share(shard: &mut Shard, case: Case<'_>) -> Decision {
    match case.ask.cost_units {
        0 => decided(
            case,
            &View::NOTHING,
            Verdict::Allowed,
            Basis::OwnShare,
            None,
        ),
        _ => refused(shard, case, &View::NOTHING, Refusal::NoShare),
    }
}

/// Of a quiet key that this request takes past the threshold.
#[inline(never)]
fn check_crossing(
    shard: &mut Shard,
    case: Case<'_>,
    found: Option<(SlotAt, Said)>,
    signal: &mut Signal,
) -> Decision {
    let Ask { limit, key, .. } = case.ask;
    match shard.open(case.config, (limit, key), found, case.now) {
        Some(number) => check_contended(shard, case, number, signal),
        None => no_room(shard, case),
    }
}

/// Of a contended key, by the number of its entry; the cost is one that a bucket has room for.
#[inline(never)]
pub(super) fn check_contended(
    shard: &mut Shard,
    case: Case<'_>,
    number: usize,
    signal: &mut Signal,
) -> Decision {
    let Case {
        config,
        policy,
        ask,
        now,
        wants,
    } = case;
    let pace = &policy.pace;
    let Some((entry, constants)) = shard.entry(number) else {
        // A slot names an entry that there is: else nothing is known of the key.
        return no_room(shard, case);
    };
    entry.drain(pace, now);
    entry.meter.count(ask.cost_units, now.0 / config.tick_ns);
    if wants && ask.cost_units > 0 {
        entry.checked_until = Nanos(now.0.saturating_add(config.tick_ns * CHECKED_TICKS));
    }
    let cost = Amount::from_units(ask.cost_units);
    let owned = cost == Amount::ZERO || entry.account.admit_owned(cost, pace);
    let others = &constants.others;
    // What is allowed here whatever the others have says of them what a moment ago was true.
    let theirs = match owned {
        true => {
            let grain_ns = config.tick_ns / THEIRS_PER_TICK;
            entry.rows.theirs_lately(others, pace, now, grain_ns)
        }
        false => Theirs::of(&entry.rows, others, pace, now),
    };
    let basis = match owned {
        true => Some(Basis::OwnShare),
        false => overdrawn(entry, &theirs, cost, pace),
    };
    let merged = theirs.with(&entry.account, pace);
    let view = View::of(&merged, pace, now);
    let refusal = match entry.account.share().is_none() {
        true => Refusal::NoShare,
        false => Refusal::OverLimit,
    };
    let mut retry_after_ns = NO_RETRY;
    if basis.is_none() {
        let unmet_units = if wants { ask.cost_units } else { 0 };
        entry.unmet_units = entry.unmet_units.saturating_add(unmet_units);
        let wanted = Wanted {
            entry,
            others,
            pace,
            cost,
            now,
        };
        retry_after_ns = duration_ns(wanted.retry_after(&merged, config.tick_ns));
    }
    *signal = match wants {
        true => self::signal(entry, basis, pace, now, config.tick_ns),
        false => changed(entry),
    };
    let place = Place::Filled(entry.account.filled());
    let mut decision = match basis {
        Some(basis) => charged(shard, case, &view, place, basis),
        None => refused(shard, case, &view, refusal),
    };
    decision.retry_after_ns = retry_after_ns;
    decision
}

/// What is not admitted on a node's own rights is on its right of overdraft, if the merged view says
/// that the cluster as a whole still has that much; else not.
fn overdrawn(entry: &mut Entry, theirs: &Theirs, cost: Amount, pace: &Pace) -> Option<Basis> {
    let account = &mut entry.account;
    let owed = account.overdraft() > Share::NONE && theirs.with(account, pace).balance >= cost;
    (owed && account.admit_overdrawn(cost, pace)).then_some(Basis::Overdraft)
}

/// Whether the protocol should know now, at the next tick, or knows already.
fn signal(
    entry: &mut Entry,
    basis: Option<Basis>,
    pace: &Pace,
    now: Nanos,
    tick_ns: u64,
) -> Signal {
    // Where the others have nothing either, asking on would cost messages for nothing.
    let patience = 1
        << entry
            .asked_in_vain
            .saturating_sub(VAIN_FREE)
            .min(VAIN_DOUBLINGS_MAX);
    let gap = Duration::from_nanos(tick_ns / URGENT_PER_TICK * patience);
    let wants = basis.is_none() || entry.is_low(pace, tick_ns);
    let rested = entry
        .urged_at
        .is_none_or(|urged_at| now.since(urged_at) >= gap);
    if wants && rested {
        entry.urged_at = Some(now);
        entry.asked_in_vain = entry.asked_in_vain.saturating_add(1);
        entry.noted = true;
        return Signal::Urgent;
    }
    changed(entry)
}

/// The protocol looks at it at the next tick.
fn changed(entry: &mut Entry) -> Signal {
    match std::mem::replace(&mut entry.noted, true) {
        true => Signal::Silent,
        false => Signal::Changed,
    }
}

/// What a decision says besides yes and no.
pub(super) struct View {
    pub(super) remaining_units: u64,
    pub(super) reset_after_ns: u64,
    pub(super) age_ns: u64,
}

impl View {
    fn of(merged: &Merged, pace: &Pace, now: Nanos) -> Self {
        Self {
            remaining_units: merged.balance.floor_units(),
            reset_after_ns: pace
                .time_to_drain(merged.level, Share::WHOLE, now)
                .map_or(duration_ns(NEVER), duration_ns),
            age_ns: duration_ns(merged.age),
        }
    }

    /// Of a key of which this node holds nothing.
    const NOTHING: Self = Self {
        remaining_units: 0,
        reset_after_ns: 0,
        age_ns: 0,
    };
}

/// A decision, made where it goes to: it is large.
#[inline(always)]
pub(super) fn decided(
    case: Case<'_>,
    view: &View,
    verdict: Verdict,
    basis: Basis,
    charge: Option<Charge>,
) -> Decision {
    Decision {
        verdict,
        basis,
        burst_units: case.policy.pace.burst_units(),
        remaining_units: view.remaining_units,
        retry_after_ns: NO_RETRY,
        reset_after_ns: view.reset_after_ns,
        view_age_ns: view.age_ns,
        decided_at_ns: case.now.0,
        charge,
    }
}

/// A refusal, counted.
#[inline(always)]
pub(super) fn refused(
    shard: &mut Shard,
    case: Case<'_>,
    view: &View,
    refusal: Refusal,
) -> Decision {
    shard.counted.refused += 1;
    decided(case, view, Verdict::Refused(refusal), Basis::OwnShare, None)
}

/// A refusal for want of memory.
#[cold]
pub(super) fn no_room(shard: &mut Shard, case: Case<'_>) -> Decision {
    shard.counted.refused_no_room += 1;
    refused(shard, case, &View::NOTHING, Refusal::NoRoom)
}

/// What is allowed, counted and charged; a cost of nothing is not charged.
#[inline(always)]
pub(super) fn charged(
    shard: &mut Shard,
    case: Case<'_>,
    view: &View,
    place: Place,
    basis: Basis,
) -> Decision {
    let Case { ask, wants, .. } = case;
    match basis {
        Basis::Overdraft => shard.counted.allowed_overdrawn += 1,
        _ => shard.counted.allowed_owned += 1,
    }
    shard.counted.admitted_units = shard.counted.admitted_units.saturating_add(ask.cost_units);
    let charge = NonZero::new(ask.cost_units).map(|cost_units| Charge {
        node: shard.node,
        key: ask.key,
        number: shard.receipts.issue(),
        cost_units,
        spot: shard.told(place, wants),
    });
    decided(case, view, Verdict::Allowed, basis, charge)
}

pub(super) fn peek(
    shard: &mut Shard,
    config: &TableConfig,
    limit: LimitIndex,
    key: KeyId,
    now: Nanos,
) -> Peek {
    let pace = &config.policies[usize::from(limit.0)].pace;
    if let Some((entry, constants)) = shard.contended(key) {
        let aged = entry.aged(pace, now);
        let merged = aged.merged(&constants.others, pace, now);
        let view = View::of(&merged, pace, now);
        let account = &aged.account;
        let shares = [account.share(), account.rate(), account.overdraft()];
        return peeked(shares, aged.account.level(), &view, true);
    }
    let time = pace.at(now);
    let drains = shard.quiet_time(limit, key, time);
    let constants = shard.constants(limit);
    let level = pace.amount(drains.0 - time.0, constants.base());
    peeked(
        [constants.base(), constants.base(), constants.overdraft()],
        level,
        &constants.view(pace, drains, time, now),
        false,
    )
}

fn peeked(shares: [Share; 3], level: Amount, view: &View, contended: bool) -> Peek {
    let [share, rate, overdraft] = shares;
    Peek {
        share,
        rate,
        overdraft,
        level_units: level.as_units(),
        remaining: view.remaining_units,
        reset_after: Duration::from_nanos(view.reset_after_ns),
        contended,
    }
}
