//! When there is something new to tell of a key.

use super::Node;
use super::audience::Audience;
use crate::row::{Heard, Row};
use crate::share::nothing_count;
use crate::table::{Constants, Entry};
use crate::units::{Amount, Nanos, Share};

/// A row is told again after so many ticks though nothing changed.
const ROW_REFRESH_TICKS: u32 = 50;

/// A row that says little new is told so many ticks after the last at the earliest.
const ROW_REST_TICKS: u32 = 5;

/// However many keys there are, a row that has changed is told after so many ticks, and any after
/// twice as many: well before others forget it.
const ROUND_TICKS_MAX: u32 = 50;

/// A balance that is off by this part of a node's room from what peers reckon with is news.
const NEWS_PART: u128 = 3;

/// A share of the rate that is off by this part of the whole is. Less is lent to who repays a debt,
/// again and again.
const NEWS_RATE: Share = Share::from_parts(Share::WHOLE.parts() / 32);

/// A row to tell, and for whom it presses.
pub(super) struct Due {
    pub(super) row: Row,
    pub(super) audience: Audience,
}

impl Node {
    /// The row of a key, if peers should hear of it at this tick; it counts as told then.
    pub(super) fn due(
        &self,
        entry: &mut Entry,
        constants: &Constants,
        row: Row,
        now: Nanos,
    ) -> Option<Due> {
        if !self.is_due(entry, constants, &row, now) {
            return None;
        }
        let audience = self.audience(entry, constants, &row, now);
        entry.sent = Some(row);
        entry.sent_at = now;
        entry.unmet_units /= 2;
        Some(Due { row, audience })
    }

    /// At once if it is other than what they reckon with, within a few ticks if it has changed at all,
    /// and now and then to refresh.
    fn is_due(&self, entry: &Entry, constants: &Constants, row: &Row, now: Nanos) -> bool {
        let moved = row.share != constants.base()
            || row.rate != constants.base()
            || row.overdraft != constants.overdraft();
        let Some(sent) = &entry.sent else {
            return moved || row.demand.sparse > 0;
        };
        let changed = row.filled != sent.filled
            || row.share != sent.share
            || row.rate != sent.rate
            || row.overdraft != sent.overdraft
            || row.unmet;
        let waited = |ticks| now.0.saturating_sub(entry.sent_at.0) >= self.config.ticks_ns(ticks);
        // With many keys what says little leaves room for what is news. How many there are is asked only
        // of a row that has waited as long as it must with few.
        let round_ticks = || self.round_ticks().min(ROUND_TICKS_MAX);
        let is_stale = || waited(ROW_REFRESH_TICKS) && waited(2 * round_ticks());
        let is_rested = || waited(ROW_REST_TICKS) && waited(round_ticks());
        let nothing_count = || nothing_count(self.rate_count_per_tick(entry.limit));
        let matters = || moved || row.demand.sparse > nothing_count();
        (changed && (is_rested() || self.is_news(entry, sent, row, now)))
            || (is_stale() && matters())
    }

    /// Whether a row says something that peers do not reckon with by the last one.
    fn is_news(&self, entry: &Entry, sent: &Row, row: &Row, now: Nanos) -> bool {
        let pace = &self.table.policy(entry.limit).pace;
        let balance = |row: &Row, at: Nanos| {
            let (origin, row) = (self.id, *row);
            Heard { origin, row, at }.balance_at(now, pace).grains()
        };
        let (is, reckoned) = (balance(row, now), balance(sent, entry.sent_at));
        let room = Amount::share_of_units(row.share, pace.burst_units()).grains();
        let much = (room / NEWS_PART).max(Amount::from_units(1).grains());
        let wants = row.unmet && !sent.unmet;
        wants || other_rate(sent.rate, row.rate) || is.abs_diff(reckoned) >= much
    }
}

/// Whether a share of the rate is another by much, or none any more.
fn other_rate(sent: Share, is: Share) -> bool {
    sent.is_none() != is.is_none() || sent.parts().abs_diff(is.parts()) >= NEWS_RATE.parts()
}
