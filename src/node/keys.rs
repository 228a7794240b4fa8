//! Contended keys: what a tick does with each, and what cannot wait for it.

use std::collections::BTreeMap;

use crate::limit::Parcel;
use crate::row::{Row, Standing};
use crate::share::{
    COUNT_SCALE, Holder, Move, Scene, cost_units, donors, is_asked_for, plan, weight,
};
use crate::table::{Constants, Entry, LimitIndex};
use crate::units::{Amount, KeyId, LimitId, Nanos, NodeId, Share};

use super::Node;
use super::audience::Audience;
use super::news::Due;
use super::peer::Peer;

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

/// Urgent messages to one peer at once; what does not fit waits for the tick.
const URGENT_AT_ONCE_MAX: u32 = 8;

/// Urgent messages to one peer in each tick, if it goes on: with a thousand keys there is always one
/// that runs out.
pub(super) const URGENT_PER_TICK: u32 = 6;

/// Why a key is attended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The tick has come.
    Tick,
    /// Its rights ran out here.
    Want,
    /// A peer has asked for some of it.
    Asked(NodeId),
}

/// What a tick found for one key.
struct Attended {
    due: Option<Due>,
    moves: Vec<Move>,
    limit: LimitId,
    /// Units refused of late for want of rights.
    unmet_units: u64,
    /// Recent requests, for the node's load: not units, of which one limit's are worth another's thousands.
    arrivals: u64,
}

/// A row that is not due is told aside: to whom is asked by it, and with what is given to who has
/// asked, or it would ask for what it has already got. Others hear of it when it is due.
fn aside(row: Row, occasion: Occasion, moves: &[Move]) -> Option<Due> {
    let nodes = match occasion {
        Occasion::Want => Vec::new(),
        Occasion::Asked(node) if !moves.is_empty() => vec![node],
        Occasion::Asked(_) | Occasion::Tick => return None,
    };
    let audience = Audience::Only(nodes);
    Some(Due { row, audience })
}

/// The other members before a node and those after it, by id.
fn around(others: &[Standing], node: NodeId) -> (&[Standing], &[Standing]) {
    debug_assert!(others.is_sorted_by_key(|other| other.node));
    others.split_at(others.partition_point(|other| other.node < node))
}

impl Node {
    /// Looks after every contended key, and writes down the rows that are due, the neediest first.
    pub(super) fn tick_keys(&mut self, now: Nanos) {
        for key in self.table.take_changed() {
            self.activate(key);
        }
        let (mut due, mut load) = (Vec::new(), 0_u64);
        let keys: Vec<KeyId> = self.active.iter().copied().collect();
        for key in keys {
            match self.attend(key, now, Occasion::Tick) {
                Some(attended) => {
                    load = load.saturating_add(attended.arrivals);
                    let unmet_units = attended.unmet_units;
                    let told = self.carry_out(key, attended);
                    due.extend(told.map(|told| (unmet_units, told)));
                }
                None => {
                    self.active.remove(&key);
                    self.journal.forget(key);
                }
            }
        }
        self.load = load;
        due.sort_by_key(|(unmet_units, due)| (std::cmp::Reverse(*unmet_units), due.row.key));
        for (_, due) in due {
            self.write(&due);
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
            let Some(due) = self.attend_urgently(key, now) else {
                continue;
            };
            let row = self.write(&due);
            for donor in donors {
                asked.entry(donor).or_default().push(row);
            }
        }
        for (node, rows) in asked {
            self.spread_urgent(node, &rows, now);
        }
    }

