//! The decision itself: one shard, one key, one moment.
//!
//! This is the line where the node asks the bucket, and then the merged view: an audit of what can
//! be admitted begins here, at [`decide`].

use std::num::NonZero;
use std::time::Duration;

use super::shard::Shard;
use super::signals::Signal;
use super::slots::{self, Said};
use super::{Ask, Constants, Entry, LimitIndex, Peek, Policy, TableConfig};
use crate::limit::{Basis, Charge, Decision, NO_RETRY, Pace, Place, Refusal, UnitsTime, Verdict};
use crate::row::Merged;
use crate::units::{Amount, KeyId, Nanos, Share, duration_ns};

/// A quiet key's bucket is at most this part full: 1/2. Beyond it the key is contended.
const QUIET_PART: u64 = 2;

/// The protocol is told of one key's want at most once in this part of a tick.
const URGENT_PER_TICK: u64 = 20;

/// And the less often the more often it was told in vain: up to about three ticks apart.
const VAIN_DOUBLINGS_MAX: u32 = 6;

/// The first few go out at their usual pace: an answer takes a round trip.
const VAIN_FREE: u32 = 2;

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

/// Decides; `decision` is one that [`undecided`] has made.
pub(super) fn check(shard: &mut Shard, case: &Case<'_>, decision: &mut Decision) -> Signal {
    if case.ask.cost_units > case.policy.pace.burst_units() {
        refuse(shard, decision, Refusal::CostAboveBurst);
        return Signal::Silent;
    }
    let found = shard.slots.find(case.ask.key);
    let contended = matches!(found, Some((_, Said::Contended(_))));
    if !contended && check_quiet(shard, case, found, decision).is_some() {
        return Signal::Silent;
    }
    check_contended(shard, case, decision)
}

/// A quiet key that stays quiet, or is refused for good reason; `None` if it becomes contended.
/// `found` is what its slot says.
fn check_quiet(
    shard: &mut Shard,
    case: &Case<'_>,
    found: Option<(slots::Place, Said)>,
    decision: &mut Decision,
) -> Option<()> {
    let &Case { ask, now, .. } = case;
    let (pace, constants) = (&case.policy.pace, shard.constants(ask.limit));
    if constants.base.is_none() {
        without_share(shard, ask, decision);
        return Some(());
    }
    let time = pace.at(now);
    let drains = constants.drains(found, time);
    let burst = pace.burst_quanta();
    let after = constants
        .quanta(pace, ask.cost_units)
        .and_then(|quanta| drains.0.checked_add(quanta))?;
    if ask.cost_units == 0 {
        constants.view(pace, drains, time, now).tell(decision);
        allow(decision);
        return Some(());
    }
    if case.config.clustered && after > time.0 + burst / QUIET_PART {
        return None;
    }
    if after > time.0.saturating_add(burst) {
        let possible = pace.instant_of(UnitsTime(after - burst));
        constants.view(pace, drains, time, now).tell(decision);
        decision.retry_after_ns = possible.0.saturating_sub(now.0);
        refuse(shard, decision, Refusal::OverLimit);
        return Some(());
    }
    let (after, said) = (UnitsTime(after), Said::Quiet(UnitsTime(after)));
    constants.view(pace, after, time, now).tell(decision);
    match found {
        Some((place, _)) => shard.slots.set(place, said),
        None if shard.make_room(case.config, now) => shard.slots.add(ask.key, ask.limit, said),
        None => {
            no_room(shard, decision);
            return Some(());
        }
    }
    charge(shard, case, Place::Drains(after), Basis::OwnShare, decision);
    Some(())
}

/// Who holds nothing refuses; a free request is allowed even so.
fn without_share(shard: &mut Shard, ask: Ask, decision: &mut Decision) {
    if ask.cost_units == 0 {
        allow(decision);
    } else {
        refuse(shard, decision, Refusal::NoShare);
    }
}

