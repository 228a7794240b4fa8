//! Who counts with whom, who is thought dead, and whether all agree again.

use std::collections::BTreeSet;

use distributary::proto::{Amount, KeyId, Merged, Nanos, NodeId, Row, ViewId};

use super::marks::Mark;
use super::process::{Process, limit};
use super::{MILLI_NS, World};
use crate::checker::{MEMBERS_ALL_HEAR, TICKS_MAX, TICKS_UNHURRIED};
use crate::history::What;

/// How often a node's failure detector is asked what it thinks.
const LOOK_AROUND_NS: u64 = 50 * MILLI_NS;

/// A row that was not told again is forgotten after so many ticks, less what it took to arrive.
const ROW_LIFE_TICKS: u64 = 160;

impl World<'_> {
    /// A node has had an input: does it count with others than before?
    pub(super) fn saw_standpoint(&mut self, process: usize) {
        let now = self.processes[process].standpoint_now();
        if now != self.processes[process].standpoint {
            self.processes[process].standpoint = now;
            self.count_groups();
            self.sample_unasked();
        }
    }

    pub(super) fn view_complete(&mut self, process: usize, id: ViewId) {
        let of = &self.processes[process];
        let Some(view) = of.node.ledger().complete().filter(|view| view.id == id) else {
            return;
        };
        let (place, members) = (of.place as u32, view.members.len() as u32);
        self.marks.hit(Mark::ViewCompleted);
        if !view.evicted.is_empty() {
            self.marks.hit(Mark::Evicted);
        }
        if view.is_founding() && self.watch.foundings.insert(id) && self.watch.foundings.len() > 1 {
            self.marks.hit(Mark::FoundedAnew);
            self.note(What::Founded);
        }
        if self.is_cut() {
            self.marks.hit(Mark::ViewInPartition);
        }
        if self.living().any(|other| !self.processes[other].runs()) {
            self.marks.hit(Mark::ViewInPause);
        }
        self.note(What::ViewComplete {
            place,
            view: id.number,
            members,
        });
        self.watch.view_completed = true;
        self.note_holding(process);
    }

    fn note_holding(&mut self, process: usize) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        if of.node.ledger().weight().is_none() || std::mem::replace(&mut of.has_held, true) {
            return;
        }
        let (place, after_ns) = (of.place as u32, now_ns - of.life_began_ns);
        self.note(What::Holding { place, after_ns });
    }

    /// Whether anything is cut between any two places.
    pub(super) fn is_cut(&self) -> bool {
        let places = 0..self.places.len();
        let mut pairs = places
            .clone()
            .flat_map(|from| places.clone().map(move |to| (from, to)));
        pairs.any(|(from, to)| !self.network.passes(from, to))
    }

    // --- Groups ---

    /// κ: groups of living nodes that hold something and count with each other.
    pub(super) fn count_groups(&mut self) {
        let ledger = |process: usize| self.processes[process].node.ledger();
        let holds = |process: &usize| !ledger(*process).weight().is_none();
        let mut holders: Vec<usize> = self.living().filter(holds).collect();
        let era = |process: usize| ledger(process).era().map(|id| id.number);
        let alike = |one: usize, other: usize| ledger(one).counts_with(ledger(other));
        // Who has opened for the era of another and not followed it yet is with either side, and is
        // counted with the newer, if that one is counted: who lags behind a node that lags itself may
        // have been given up by those whom that node follows.
        let mut rest: Vec<usize> = Vec::new();
        holders.sort_by_key(|one| std::cmp::Reverse(era(*one)));
        for one in holders {
            let leads = |other: &usize| era(*other) > era(one) && alike(one, *other);
            if !rest.iter().any(leads) {
                rest.push(one);
            }
        }
        let mut count = 0;
        while let Some(first) = rest.pop() {
            count += 1;
            let mut frontier = vec![first];
            while let Some(one) = frontier.pop() {
                frontier.extend(rest.extract_if(.., |other| alike(one, *other)));
            }
        }
        let count = count.max(1);
        if count > 1 {
            self.marks.hit(Mark::CountedApart);
        }
        if std::mem::replace(&mut self.watch.groups, count) != count {
            self.note(What::Groups(count));
        }
    }

    // --- Suspicion ---

    /// Compares what a node's failure detector thinks with what it thought.
    pub(super) fn look_around(&mut self, process: usize) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        if now_ns < of.looked_ns + LOOK_AROUND_NS {
            return;
        }
        of.looked_ns = now_ns;
        let by = of.place as u32;
        let mut changed = Vec::new();
        for (peer, _, _, reachable) in of.node.peers() {
            match of.thought.get_mut(&peer) {
                Some(thought) if *thought == reachable => {}
                Some(thought) => {
                    *thought = reachable;
                    changed.push((peer, reachable));
                }
                None if reachable => {
                    of.thought.insert(peer, true);
                }
                None => {}
            }
        }
        for (peer, alive) in changed {
            let Some(other) = self.by_id.get(&peer).map(|other| &self.processes[*other]) else {
                continue;
            };
            let (of, runs) = (other.place as u32, other.runs() && other.id == peer);
            self.note(What::Suspected {
                by,
                of,
                alive,
                runs,
            });
        }
    }

    // --- Convergence ---

    /// What keeps the living from agreeing: their views, rows or merged views of contended keys.
    pub(super) fn differences(&self) -> Option<String> {
        let living: Vec<&Process> = self
            .living()
            .map(|process| &self.processes[process])
            .collect();
        if living.is_empty() {
            return Some("nobody lives".to_owned());
        }
        if let Some(why) = views_differ(&living) {
            return Some(why);
        }
        let contended = living.iter().flat_map(|of| of.table.contended_keys());
        let contended: BTreeSet<KeyId> = contended.collect();
        contended
            .into_iter()
            .find_map(|key| self.key_differs(&living, key))
    }

    fn key_differs(&self, living: &[&Process], key: KeyId) -> Option<String> {
        let holders: Vec<Told> = living.iter().filter_map(|of| self.told(of, key)).collect();
        let on_its_way_ns = self.on_its_way_ns(living.len());
        let row_life_ns = ROW_LIFE_TICKS * self.scenario.cluster.tick_ms * MILLI_NS;
        for origin in &holders {
            let Some(sent) = origin.sent.filter(|_| origin.age_ns >= on_its_way_ns) else {
                continue;
            };
            for other in holders.iter().filter(|other| other.id != origin.id) {
                let heard = other.rows.iter().find(|came| came.from == origin.id);
                let same = |came: &Came| came.says(&sent) || Some(came.row) == origin.written;
                // A row that says what is reckoned of the silent is not told again, and forgotten in time.
                let is_forgotten = origin.is_at_base && origin.true_age_ns >= row_life_ns;
                if !heard.map_or(is_forgotten, same) {
                    let (of, at) = (origin.place, other.place);
                    return Some(format!(
                        "place {at} lacks the row of place {of} of key {key}"
                    ));
                }
            }
        }
        if holders.iter().any(|told| told.age_ns < on_its_way_ns) {
            return None;
        }
        let spread = holders
            .iter()
            .filter_map(|told| told.spread(&holders))
            .max()?;
        (spread > self.tolerance(latest_ns(&holders))).then(|| {
            let units = spread.as_units();
            format!("merged views of key {key} are {units} units apart")
        })
    }

    /// For how long a row that was told may be on its way: of many keys whose shares still move there is
    /// always one. In large clusters who is not concerned hears it when there is time.
    const fn on_its_way_ns(&self, members: usize) -> u64 {
        match members > MEMBERS_ALL_HEAR {
            true => TICKS_UNHURRIED * self.scenario.cluster.tick_ms * MILLI_NS,
            false => TICKS_MAX * self.scenario.cluster.tick_ms * MILLI_NS,
        }
    }

    /// Merged views rest on rows of a moment ago, and buckets drain meanwhile: two ticks' worth,
    /// and a unit. What came late is reckoned from when it came, until it is told again.
    fn tolerance(&self, latest_ns: u64) -> Amount {
        let rate = limit(&self.scenario.cluster).rate();
        let span_ns = u128::from(2 * self.scenario.cluster.tick_ms * MILLI_NS + latest_ns);
        let units = u128::from(rate.units()) * span_ns / u128::from(rate.period_ns());
        Amount::from_units(units as u64 + 1)
    }

    fn told(&self, of: &Process, key: KeyId) -> Option<Told> {
        let now = of.local(self.now_ns);
        let pace = of.table.policies()[0].pace;
        let true_age_ns = |at: Nanos| self.now_ns.saturating_sub(of.clock.true_ns(at.0));
        of.table.with_contended(key, |entry, constants| Told {
            id: of.id,
            place: of.place,
            sent: entry.sent,
            written: of.node.row_written(key).copied(),
            age_ns: now.0.saturating_sub(entry.sent_at.0),
            true_age_ns: true_age_ns(entry.sent_at),
            is_at_base: entry.sent.is_some_and(|row| {
                (row.share, row.rate, row.unmet) == (constants.base(), constants.base(), false)
            }),
            rows: entry
                .rows
                .iter()
                .map(|heard| Came {
                    from: heard.origin,
                    row: heard.row,
                    true_age_ns: true_age_ns(heard.at),
                })
                .collect(),
            merged: entry.merged(&constants.others, &pace, now),
        })
    }
}

