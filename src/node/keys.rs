//! Contended keys: what a tick does with each, and what cannot wait for it.

use std::collections::BTreeMap;

use crate::limit::Parcel;
use crate::row::{Heard, Row};
use crate::share::{COUNT_SCALE, Holder, Move, Scene, donors, plan, weight};
use crate::table::{Constants, Entry, LimitIndex};
use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};

use super::Node;
use super::peer::Peer;

/// A row is told again after so many ticks though nothing changed.
const ROW_REFRESH_TICKS: u32 = 50;

/// A row that says little new is told so many ticks after the last at the earliest.
const ROW_REST_TICKS: u32 = 3;

/// A balance that is off by this part of a node's room from what peers reckon with is news.
const NEWS_PART: u128 = 4;

/// A row that was not told again for so many ticks is forgotten.
pub(super) const ROW_LIFE_TICKS: u32 = 160;

/// Grants go to peers that were heard within so many ticks: units must not pile up towards the
/// unreachable.
const HEARD_TICKS: u32 = 15;

/// A peer that has acknowledged no grant for so many ticks gets no more: it hears nothing, or cannot
/// say so.
const GRANT_PATIENCE_TICKS: u32 = 6;

/// After a grant a peer gets no other of the same key until its row shows it, or so many ticks
/// have passed.
const GRANT_REST_TICKS: u32 = 3;

/// Urgent messages to one peer in one tick; what does not fit waits for the tick.
const URGENT_PER_TICK_MAX: u32 = 8;

/// Why a key is attended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// The tick has come.
    Tick,
    /// Its rights ran out here.
    Want,
    /// A peer has asked for some of it.
    Asked(NodeId),
}

/// What a tick found for one key.
struct Attended {
    row: Option<Row>,
    moves: Vec<Move>,
    limit: LimitId,
    /// Recent arrivals, for the node's load.
    arrivals: u64,
}

impl Node {
    /// Looks after every contended key, and writes down the rows that are due, the neediest first.
    pub(super) fn tick_keys(&mut self, now: Nanos) {
        for key in self.table.take_changed() {
            self.activate(key);
        }
        let (mut due, mut load) = (Vec::new(), 0_u64);
        for key in self.active.clone() {
            if self.table.settle(key, now) {
                self.active.remove(&key);
                self.journal.forget(key);
                continue;
            }
            match self.attend(key, now, Occasion::Tick) {
                Some(attended) => {
                    load = load.saturating_add(attended.arrivals);
                    due.extend(self.carry_out(key, attended));
                }
                None => {
                    self.active.remove(&key);
                    self.journal.forget(key);
                }
            }
        }
        self.load = load;
        due.sort_by_key(|row| (std::cmp::Reverse(row.unmet_units), row.key));
        for row in due {
            self.journal.write(row);
        }
    }

    /// Keys whose rights ran out since this was last called: peers are told at once, within a
    /// budget, so that those with units to spare can send some.
    pub fn handle_urgent(&mut self, now: Nanos) {
        let mut asked: BTreeMap<NodeId, Vec<Row>> = BTreeMap::new();
        for key in self.table.take_urgent() {
            self.activate(key);
            let donors = self.likely_donors(key, now);
            if donors.is_empty() {
                continue;
            }
            let Some(row) = self.attend_urgently(key, now) else {
                continue;
            };
            let row = self.journal.write(row);
            for donor in donors {
                asked.entry(donor).or_default().push(row);
            }
        }
        for (node, rows) in asked {
            self.spread_urgent(node, &rows, now);
        }
    }

    /// Attends to a key from now on.
    fn activate(&mut self, key: KeyId) {
        if self.active.insert(key) {
            self.recall(key);
        }
    }

    /// Whom to ask for units of a key that has run out: peers that would give some, by the same plan,
    /// and that may be asked in this tick. Asking all would cost as many messages and answers.
    fn likely_donors(&self, key: KeyId, now: Nanos) -> Vec<NodeId> {
        let asked = self.table.with_contended(key, |entry, constants| {
            let pace = &self.table.policy(entry.limit).pace;
            entry.drain(pace, now);
            let mut holders = self.holders(key, entry, constants, now);
            holders
                .iter_mut()
                .for_each(|holder| holder.ready = holder.node == self.id);
            let rate_count_per_tick = self.rate_count_per_tick(entry.limit);
            let asker = Some(self.id);
            donors(
                &Scene {
                    pace,
                    rate_count_per_tick,
                    holders: &holders,
                    asker,
                },
                self.id,
            )
        });
        let open = |peer: &Peer| peer.connected && peer.urgent_sent < URGENT_PER_TICK_MAX;
        let mut asked = asked.unwrap_or_default();
        asked.retain(|node| self.peers.get(node).is_some_and(open));
        asked
    }

