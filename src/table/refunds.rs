//! Taking charges back.

use super::shard::Shard;
use super::slots::Said;
use super::{Ask, TableConfig};
use crate::limit::{Place, Spot, UnitsTime};
use crate::units::{Amount, KeyId, Nanos};

/// Takes back what is left of a charge. What has drained since is in use again already: to take the
/// whole of it back would give the same units out twice.
pub(super) fn refund(
    shard: &mut Shard,
    config: &TableConfig,
    ask: Ask,
    (number, spot): (u64, Spot),
    now: Nanos,
) -> bool {
    let Some(place) = spot.place().or_else(|| shard.receipts.place_of(number)) else {
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
    /// What a receipt tells of where its charge lies. It is kept here for who asked from elsewhere and knows
    /// its charge by the number only.
    #[inline]
    pub(super) fn told(&mut self, place: Place, wants: bool) -> Spot {
        let spot = Spot::of(place);
        if !wants {
            self.receipts.keep(spot);
        }
        spot
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
        let (pace, base) = (&config.policies[limit].pace, self.constants[limit].base());
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
