//! What all nodes together hold of the keys that are watched.

use distributary::Share;
use distributary::proto::{Amount, Grant, Heard, KeyId};

use super::World;
use super::process::{LIMIT, Process};
use crate::history::{Holdings, Part, What};

/// Units are told in parts of 2⁻²⁰.
const UNIT_PARTS: u128 = 1 << 20;

/// A life, or a life and whose row it has heard; the row's number; P; N.
type Counters = (u64, u64, u64, u64);

impl World<'_> {
    /// Notes how each watched key stands: what may be admitted of it, and if it is contended anywhere
    /// what is held of it.
    pub(super) fn sample_holdings(&mut self) {
        if self.now_ns < self.zero_ns {
            return;
        }
        for number in 0..self.watch.keys.len() {
            let is_contended = |process| {
                let of: &Process = &self.processes[process];
                of.contended[number].opened_at.is_some()
            };
            let contended = self.living().any(is_contended);
            self.note_room(self.watch.keys[number]);
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
            self.note_room(name);
            self.note_holdings(name, Vec::new());
        }
    }

    fn note_holdings(&mut self, name: u32, counters: Vec<Counters>) {
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

    /// What the living may admit of a key by their own rights, quiet or not.
    fn note_room(&mut self, name: u32) {
        let burst_units = self.scenario.cluster.burst_units as f64;
        let rooms = self.living().map(|process| {
            let of = &self.processes[process];
            let key = self.keys[name as usize];
            let peek = of.table.peek(LIMIT, key, of.local(self.now_ns));
            let rights = (peek.share.parts() as f64) + (peek.overdraft.parts() as f64);
            let holds = rights / Share::WHOLE.parts() as f64 * burst_units;
            ((holds - peek.level_units) * UNIT_PARTS as f64).max(0.0) as u64
        });
        let parts = rooms.sum();
        self.note(What::Room { key: name, parts });
    }

    fn whole_parts(&self, part: Part) -> u64 {
        let whole = u128::from(Share::WHOLE.parts());
        let milli = match part {
            Part::Burst | Part::Rate => 1_000,
            Part::Overdraft => u128::from(self.scenario.cluster.overshoot_milli),
        };
        u64::try_from((whole * milli).div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    fn counters(&self, number: usize, key: KeyId) -> Vec<Counters> {
        let living = self.living();
        living
            .flat_map(|process| self.counters_at(process, number, key))
            .collect()
    }

    /// A node's own counters of a key, and the number of each row that it has heard of it. A key that
    /// was forgotten and is contended again begins to count anew: as another life; so do rows once one
    /// was forgotten, as an older one may come from elsewhere then.
    fn counters_at(&self, process: usize, number: usize, key: KeyId) -> Vec<Counters> {
        let of = &self.processes[process];
        let seen = of.contended[number];
        let life = of.id.0.wrapping_add(seen.ceased);
        let memory = life.wrapping_add(seen.forgotten << 32);
        let seq = of.node.rows_seq_own();
        let counters = of.table.with_contended(key, |entry, _| {
            let account = &entry.account;
            let own = (life, seq, units(account.filled()), units(account.emptied()));
            let heard =
                |heard: &Heard| (memory ^ heard.origin.0.rotate_left(1), heard.row.seq, 0, 0);
            entry.rows.iter().map(heard).chain([own]).collect()
        });
        counters.unwrap_or_default()
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

    /// A node has had an input: which watched keys has it made quiet, of which has it forgotten rows?
    pub(super) fn saw_contention(&mut self, process: usize) {
        for (number, name) in self.watch.keys.iter().enumerate() {
            let key = self.keys[*name as usize];
            let of = &mut self.processes[process];
            let now = of.table.with_contended(key, |entry, _| {
                (entry.opened_at(), entry.rows.iter().count())
            });
            let seen = &mut of.contended[number];
            let (opened_at, rows) = now.unzip();
            seen.ceased += u64::from(seen.opened_at.is_some() && seen.opened_at != opened_at);
            seen.opened_at = opened_at;
            let rows = rows.unwrap_or(0);
            seen.forgotten += u64::from(rows < seen.rows);
            seen.rows = rows;
        }
    }
}

fn units(amount: Amount) -> u64 {
    let part = Amount::from_units(1).grains() / UNIT_PARTS;
    u64::try_from(amount.grains() / part).unwrap_or(u64::MAX)
}