    /// The row of a key to send out of turn, whether or not one would be due.
    fn attend_urgently(&mut self, key: KeyId, now: Nanos) -> Option<Row> {
        let attended = self.attend(key, now, Occasion::Want)?;
        self.carry_out(key, attended)
    }

    /// A peer has told its want of some keys: what can be spared goes to it at once.
    pub(super) fn answer_want(&mut self, from: NodeId, keys: &[KeyId], now: Nanos) {
        for key in keys {
            if let Some(attended) = self.attend(*key, now, Occasion::Asked(from))
                && let Some(row) = self.carry_out(*key, attended)
            {
                self.journal.write(row);
            }
        }
    }

    /// Drains a key, forgets what has expired, decides what to move and whether to tell.
    fn attend(&self, key: KeyId, now: Nanos, occasion: Occasion) -> Option<Attended> {
        let tick = self.table.tick_of(now);
        self.table.with_contended(key, |entry, constants| {
            let policy = self.table.policy(entry.limit);
            entry.drain(&policy.pace, now);
            entry.noted = false;
            let life_ns = self.config.ticks_ns(ROW_LIFE_TICKS);
            entry
                .rows
                .retain(|heard| now.0.saturating_sub(heard.at.0) <= life_ns || planted!(RowsKept));
            entry.keep_gathered(now, self.config.ticks_ns(1));
            let moves = self.moves(key, entry, constants, occasion, now);
            let row = entry.row(policy.id, key, 0, tick);
            let due = occasion == Occasion::Want || self.is_due(entry, constants, &row, now);
            if due {
                entry.sent = Some(row);
                entry.sent_at = now;
                entry.unmet_units /= 2;
            }
            Attended {
                row: due.then_some(row),
                moves,
                limit: policy.id,
                arrivals: row.demand.sparse,
            }
        })
    }

    /// Puts what was granted on its way.
    fn carry_out(&mut self, key: KeyId, attended: Attended) -> Option<Row> {
        for Move { to, parcel } in attended.moves {
            self.post(to, attended.limit, key, parcel);
        }
        attended.row
    }

    /// Puts a parcel that has left its account into the outbox.
    pub(super) fn post(&mut self, to: NodeId, limit: LimitId, key: KeyId, parcel: Parcel) {
        let peer = self
            .peers
            .get_mut(&to)
            .expect("a grant goes to a known peer");
        peer.outbox.push(limit, key, parcel);
        peer.granted_at = None;
        self.counters.grants_sent += 1;
    }

    /// What this node should give to whom of a key: taken out of its account here.
    fn moves(
        &self,
        key: KeyId,
        entry: &mut Entry,
        constants: &Constants,
        occasion: Occasion,
        now: Nanos,
    ) -> Vec<Move> {
        let pace = &self.table.policy(entry.limit).pace;
        let holds_nothing = entry.account.share().is_none() && entry.account.rate().is_none();
        if self.ledger.is_leaving() || holds_nothing {
            return Vec::new();
        }
        let mut holders = self.holders(key, entry, constants, now);
        entry.account.forgo(self.crumbs(&holders), pace);
        let detours = self.detours(&mut holders, entry, now);
        // What was gathered stays together unless others want it for their own checks.
        let wanted = |holder: &Holder| holder.unmet && holder.node != self.id;
        if entry.gathered_until > now && !holders.iter().any(wanted) {
            return Vec::new();
        }
        let rate_count_per_tick = self.rate_count_per_tick(entry.limit);
        let asker = match occasion {
            Occasion::Asked(node) => Some(node),
            Occasion::Tick | Occasion::Want => None,
        };
        let scene = Scene {
            pace,
            rate_count_per_tick,
            holders: &holders,
            asker,
        };
        let mut moves = plan(&scene, self.id, &entry.account);
        for planned in &mut moves {
            planned.to = detours.get(&planned.to).copied().unwrap_or(planned.to);
        }
        moves.retain(|Move { to, parcel }| {
            let row_seq = entry.rows.of(*to).map_or(0, |heard| heard.row.seq);
            let granted = entry.account.grant(*parcel, pace);
            if granted {
                entry.granted.retain(|(node, ..)| node != to);
                entry.granted.push((*to, row_seq, now));
            }
            granted
        });
        moves
    }

