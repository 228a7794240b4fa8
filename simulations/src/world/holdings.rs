//! What all nodes together hold of the keys that are watched.

use distributary::Share;
use distributary::proto::{Amount, Grant, KeyId};

use super::World;
use super::process::{LIMIT, Process};
use crate::history::{Holdings, What};

/// Units are told in parts of 2⁻²⁰.
const UNIT_BITS: u32 = 20;

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
                for rate in [false, true] {
                    let holdings = self.holdings(number, rate);
                    self.note(What::Holdings(holdings));
                }
            }
        }
    }

    /// How one watched key's burst stands, or its rate.
    fn holdings(&self, number: usize, rate: bool) -> Holdings {
        let name = self.watch.keys[number];
        let key = self.keys[name as usize];
        let held = self.living().map(|process| {
            let of = &self.processes[process];
            let peek = of.table.peek(LIMIT, key, of.local(self.now_ns));
            if rate { peek.rate } else { peek.share }.parts()
        });
        let part = |grant: &Grant| if rate { grant.rate } else { grant.share };
        let counters = || {
            let living = self.living();
            living.filter_map(|process| self.counters(process, number, key))
        };
        Holdings {
            key: name,
            rate,
            held_parts: held.sum(),
            in_flight_parts: self.in_flight(key, part),
            whole_parts: Share::WHOLE.parts(),
            // The level's counters are told once, with the burst.
            counters: if rate {
                Vec::new()
            } else {
                counters().collect()
            },
        }
    }

    /// A key that was forgotten and is contended again begins to count anew: as another life.
    fn counters(&self, process: usize, number: usize, key: KeyId) -> Option<(u64, u64, u64, u64)> {
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
    let shift = Amount::from_units(1).grains().trailing_zeros() - UNIT_BITS;
    u64::try_from(amount.grains() >> shift).unwrap_or(u64::MAX)
}
