//! What a node keeps of a contended key.

use super::receipts::Receipts;
use super::{Constants, LimitIndex};
use crate::limit::{Account, Pace, Parcel, Place, UnitsTime};
use crate::row::{Growth, Merged, Row, Rows, Standing, Theirs};
use crate::share::{Meter, SOON_TICKS};
use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};

/// A contended key: its account, what it is asked for, what peers say of it.
///
/// Its order is that of its memory: what every check needs comes first, on as few cache lines as can be.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Entry {
    /// What this node holds.
    pub account: Account,
    /// What this node is asked for.
    pub meter: Meter,
    /// Until when what is held here is used by `check`, at this node.
    pub checked_until: Nanos,
    /// Units refused for want of rights since `unmet_since` was set.
    pub unmet_units: u64,
    /// When the protocol was last told that rights ran out here.
    pub urged_at: Option<Nanos>,
    /// How often peers were told of it in a row without sending units.
    pub asked_in_vain: u32,
    /// Which limit.
    pub limit: LimitIndex,
    /// Whether a change is noted already and waits for the protocol.
    pub noted: bool,
    /// What peers say.
    pub rows: Rows,
    /// How it was opened.
    pub(super) opened: Opened,
    /// Until when this node keeps what it has gathered to decide for the whole cluster.
    pub gathered_until: Nanos,
    /// When it was last asked for by `acquire`.
    pub acquired_at: Option<Nanos>,
    /// Since when what is held here is nearly used up.
    pub pressed_since: Option<Nanos>,
    /// How many units each member has asked this node for by `acquire`, of late.
    pub asked_by: Vec<(NodeId, u64)>,
    /// The last row sent: to tell whether another is due.
    pub sent: Option<Row>,
    /// When it was sent.
    pub sent_at: Nanos,
    /// What this node granted of late.
    pub granted: Vec<Granted>,
}

/// A quiet key that became contended: what its earlier charges are to be measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    /// The number of the last charge before.
    pub(super) charge: u64,
    /// When.
    pub(super) at: UnitsTime,
    /// What share of it this node held.
    pub(super) base: Share,
}

/// A grant that a peer's row may not show yet.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// To whom.
    pub to: NodeId,
    /// The `seq` of its row on which it was granted.
    pub row_seq: u64,
    /// When.
    pub at: Nanos,
    /// What.
    pub parcel: Parcel,
}

impl Entry {
    pub(super) fn new(limit: LimitIndex, account: Account, tick: u64, opened: Opened) -> Self {
        Self {
            limit,
            opened,
            account,
            meter: Meter::new(tick),
            rows: Rows::default(),
            unmet_units: 0,
            gathered_until: Nanos::ZERO,
            acquired_at: None,
            checked_until: Nanos::ZERO,
            pressed_since: None,
            asked_by: Vec::new(),
            noted: false,
            urged_at: None,
            asked_in_vain: 0,
            sent: None,
            sent_at: Nanos::ZERO,
            granted: Vec::new(),
        }
    }

    /// This node's row of the key as of now, amounts rounded up to the steps that rows tell them in.
    pub fn row(&mut self, limit: LimitId, key: KeyId, seq: u64, tick: u64) -> Row {
        let filled = self.account.filled().in_steps();
        let emptied = filled.saturating_sub(self.account.level().in_steps());
        // Where a grant has brought a part of a step, what went out would seem to have become less.
        let told = self
            .sent
            .map_or(Amount::ZERO, |sent| sent.emptied.min(filled));
        Row {
            limit,
            key,
            seq,
            filled,
            emptied: emptied.max(told),
            share: self.account.share(),
            rate: self.account.rate(),
            overdraft: self.account.overdraft(),
            demand: self.meter.at(tick),
            cost_units: self.meter.cost_units(),
            unmet: self.unmet_units > 0,
        }
    }

    /// When it came to be contended: opened again it begins to count anew.
    #[must_use]
    pub const fn opened_at(&self) -> UnitsTime {
        self.opened.at
    }

    /// The merged view.
    #[must_use]
    pub fn merged(&self, others: &[Standing], pace: &Pace, now: Nanos) -> Merged {
        Merged::of(&self.account, &self.rows, others, pace, now)
    }

    /// Whether it has nothing to say that a slot cannot, but for how full its bucket is: most have.
    pub(super) fn may_settle(&self, constants: &Constants) -> bool {
        let account = &self.account;
        self.rows.is_empty()
            && self.unmet_units == 0
            && account.share() == constants.base()
            && account.rate() == constants.base()
            && account.overdraft() == constants.overdraft()
    }

    /// What was gathered is kept until it has drained: spread before, its parts would drain at
    /// different times, and the cluster's bucket would no longer be one bucket. It no longer is
    /// where this node holds a part only.
    pub fn keep_gathered(&mut self, now: Nanos, tick_ns: u64) {
        let gathered = self.gathered_until > Nanos::ZERO;
        if gathered && self.gathered_until <= now {
            let full = self.account.is_whole() && self.account.level() > Amount::ZERO;
            self.gathered_until = if full {
                Nanos(now.0 + 2 * tick_ns)
            } else {
                Nanos::ZERO
            };
        }
    }