    /// The part of this node's right of overdraft that is nobody's: rights at the base split are
    /// rounded down, and a view deals what that leaves over too. With it a key would never be at
    /// base again.
    fn crumbs(&self, holders: &[Holder]) -> Share {
        let lacks = |holder: &Holder| holder.overdraft < holder.base_overdraft;
        let own = holders.iter().find(|holder| holder.node == self.id);
        let over = own.map_or(Share::NONE, |own| {
            own.overdraft.saturating_sub(own.base_overdraft)
        });
        let is_crumb = over.parts() <= holders.len() as u64;
        if is_crumb && !holders.iter().any(lacks) {
            over
        } else {
            Share::NONE
        }
    }

    /// Shares of an idle key go home to who is not connected through the peer that passes its rows
    /// on: it will hold more than its base then, and see who lacks it. While a key is asked for that
    /// is too slow to follow demand, and nothing takes a detour.
    fn detours(
        &self,
        holders: &mut [Holder],
        entry: &Entry,
        now: Nanos,
    ) -> BTreeMap<NodeId, NodeId> {
        let mut detours = BTreeMap::new();
        if holders.iter().any(|holder| holder.demand.sparse > 0) {
            return detours;
        }
        for holder in holders.iter_mut().filter(|holder| !holder.ready) {
            let Some(relay) = self.relay_towards(holder.node) else {
                continue;
            };
            let row_seq = entry.rows.of(relay).map_or(0, |heard| heard.row.seq);
            if self.is_ready(relay, entry, row_seq, now) {
                holder.ready = true;
                detours.insert(holder.node, relay);
            }
        }
        detours
    }

    /// Every member as the planner sees it, by id: this node as it is, others by their rows; one
    /// without a row is quiet and holds its base share.
    fn holders(
        &self,
        key: KeyId,
        entry: &mut Entry,
        constants: &Constants,
        now: Nanos,
    ) -> Vec<Holder> {
        let tick = self.table.tick_of(now);
        let own = Holder {
            node: self.id,
            base: constants.base,
            base_overdraft: constants.overdraft,
            share: entry.account.share(),
            rate: entry.account.rate(),
            overdraft: entry.account.overdraft(),
            level: entry.account.level(),
            demand: entry.meter.at(tick),
            load: self.load,
            rank: weight(key, self.id),
            reached: true,
            unmet: entry.unmet_units > 0,
            ready: false,
        };
        let pace = &self.table.policy(entry.limit).pace;
        let others = constants.others.iter().map(|other| {
            let base_overdraft = self.overdraft_of(other.base);
            let quiet = Holder {
                node: other.node,
                base: other.base,
                base_overdraft,
                load: self.peers.get(&other.node).map_or(0, |peer| peer.load),
                share: other.base,
                rate: other.base,
                overdraft: base_overdraft,
                rank: weight(key, other.node),
                reached: self.is_reached(other.node, now),
                ready: self.is_ready(other.node, entry, 0, now),
                ..Holder::default()
            };
            let Some(heard) = entry.rows.of(other.node) else {
                return quiet;
            };
            Holder {
                share: heard.row.share,
                rate: heard.row.rate,
                overdraft: heard.row.overdraft,
                level: heard.level_at(now, pace),
                demand: heard
                    .row
                    .demand
                    .faded(tick.saturating_sub(self.table.tick_of(heard.at))),
                unmet: heard.row.unmet_units > 0,
                ready: self.is_ready(other.node, entry, heard.row.seq, now),
                ..quiet
            }
        });
        let mut holders: Vec<_> = others.chain([own]).collect();
        holders.sort_unstable_by_key(|holder| holder.node);
        holders
    }

    fn is_reached(&self, node: NodeId, now: Nanos) -> bool {
        let heard_ns = self.config.ticks_ns(HEARD_TICKS);
        let heard = |peer: &Peer| peer.connected && peer.is_heard(now, heard_ns);
        self.peers.get(&node).is_some_and(heard)
    }

