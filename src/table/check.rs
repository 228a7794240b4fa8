//! The decision itself: one shard, one key, one moment.
//!
//! This is the line where the node asks the bucket, and then the merged view: an audit of what can
//! be admitted begins here, at [`decide`].

use std::time::Duration;

use super::map::{Slot, Slots};
use super::receipts::Place;
use super::shard::Shard;
use super::signals::Signal;
use super::{Ask, Constants, Entry, LimitIndex, Peek, Policy, TableConfig};
use crate::limit::{Basis, Charge, Decision, Pace, Refusal, UnitsTime, Verdict};
use crate::row::Merged;
use crate::units::{Amount, KeyId, Nanos, Share};

/// A quiet key's bucket is at most this part full: 1/2. Beyond it the key is contended.
const QUIET_PART: u64 = 2;

/// The protocol is told of one key's want at most once in this part of a tick.
const URGENT_PER_TICK: u64 = 20;

/// And the less often the more often it was told in vain: up to about three ticks apart.
const VAIN_DOUBLINGS_MAX: u32 = 6;

/// The first few go out at their usual pace: an answer takes a round trip.
const VAIN_FREE: u32 = 2;

pub(super) fn check(
    shard: &mut Shard,
    config: &TableConfig,
    ask: Ask,
    now: Nanos,
    wants: bool,
) -> (Decision, Signal) {
    let policy = &config.policies[usize::from(ask.limit.0)];
    if ask.cost_units > policy.pace.burst_units() {
        shard.counted.refused += 1;
        return (
            refused(policy, Refusal::CostAboveBurst, now),
            Signal::Silent,
        );
    }
    if !shard.contended.contains(&ask.key)
        && let Some(decision) = check_quiet(shard, config, ask, now)
    {
        return (decision, Signal::Silent);
    }
    check_contended(shard, config, ask, now, wants)
}

/// A quiet key that stays quiet, or is refused for good reason; `None` if it becomes contended.
fn check_quiet(shard: &mut Shard, config: &TableConfig, ask: Ask, now: Nanos) -> Option<Decision> {
    let policy = &config.policies[usize::from(ask.limit.0)];
    let (pace, base) = (&policy.pace, shard.constants(ask.limit).base);
    let time = pace.at(now);
    let drains = shard.quiet_time(ask.limit, ask.key, time);
    let cost = Amount::from_units(ask.cost_units);
    if base.is_none() {
        shard.counted.refused += u64::from(ask.cost_units > 0);
        let refusal = refused(policy, Refusal::NoShare, now);
        return Some(if ask.cost_units == 0 {
            allowed(refusal)
        } else {
            refusal
        });
    }
    let after = pace
        .quanta_ceil(cost, base)
        .and_then(|quanta| drains.0.checked_add(quanta))?;
    let full = time.0.saturating_add(pace.burst_quanta());
    if config.clustered && after > time.0 + pace.burst_quanta() / QUIET_PART && ask.cost_units > 0 {
        return None;
    }
    let view = |drains: UnitsTime| quiet_view(shard.constants(ask.limit), pace, drains, now);
    if after > full && ask.cost_units > 0 {
        let decision = Decision {
            retry_after: Some(
                pace.instant_of(UnitsTime(after - pace.burst_quanta()))
                    .since(now),
            ),
            ..view(drains).onto(refused(policy, Refusal::OverLimit, now))
        };
        shard.counted.refused += 1;
        return Some(decision);
    }
    if ask.cost_units == 0 {
        return Some(allowed(view(drains).onto(refused(
            policy,
            Refusal::OverLimit,
            now,
        ))));
    }
    let decision = view(UnitsTime(after)).onto(refused(policy, Refusal::OverLimit, now));
    if shard.slots.find(ask.key).is_none() && !shard.make_room(config, now) {
        return Some(no_room(shard, policy, now));
    }
    shard
        .slots
        .store(ask.key, Slot::Quiet(ask.limit, UnitsTime(after)));
    Some(charged(shard, decision, ask, Basis::OwnShare))
}