    /// Attends to a contended key from now on; what was heard of it while it was quiet is of use now.
    pub(super) fn activate(&mut self, key: KeyId) {
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
                    cost_units: cost_units(&holders),
                    holders: &holders,
                    asker,
                },
                self.id,
            )
        });
        let open = |peer: &Peer| peer.connected && peer.urgent_sent < URGENT_AT_ONCE_MAX;
        let mut asked = asked.unwrap_or_default();
        asked.retain(|node| self.peers.get(node).is_some_and(open));
        asked
    }

    /// The row of a key to send out of turn, whether or not one would be due.
    fn attend_urgently(&mut self, key: KeyId, now: Nanos) -> Option<Due> {
        let attended = self.attend(key, now, Occasion::Want)?;
        self.carry_out(key, attended)
    }

    /// Writes a row down, to be told with the next tick to those for whom it presses.
    fn write(&mut self, due: &Due) -> Row {
        let row = self.journal.write(due.row);
        self.press(&due.audience, row.seq);
        row
    }

    /// A peer has told its want of some keys: what can be spared goes to it at once.
    pub(super) fn answer_want(&mut self, from: NodeId, rows: &[Row], now: Nanos) {
        for Row { key, .. } in rows {
            if let Some(attended) = self.attend(*key, now, Occasion::Asked(from))
                && let Some(due) = self.carry_out(*key, attended)
            {
                self.write(&due);
            }
        }
    }

    /// Drains a key, forgets what has expired, decides what to move and whether to tell. Nothing if it is
    /// quiet; a tick lets it be, if nothing more is to be said of it.
    fn attend(&self, key: KeyId, now: Nanos, occasion: Occasion) -> Option<Attended> {
        let tick = self.table.tick_of(now);
        let look_after = |entry: &mut Entry, constants: &Constants| {
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
            let unmet_units = entry.unmet_units;
            let due = self.due(entry, constants, row, now);
            let due = due.or_else(|| aside(row, occasion, &moves));
            Attended {
                due,
                moves,
                limit: policy.id,
                unmet_units,
                arrivals: row.demand.sparse / row.cost_units.max(1),
            }
        };
        match occasion {
            Occasion::Tick => self.table.tend(key, now, look_after),
            Occasion::Want | Occasion::Asked(_) => self.table.with_contended(key, look_after),
        }
    }

    /// Puts what was granted on its way.
    fn carry_out(&mut self, key: KeyId, attended: Attended) -> Option<Due> {
        for Move { to, parcel } in attended.moves {
            self.post(to, attended.limit, key, parcel);
        }
        attended.due
    }

    /// Puts a parcel that has left its account into the outbox.
    pub(super) fn post(&mut self, to: NodeId, limit: LimitId, key: KeyId, parcel: Parcel) {
        let peer = self
            .peers
            .get_mut(&to)
            .expect("a grant goes to a known peer");
        peer.outbox.push(limit, key, parcel);
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
        if self.ledger.is_leaving() || holds_nothing || planted!(NothingMoves) {
            return Vec::new();
        }
        let relief = self.relief(key, entry, occasion, now);
        if !relief.is_empty() {
            return relief;
        }
        // Who is in debt gives nothing, whatever the others have.
        if entry.account.debt(pace) > Amount::ZERO {
            return Vec::new();
        }
        let mut holders = self.holders(key, entry, constants, now);
        let rate_count_per_tick = self.rate_count_per_tick(entry.limit);
        let mut detours = BTreeMap::new();
        // While a key is asked for a detour is too slow to follow demand.
        if !is_asked_for(&holders, rate_count_per_tick) {
            entry.account.forgo(self.crumbs(&holders, now), pace);
            detours = self.detours(&mut holders, entry, now);
        }
        // What was gathered or shared out by `acquire` stays where it is unless others want it for their own checks.
        let wanted = |holder: &Holder| holder.unmet && holder.node != self.id;
        let kept = entry.gathered_until > now || self.is_by_acquire(entry, now);
        if kept && !holders.iter().any(wanted) {
            return Vec::new();
        }
        let asker = match occasion {
            Occasion::Asked(node) => Some(node),
            Occasion::Tick | Occasion::Want => None,
        };
        let scene = Scene {
            pace,
            rate_count_per_tick,
            cost_units: cost_units(&holders),
            holders: &holders,
            asker,
        };
        let mut moves = plan(&scene, self.id, &entry.account);
        for planned in &mut moves {
            planned.to = detours.get(&planned.to).copied().unwrap_or(planned.to);
        }
        moves.retain(|Move { to, parcel }| {
            let granted = entry.account.grant(*parcel, pace);
            if granted {
                entry.note_granted(*to, *parcel, now);
            }
            granted
        });
        moves
    }

    /// The part of this node's right of overdraft that is nobody's: rights at the base split are
    /// rounded down, and a view deals what that leaves over too. With it a key would never be at
    /// base again.
    ///
    /// What another lacks is not nobody's, nor is what this node has opened a view with: given up,
    /// some member would never be at base again. So all must have had the time to tell what they hold
    /// since the view, and together it must be no more than there is.
    fn crumbs(&self, holders: &[Holder], now: Nanos) -> Share {
        let lacks = |holder: &Holder| holder.overdraft < holder.base_overdraft;
        let own = holders.iter().find(|holder| holder.node == self.id);
        let over = own.map_or(Share::NONE, |own| {
            own.overdraft.saturating_sub(own.base_overdraft)
        });
        let all: Share = holders.iter().map(|holder| holder.overdraft).sum();
        let is_crumb = over.parts() <= holders.len() as u64 && all <= self.config.overshoot.right();
        let told_ns = self.config.ticks_ns(ROW_LIFE_TICKS);
        let have_told = self.is_calm_for(told_ns, now);
        if is_crumb && have_told && !holders.iter().any(lacks) {
            over
        } else {
            Share::NONE
        }
    }

    /// Shares of an idle key go home to who is not connected through the peer that passes its rows
    /// on: it will hold more than its base then, and see who lacks it.
    fn detours(
        &self,
        holders: &mut [Holder],
        entry: &Entry,
        now: Nanos,
    ) -> BTreeMap<NodeId, NodeId> {
        let mut detours = BTreeMap::new();
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
            base: constants.base(),
            base_overdraft: constants.overdraft(),
            share: entry.account.share(),
            rate: entry.account.rate(),
            overdraft: entry.account.overdraft(),
            level: entry.account.level(),
            demand: entry.meter.at(tick),
            load: self.load,
            rank: weight(key, self.id),
            reached: true,
            unmet: entry.unmet_units > 0,
            cost_units: entry.meter.cost_units(),
            ready: false,
        };
        let mut holders = Vec::with_capacity(constants.others.len() + 1);
        // Nearly all bases are alike.
        let mut right = (constants.base(), self.overdraft_of(constants.base()));
        let mut holder = |other: &Standing| {
            if other.base != right.0 {
                right = (other.base, self.overdraft_of(other.base));
            }
            self.holder(key, entry, (other, right.1), now)
        };
        let (before, after) = around(&constants.others, self.id);
        holders.extend(before.iter().map(&mut holder));
        holders.push(own);
        holders.extend(after.iter().map(&mut holder));
        holders
    }

    /// Another member as the planner sees it.
    fn holder(
        &self,
        key: KeyId,
        entry: &Entry,
        (other, base_overdraft): (&Standing, Share),
        now: Nanos,
    ) -> Holder {
        let peer = self.peers.get(&other.node);
        let heard = entry.rows.of(other.node);
        let row_seq = heard.map_or(0, |heard| heard.row.seq);
        let takes = |peer: &Peer| self.takes_grants(other.node, peer, entry, row_seq, now);
        let patience_ns = self.config.ticks_ns(HEARD_TICKS);
        let quiet = Holder {
            node: other.node,
            base: other.base,
            base_overdraft,
            load: peer.map_or(0, |peer| peer.load),
            share: other.base,
            rate: other.base,
            overdraft: base_overdraft,
            rank: weight(key, other.node),
            reached: peer.is_some_and(|peer| peer.may_answer(now, patience_ns)),
            ready: peer.is_some_and(takes),
            ..Holder::default()
        };
        let Some(heard) = heard else {
            return quiet;
        };
        let age_ticks = self
            .table
            .tick_of(now)
            .saturating_sub(self.table.tick_of(heard.at));
        Holder {
            share: heard.row.share,
            rate: heard.row.rate,
            overdraft: heard.row.overdraft,
            level: heard.level_at(now, &self.table.policy(entry.limit).pace),
            demand: heard.row.demand.faded(age_ticks),
            unmet: heard.row.unmet,
            cost_units: heard.row.cost_units,
            ..quiet
        }
    }

    pub(super) fn is_reached(&self, node: NodeId, now: Nanos) -> bool {
        let patience_ns = self.config.ticks_ns(HEARD_TICKS);
        let answers = |peer: &Peer| peer.may_answer(now, patience_ns);
        self.peers.get(&node).is_some_and(answers)
    }

    /// Whether a grant may go to a peer: it is a member, was heard of late, has room in its outbox,
    /// and its row already shows what it was given last.
    pub(super) fn is_ready(&self, node: NodeId, entry: &Entry, row_seq: u64, now: Nanos) -> bool {
        let takes = |peer: &Peer| self.takes_grants(node, peer, entry, row_seq, now);
        self.peers.get(&node).is_some_and(takes)
    }

    fn takes_grants(
        &self,
        node: NodeId,
        peer: &Peer,
        entry: &Entry,
        row_seq: u64,
        now: Nanos,
    ) -> bool {
        let rest_ns = self.config.ticks_ns(GRANT_REST_TICKS);
        let rested = entry.granted.iter().all(|granted| {
            let rested = now.0.saturating_sub(granted.at.0) >= rest_ns;
            granted.to != node || granted.row_seq < row_seq || rested
        });
        rested
            && peer.outbox.has_room()
            && peer.is_heard(now, self.config.ticks_ns(HEARD_TICKS))
            && !peer.is_stalled(now, self.config.ticks_ns(GRANT_PATIENCE_TICKS))
            && !peer.leaves()
            && self.is_fellow(node)
    }

    pub(super) fn rate_count_per_tick(&self, limit: LimitIndex) -> u64 {
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

    /// Whether another urgent message may go to a peer in this tick.
    pub(super) fn may_urge(&mut self, node: NodeId) -> bool {
        let Some(peer) = self.peers.get_mut(&node) else {
            return false;
        };
        let may = peer.urgent_sent < URGENT_AT_ONCE_MAX;
        peer.urgent_sent += u32::from(may);
        may
    }
}
