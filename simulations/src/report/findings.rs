//! What failed, with the smallest world that still shows it.

use distributary_report::{Block, Finding, Section, Standing, Text};

use super::{Evidence, Setting, claims};
use crate::shrink::Witness;

/// A finding for each claim that is false.
pub(super) fn findings(evidence: &Evidence) -> Section {
    let mut blocks: Vec<Block> = Vec::new();
    let shrunk = evidence.witnesses.iter();
    blocks.extend(shrunk.map(|(seed, witness)| Block::Finding(of_witness(*seed, witness))));
    blocks.extend(
        evidence
            .settings
            .iter()
            .filter(|setting| setting.rank == 2)
            .map(|setting| {
                let text = setting.panicked.clone().unwrap_or_else(|| above(setting));
                Block::Finding(Finding {
                    title: format!("five nodes, a cut of 20 s, {}", setting.name),
                    standing: Standing::Fail,
                    text: Text::plain(text),
                    timeline: Vec::new(),
                    command: None,
                })
            }),
    );
    if blocks.is_empty() {
        blocks.push(Block::text(nothing(evidence)));
    }
    let told = evidence.witnesses.len();
    let losses = evidence.swarm.losses.len();
    if losses > told {
        let seeds = evidence.swarm.losses.iter().take(20);
        let seeds: Vec<String> = seeds
            .map(|loss| format!("{} ({})", loss.seed, loss.checker))
            .collect();
        let all = format!("{losses} failures in all, by seed: {}.", seeds.join(", "));
        blocks.push(Block::text(all));
    }
    Section::new("Findings", blocks)
}

fn above(setting: &Setting) -> String {
    format!(
        "{} units above C + r·T with {} groups.",
        setting.overshoot_units, setting.groups
    )
}

fn nothing(evidence: &Evidence) -> String {
    format!(
        "No claim was found false in {} drawn worlds and {} runs of known ones. A finding would \
         stand here with the smallest world that shows it and a timeline of at most fifteen lines.",
        evidence.swarm.runs, evidence.runs
    )
}

fn measured(finding: &crate::Finding) -> String {
    let (excess, part) = finding.excess();
    let unit = &finding.unit;
    let beyond = format!(
        "Measured {:.3} {unit} against {:.3}: {excess:.3} beyond it",
        finding.measured, finding.bound
    );
    match finding.bound == 0.0 {
        true => format!("{beyond}."),
        false => format!("{beyond}, {:.2} % of the bound.", part * 100.0),
    }
}

fn of_witness(seed: u64, witness: &Witness) -> Finding {
    let (_, claim) = claims::known(&witness.checker);
    let finding = &witness.finding;
    let size = format!("{} ", measured(finding));
    let world = format!(
        "Made small in {} runs: {} nodes, {} faults, {} s.",
        witness.runs,
        witness.scenario.cluster.nodes,
        witness.scenario.faults.len(),
        witness.scenario.duration_ms / 1000
    );
    Finding {
        title: format!("{} (seed {seed}): not true that {claim}", witness.checker),
        standing: Standing::Fail,
        text: Text::plain(format!("{}. ", finding.text.trim_end_matches('.')))
            .and(size)
            .and(world),
        timeline: finding.timeline.clone(),
        command: Some(claims::replay(seed)),
    }
}