/// `wants`: whether rights that run out here are to be asked for.
fn check_contended(
    shard: &mut Shard,
    config: &TableConfig,
    ask: Ask,
    now: Nanos,
    wants: bool,
) -> (Decision, Signal) {
    let policy = &config.policies[usize::from(ask.limit.0)];
    let tick = now.0 / config.tick_ns;
    let Some((entry, constants)) = shard.contend(config, ask.limit, ask.key, now) else {
        return (no_room(shard, policy, now), Signal::Silent);
    };
    entry.drain(&policy.pace, now);
    entry.meter.count(ask.cost_units, tick);
    let cost = Amount::from_units(ask.cost_units);
    let basis = decide(entry, constants, cost, &policy.pace, now);
    let merged = entry.merged(&constants.others, &policy.pace, now);
    let view = View::of(&merged, &policy.pace, now);
    let refusal = if entry.account.share().is_none() {
        Refusal::NoShare
    } else {
        Refusal::OverLimit
    };
    let mut decision = view.onto(refused(policy, refusal, now));
    if basis.is_none() {
        entry.unmet_units =
            entry
                .unmet_units
                .saturating_add(if wants { ask.cost_units } else { 0 });
        decision.retry_after = Some(retry_after(entry, constants, cost, policy, config, now));
    }
    let signal = match wants {
        true => signal(entry, basis, &policy.pace, now, config.tick_ns),
        false => changed(entry),
    };
    let Some(basis) = basis else {
        shard.counted.refused += 1;
        return (decision, signal);
    };
    (charged(shard, decision, ask, basis), signal)
}

