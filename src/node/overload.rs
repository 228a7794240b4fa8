//! A key by `acquire` that is asked for more than it gives back, and for long.
//!
//! Who holds all of a key decides exactly, and takes all of it along: when it is killed nothing of
//! the key is left until the next view, and when a cut leaves it on the side that asks for less,
//! what that side does not ask for is lost. While a bucket is nearly full exactness does not need
//! it: parts that all have something to drain drain together as fast as the whole. So a key that was
//! nearly used up for a while is shared out among members that have been there for long. Each then
//! decides on its own part first, and asks whoever has more than it. When the key is no longer asked
//! for that much, its decider gathers it again.
//!
//! What it costs: up to a unit for each part lies where it is not found at once.

use super::keys::Occasion;
use super::standing::{MAJOR_PART, Part, Standing};
use super::{Node, Peer};
use crate::limit::{Account, Pace, Parcel};
use crate::share::{COUNT_SCALE, Move, keepers_count, owners};
use crate::table::{Ask, Entry, LimitIndex};
use crate::units::{Amount, KeyId, Nanos, NodeId, Share};

/// A key that was nearly used up at its holder for so many ticks is shared out.
const PRESSED_TICKS: u32 = 25;

/// Nearly used up: all but this part of the burst.
const PRESSED_LEFT_PART: u64 = 8;

/// A key is by `acquire` for so many ticks after the last.
const BY_ACQUIRE_TICKS: u32 = 50;

impl Node {
    /// Where a request of this node is best decided; nobody, if nobody who could is reached.
    ///
    /// Who holds most of a key decides, wherever it ranks: a key that was gathered is not gathered
    /// anew for every node that comes.
    pub(super) fn place_of(&self, ask: Ask, now: Nanos) -> Option<NodeId> {
        if self.holding.gathers(ask.key) {
            return Some(self.id);
        }
        let Some(standing) = self.standing(ask.key, now) else {
            return self.decider(ask.key, now);
        };
        if let Some(major) = standing.major() {
            return Some(major);
        }
        let decider = self.decider(ask.key, now);
        // It may know less of what others have left than this node does.
        let has_refused = |node: NodeId| self.asking.is_refused(ask, node, now);
        let knows_less =
            || decider.is_some_and(has_refused) && standing.is_known_elsewhere(decider);
        let shared_out = standing.is_used_up() || knows_less();
        if self.parts_max(ask.limit) < 2 || !shared_out {
            return decider;
        }
        let cost = Amount::from_units(ask.cost_units);
        let holds_part = !standing.own.share.is_none() && self.is_settled(self.id, now);
        if holds_part && standing.own.balance >= cost {
            return Some(self.id);
        }
        // A part that is too small by what was told may have drained since.
        let may_have = |part: &&Part| !holds_part || part.balance >= cost;
        let free =
            |node| !self.asking.is_refused(ask, node, now) && !self.asking.is_slow(node, now);
        let asks = |part: &&Part| may_have(part) && free(part.node);
        let richest = standing.askable().filter(asks);
        let richest = richest.max_by_key(|part| part.balance);
        Some(richest.map_or(self.id, |part| part.node))
    }

    /// Whether this node's refusal of a key stands: it holds all that can be had, or the key is shared
    /// out, and whoever is asked decides on its own part.
    pub(super) fn speaks_for(&self, limit: LimitIndex, key: KeyId, now: Nanos) -> bool {
        let standing = self.standing(key, now);
        standing.is_some_and(|standing| self.is_last_word(limit, &standing))
    }

    /// The same of a key that stands so.
    pub(super) fn is_last_word(&self, limit: LimitIndex, standing: &Standing) -> bool {
        let shared_out = || {
            let major = standing.major().is_some();
            self.parts_max(limit) >= 2 && !major && standing.is_used_up()
        };
        standing.is_all() || shared_out()
    }

    /// Notes that a key is asked for by `acquire` here.
    pub(super) fn note_acquired(&self, key: KeyId, now: Nanos) {
        self.table
            .with_contended(key, |entry, _| entry.acquired_at = Some(now));
    }

    /// Whether a peer has said that it leaves.
    pub(super) fn is_leaver(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(Peer::leaves)
    }

    pub(super) fn is_settled(&self, node: NodeId, now: Nanos) -> bool {
        let settled_ns = self.config.ticks_ns(super::ages::SETTLED_TICKS);
        self.ages.is_settled(node, now, settled_ns)
    }