    /// Whether a grant may go to a peer: it is a member, was heard of late, has room in its outbox,
    /// and its row already shows what it was given last.
    fn is_ready(&self, node: NodeId, entry: &Entry, row_seq: u64, now: Nanos) -> bool {
        let Some(peer) = self.peers.get(&node) else {
            return false;
        };
        let rest_ns = self.config.ticks_ns(GRANT_REST_TICKS);
        let rested = entry.granted.iter().all(|(to, seq, at)| {
            *to != node || *seq < row_seq || now.0.saturating_sub(at.0) >= rest_ns
        });
        let heard = peer.is_heard(now, self.config.ticks_ns(HEARD_TICKS));
        let stalled = peer.is_stalled(now, self.config.ticks_ns(GRANT_PATIENCE_TICKS));
        self.is_fellow(node) && rested && heard && !stalled && peer.outbox.has_room()
    }

    /// Whether peers should hear of a key at this tick: at once if it is other than what they reckon
    /// with, within a few ticks if it has changed at all, and now and then to refresh.
    fn is_due(&self, entry: &Entry, constants: &Constants, row: &Row, now: Nanos) -> bool {
        let moved = row.share != constants.base
            || row.rate != constants.base
            || row.overdraft != constants.overdraft;
        let Some(sent) = &entry.sent else {
            return moved || row.demand.sparse > 0;
        };
        let changed = row.filled != sent.filled
            || row.share != sent.share
            || row.rate != sent.rate
            || row.overdraft != sent.overdraft
            || row.unmet_units > 0;
        let waited = |ticks| now.0.saturating_sub(entry.sent_at.0) >= self.config.ticks_ns(ticks);
        let stale = waited(ROW_REFRESH_TICKS) && (moved || row.demand.sparse > 0);
        stale || (changed && (waited(ROW_REST_TICKS) || self.is_news(entry, sent, row, now)))
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
        let wants = row.unmet_units > 0 && sent.unmet_units == 0;
        wants || row.rate != sent.rate || is.abs_diff(reckoned) >= much
    }

    fn rate_count_per_tick(&self, limit: LimitIndex) -> u64 {
        let rate = self.table.policy(limit).limit.rate();
        let count = u128::from(rate.units()) * u128::from(COUNT_SCALE);
        let per_tick = count * u128::from(self.table.tick_ns()) / u128::from(rate.period_ns());
        u64::try_from(per_tick).unwrap_or(u64::MAX).max(1)
    }

    /// The right of overdraft that goes with a base share.
    pub(super) fn overdraft_of(&self, base: Share) -> Share {
        self.config
            .overshoot
            .right()
            .portion(base.parts(), Share::WHOLE.parts())
    }

    /// Takes a member's row in. A key that is quiet here becomes contended only if that member may
    /// want something of it, or holds other than its base share.
    pub(super) fn hear(&mut self, from: NodeId, row: Row, now: Nanos) {
        let Some(limit) = self.table.index_of(row.limit) else {
            return;
        };
        let view = self.ledger.adopted();
        let Some(member) = view.and_then(|view| view.member(from)).copied() else {
            return;
        };
        self.hold_row(from, row, now);
        let pace = &self.table.policy(limit).pace;
        let room = Amount::share_of_units(row.share, pace.burst_units());
        let wants = row.unmet_units > 0
            || row.share != member.after
            || row.rate != member.after
            || row.level().grains() > room.grains() / 4;
        let known = self
            .table
            .with_contended(row.key, |entry, _| entry.rows.join(from, row, now));
        let heard = match known {
            None if wants => {
                let join = |entry: &mut Entry, _: &Constants| entry.rows.join(from, row, now);
                self.table.with_entry(limit, row.key, now, join)
            }
            None => Some(false),
            known => known,
        };
        match heard {
            Some(news) => {
                self.counters.rows_heard += u64::from(news);
                if known.is_none() && wants {
                    self.active.insert(row.key);
                }
            }
            None => self.counters.rows_dropped += 1,
        }
    }

    /// Whether another urgent message may go to a peer in this tick.
    pub(super) fn may_urge(&mut self, node: NodeId) -> bool {
        let Some(peer) = self.peers.get_mut(&node) else {
            return false;
        };
        peer.urgent_sent += 1;
        peer.urgent_sent <= URGENT_PER_TICK_MAX
    }
}
