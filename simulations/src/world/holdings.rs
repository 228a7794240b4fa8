//! What all nodes together hold of the keys that are watched.

use distributary::Share;
use distributary::proto::{Amount, Grant, KeyId};

use super::World;
use super::process::{LIMIT, Process};
use crate::history::{Holdings, Part, What};

/// Units are told in parts of 2⁻²⁰.
const UNIT_PARTS: u128 = 1 << 20;

impl World<'_> {
    /// Notes how each watched key stands that is contended anywhere.
    pub(super) fn sample_holdings(&mut self) {
        if self.now_ns < self.zero_ns {
            return;
        }
        for number in 0..self.watch.keys.len() {
            let is_contended = |process| {
                let of: &Process = &self.processes[process];
                of.contended[number].0
            };
            let contended = self.living().any(is_contended);
            let ended = std::mem::replace(&mut self.watch.was_contended[number], contended);
            if contended || ended {
                let name = self.watch.keys[number];
                let counters = self.counters(number, self.keys[name as usize]);
                self.note_holdings(name, counters);
            }
        }
        self.sample_unasked();
    }

    /// Notes how a key stands that nobody asks for: what nodes hold of all that are quiet everywhere.
    pub(super) fn sample_unasked(&mut self) {
        if self.now_ns >= self.zero_ns {
            let name = self.keys.len() as u32 - 1;
            self.note_holdings(name, Vec::new());
        }
    }

    fn note_holdings(&mut self, name: u32, counters: Vec<(u64, u64, u64, u64)>) {
        let parts = [Part::Burst, Part::Rate, Part::Overdraft];
        let [burst, rate, overdraft] = parts.map(|part| self.holdings(name, part));
        // The level's counters are told once.
        for held in [Holdings { counters, ..burst }, rate, overdraft] {
            self.note(What::Holdings(held));
        }
    }

    /// How a key's burst stands, or its rate, or its right of overdraft.
    fn holdings(&self, name: u32, part: Part) -> Holdings {
        let key = self.keys[name as usize];
        let held = self.living().map(|process| {
            let of = &self.processes[process];
            let peek = of.table.peek(LIMIT, key, of.local(self.now_ns));
            let held = match part {
                Part::Burst => peek.share,
                Part::Rate => peek.rate,
                Part::Overdraft => peek.overdraft,
            };
            held.parts()
        });
        let granted = |grant: &Grant| match part {
            Part::Burst => grant.share,
            Part::Rate => grant.rate,
            Part::Overdraft => grant.overdraft,
        };
        Holdings {
            key: name,
            of: part,
            held_parts: held.sum(),
            in_flight_parts: self.in_flight(key, granted),
            whole_parts: self.whole_parts(part),
            counters: Vec::new(),
        }
    }

    fn whole_parts(&self, part: Part) -> u64 {
        let whole = u128::from(Share::WHOLE.parts());
        let milli = match part {
            Part::Burst | Part::Rate => 1_000,
            Part::Overdraft => u128::from(self.scenario.cluster.overshoot_milli),
        };
        u64::try_from((whole * milli).div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    fn counters(&self, number: usize, key: KeyId) -> Vec<(u64, u64, u64, u64)> {
        let living = self.living();
        living
            .filter_map(|process| self.counters_at(process, number, key))
            .collect()
    }

    /// A key that was forgotten and is contended again begins to count anew: as another life.
    fn counters_at(
        &self,
        process: usize,
        number: usize,
        key: KeyId,
    ) -> Option<(u64, u64, u64, u64)> {
        let of = &self.processes[process];
        let (_, ceased) = of.contended[number];
        let life = of.id.0.wrapping_add(ceased);
        let seq = of.node.rows_seq_own();
        of.table.with_contended(key, |entry, _| {
            let account = &entry.account;
            (life, seq, units(account.filled()), units(account.emptied()))
        })
    }

    /// Granted, not applied yet, and not void: the receiver may still adopt the view it is of.
    fn in_flight(&self, key: KeyId, part: impl Fn(&Grant) -> Share) -> u64 {
        let mut sum = 0;
        for sender in self.living().map(|process| &self.processes[process]) {
            let view = sender.node.ledger().adopted_id();
            for (to, grant) in sender.node.grants_in_flight() {
                if grant.key != key {
                    continue;
                }
                let Some(receiver) = self.receiver(to) else {
                    continue;
                };
                let theirs = receiver.node.ledger().adopted_id();
                let applied =
                    theirs == view && receiver.node.grants_applied_of(sender.id) >= grant.number;
                let void = theirs.map(|id| id.number) > view.map(|id| id.number);
                if !applied && !void {
                    sum += part(grant).parts();
                }
            }
        }
        sum
    }

    fn receiver(&self, life: distributary::proto::NodeId) -> Option<&Process> {
        let process = &self.processes[*self.by_id.get(&life)?];
        (process.lives() && process.id == life).then_some(process)
    }

    /// A node has had an input: which watched keys has it made quiet?
    pub(super) fn saw_contention(&mut self, process: usize) {
        for (number, name) in self.watch.keys.iter().enumerate() {
            let key = self.keys[*name as usize];
            let of = &mut self.processes[process];
            let contended = of.table.with_contended(key, |_, _| ()).is_some();
            let (was, ceased) = &mut of.contended[number];
            *ceased += u64::from(*was && !contended);
            *was = contended;
        }
    }
}

fn units(amount: Amount) -> u64 {
    let part = Amount::from_units(1).grains() / UNIT_PARTS;
    u64::try_from(amount.grains() / part).unwrap_or(u64::MAX)
}
