//! Nothing grows without bound: each resource has a limit, and no run goes beyond it.

use crate::history::{Resources, Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Frames that may wait at one node to be sent: what it owes to 64 peers in a tick, and the answers
/// to as many questions as may wait.
const OUTPUTS_MAX: u64 = 65_536;
/// Grants that may wait for one peer's acknowledgement: its own, and as many that it passes on for
/// want of room.
const GRANTS_MAX: u64 = 2_048;
/// Bytes of a frame.
const FRAME_BYTES_MAX: u64 = 1 << 20;
/// Peers that one node may remember: members and those who left lately.
const PEERS_MAX: u64 = 1_024;

/// Bounded resources.
pub struct Bounded;

impl Checker for Bounded {
    fn name(&self) -> &'static str {
        "resources"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let looks = run.notes.iter().filter_map(|note| match &note.what {
            What::Resources(seen) => Some((note.at_ns, seen)),
            _ => None,
        });
        let uses = looks.flat_map(|(at_ns, seen)| {
            limits(scenario, seen).map(|(name, used, limit)| (at_ns, name, used, limit))
        });
        let part = |used: u64, limit: u64| used as f64 / limit as f64;
        let tightest = uses.max_by(|a, b| part(a.2, a.3).total_cmp(&part(b.2, b.3)));
        let Some((at_ns, name, used, limit)) = tightest else {
            return Verdict::Unknown("nobody looked at queues and tables".to_owned());
        };
        let finding = Finding {
            text: format!("nearest to its limit: {used} {name} of {limit}"),
            measured: used as f64,
            bound: limit as f64,
            unit: name.to_owned(),
            slack: limit as f64 - used as f64,
            at_ns,
            timeline: Vec::new(),
        };
        if used > limit {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

/// Keys that a table takes of views at least, by the library's own word.
const KEYS_OF_VIEWS_MIN: u64 = 4096;

/// Most keys of one table. A view may bring as many again: it lists what all its members hold.
fn keys_max(scenario: &Scenario) -> u64 {
    let usual = scenario.cluster.keys_max.max(1) as u64;
    match scenario.faults.is_empty() {
        true => usual,
        false => (usual * 2).max(KEYS_OF_VIEWS_MIN),
    }
}

fn limits(scenario: &Scenario, seen: &Resources) -> [(&'static str, u64, u64); 5] {
    [
        ("keys", seen.keys, keys_max(scenario)),
        ("outputs", seen.outputs, OUTPUTS_MAX),
        ("grants", seen.grants, GRANTS_MAX),
        ("bytes of a frame", seen.frame_bytes, FRAME_BYTES_MAX),
        ("peers", seen.peers, PEERS_MAX),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::plain;
    use crate::history::Note;

    #[test]
    fn one_more_than_the_limit_is_seen_for_each_resource() {
        let scenario = plain();
        let judged = |seen: Resources| {
            let notes = vec![Note {
                at_ns: 0,
                what: What::Resources(seen),
            }];
            Bounded
                .check(
                    &scenario,
                    &Run {
                        notes,
                        ..Run::default()
                    },
                )
                .rank()
        };
        let keys = scenario.cluster.keys_max as u64;
        let full = Resources {
            keys,
            outputs: OUTPUTS_MAX,
            grants: GRANTS_MAX,
            frame_bytes: FRAME_BYTES_MAX,
            peers: PEERS_MAX,
        };
        assert_eq!(judged(full), 0);
        assert_eq!(
            judged(Resources {
                keys: keys + 1,
                ..full
            }),
            2
        );
        assert_eq!(
            judged(Resources {
                outputs: OUTPUTS_MAX + 1,
                ..full
            }),
            2
        );
        assert_eq!(
            judged(Resources {
                grants: GRANTS_MAX + 1,
                ..full
            }),
            2
        );
        assert_eq!(
            judged(Resources {
                frame_bytes: FRAME_BYTES_MAX + 1,
                ..full
            }),
            2
        );
        assert_eq!(
            judged(Resources {
                peers: PEERS_MAX + 1,
                ..full
            }),
            2
        );
        assert_eq!(Bounded.check(&scenario, &Run::default()).rank(), 1);
    }
}