/// Rule of admission: on its own rights; else on its right of overdraft, if the merged view says
/// that the cluster as a whole still has that much; else not.
fn decide(
    entry: &mut Entry,
    constants: &Constants,
    cost: Amount,
    pace: &Pace,
    now: Nanos,
) -> Option<Basis> {
    if cost == Amount::ZERO || entry.account.admit_owned(cost, pace) {
        return Some(Basis::OwnShare);
    }
    // The rows are merged only for who needs them: most requests are on a node's own rights.
    let cluster_has = |entry: &Entry| entry.merged(&constants.others, pace, now).balance >= cost;
    let owed = entry.account.overdraft() > Share::NONE && cluster_has(entry);
    (owed && entry.account.admit_overdrawn(cost, pace)).then_some(Basis::Overdraft)
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
    let wants = basis.is_none() || entry.is_low(pace);
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

/// The earliest instant at which this node would admit `cost`, if peers stay silent. Where it never
/// would on what it holds alone, the cluster's by the merged view, a tick from now at the earliest:
/// units have to travel.
fn retry_after(
    entry: &Entry,
    constants: &Constants,
    cost: Amount,
    policy: &Policy,
    config: &TableConfig,
    now: Nanos,
) -> Duration {
    let pace = &policy.pace;
    let account = &entry.account;
    let level = account.level().saturating_add(cost);
    let drains_to = |room: Amount| {
        let possible = cost <= room;
        let excess = level.saturating_sub(room);
        possible
            .then(|| pace.time_to_drain(excess, account.rate(), now))
            .flatten()
    };
    let owned = drains_to(account.room(pace));
    let room = account
        .room(pace)
        .saturating_add(account.overdraft_room(pace));
    let overdrawn = drains_to(room).filter(|_| !account.overdraft().is_none());
    let Some(latest) = owned.or(overdrawn.map(|_| NEVER)) else {
        return of_cluster(entry, constants, cost, pace, now)
            .max(Duration::from_nanos(config.tick_ns));
    };
    let Some(earliest) = overdrawn else {
        return latest;
    };
    first_instant(earliest, latest, |after| {
        let then = now.after(after);
        entry
            .aged(pace, then)
            .merged(&constants.others, pace, then)
            .balance
            >= cost
    })
    .min(latest)
}

/// Longer than anything waits.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// When the cluster's bucket has room for `cost`, by the merged view.
fn of_cluster(
    entry: &Entry,
    constants: &Constants,
    cost: Amount,
    pace: &Pace,
    now: Nanos,
) -> Duration {
    let lacks = cost.saturating_sub(entry.merged(&constants.others, pace, now).balance);
    pace.time_to_drain(lacks, Share::WHOLE, now)
        .unwrap_or(NEVER)
}

/// The first point between two that `holds`, to a microsecond; `latest` if none does. What holds
/// once goes on holding: balances only grow while nobody asks.
fn first_instant(
    earliest: Duration,
    latest: Duration,
    holds: impl Fn(Duration) -> bool,
) -> Duration {
    if holds(earliest) {
        return earliest;
    }
    let (mut not_yet, mut by_then) = (earliest, latest);
    while by_then.saturating_sub(not_yet) > Duration::from_micros(1) {
        let middle = not_yet + (by_then - not_yet) / 2;
        if holds(middle) {
            by_then = middle;
        } else {
            not_yet = middle;
        }
    }
    by_then
}

/// What a decision says besides yes and no.
struct View {
    remaining_units: u64,
    reset_after: Duration,
    age: Duration,
}

impl View {
    fn of(merged: &Merged, pace: &Pace, now: Nanos) -> Self {
        Self {
            remaining_units: merged.balance.floor_units(),
            reset_after: pace
                .time_to_drain(merged.level, Share::WHOLE, now)
                .unwrap_or(NEVER),
            age: merged.age,
        }
    }

    fn onto(&self, decision: Decision) -> Decision {
        Decision {
            remaining_units: self.remaining_units,
            reset_after: self.reset_after,
            view_age: self.age,
            ..decision
        }
    }
}

/// The view of a quiet key: this node's part of the bucket, and the others' as good as empty.
fn quiet_view(constants: &Constants, pace: &Pace, drains: UnitsTime, now: Nanos) -> View {
    let ahead = drains.0.saturating_sub(pace.at(now).0);
    let left = pace.amount(pace.burst_quanta().saturating_sub(ahead), constants.base);
    let others = Amount::share_of_units(constants.others_base, pace.burst_units());
    View {
        remaining_units: left.saturating_add(others).floor_units(),
        reset_after: pace.instant_of(drains).since(now),
        age: Duration::ZERO,
    }
}

fn refused(policy: &Policy, refusal: Refusal, now: Nanos) -> Decision {
    Decision {
        verdict: Verdict::Refused(refusal),
        basis: Basis::OwnShare,
        burst_units: policy.limit.burst_units(),
        remaining_units: 0,
        retry_after: None,
        reset_after: Duration::ZERO,
        view_age: Duration::ZERO,
        decided_at_ns: now.0,
        charge: None,
    }
}

fn allowed(decision: Decision) -> Decision {
    Decision {
        verdict: Verdict::Allowed,
        retry_after: None,
        ..decision
    }
}

fn no_room(shard: &mut Shard, policy: &Policy, now: Nanos) -> Decision {
    shard.counted.refused += 1;
    shard.counted.refused_no_room += 1;
    refused(policy, Refusal::NoRoom, now)
}

fn charged(shard: &mut Shard, decision: Decision, ask: Ask, basis: Basis) -> Decision {
    match basis {
        Basis::Overdraft => shard.counted.allowed_overdrawn += 1,
        _ => shard.counted.allowed_owned += 1,
    }
    shard.counted.admitted_units = shard.counted.admitted_units.saturating_add(ask.cost_units);
    let charge = (ask.cost_units > 0).then(|| Charge {
        node: shard.node,
        key: ask.key,
        number: shard.receipts.issue(last_place(&mut shard.slots, ask.key)),
        cost_units: ask.cost_units,
    });
    Decision {
        basis,
        charge,
        ..allowed(decision)
    }
}

/// Where what was charged last lies in its bucket: it drains after all that is in it.
fn last_place(slots: &mut impl Slots, key: KeyId) -> Place {
    match slots.find(key) {
        Some(Slot::Contended(entry)) => Place::Filled(entry.account.filled()),
        Some(Slot::Quiet(_, time)) => Place::Drains(*time),
        None => Place::Drains(UnitsTime(0)),
    }
}

/// Takes back what is left of a charge. What has drained since is in use again already: to take the
/// whole of it back would give the same units out twice.
pub(super) fn refund(
    shard: &mut Shard,
    config: &TableConfig,
    ask: Ask,
    number: u64,
    now: Nanos,
) -> bool {
    let Some(place) = shard.receipts.redeem(number) else {
        return false;
    };
    let cost = Amount::from_units(ask.cost_units);
    shard.counted.refunded_units = shard.counted.refunded_units.saturating_add(ask.cost_units);
    let charge = (ask.key, number, place);
    let back = shard
        .refund_contended(config, charge, cost, now)
        .unwrap_or_else(|| shard.refund_quiet(config, charge, cost, now));
    shard.receipts.took_back(ask.key, number, back);
    true
}

impl Shard {
    /// Takes back what has not drained of a charge, from a contended key: how much that was.
    fn refund_contended(
        &mut self,
        config: &TableConfig,
        charge: (KeyId, u64, Place),
        cost: Amount,
        now: Nanos,
    ) -> Option<Amount> {
        let Some(Slot::Contended(entry)) = self.slots.find(charge.0) else {
            return None;
        };
        // By the slot's own limit: the one that was named may be another's.
        let pace = &config.policies[usize::from(entry.limit.0)].pace;
        entry.drain(pace, now);
        let left = entry.left_of(charge, &self.receipts, pace);
        let back = cost.min(left).min(entry.account.level());
        entry.account.refund(back);
        entry.noted = true;
        Some(back)
    }

    /// The same of a quiet key, rounded against whoever asks for it. What was taken back of earlier
    /// charges has made this one drain sooner.
    fn refund_quiet(
        &mut self,
        config: &TableConfig,
        (key, number, place): (KeyId, u64, Place),
        cost: Amount,
        now: Nanos,
    ) -> Amount {
        let Some(Slot::Quiet(limit, time)) = self.slots.find(key) else {
            return Amount::ZERO;
        };
        let limit = usize::from(limit.0);
        let (pace, base) = (&config.policies[limit].pace, self.constants[limit].base);
        let left = match (place, self.receipts.taken_ahead(key, number, u64::MAX)) {
            (Place::Drains(drains), Amount::ZERO) => drains.0.saturating_sub(pace.at(now).0),
            (Place::Drains(drains), ahead) => {
                let ahead = pace.quanta_ceil(ahead, base).unwrap_or(u64::MAX);
                let left = drains.0.saturating_sub(pace.at(now).0);
                left.saturating_sub(ahead)
            }
            // It has become quiet since, long after it was charged.
            (Place::Filled(_), _) => 0,
        };
        // One less than it was rounded up to, so that a refund never takes more off than was put on.
        let back = pace
            .quanta_ceil(cost, base)
            .map_or(0, |quanta| quanta.saturating_sub(1));
        *time = UnitsTime(time.0.saturating_sub(back.min(left)));
        cost
    }
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
    let drains = shard.quiet_time(limit, key, pace.at(now));
    let constants = shard.constants(limit);
    let level = pace.amount(drains.0 - pace.at(now).0, constants.base);
    peeked(
        [constants.base, constants.base, constants.overdraft],
        level,
        &quiet_view(constants, pace, drains, now),
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
        reset_after: view.reset_after,
        contended,
    }
}
