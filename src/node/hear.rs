//! What members' rows do here.

use super::Node;
use super::audience::begins_to_want;
use crate::row::Row;
use crate::table::{Constants, Entry, LimitIndex};
use crate::units::{Amount, Nanos, NodeId};
use crate::view::Member;

impl Node {
    /// Takes a member's rows in: keeps them, and joins them with what is known of their keys.
    pub(super) fn hear(&mut self, from: NodeId, rows: &[Row], now: Nanos) {
        let view = self.ledger.adopted();
        let Some(member) = view.and_then(|view| view.member(from)).copied() else {
            return;
        };
        self.hold_rows(from, rows, now);
        for row in rows {
            if let Some(limit) = self.table.index_of(row.limit) {
                self.join(&member, limit, row, now);
            }
        }
    }

    /// Joins a member's row with what is known of its key. A key that is quiet here becomes contended
    /// only if that member may want something of it, or holds other than its base share.
    fn join(&mut self, member: &Member, limit: LimitIndex, row: &Row, now: Nanos) {
        let from = member.node;
        let mut begins = false;
        let known = self.table.with_contended(row.key, |entry, _| {
            begins = begins_to_want(entry.rows.of(from), row);
            entry.rows.join(from, *row, now)
        });
        if begins && let Some(peer) = self.peers.get_mut(&from) {
            // It should know at once where there is some.
            peer.pressing = self.journal.last();
        }
        let contends = known.is_none() && self.is_worth_attending(member, limit, row);
        let heard = match known {
            None if contends => {
                let join = |entry: &mut Entry, _: &Constants| entry.rows.join(from, *row, now);
                self.table.with_entry(limit, row.key, now, join)
            }
            None => Some(false),
            known => known,
        };
        match heard {
            Some(news) => {
                self.counters.rows_heard += u64::from(news);
                if contends {
                    self.activate(row.key);
                }
            }
            None => self.counters.rows_dropped += 1,
        }
    }

    /// Whether a member may want something of a key that is quiet here, or holds other than its base.
    fn is_worth_attending(&self, member: &Member, limit: LimitIndex, row: &Row) -> bool {
        let pace = &self.table.policy(limit).pace;
        let room = Amount::share_of_units(row.share, pace.burst_units());
        row.unmet
            || row.share != member.after
            || row.rate != member.after
            || row.level().grains() > room.grains() / 4
    }
}