    /// Into how many parts a key of a limit may be shared: each is of some units, and gives back one
    /// in a tick. Less than that would lie idle where nobody asks.
    fn parts_max(&self, limit: LimitIndex) -> usize {
        let members = self.ledger.adopted().map_or(0, |view| view.members.len());
        let burst_units = self.table.policy(limit).pace.burst_units();
        let by_rate = self.rate_count_per_tick(limit) / COUNT_SCALE;
        let by_rate = usize::try_from(by_rate).unwrap_or(usize::MAX);
        keepers_count(burst_units, members).min(by_rate)
    }

    /// Whether a key was asked for by `acquire` of late, at this node or by it.
    pub(super) fn is_by_acquire(&self, entry: &Entry, now: Nanos) -> bool {
        let by_acquire_ns = self.config.ticks_ns(BY_ACQUIRE_TICKS);
        let recent = |at: Nanos| now.0.saturating_sub(at.0) <= by_acquire_ns;
        entry.acquired_at.is_some_and(recent)
    }

    /// What is due for a key that is by `acquire` and used up: that it is shared out, or handed on.
    pub(super) fn relief(
        &self,
        key: KeyId,
        entry: &mut Entry,
        occasion: Occasion,
        now: Nanos,
    ) -> Vec<Move> {
        if occasion != Occasion::Tick || !self.is_by_acquire(entry, now) {
            return Vec::new();
        }
        let pace = &self.table.policy(entry.limit).pace;
        if !entry.is_pressed(pace, PRESSED_LEFT_PART) {
            entry.pressed_since = None;
            entry.asked_by.clear();
            return Vec::new();
        }
        let since = *entry.pressed_since.get_or_insert(now);
        let long = now.0.saturating_sub(since.0) >= self.config.ticks_ns(PRESSED_TICKS);
        let most = entry.account.share() > Share::WHOLE.portion(1, 2);
        let settled = self.is_settled(self.id, now);
        if most && long {
            entry.pressed_since = None;
            self.share_out(key, entry, now)
        } else if !settled && entry.account.share() < Share::WHOLE {
            self.hand_on(key, entry, now)
        } else {
            Vec::new()
        }
    }

    /// Shares what is here of a key out among members that have been there for long, as they have asked for it.
    fn share_out(&self, key: KeyId, entry: &mut Entry, now: Nanos) -> Vec<Move> {
        let pace = &self.table.policy(entry.limit).pace;
        let asked = std::mem::take(&mut entry.asked_by);
        let heirs = self.heirs(key, entry, now);
        let parts = parts(&asked, heirs, self.parts_max(entry.limit), self.id);
        let all = entry.account.share();
        let others = parts.into_iter().filter(|(to, _)| *to != self.id);
        let given = others.filter_map(|(to, part)| {
            let share = all.portion(part.parts(), Share::WHOLE.parts());
            let parcel = entry.account.proportional(share);
            give(entry, to, parcel, pace, now)
        });
        given.collect()
    }

    /// A newcomer keeps nothing of it: it may be gone again soon.
    fn hand_on(&self, key: KeyId, entry: &mut Entry, now: Nanos) -> Vec<Move> {
        let pace = &self.table.policy(entry.limit).pace;
        let heir = self.heir(key, entry, now);
        let parcel = entry.account.all();
        let given = heir.and_then(|to| give(entry, to, parcel, pace, now));
        given.into_iter().collect()
    }

    /// Who may hold parts of a key: members that have been there for long and stay, this one perhaps
    /// among them; who holds most first, then in the order in which they own it.
    fn heirs(&self, key: KeyId, entry: &Entry, now: Nanos) -> Vec<NodeId> {
        let row = |node| entry.rows.of(node).map(|heard| heard.row);
        let may_take = |node: &NodeId| {
            let row_seq = row(*node).map_or(0, |row| row.seq);
            let stays = self.is_settled(*node, now) && !self.is_leaver(*node);
            stays && (*node == self.id || self.is_ready(*node, entry, row_seq, now))
        };
        let mut heirs = owners(key, self.ledger.known());
        heirs.retain(may_take);
        let share = |node| match node == self.id {
            true => entry.account.share(),
            false => row(node).map_or(Share::NONE, |row| row.share),
        };
        heirs.sort_by_key(|node| std::cmp::Reverse(share(*node)));
        heirs
    }