/// What one node has told of a key, and heard.
struct Told {
    id: NodeId,
    place: usize,
    sent: Option<Row>,
    /// The newest row that it has written: one told out of turn may be newer, and then all hear that.
    written: Option<Row>,
    /// How long ago it last told it, by its clock.
    age_ns: u64,
    /// The same by a clock that never stood still, as those have who heard it.
    true_age_ns: u64,
    /// Whether that row says that it holds what it did in the beginning, and wants nothing.
    is_at_base: bool,
    rows: Vec<Came>,
    merged: Merged,
}

/// A row that a node has heard.
struct Came {
    from: NodeId,
    row: Row,
    /// How long ago, by a clock that never stood still.
    true_age_ns: u64,
}

impl Came {
    /// Whether it says what its origin told last. A row is numbered when it is sent: what it says is
    /// compared, not its number.
    fn says(&self, sent: &Row) -> bool {
        let seq = sent.seq;
        Row { seq, ..self.row } == *sent
    }
}

/// How much later than it was told a row came, at most.
fn latest_ns(holders: &[Told]) -> u64 {
    let of = |came: &Came| holders.iter().find(|told| told.id == came.from);
    let late_ns = |came: &Came| {
        let told = of(came).filter(|told| told.sent.is_some_and(|sent| came.says(&sent)))?;
        Some(told.true_age_ns.saturating_sub(came.true_age_ns))
    };
    let rows = holders.iter().flat_map(|told| &told.rows);
    rows.filter_map(late_ns).max().unwrap_or(0)
}

