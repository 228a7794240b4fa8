//! Where requests land, among the places that run.

use crate::dice::Dice;
use crate::scenario::{FaultKind, Placement, Scenario};

use super::Asked;

const MS_NS: u64 = 1_000_000;

/// Which places run from when on, as a scenario's faults have it.
pub(super) struct Running {
    /// By time, the first at 0.
    changes: Vec<(u64, Vec<u32>)>,
}

impl Running {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let nodes = u32::try_from(scenario.cluster.nodes).expect("nodes are few");
        let mut now: Vec<u32> = (0..nodes).collect();
        let mut places = nodes;
        let mut changes = vec![(0, now.clone())];
        for fault in &scenario.faults {
            match fault.kind {
                FaultKind::Crash(place) | FaultKind::Leave(place) => {
                    now.retain(|running| *running as usize != place);
                }
                FaultKind::Restart(place) => {
                    let place = u32::try_from(place).expect("places are few");
                    now.push(place);
                    now.sort_unstable();
                    now.dedup();
                }
                FaultKind::Join => {
                    now.push(places);
                    places += 1;
                }
                _ => continue,
            }
            changes.push((fault.at_ms * MS_NS, now.clone()));
        }
        Self { changes }
    }

    /// The places that run at an instant, in order.
    pub(super) fn at(&self, at_ns: u64) -> &[u32] {
        let later = self
            .changes
            .partition_point(|(from_ns, _)| *from_ns <= at_ns);
        &self.changes[later.max(1) - 1].1
    }
}

/// Chooses a place for each request in turn.
pub(super) struct Places {
    placement: Placement,
    running: Running,
    from_ns: u64,
    seed: u64,
    turn: u64,
    dice: Dice,
}

impl Places {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            placement: scenario.workload.placement,
            running: Running::of(scenario),
            from_ns: scenario.workload.from_ms * MS_NS,
            seed: scenario.seed,
            turn: 0,
            dice: Dice::split(scenario.seed, "workload places", 0),
        }
    }

    /// Where it lands; place 0 where nobody runs.
    pub(super) fn choose(&mut self, asked: &Asked) -> u32 {
        let running = self.running.at(asked.at_ns);
        let count = running.len() as u64;
        if count == 0 {
            return 0;
        }
        let dice = &mut self.dice;
        let index = match self.placement {
            Placement::Even => dice.within(0, count - 1),
            Placement::RoundRobin => {
                self.turn += 1;
                (self.turn - 1) % count
            }
            Placement::Skewed(_) if count == 1 => 0,
            Placement::Skewed(milli) if dice.is_milli(milli) => 0,
            Placement::Skewed(_) => dice.within(1, count - 1),
            Placement::Moving(every_ms) => {
                let passed_ns = asked.hot_ns.saturating_sub(self.from_ns);
                passed_ns / (every_ms * MS_NS).max(1) % count
            }
            Placement::Sticky => {
                Dice::split(self.seed, "workload homes", u64::from(asked.key)).within(0, count - 1)
            }
        };
        running[index as usize]
    }
}