    /// What is left of a charge, and of all that was in the bucket when it was made. What is granted
    /// away counts as drained: it drains elsewhere. What was taken back of later charges has gone out
    /// and not drained this one.
    pub(super) fn left_of(
        &self,
        (key, number, place): (KeyId, u64, Place),
        receipts: &Receipts,
        pace: &Pace,
    ) -> Amount {
        let opened = &self.opened;
        let filled = match place {
            Place::Filled(filled) if number > opened.charge => filled,
            Place::Drains(time) if number <= opened.charge => {
                let ahead = time.0.saturating_sub(opened.at.0);
                let taken = receipts.taken_ahead(key, number, opened.charge);
                pace.amount(ahead, opened.base).saturating_sub(taken)
            }
            // It was quiet in between.
            _ => return Amount::ZERO,
        };
        let behind = receipts.taken_behind(key, number, opened.charge);
        let left = filled.saturating_add(behind);
        left.saturating_sub(self.account.emptied())
    }

    /// Notes what was granted to a peer.
    pub fn note_granted(&mut self, to: NodeId, parcel: Parcel, now: Nanos) {
        self.granted.retain(|granted| granted.to != to);
        self.granted.push(Granted {
            to,
            row_seq: self.rows.of(to).map_or(0, |heard| heard.row.seq),
            at: now,
            parcel,
        });
    }

    /// What was granted to a peer has come back, for want of room there: it holds none of it, and is
    /// given no more until then, unless it tells of the key before.
    pub fn note_returned(&mut self, by: NodeId, parcel: Parcel, until: Nanos) {
        let granted = self.granted.iter_mut().find(|granted| granted.to == by);
        if let Some(granted) = granted.filter(|granted| granted.parcel == parcel) {
            (granted.parcel, granted.at) = (Parcel::default(), until);
        }
    }

    /// Notes that it is asked for by `acquire`, and by whom.
    pub fn note_asked(&mut self, from: NodeId, cost_units: u64, now: Nanos) {
        self.acquired_at = Some(now);
        let asked = self.asked_by.iter_mut().find(|(node, _)| *node == from);
        match asked {
            Some((_, units)) => *units = units.saturating_add(cost_units),
            None => self.asked_by.push((from, cost_units)),
        }
    }

    /// Whether no more than one part in so many of what is held here is left.
    #[must_use]
    pub fn is_pressed(&self, pace: &Pace, left_part: u64) -> bool {
        let room = self.account.room(pace).grains();
        self.account.balance(pace).grains() <= room / u128::from(left_part)
    }

    /// Drains the account up to now.
    pub fn drain(&mut self, pace: &Pace, now: Nanos) {
        self.account.drain(pace.at(now), pace);
    }

    /// What it will be at a later time if nothing happens: for looking ahead.
    pub(super) fn aged(&self, pace: &Pace, now: Nanos) -> Aged<'_> {
        let mut account = self.account;
        account.drain(pace.at(now), pace);
        Aged {
            account,
            rows: &self.rows,
        }
    }

    /// Whether peers should know that rights run out here: not even one more unit could be
    /// admitted, on rights or on overdraft, or no more than twice what this very tick has seen: an
    /// answer takes a round trip. Of what comes back within a few ticks nobody has much to give: to ask
    /// early would be to ask for each request.
    #[must_use]
    pub fn is_low(&self, pace: &Pace, tick_ns: u64) -> bool {
        let room = self
            .account
            .room(pace)
            .saturating_add(self.account.overdraft_room(pace));
        let left = room.saturating_sub(self.account.level());
        left < Amount::from_units(self.meter.cost_units())
            || left <= Amount::from_units(self.meter.lately_units().saturating_mul(2))
                && !pace.comes_back_within(tick_ns.saturating_mul(SOON_TICKS))
    }
}

/// An entry as it will be: its account drained, its rows as they are.
pub(super) struct Aged<'a> {
    pub(super) account: Account,
    rows: &'a Rows,
}

impl Aged<'_> {
    pub(super) fn merged(&self, others: &[Standing], pace: &Pace, now: Nanos) -> Merged {
        Merged::of(&self.account, self.rows, others, pace, now)
    }

    /// What the others have, by their rows.
    pub(super) fn theirs(&self, others: &[Standing], pace: &Pace, now: Nanos) -> Theirs {
        Theirs::of(self.rows, others, pace, now)
    }

    /// How fast the merged balance grows; `theirs` is what the others have now.
    pub(super) fn growth(
        &self,
        theirs: &Theirs,
        others: &[Standing],
        pace: &Pace,
        now: Nanos,
    ) -> Growth {
        Growth::of(&self.account, (self.rows, theirs), others, pace, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limit;

    const TICK_NS: u64 = 100_000_000;

    /// Of ten units so many are left here, and two were asked for in this tick.
    fn is_low(units_per_second: u64, left: u64) -> bool {
        let pace = Pace::new(Limit::per_second(units_per_second).burst(10));
        let level = Amount::from_units(10 - left);
        let account = Account::open(Share::WHOLE, Share::NONE, level, UnitsTime(0));
        let opened = Opened {
            charge: 0,
            at: UnitsTime(0),
            base: Share::WHOLE,
        };
        let mut entry = Entry::new(LimitIndex(0), account, 0, opened);
        entry.meter.count(1, 0);
        entry.meter.count(1, 0);
        entry.is_low(&pace, TICK_NS)
    }

    #[test]
    fn units_are_asked_for_early_unless_they_come_back_soon() {
        assert!(!is_low(12, 5));
        assert!(is_low(12, 4), "as many as two such ticks ask for");
        assert!(!is_low(13, 4), "all ten are back within eight ticks");
        assert!(!is_low(13, 1));
        assert!(is_low(13, 0));
    }
}