impl Told {
    /// How far merged views are apart from this one that rest on rows of the same origins. A row that
    /// was not told again is forgotten where it was heard, sooner here than there: what a node reckons
    /// without it is not what another does with it, and neither is wrong. Rows that have to be kept
    /// are compared one by one.
    fn spread(&self, holders: &[Self]) -> Option<Amount> {
        let origins = |told: &Self| -> BTreeSet<NodeId> {
            let heard = told.rows.iter().map(|came| came.from);
            heard.chain([told.id]).collect()
        };
        let own = origins(self);
        let alike = holders.iter().filter(|other| origins(other) == own);
        let levels: Vec<Amount> = alike.map(|other| other.merged.level).collect();
        let least = *levels.iter().min()?;
        Some(levels.into_iter().max()?.saturating_sub(least))
    }
}

fn views_differ(living: &[&Process]) -> Option<String> {
    let view_of = |of: &&Process| of.node.ledger().complete().map(|view| view.id);
    let first = view_of(&living[0]);
    let odd = living
        .iter()
        .find(|of| view_of(of) != first || first.is_none());
    if let Some(of) = odd {
        let (place, view) = (of.place, view_of(of).map(|id| id.number));
        return Some(format!(
            "place {place} is in view {view:?}, not {:?}",
            first.map(|id| id.number)
        ));
    }
    let view = living[0].node.ledger().complete()?;
    let outside = living.iter().find(|of| !view.has(of.id))?;
    Some(format!("place {} is in no view", outside.place))
}
