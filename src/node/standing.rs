//! How a key stands among the members, as far as one of them knows.

use super::Node;
use crate::limit::Parcel;
use crate::row::Standing as Base;
use crate::table::{Entry, Granted};
use crate::units::{Amount, KeyId, Nanos, NodeId, Share};

/// The level that a row tells stands for so many ticks: who is asked for much tells of it again.
const FRESH_TICKS: u32 = 6;

/// Who has told something within so many ticks is asked for the key still.
const LATELY_TICKS: u32 = 20;

/// Who holds more than this part of what can be reached decides for the key.
pub(super) const MAJOR_PART: (u64, u64) = (7, 8);

/// Little is left while all but this part of what can be reached is used up.
const LITTLE_PART: u128 = 4;

/// What one member holds of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) node: NodeId,
    pub(super) share: Share,
    /// Units it can admit, had it admitted none since it told.
    pub(super) balance: Amount,
    /// How full it is, if that was told of late.
    level: Option<Amount>,
    /// Whether it has told anything of late, if not just now.
    lately: bool,
    /// Whether it never told anything of the key: what it holds is a guess.
    guessed: bool,
    /// Whether it can answer a question.
    reached: bool,
}

/// What all members hold of a key.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) own: Part,
    others: Vec<Part>,
    burst_units: u64,
}

impl Standing {
    /// Who holds nearly all of what is held here and by those that are reached.
    pub(super) fn major(&self) -> Option<NodeId> {
        let most = self.held().portion(MAJOR_PART.0, MAJOR_PART.1);
        let major = self.reached().find(|part| part.share > most);
        major.map(|part| part.node)
    }

    /// Whether nobody that is reached holds anything but this node.
    pub(super) fn is_all(&self) -> bool {
        !self.own.share.is_none() && self.held() == self.own.share
    }

    /// Whether little of it is left with anybody who is reached and has told of it lately.
    pub(super) fn is_used_up(&self) -> bool {
        let told = || self.reached().filter(|part| part.level.is_some());
        let share = told().map(|part| part.share).sum();
        let level = told().filter_map(|part| part.level).sum();
        let room = Amount::share_of_units(share, self.burst_units);
        let left = room.saturating_sub(level);
        room > Amount::ZERO && left.grains() <= room.grains() / LITTLE_PART
    }

    /// Whether another than this one has told of late of a part that is worth asking for.
    pub(super) fn is_known_elsewhere(&self, than: Option<NodeId>) -> bool {
        let mut others = self.askable().filter(|part| part.lately);
        others.any(|part| Some(part.node) != than && part.balance >= Amount::from_units(1))
    }

    /// Whether most of it is with nobody by what all have told: it is on its way.
    pub(super) fn is_in_transit(&self) -> bool {
        let all = || std::iter::once(&self.own).chain(&self.others);
        let held: Share = all().map(|part| part.share).sum();
        held < Share::WHOLE.portion(1, 2) && !all().any(|part| part.guessed)
    }

    /// Whether somebody else holds nearly all of it, or soon will.
    pub(super) fn is_elsewhere(&self) -> bool {
        let major = self.major();
        major.is_some_and(|major| major != self.own.node) || self.is_in_transit()
    }

    /// Others that hold something and can be asked for it.
    pub(super) fn askable(&self) -> impl Iterator<Item = &Part> {
        let others = self.others.iter();
        others.filter(|part| part.reached && !part.share.is_none())
    }

    fn reached(&self) -> impl Iterator<Item = &Part> {
        let others = self.others.iter().filter(|part| part.reached);
        std::iter::once(&self.own).chain(others)
    }

    fn held(&self) -> Share {
        self.reached().map(|part| part.share).sum()
    }

    /// Shares sum to one at most: who never told anything holds no more than what is left.
    fn bound_guesses(&mut self) {
        let known = self.others.iter().filter(|part| !part.guessed);
        let known: Share = known.map(|part| part.share).sum();
        let left = Share::WHOLE.saturating_sub(known.saturating_add(self.own.share));
        let guessed = || self.others.iter().filter(|part| part.guessed);
        let most = left.portion(1, guessed().count() as u64);
        for part in self.others.iter_mut().filter(|part| part.guessed) {
            part.share = part.share.min(most);
        }
    }
}

impl Node {
    /// How a contended key stands.
    pub(super) fn standing(&self, key: KeyId, now: Nanos) -> Option<Standing> {
        self.table.with_contended(key, |entry, constants| {
            let pace = &self.table.policy(entry.limit).pace;
            entry.drain(pace, now);
            let own = Part {
                node: self.id,
                share: entry.account.share(),
                balance: entry.account.balance(pace),
                level: Some(entry.account.level()),
                lately: true,
                guessed: false,
                reached: true,
            };
            let others = constants.others.iter();
            let others = others.map(|other| self.part_of(entry, other, now));
            let mut standing = Standing {
                own,
                others: others.collect(),
                burst_units: pace.burst_units(),
            };
            standing.bound_guesses();
            standing
        })
    }

