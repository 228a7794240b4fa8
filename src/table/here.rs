//! What is decided for the whole cluster without asking anybody.

use super::check::{self, Case};
use super::quiet::{self, Answer};
use super::shard::Shard;
use super::signals::Signal;
use super::slots::Said;
use super::{Ask, Table};
use crate::limit::Decision;
use crate::units::{Amount, Nanos, Share};

/// A gathered key stays gathered for so many ticks after the protocol was last asked for it.
pub const KEEP_TICKS: u32 = 50;

/// Beyond this part of that time the protocol is asked again, so that the key stays.
const FRESH_PART: u64 = 2;

impl Table {
    /// Admits a request where all that the cluster has of its key lies here and stays here: one short lock,
    /// and exactly what one bucket would say. `None`, with nothing changed, if somebody else may have a part
    /// in it, if what was gathered is to go home soon, or if it would be refused: the protocol decides then.
    #[must_use]
    pub fn acquire_here(&self, ask: Ask, now: Nanos) -> Option<Decision> {
        let case = self.case(ask, now, true);
        let mut signal = Signal::Silent;
        let decision = acquire(&mut self.shard(ask.key).lock(), case, &mut signal);
        self.signals.raise(ask.key, signal);
        decision
    }
}

fn acquire(shard: &mut Shard, case: Case<'_>, signal: &mut Signal) -> Option<Decision> {
    if case.ask.cost_units == 0 {
        return None;
    }
    let found = shard.slots.find(case.ask.key);
    if let Some((_, Said::Contended(number))) = found {
        return acquire_gathered(shard, number, case, signal);
    }
    let (at, said) = found.unzip();
    let (answer, drains, view) = quiet::answer(shard, case, said)?;
    let whole = shard.constants(case.ask.limit).base() == Share::WHOLE;
    (whole && answer == Answer::Charged).then(|| quiet::charge(shard, case, &view, (at, drains)))
}

/// Of a contended key that was gathered here.
fn acquire_gathered(
    shard: &mut Shard,
    number: usize,
    case: Case<'_>,
    signal: &mut Signal,
) -> Option<Decision> {
    let (node, now, cost_units) = (shard.node, case.now, case.ask.cost_units);
    let keep_ns = case.config.tick_ns * u64::from(KEEP_TICKS);
    let (entry, _) = shard.entry(number)?;
    if !entry.account.is_whole()
        || entry.gathered_until.0 <= now.0.saturating_add(keep_ns / FRESH_PART)
    {
        return None;
    }
    entry.drain(&case.policy.pace, now);
    if entry.account.balance(&case.policy.pace) < Amount::from_units(cost_units) {
        return None;
    }
    entry.note_asked(node, cost_units, now);
    // Nobody else has anything of it: there is nothing to want from them.
    let case = Case {
        wants: false,
        ..case
    };
    Some(check::check_contended(shard, case, number, signal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limit;
    use crate::table::fixture::{self, LIMIT, NOW, TICK_NS};
    use crate::units::{KeyId, NodeId};

    const KEY: KeyId = KeyId(3);
    const KEEP_NS: u64 = TICK_NS * KEEP_TICKS as u64;

    fn table(base: Share) -> Table {
        fixture::table(Limit::per_second(1).burst(10), base)
    }

    fn acquire(table: &Table, cost_units: u64, now: Nanos) -> Option<bool> {
        let ask = Ask {
            limit: LIMIT,
            key: KEY,
            cost_units,
        };
        let decision = table.acquire_here(ask, now);
        decision.map(|decision| decision.is_allowed())
    }

    fn level(table: &Table) -> f64 {
        table.peek(LIMIT, KEY, NOW).level_units
    }

    #[test]
    fn who_is_the_whole_cluster_admits_what_is_quiet() {
        let table = table(Share::WHOLE);
        assert_eq!(acquire(&table, 2, NOW), Some(true));
        assert_eq!(
            (acquire(&table, 0, NOW), acquire(&table, 11, NOW)),
            (None, None)
        );
        assert_eq!(level(&table), 2.0);
        // It would be contended.
        assert_eq!(acquire(&table, 4, NOW), None);
        assert_eq!(level(&table), 2.0);
    }

    #[test]
    fn who_holds_a_part_asks() {
        let table = table(Share::WHOLE.portion(1, 2));
        assert_eq!(acquire(&table, 1, NOW), None);
        table.with_entry(LIMIT, KEY, NOW, |entry, _| {
            entry.gathered_until = Nanos(NOW.0 + KEEP_NS);
        });
        assert_eq!(acquire(&table, 1, NOW), None);
        assert_eq!((level(&table), table.counters().refused), (0.0, 0));
    }

    #[test]
    fn what_was_gathered_is_decided_here_while_it_stays() {
        let table = table(Share::WHOLE);
        table.with_entry(LIMIT, KEY, NOW, |_, _| ());
        assert_eq!(acquire(&table, 1, NOW), None, "it was not gathered");
        table.with_entry(LIMIT, KEY, NOW, |entry, _| {
            entry.gathered_until = Nanos(NOW.0 + KEEP_NS);
        });
        assert_eq!(acquire(&table, 8, NOW), Some(true));
        assert_eq!(acquire(&table, 3, NOW), None, "it would be refused");
        assert_eq!((level(&table), table.counters().refused), (8.0, 0));
        let later = Nanos(NOW.0 + KEEP_NS / 2);
        assert_eq!(acquire(&table, 1, Nanos(later.0 - 1)), Some(true));
        assert_eq!(acquire(&table, 1, later), None, "it is to go home soon");
        let asked = table.with_contended(KEY, |entry, _| entry.asked_by.clone());
        assert_eq!(asked, Some(vec![(NodeId(1), 9)]));
    }
}
