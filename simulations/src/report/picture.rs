//! A scenario's faults as lanes: the network, and every place that something happens to.

use std::collections::BTreeMap;

use distributary_report::{Lane, Mark, Shade};

use crate::Scenario;
use crate::scenario::FaultKind;

/// Most lanes; more places than that are left out.
const LANES_MAX: usize = 16;

/// Lanes from the network over the places to the phases.
pub(super) fn lanes(scenario: &Scenario) -> Vec<Lane> {
    let mut drawing = Drawing::default();
    let mut joined = scenario.cluster.nodes;
    for fault in &scenario.faults {
        let at_s = fault.at_ms as f64 / 1e3;
        drawing.fault(at_s, &fault.kind, &mut joined);
    }
    let end_s = scenario.duration_ms as f64 / 1e3;
    let healed_s = end_s + scenario.heal_ms as f64 / 1e3;
    drawing.end(end_s);
    let mut lanes: Vec<Lane> = drawing.network.into_iter().collect();
    lanes.extend(drawing.places.into_values());
    lanes.truncate(LANES_MAX);
    lanes.push(Lane {
        name: "phase".to_owned(),
        shades: vec![
            shade(0.0, end_s, "requests and faults"),
            shade(end_s, healed_s, "healed"),
        ],
        marks: Vec::new(),
        is_calm: true,
    });
    lanes
}

/// What a fault of the network is, in a few words.
pub(super) fn cut(kind: &FaultKind) -> Option<String> {
    Some(match kind {
        FaultKind::Partition(groups) => {
            let names = groups.iter().map(|group| places(group));
            format!("cut {}", names.collect::<Vec<_>>().join(" | "))
        }
        FaultKind::CutOneWay(from, to) => format!("cut {} → {}", places(from), places(to)),
        FaultKind::Clog(from, to) => format!("clog {} → {}", places(from), places(to)),
        FaultKind::Network(quality) => format!(
            "{}–{} ms, {} % lost",
            quality.delay_us_min / 1000,
            quality.delay_us_max / 1000,
            quality.loss_milli / 10
        ),
        _ => return None,
    })
}

fn places(places: &[usize]) -> String {
    let names: Vec<String> = places.iter().map(usize::to_string).collect();
    names.join(" ")
}

fn shade(from: f64, to: f64, label: impl Into<String>) -> Shade {
    Shade {
        from,
        to,
        label: label.into(),
    }
}

#[derive(Default)]
struct Drawing {
    network: Option<Lane>,
    places: BTreeMap<usize, Lane>,
    /// Since when a cut or clog lasts.
    cuts: Vec<(f64, String)>,
    /// Since when a process is down or stands still.
    stopped: BTreeMap<usize, (f64, &'static str)>,
}

impl Drawing {
    fn fault(&mut self, at_s: f64, kind: &FaultKind, joined: &mut usize) {
        if let Some(label) = cut(kind) {
            return self.cuts.push((at_s, label));
        }
        match kind {
            FaultKind::Heal => self.heal(at_s),
            FaultKind::Crash(place) => self.stop(*place, at_s, "down"),
            FaultKind::Pause(place) => self.stop(*place, at_s, "paused"),
            FaultKind::Restart(place) | FaultKind::Resume(place) => self.go_on(*place, at_s),
            FaultKind::Join => {
                self.mark(*joined, at_s, "joins".to_owned());
                *joined += 1;
            }
            FaultKind::Leave(place) => self.mark(*place, at_s, "leaves".to_owned()),
            FaultKind::Forget(place) => self.mark(*place, at_s, "given up".to_owned()),
            FaultKind::ClockRate(place, ppm) => {
                self.mark(*place, at_s, format!("clock {:+.2} %", *ppm as f64 / 1e4));
            }
            FaultKind::ClockStep(place, ms) => {
                self.mark(*place, at_s, format!("clock jumps {ms} ms"));
            }
            FaultKind::ClockFreeze(place, ms) => {
                let to_s = at_s + *ms as f64 / 1e3;
                let lasting = shade(at_s, to_s, "clock stands still");
                self.place(*place).shades.push(lasting);
            }
            FaultKind::Partition(_)
            | FaultKind::CutOneWay(..)
            | FaultKind::Clog(..)
            | FaultKind::Network(_) => {}
        }
    }

    fn place(&mut self, place: usize) -> &mut Lane {
        self.places.entry(place).or_insert_with(|| Lane {
            name: format!("place {place}"),
            ..Lane::default()
        })
    }

    fn mark(&mut self, place: usize, at: f64, label: String) {
        self.place(place).marks.push(Mark { at, label });
    }

    fn stop(&mut self, place: usize, at_s: f64, how: &'static str) {
        self.go_on(place, at_s);
        self.stopped.insert(place, (at_s, how));
    }

    fn go_on(&mut self, place: usize, at_s: f64) {
        if let Some((since_s, how)) = self.stopped.remove(&place) {
            self.place(place).shades.push(shade(since_s, at_s, how));
        }
    }

    fn heal(&mut self, at_s: f64) {
        let cuts = std::mem::take(&mut self.cuts);
        let lane = self.network.get_or_insert_with(|| Lane {
            name: "network".to_owned(),
            ..Lane::default()
        });
        // Several at once are one stretch to the next, so that their words do not overlap.
        for (index, (since_s, label)) in cuts.iter().enumerate() {
            let to_s = cuts.get(index + 1).map_or(at_s, |(next_s, _)| *next_s);
            lane.shades.push(shade(*since_s, to_s, label.as_str()));
        }
    }

    fn end(&mut self, end_s: f64) {
        self.heal(end_s);
        let stopped: Vec<usize> = self.stopped.keys().copied().collect();
        stopped
            .into_iter()
            .for_each(|place| self.go_on(place, end_s));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, plain};

    #[test]
    fn what_lasts_is_drawn_from_its_start_to_its_end() {
        let mut scenario = plain();
        scenario.duration_ms = 60_000;
        scenario.faults = vec![
            fault(1_000, FaultKind::Partition(vec![vec![0, 1], vec![2]])),
            fault(2_000, FaultKind::Crash(2)),
            fault(5_000, FaultKind::Heal),
            fault(6_000, FaultKind::Restart(2)),
            fault(7_000, FaultKind::Pause(1)),
            fault(8_000, FaultKind::Join),
        ];
        let lanes = lanes(&scenario);
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        let newcomer = format!("place {}", scenario.cluster.nodes);
        assert_eq!(names, ["network", "place 1", "place 2", &newcomer, "phase"]);
        assert_eq!(lanes[0].shades, [shade(1.0, 5.0, "cut 0 1 | 2")]);
        assert_eq!(lanes[1].shades, [shade(7.0, 60.0, "paused")]);
        assert_eq!(lanes[2].shades, [shade(2.0, 6.0, "down")]);
        assert_eq!(lanes[3].marks[0].label, "joins");
    }

    #[test]
    fn drawn_worlds_can_all_be_shown() {
        for seed in 0..60 {
            let scenario = crate::swarm::draw(seed);
            let lanes = lanes(&scenario);
            assert!(lanes.len() > 1, "seed {seed} shows no fault");
            let lasting = lanes.iter().flat_map(|lane| &lane.shades);
            assert!(
                lasting.into_iter().all(|shade| shade.from <= shade.to),
                "seed {seed}"
            );
        }
    }
}
