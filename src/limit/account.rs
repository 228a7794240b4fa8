//! One node's part of one key's bucket.
//!
//! An account is a share, a right of overdraft, and a level kept as two counters that only grow: P,
//! what went in (admitted, or received as the level of a grant), and N, what went out (leaked,
//! refunded, or sent with a grant). `level = P − N`; the sum of all nodes' levels is the cluster's.
//!
//! Let Φ be the sum over nodes of `share·C − level`. Shares sum to at most 1 and levels are not
//! negative, so Φ ≤ C. Draining raises Φ by at most r per second in all, admitting q lowers it by
//! q, a grant leaves it unchanged, and no account goes further below zero than its right of
//! overdraft. So no interval T can see more than `(1 + ε)·C + r·T` admitted, and that needs nothing
//! but the four verbs below to be exact.

use super::{Pace, UnitsTime};
use crate::units::{Amount, Share};

/// What one node holds of one key: a share, a right of overdraft, a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    share: Share,
    rate: Share,
    overdraft: Share,
    filled: Amount,
    emptied: Amount,
    drained_to: UnitsTime,
}

/// What travels from one account to another: a share and the level that comes with it, so that
/// `share·C − level` units may be admitted on it; and a right of overdraft, unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// The share of the burst.
    pub share: Share,
    /// The share of the rate.
    pub rate: Share,
    /// The right of overdraft.
    pub overdraft: Share,
    /// How full the share arrives.
    pub level: Amount,
}

impl Account {
    /// An account as it was opened: `level` may lie above the share's burst (a debt).
    #[must_use]
    pub fn open(share: Share, overdraft: Share, level: Amount, now: UnitsTime) -> Self {
        Self {
            share,
            rate: share,
            overdraft,
            filled: level,
            emptied: Amount::ZERO,
            drained_to: now,
        }
    }

    /// The share of the burst held.
    #[must_use]
    pub const fn share(&self) -> Share {
        self.share
    }

    /// The share of the rate held.
    #[must_use]
    pub const fn rate(&self) -> Share {
        self.rate
    }