    /// Who would be handed all of a key.
    fn heir(&self, key: KeyId, entry: &Entry, now: Nanos) -> Option<NodeId> {
        let mut heirs = self.heirs(key, entry, now).into_iter();
        heirs.find(|heir| *heir != self.id)
    }

    /// A leaver hands on the keys that are by `acquire` before it says so: nothing of them waits
    /// for the view that it leaves by.
    pub(super) fn hand_on_all(&mut self, now: Nanos) {
        for key in self.active.clone() {
            let heir = self.table.with_contended(key, |entry, _| {
                entry.acquired_at?;
                Some((entry.limit, self.heir(key, entry, now)?))
            });
            if let Some(Some((limit, heir))) = heir {
                self.hand_over(now, heir, (limit, key), Account::all);
                self.spread_grants(heir, now);
            }
        }
    }
}

/// The parts of so many heirs at most: those who have asked most, in proportion; nothing for who has
/// asked for hardly any. The giver is rather one of them than not: others know where the key was.
/// What is left over by rounding is the giver's.
fn parts(
    asked: &[(NodeId, u64)],
    heirs: Vec<NodeId>,
    count: usize,
    giver: NodeId,
) -> Vec<(NodeId, Share)> {
    let units = |node: &NodeId| {
        let asked = asked.iter().find(|(asker, _)| asker == node);
        asked.map_or(0, |(_, units)| *units)
    };
    let mut heirs: Vec<_> = heirs.into_iter().map(|node| (units(&node), node)).collect();
    heirs.sort_by_key(|(units, node)| {
        let weight = if *node == giver { 2 } else { 1 };
        std::cmp::Reverse(units.saturating_mul(weight))
    });
    heirs.truncate(count);
    let total = |heirs: &[(u64, NodeId)]| heirs.iter().map(|(units, _)| *units).sum::<u64>();
    let (sum, most) = (total(&heirs), heirs.iter().map(|(units, _)| *units).max());
    let (part, whole) = MAJOR_PART;
    let alone =
        |units: u64| u128::from(units) * u128::from(whole) > u128::from(sum) * u128::from(part);
    let one = most.is_some_and(alone);
    let least = sum / (2 * count.max(1) as u64);
    heirs.retain(|(units, _)| alone(*units) || (!one && *units > least));
    let sum = total(&heirs);
    let part = |(units, node)| (node, Share::WHOLE.portion(units, sum));
    heirs.into_iter().map(part).collect()
}

/// Takes a parcel out of an account for somebody, if it is any.
fn give(entry: &mut Entry, to: NodeId, parcel: Parcel, pace: &Pace, now: Nanos) -> Option<Move> {
    let given = parcel != Parcel::default() && entry.account.grant(parcel, pace);
    given.then(|| {
        entry.note_granted(to, parcel, now);
        Move { to, parcel }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVER: NodeId = NodeId(0);

    /// The parts in hundredths of what so many have asked for: node 0 gives.
    fn shared(units: &[u64], count: usize) -> Vec<(u64, f64)> {
        let asked: Vec<_> = (0..).map(NodeId).zip(units.iter().copied()).collect();
        let heirs = asked.iter().map(|(node, _)| *node).collect();
        let parts = parts(&asked, heirs, count, GIVER);
        let hundredths = |share: Share| (share.as_fraction() * 100.0).round();
        parts
            .into_iter()
            .map(|(node, share)| (node.0, hundredths(share)))
            .collect()
    }

    #[test]
    fn parts_are_as_was_asked() {
        assert_eq!(
            shared(&[20, 20, 40, 20], 4),
            [(0, 20.0), (2, 40.0), (1, 20.0), (3, 20.0)]
        );
    }

    #[test]
    fn who_asks_for_hardly_any_gets_nothing() {
        assert_eq!(shared(&[5, 40, 50, 5], 4), [(2, 56.0), (1, 44.0)]);
        assert_eq!(shared(&[5, 90, 5], 3), [(1, 100.0)]);
        assert_eq!(shared(&[0, 0], 2), []);
    }

    #[test]
    fn the_giver_is_rather_one_of_few() {
        assert_eq!(shared(&[10, 11, 12, 13], 2), [(0, 43.0), (3, 57.0)]);
        assert_eq!(shared(&[1, 11, 12, 13], 2), [(3, 52.0), (2, 48.0)]);
    }
}
