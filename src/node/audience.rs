//! Who hears of a row at once, and who when there is time.
//!
//! In a small cluster everybody does. In a large one few keep a key's rate and units, and a row is
//! of use at once only between those who hold some of the key and those who want some: telling all
//! would cost messages with the square of the members. The others hear it within seconds, many rows
//! in one message, so that who becomes a holder later knows what it has to.

use super::Node;
use super::peer::Peer;
use crate::limit::Pace;
use crate::row::{Heard, Row};
use crate::share::MEMBERS_ALL_KEEP;
use crate::table::{Constants, Entry};
use crate::units::{Amount, Nanos, NodeId, Share};

/// Who is not in a row's audience hears it after so many ticks at the latest. Less costs messages,
/// more lets who is asked for a key anew look for its units in the wrong places.
pub(super) const UNHURRIED_TICKS: u32 = 40;

/// An acknowledgement of rows that press waits for so many ticks for something to ride on; that of
/// others for as long as who is in no hurry may wait to hear them.
pub(super) const ROWS_OWED_TICKS: u32 = 2;

/// Rows that were not acknowledged for so many ticks are sent again: an acknowledgement may have
/// waited, and then be a long way off.
pub(super) const ROWS_RETRY_TICKS: u32 = 5;

/// Who has at least this part of the rate, or of the burst as units to spare, holds some of a key as
/// far as others care.
const HELD_PART: u64 = 16;

/// Who should hear of one row at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everybody,
    Only(Vec<NodeId>),
}

/// What a row says of its origin, as far as others care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    holds: bool,
    wants: bool,
}

impl Part {
    fn of(row: &Row, level: Amount, pace: &Pace) -> Self {
        let room = Amount::share_of_units(row.share, pace.burst_units());
        let many = Amount::from_units((pace.burst_units() / HELD_PART).max(1));
        Self {
            holds: keeps(row) || room.saturating_sub(level) >= many,
            wants: wants(row),
        }
    }

    /// One who has told nothing of a key holds its base share of it.
    const fn quiet(base: Share) -> Self {
        Self {
            holds: !base.is_none(),
            wants: false,
        }
    }

    /// Both ways alike: who is told soon acknowledges soon.
    const fn concerns(self, other: Self) -> bool {
        (self.holds && (other.wants || other.holds)) || (self.wants && other.holds)
    }
}

const fn keeps(row: &Row) -> bool {
    row.rate.parts() >= Share::WHOLE.parts() / HELD_PART
}

const fn wants(row: &Row) -> bool {
    row.demand.sparse > 0
}

/// Whether one that nobody asked for the key until now is asked.
pub(super) fn begins_to_want(before: Option<&Heard>, row: &Row) -> bool {
    wants(row) && before.is_none_or(|heard| !wants(&heard.row))
}

impl Node {
    /// Who should hear of this node's row of a key at once. All should of the first one, of another
    /// part than they know it in, and of a key that nobody asks for, where little happens.
    pub(super) fn audience(
        &self,
        entry: &Entry,
        constants: &Constants,
        row: &Row,
        now: Nanos,
    ) -> Audience {
        let turns = |sent: &Row| wants(sent) != wants(row) || keeps(sent) != keeps(row);
        let small = constants.others.len() < MEMBERS_ALL_KEEP;
        if small || entry.sent.as_ref().is_none_or(turns) {
            return Audience::Everybody;
        }
        let wanted = wants(row) || entry.rows.iter().any(|heard| wants(&heard.row));
        if !wanted {
            return Audience::Everybody;
        }
        let pace = &self.table.policy(entry.limit).pace;
        let part = |heard: &Heard| Part::of(&heard.row, heard.level_at(now, pace), pace);
        let own = Part::of(row, row.level(), pace);
        let concerned = constants.others.iter().filter(|other| {
            let heard = entry.rows.of(other.node);
            own.concerns(heard.map_or(Part::quiet(other.base), part))
        });
        Audience::Only(concerned.map(|other| other.node).collect())
    }

    /// Sees to it that those hear with the next tick of what was written up to `seq`.
    pub(super) fn press(&mut self, audience: &Audience, seq: u64) {
        match audience {
            Audience::Everybody => {
                let peers = self.peers.values_mut();
                peers.for_each(|peer| peer.pressing = seq);
            }
            Audience::Only(nodes) => {
                for node in nodes {
                    if let Some(peer) = self.peers.get_mut(node) {
                        peer.pressing = seq;
                    }
                }
            }
        }
    }

    /// How long a peer may take to acknowledge rows before they are sent again.
    pub(super) fn rows_patience_ns(&self, peer: &Peer) -> u64 {
        let unhurried_ticks = match peer.is_pressed() {
            true => 0,
            false => UNHURRIED_TICKS,
        };
        self.config.ticks_ns(ROWS_RETRY_TICKS + unhurried_ticks)
    }

    /// Whether a peer should hear something now: rows that press or have waited, or an
    /// acknowledgement that has.
    pub(super) fn should_hear(&self, peer: &Peer, now: Nanos) -> bool {
        let waited =
            |at: Nanos| now.0.saturating_sub(at.0) >= self.config.ticks_ns(UNHURRIED_TICKS);
        let owed = peer.owed_by.is_some_and(|by| now >= by);
        owed || peer.told_at.is_none_or(waited) || peer.progress.reached() < peer.pressing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: Part = Part {
        holds: true,
        wants: false,
    };
    const ASKER: Part = Part {
        holds: false,
        wants: true,
    };
    const BYSTANDER: Part = Part {
        holds: false,
        wants: false,
    };

    /// Who is told soon must acknowledge soon, or the teller repeats itself.
    #[test]
    fn holders_and_askers_concern_each_other_alike() {
        for one in [HOLDER, ASKER, BYSTANDER] {
            for other in [HOLDER, ASKER, BYSTANDER] {
                assert_eq!(one.concerns(other), other.concerns(one));
                let strangers = one == BYSTANDER || other == BYSTANDER;
                let both_ask = one == ASKER && other == ASKER;
                assert_eq!(one.concerns(other), !strangers && !both_ask);
            }
        }
        assert!(Part::quiet(Share::WHOLE).concerns(ASKER));
        assert!(!Part::quiet(Share::NONE).concerns(ASKER));
    }
}