    /// Whether nobody else holds any of the key's burst or rate.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.share == Share::WHOLE && self.rate == Share::WHOLE
    }

    /// The right of overdraft held.
    #[must_use]
    pub const fn overdraft(&self) -> Share {
        self.overdraft
    }

    /// P: all that ever went in.
    #[must_use]
    pub const fn filled(&self) -> Amount {
        self.filled
    }

    /// N: all that ever went out.
    #[must_use]
    pub const fn emptied(&self) -> Amount {
        self.emptied
    }

    /// How full it was when it was last drained.
    #[must_use]
    pub const fn level(&self) -> Amount {
        self.filled.saturating_sub(self.emptied)
    }

    /// Units that its share may hold.
    #[must_use]
    pub fn room(&self, pace: &Pace) -> Amount {
        Amount::share_of_units(self.share, pace.burst_units())
    }

    /// Units it may admit now on its own rights; zero in debt.
    #[must_use]
    pub fn balance(&self, pace: &Pace) -> Amount {
        self.room(pace).saturating_sub(self.level())
    }

    /// Units it has admitted beyond its share's burst.
    #[must_use]
    pub fn debt(&self, pace: &Pace) -> Amount {
        self.level().saturating_sub(self.room(pace))
    }

    /// Units by which it may go below zero.
    #[must_use]
    pub fn overdraft_room(&self, pace: &Pace) -> Amount {
        Amount::share_of_units(self.overdraft, pace.burst_units())
    }

    /// Lets leak what its share gives back until `now`. Comes before anything else.
    ///
    /// A clock that stepped back drains nothing; the leak time never goes back either.
    pub fn drain(&mut self, now: UnitsTime, pace: &Pace) {
        if now <= self.drained_to {
            return;
        }
        let rate = planted!(DrainedAtWholeRate, Share::WHOLE, self.rate);
        let drained = pace.drained(self.drained_to, now, rate).min(self.level());
        let leaked = planted!(ClockJumpRefills, self.refilled(now, pace, drained), drained);
        self.emptied = self.emptied.saturating_add(leaked);
        self.drained_to = now;
    }

    /// All of it, if it is longer than any tick since it was last drained: a bug that can be planted.
    #[cfg(mutant)]
    fn refilled(&self, now: UnitsTime, pace: &Pace, drained: Amount) -> Amount {
        let drained_at = pace.instant_of(self.drained_to);
        let stood_still =
            pace.instant_of(now) > drained_at.after(std::time::Duration::from_millis(250));
        if stood_still { self.level() } else { drained }
    }

    /// Admits `cost` on its own rights, or says no.
    #[must_use]
    pub fn admit_owned(&mut self, cost: Amount, pace: &Pace) -> bool {
        let lacks = cost.saturating_sub(self.balance(pace));
        let nearly = planted!(RoundedUp) && lacks < Amount::from_units(1);
        let fits = lacks == Amount::ZERO && self.debt(pace) == Amount::ZERO;
        (fits || nearly) && self.fill(cost)
    }

    /// Admits `cost` on its own rights and its right of overdraft, or says no.
    ///
    /// The caller has asked the merged view first whether the cluster still has that much.
    #[must_use]
    pub fn admit_overdrawn(&mut self, cost: Amount, pace: &Pace) -> bool {
        let room = self.room(pace).saturating_add(self.overdraft_room(pace));
        let fits = self.level().saturating_add(cost) <= room;
        (fits || planted!(OverdraftUnlimited)) && self.fill(cost)
    }

    /// A counter that would overflow rejects instead: it would otherwise forget what it admitted.
    fn fill(&mut self, cost: Amount) -> bool {
        let filled = self.filled.saturating_add(cost);
        if filled == Amount::MAX {
            return false;
        }
        self.filled = filled;
        true
    }

    /// Takes back what was admitted and not used; the level never falls below zero.
    pub fn refund(&mut self, cost: Amount) {
        self.emptied = self.emptied.saturating_add(cost.min(self.level()));
    }

    /// Splits `parcel` off, if it may go: the account is not in debt, holds what the parcel takes,
    /// and what stays still fits what stays. Says whether it went; nothing changes if not.
    #[must_use]
    pub fn grant(&mut self, parcel: Parcel, pace: &Pace) -> bool {
        if !self.may_grant(parcel, pace) {
            return false;
        }
        if planted!(GrantNotDeducted) {
            return true;
        }
        self.share = self.share.saturating_sub(parcel.share);
        self.rate = self.rate.saturating_sub(parcel.rate);
        let right = planted!(OverdraftNotDeducted, Share::NONE, parcel.overdraft);
        self.overdraft = self.overdraft.saturating_sub(right);
        if planted!(CountersTakenBack) {
            self.filled = self.filled.saturating_sub(parcel.level);
            return true;
        }
        self.emptied = self.emptied.saturating_add(parcel.level);
        // What stays is not in debt, as may_grant has seen to.
        debug_assert!(self.debt(pace) == Amount::ZERO);
        true
    }

    /// Gives up so much of its right of overdraft, for nobody; nothing while it is in debt.
    pub fn forgo(&mut self, overdraft: Share, pace: &Pace) {
        if self.debt(pace) == Amount::ZERO {
            self.overdraft = self.overdraft.saturating_sub(overdraft);
        }
    }

    fn may_grant(&self, parcel: Parcel, pace: &Pace) -> bool {
        let Some(share) = self.share.checked_sub(parcel.share) else {
            return false;
        };
        if self.overdraft < parcel.overdraft
            || self.rate < parcel.rate
            || self.level() < parcel.level
        {
            return false;
        }
        let level = self.level().saturating_sub(parcel.level);
        let room = Amount::share_of_units(share, pace.burst_units());
        let parcel_room = Amount::share_of_units(parcel.share, pace.burst_units());
        level <= room && parcel.level <= parcel_room
    }

    /// Absorbs a parcel. A level above the parcel's own room arrives as a debt, never as less.
    pub fn apply(&mut self, parcel: Parcel) {
        self.share = self.share.saturating_add(parcel.share);
        self.rate = self.rate.saturating_add(parcel.rate);
        self.overdraft = self.overdraft.saturating_add(parcel.overdraft);
        self.filled = self.filled.saturating_add(parcel.level);
    }

    /// Closes the account: all of it as one parcel, whatever its level (a debt too).
    #[must_use]
    pub fn close(&mut self) -> Parcel {
        let parcel = Parcel {
            share: self.share,
            rate: self.rate,
            overdraft: self.overdraft,
            level: planted!(LevelLostWithLeaver, Amount::ZERO, self.level()),
        };
        self.share = Share::NONE;
        self.rate = Share::NONE;
        self.overdraft = Share::NONE;
        self.emptied = self.filled;
        parcel
    }

    /// All of it as one parcel, but for the right of overdraft.
    #[must_use]
    pub const fn all(&self) -> Parcel {
        Parcel {
            share: self.share,
            rate: self.rate,
            overdraft: Share::NONE,
            level: self.level(),
        }
    }

    /// Half of share, rate and level; the right of overdraft stays.
    #[must_use]
    pub fn half(&self) -> Parcel {
        self.proportional(self.share.portion(1, 2))
    }

    /// A part of `share` and of the level with it, in proportion: what moves is as full as what
    /// stays.
    #[must_use]
    pub fn proportional(&self, share: Share) -> Parcel {
        let share = share.min(self.share);
        let level = self.level().portion_ceil(share.parts(), self.share.parts());
        Parcel {
            share,
            rate: self.rate.portion(share.parts(), self.share.parts().max(1)),
            overdraft: Share::NONE,
            level,
        }
    }
}