    /// What another holds by its row and by what it was granted since; its base, unused, if it never
    /// said anything.
    fn part_of(&self, entry: &Entry, other: &Base, now: Nanos) -> Part {
        let pace = &self.table.policy(entry.limit).pace;
        let fresh_ns = self.config.ticks_ns(FRESH_TICKS);
        let row = entry.rows.of(other.node);
        let row_seq = row.map_or(0, |heard| heard.row.seq);
        let unseen = |g: &&Granted| g.to == other.node && g.row_seq >= row_seq;
        let granted = entry.granted.iter().find(unseen);
        let Parcel { share, level, .. } = granted.map(|g| g.parcel).unwrap_or_default();
        let fresh = |at: Nanos| granted.is_some() || now.0.saturating_sub(at.0) <= fresh_ns;
        let lately_ns = self.config.ticks_ns(LATELY_TICKS);
        let lately = |at: Nanos| now.0.saturating_sub(at.0) <= lately_ns;
        let told = row
            .filter(|heard| fresh(heard.at))
            .map(|heard| heard.row.level());
        let held = row.map_or(other.base, |heard| heard.row.share);
        let told = told.or_else(|| row.is_none().then_some(Amount::ZERO));
        Part {
            node: other.node,
            share: held.saturating_add(share),
            balance: row.map_or(Amount::ZERO, |heard| heard.balance_at(now, pace)),
            level: told.map(|told| told.saturating_add(level)),
            lately: row.is_some_and(|heard| lately(heard.at)),
            guessed: row.is_none() && granted.is_none(),
            reached: self.may_answer(other.node, now),
        }
    }

    /// Whether a member is there to answer a question, and stays.
    fn may_answer(&self, node: NodeId, now: Nanos) -> bool {
        self.is_reached(node, now) && self.is_fellow(node) && !self.is_leaver(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST_UNITS: u64 = 100;

    /// A part of so many hundredths, used up but for so many units.
    fn part(node: u64, hundredths: u64, left: u64) -> Part {
        let share = Share::WHOLE.portion(hundredths, 100);
        let room = Amount::share_of_units(share, BURST_UNITS);
        Part {
            node: NodeId(node),
            share,
            balance: Amount::from_units(left),
            level: Some(room.saturating_sub(Amount::from_units(left))),
            lately: true,
            guessed: false,
            reached: true,
        }
    }

    fn standing(own: Part, others: &[Part]) -> Standing {
        let mut standing = Standing {
            own,
            others: others.to_vec(),
            burst_units: BURST_UNITS,
        };
        standing.bound_guesses();
        standing
    }

    #[test]
    fn who_holds_nearly_all_that_is_reached_decides() {
        let gathered = standing(part(0, 0, 0), &[part(1, 100, 3), part(2, 0, 0)]);
        assert_eq!(gathered.major(), Some(NodeId(1)));
        let halves = [part(1, 55, 0), part(2, 45, 0)];
        assert_eq!(standing(part(0, 0, 0), &halves).major(), None);
        // Behind a cut the rest is not reached.
        let cut = Part {
            reached: false,
            ..part(2, 45, 0)
        };
        assert_eq!(
            standing(part(0, 0, 0), &[part(1, 55, 0), cut]).major(),
            Some(NodeId(1))
        );
        assert!(standing(part(0, 55, 0), &[part(1, 0, 0), cut]).is_all());
        assert!(!standing(part(0, 55, 0), &[part(1, 45, 0), cut]).is_all());
    }

    #[test]
    fn little_is_left_where_those_who_told_of_late_have_little() {
        assert!(standing(part(0, 50, 10), &[part(1, 50, 10)]).is_used_up());
        assert!(!standing(part(0, 50, 10), &[part(1, 50, 20)]).is_used_up());
        let silent = Part {
            level: None,
            ..part(1, 50, 20)
        };
        assert!(standing(part(0, 50, 10), &[silent]).is_used_up());
        assert!(
            !standing(part(0, 0, 0), &[silent]).is_used_up(),
            "nobody has told"
        );
    }

    #[test]
    fn who_never_told_holds_no_more_than_is_left() {
        let quiet = |node| Part {
            guessed: true,
            ..part(node, 20, 0)
        };
        let gathered = standing(part(0, 0, 0), &[part(1, 100, 3), quiet(2), quiet(3)]);
        assert_eq!(gathered.major(), Some(NodeId(1)));
        let base = standing(part(0, 20, 0), &[quiet(1), quiet(2), quiet(3), quiet(4)]);
        assert_eq!(base.major(), None);
        assert!(!base.is_in_transit());
    }

    #[test]
    fn what_nobody_holds_is_on_its_way() {
        let given = [part(1, 0, 0), part(2, 0, 0)];
        assert!(standing(part(0, 0, 0), &given).is_in_transit());
        assert!(!standing(part(0, 0, 0), &[part(1, 30, 0), part(2, 30, 0)]).is_in_transit());
        let away = Part {
            reached: false,
            ..part(1, 60, 0)
        };
        assert!(
            !standing(part(0, 0, 0), &[away]).is_in_transit(),
            "it is out of reach"
        );
    }
}