fn check_contended(shard: &mut Shard, case: &Case<'_>, decision: &mut Decision) -> Signal {
    let &Case {
        config,
        policy,
        ask,
        now,
        wants,
    } = case;
    let Some((entry, constants)) = shard.contend(config, ask.limit, ask.key, now) else {
        no_room(shard, decision);
        return Signal::Silent;
    };
    entry.drain(&policy.pace, now);
    entry.meter.count(ask.cost_units, now.0 / config.tick_ns);
    let cost = Amount::from_units(ask.cost_units);
    let basis = decide(entry, constants, cost, &policy.pace, now);
    let merged = entry.merged(&constants.others, &policy.pace, now);
    View::of(&merged, &policy.pace, now).tell(decision);
    let holds = !entry.account.share().is_none();
    if basis.is_none() {
        let unmet_units = if wants { ask.cost_units } else { 0 };
        entry.unmet_units = entry.unmet_units.saturating_add(unmet_units);
        let after = retry_after(entry, constants, cost, policy, config, now);
        decision.retry_after_ns = duration_ns(after);
    }
    let signal = match wants {
        true => signal(entry, basis, &policy.pace, now, config.tick_ns),
        false => changed(entry),
    };
    let place = Place::Filled(entry.account.filled());
    match basis {
        Some(basis) => charge(shard, case, place, basis, decision),
        None if holds => refuse(shard, decision, Refusal::OverLimit),
        None => refuse(shard, decision, Refusal::NoShare),
    }
    signal
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

    fn tell(&self, decision: &mut Decision) {
        decision.remaining_units = self.remaining_units;
        decision.reset_after_ns = self.reset_after_ns;
        decision.view_age_ns = self.age_ns;
    }
}

/// What a decision begins as: it is filled in where it lies, as it is large.
pub(super) const fn undecided(policy: &Policy, now: Nanos) -> Decision {
    Decision {
        verdict: Verdict::Refused(Refusal::OverLimit),
        basis: Basis::OwnShare,
        burst_units: policy.limit.burst_units(),
        remaining_units: 0,
        retry_after_ns: NO_RETRY,
        reset_after_ns: 0,
        view_age_ns: 0,
        decided_at_ns: now.0,
        charge: None,
    }
}

const fn allow(decision: &mut Decision) {
    decision.verdict = Verdict::Allowed;
    decision.retry_after_ns = NO_RETRY;
}

const fn refuse(shard: &mut Shard, decision: &mut Decision, refusal: Refusal) {
    shard.counted.refused += 1;
    decision.verdict = Verdict::Refused(refusal);
}

fn no_room(shard: &mut Shard, decision: &mut Decision) {
    *decision = Decision {
        remaining_units: 0,
        retry_after_ns: NO_RETRY,
        reset_after_ns: 0,
        ..*decision
    };
    refuse(shard, decision, Refusal::NoRoom);
    shard.counted.refused_no_room += 1;
}

fn charge(shard: &mut Shard, case: &Case<'_>, place: Place, basis: Basis, decision: &mut Decision) {
    let &Case { ask, wants, .. } = case;
    match basis {
        Basis::Overdraft => shard.counted.allowed_overdrawn += 1,
        _ => shard.counted.allowed_owned += 1,
    }
    shard.counted.admitted_units = shard.counted.admitted_units.saturating_add(ask.cost_units);
    decision.basis = basis;
    decision.charge = (ask.cost_units > 0).then(|| Charge {
        node: shard.node,
        key: ask.key,
        number: shard.receipts.issue(),
        cost_units: ask.cost_units,
        drains: shard.told(place, wants),
    });
    allow(decision);
}

/// Takes back what is left of a charge. What has drained since is in use again already: to take the
/// whole of it back would give the same units out twice.
pub(super) fn refund(
    shard: &mut Shard,
    config: &TableConfig,
    ask: Ask,
    (number, place): (u64, Option<Place>),
    now: Nanos,
) -> bool {
    let Some(place) = place.or_else(|| shard.receipts.place_of(number)) else {
        return false;
    };
    if !shard.receipts.redeem(number) {
        return false;
    }
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
    /// What a receipt tells of where its charge lies. The rest is kept here: of contended keys, and for
    /// who asked from elsewhere and knows its charge by the number only.
    fn told(&mut self, place: Place, wants: bool) -> Option<NonZero<u64>> {
        match place {
            Place::Drains(time) if wants => NonZero::new(time.0),
            _ => {
                self.receipts.keep(place);
                None
            }
        }
    }

    /// Takes back what has not drained of a charge, from a contended key: how much that was.
    fn refund_contended(
        &mut self,
        config: &TableConfig,
        charge: (KeyId, u64, Place),
        cost: Amount,
        now: Nanos,
    ) -> Option<Amount> {
        let Some((_, Said::Contended(number))) = self.slots.find(charge.0) else {
            return None;
        };
        let entry = self.entries.get_mut(number)?.as_deref_mut()?;
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
        let Some((slot, Said::Quiet(time))) = self.slots.find(key) else {
            return Amount::ZERO;
        };
        let limit = usize::from(self.slots.limit_at(slot).0);
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
        let sooner = UnitsTime(time.0.saturating_sub(back.min(left)));
        self.slots.set(slot, Said::Quiet(sooner));
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
    let time = pace.at(now);
    let drains = shard.quiet_time(limit, key, time);
    let constants = shard.constants(limit);
    let level = pace.amount(drains.0 - time.0, constants.base);
    peeked(
        [constants.base, constants.base, constants.overdraft],
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