impl Parcel {
    /// A parcel that brings nothing but room that has just been used up, and overdraft that is
    /// owed: how a share arrives that nobody vouches for.
    #[must_use]
    pub fn used(share: Share, overdraft: Share, pace: &Pace) -> Self {
        let used = Amount::share_of_units(share, pace.burst_units())
            .saturating_add(Amount::share_of_units(overdraft, pace.burst_units()));
        Self {
            share,
            rate: share,
            overdraft,
            level: planted!(MissingUnused, Amount::ZERO, used),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Limit;
    use crate::units::Nanos;

    const BURST: u64 = 10;

    fn pace() -> Pace {
        Pace::new(Limit::per_second(7).burst(BURST))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Admit(usize, u64, bool),
        Grant {
            from: usize,
            to: usize,
            percent: u64,
            empty: bool,
        },
        Lose(usize, u64),
        Refund(usize, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u64..500_000_000).prop_map(Step::Wait),
            (0usize..3, 1u64..4, any::<bool>()).prop_map(|(at, q, over)| Step::Admit(at, q, over)),
            (0usize..3, 0usize..3, 1u64..=100, any::<bool>()).prop_map(
                |(from, to, percent, empty)| Step::Grant {
                    from,
                    to,
                    percent,
                    empty
                }
            ),
            (0usize..3, 1u64..=100).prop_map(|(from, percent)| Step::Lose(from, percent)),
            (0usize..3, 1u64..3).prop_map(|(at, q)| Step::Refund(at, q)),
        ]
    }

    /// Three accounts of one key, and what an observer of the whole may say.
    struct World {
        accounts: [Account; 3],
        now: Nanos,
        epsilon: u64,
        /// Highest level an ideal bucket reaches on what was admitted, in units.
        ideal: Account,
    }

    impl World {
        fn new(epsilon: u64) -> Self {
            let parts = |whole: u64, index| Share::from_parts(whole).split_evenly(3).nth(index);
            let open = |index| {
                let share = parts(Share::WHOLE.parts(), index).expect("one of three");
                let overdraft = parts(Share::WHOLE.parts() * epsilon / 5, index);
                let overdraft = overdraft.expect("one of three");
                Account::open(share, overdraft, Amount::ZERO, UnitsTime(0))
            };
            let ideal = Account::open(Share::WHOLE, Share::NONE, Amount::ZERO, UnitsTime(0));
            Self {
                accounts: [open(0), open(1), open(2)],
                now: Nanos(0),
                epsilon,
                ideal,
            }
        }

        fn apply(&mut self, step: &Step) {
            let pace = pace();
            match *step {
                Step::Wait(ns) => {
                    self.now = Nanos(self.now.0 + ns);
                    let now = pace.at(self.now);
                    self.ideal.drain(now, &pace);
                    self.accounts
                        .iter_mut()
                        .for_each(|account| account.drain(now, &pace));
                }
                Step::Admit(at, units, overdraw) => self.admit(at, units, overdraw),
                Step::Grant {
                    from,
                    to,
                    percent,
                    empty,
                } => {
                    let parcel = self.parcel(from, percent, empty);
                    if self.accounts[from].grant(parcel, &pace) {
                        self.accounts[to].apply(parcel);
                    }
                }
                Step::Lose(from, percent) => {
                    let parcel = self.parcel(from, percent, false);
                    let _lost = self.accounts[from].grant(parcel, &pace);
                }
                Step::Refund(at, units) => {
                    let cost = Amount::from_units(units).min(self.accounts[at].level());
                    self.accounts[at].refund(cost);
                    self.ideal.refund(cost);
                }
            }
        }

        fn admit(&mut self, at: usize, units: u64, overdraw: bool) {
            let cost = Amount::from_units(units);
            let account = &mut self.accounts[at];
            let admitted = account.admit_owned(cost, &pace())
                || (overdraw && account.admit_overdrawn(cost, &pace()));
            if admitted {
                self.ideal.apply(Parcel {
                    level: cost,
                    ..Parcel::default()
                });
            }
        }

        fn parcel(&self, from: usize, percent: u64, empty: bool) -> Parcel {
            let account = &self.accounts[from];
            let share = account.share().portion(percent, 100);
            let proportional = account.proportional(share);
            let room = Amount::share_of_units(share, BURST);
            let level = if empty {
                room.min(account.level())
            } else {
                proportional.level
            };
            let overdraft = account.overdraft().portion(percent, 100);
            Parcel {
                level,
                overdraft,
                ..proportional
            }
        }

        fn check(&self) {
            let shares: Share = self.accounts.iter().map(Account::share).sum();
            assert!(shares <= Share::WHOLE, "shares sum to more than one");
            let bound = Amount::share_of_scaled(
                Share::from_parts(Share::WHOLE.parts() / 5 * (5 + self.epsilon)),
                u128::from(BURST) << Amount::FRACTION_BITS,
            );
            assert!(
                self.ideal.level() <= bound,
                "{} above {bound}",
                self.ideal.level()
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// INV-1 and C1 for the bare algebra: whatever is drained, granted, lost or refunded.
        #[test]
        fn parts_never_admit_more_than_the_whole(
            epsilon in 0u64..=5, steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut world = World::new(epsilon);
            for step in &steps {
                world.apply(step);
                world.check();
            }
        }

        /// INV-5: what went in and what went out is never taken back.
        #[test]
        fn counters_only_grow(steps in prop::collection::vec(step(), 1..60)) {
            let mut world = World::new(2);
            for step in &steps {
                let before = world.accounts;
                world.apply(step);
                for (old, new) in before.iter().zip(&world.accounts) {
                    prop_assert!(new.filled() >= old.filled() && new.emptied() >= old.emptied());
                    prop_assert!(new.filled() >= new.emptied());
                }
            }
        }
    }

    #[test]
    fn three_thirds_of_a_burst_of_three_admit_one_each() {
        let pace = Pace::new(Limit::per_second(1).burst(3));
        let third = Share::WHOLE.portion(1, 3);
        let mut account = Account::open(third, Share::NONE, Amount::ZERO, UnitsTime(0));
        assert!(account.admit_owned(Amount::from_units(1), &pace));
        assert!(!account.admit_owned(Amount::from_grains(1), &pace));
    }

    /// INV-8: who is in debt hands nothing out, and repays.
    #[test]
    fn a_debtor_grants_nothing_and_repays_from_its_own_rate() {
        let (pace, half) = (pace(), Share::WHOLE.portion(1, 2));
        let mut account = Account::open(half, half, Amount::ZERO, UnitsTime(0));
        assert!(account.admit_overdrawn(Amount::from_units(7), &pace));
        assert_eq!(account.debt(&pace), Amount::from_units(2));
        assert!(!account.grant(account.proportional(Share::from_parts(1)), &pace));
        assert!(!account.admit_owned(Amount::ZERO, &pace));
        account.drain(pace.at(Nanos(571_428_572)), &pace);
        assert_eq!(account.debt(&pace), Amount::ZERO);
    }

    #[test]
    fn a_clock_that_steps_back_drains_nothing() {
        let pace = pace();
        let mut account = Account::open(
            Share::WHOLE,
            Share::NONE,
            Amount::from_units(5),
            UnitsTime(1000),
        );
        account.drain(UnitsTime(10), &pace);
        assert_eq!(account.level(), Amount::from_units(5));
        account.drain(UnitsTime(1000), &pace);
        assert_eq!(account.level(), Amount::from_units(5));
    }

    #[test]
    fn what_nobody_vouches_for_arrives_used_and_owed() {
        let (pace, half) = (pace(), Share::WHOLE.portion(1, 2));
        let mut account = Account::default();
        account.apply(Parcel::used(half, half, &pace));
        assert_eq!(account.balance(&pace), Amount::ZERO);
        assert_eq!(account.debt(&pace), Amount::from_units(5));
        assert!(!account.admit_overdrawn(Amount::from_units(1), &pace));
    }
}
