//! The answer: in short, for an operator, with its limits, and how to see it again.

use distributary_report::{Block, Cell, Column, Section, Standing, Table, Text};

use super::{Evidence, Partitioned, claims, standing};
use crate::tables::bars::OURS;

/// Who divides nothing and tells what it has spent: the usual way of limiters that gossip.
const GOSSIPING: &str = "merged";

/// In two paragraphs.
pub(super) fn summary(evidence: &Evidence) -> Vec<Text> {
    let swarm = &evidence.swarm;
    let run = format!(
        "{} drawn worlds with {} requests in {:.0} virtual seconds, and {} runs of known worlds, \
         against {} claims. ",
        swarm.runs,
        swarm.requests,
        evidence.virtual_s,
        evidence.runs,
        swarm.claims.len()
    );
    let injected = "Injected were loss, delay, duplication, reordering, cuts of all shapes, clogs, \
                    crashes, restarts, pauses, joins, leaves and clocks that drift, stop and jump. ";
    let worst = worst(evidence.ours());
    let partitions = format!(
        "Through partitions of up to {} s and on up to {} nodes, shares went at most {:.1} units \
         above C + r·T at ε = 0; {}.",
        evidence.plan.lengths_s.iter().max().unwrap_or(&0),
        evidence.plan.sizes.iter().max().unwrap_or(&0),
        worst.map_or(0.0, |run| run.overshoot_units),
        gossiping(evidence)
    );
    vec![
        Text::plain(run).and(injected).strong(verdict(evidence)),
        Text::plain(partitions),
    ]
}

fn verdict(evidence: &Evidence) -> String {
    let claims = &evidence.swarm.claims;
    let with = |rank| {
        let names = claims.iter().filter(move |(_, claim)| claim.rank() == rank);
        names.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    let (held, unknown, failed) = (with(0), with(1), with(2));
    let mut text = format!("{} claims held", held.len());
    if !unknown.is_empty() {
        text += &format!("; not put to the test: {}", unknown.join(", "));
    }
    match standing(evidence) {
        Standing::Fail if failed.is_empty() => text += "; the ceiling was broken in a known world",
        Standing::Fail => text += &format!("; false: {}", failed.join(", ")),
        Standing::Pass | Standing::Unknown => text += "; none was found false",
    }
    text + "."
}

fn worst<'a>(runs: impl Iterator<Item = &'a Partitioned>) -> Option<&'a Partitioned> {
    runs.max_by(|a, b| a.overshoot_units.total_cmp(&b.overshoot_units))
}

fn gossiping(evidence: &Evidence) -> String {
    let runs = evidence.lengths.iter().chain(&evidence.sizes);
    let other = worst(runs.filter(|run| run.strategy == GOSSIPING));
    other.map_or_else(
        || "no gossiping limiter was run".to_owned(),
        |run| {
            format!(
                "a limiter that gossips what it has spent went {:.0} units above it, in a cut of \
                 {} s on {} nodes",
                run.overshoot_units, run.length_s, run.nodes
            )
        },
    )
}

/// What to do with it.
pub(super) fn conclusions(evidence: &Evidence) -> Section {
    let first = match standing(evidence) {
        Standing::Fail => Text::default().strong(
            "Do not rely on what is marked as failed above before the findings are understood.",
        ),
        Standing::Unknown => Text::plain(
            "Nothing was found false, but something was not put to the test: read the results \
             before you rely on it. More runs of the swarm put more to the test.",
        ),
        Standing::Pass => Text::plain(
            "The ceiling may be relied upon in every weather that was tried here: size C and r by \
             what the protected system bears, without a margin for partitions.",
        ),
    };
    let mut points = vec![first];
    points.extend(lowest(evidence));
    points.extend(by_setting(evidence));
    points.push(Text::plain(
        "Eviction buys availability with the ceiling: choose it where a lost half must be served \
         in full, and no eviction where the ceiling must hold whatever happens.",
    ));
    Section::new(
        "What an operator should conclude",
        vec![Block::List(points)],
    )
}

fn lowest(evidence: &Evidence) -> Option<Text> {
    let ours = evidence
        .rows
        .iter()
        .filter(|row| row.strategy == OURS && row.epsilon == 0.0);
    let lowest = ours.min_by(|a, b| a.utilisation.total_cmp(&b.utilisation))?;
    Some(Text::plain(format!(
        "What it costs at ε = 0 is units refused that an ideal bucket would have admitted: at \
         worst {:.1} %, with the workload {}.",
        (1.0 - lowest.utilisation).max(0.0) * 100.0,
        lowest.workload
    )))
}

fn by_setting(evidence: &Evidence) -> Option<Text> {
    let named = |name: &str| {
        evidence
            .settings
            .iter()
            .find(|setting| setting.name == name)
    };
    let (strict, loose) = (named("ε = 0")?, named("ε = 0.2")?);
    Some(Text::plain(format!(
        "In a cut of 20 s, ε = 0 admitted {:.3} of the ideal and ε = 0.2 {:.3}, with {:.1} and \
         {:.1} units above C + r·T: a larger ε is worth it where refusals hurt more than a surge \
         of ε·C.",
        strict.utilisation, loose.utilisation, strict.overshoot_units, loose.overshoot_units
    )))
}

/// What this does not show.
pub(super) fn limits() -> Section {
    let points = [
        "Nobody lies: members are authenticated, and a member that sends what it should not is \
         outside of what is claimed.",
        "Clock rates err by at most 1 %; wall clocks are not used and not simulated.",
        "A swarm is a sample. What it did not draw it says nothing about; the marks tell where it \
         went.",
        "Rivals are accounts of how others work, not their code, but for rateguard, whose own core \
         decides.",
        "Datagrams are counted as the simulated transport sends them; the cost of encryption and \
         of connections is not in the figures.",
    ];
    let points = points.into_iter().map(Text::plain);
    Section::new("Limits", vec![Block::List(points.collect())])
}

/// One command for each row.
pub(super) fn reproduce(evidence: &Evidence) -> Section {
    let seed = evidence.plan.seed;
    let row = |what: &str, command: String| {
        vec![Cell::from(what), Cell::from(Text::default().code(command))]
    };
    let swarm = &evidence.swarm;
    let mut rows = vec![
        row(
            "all of this report",
            format!("cargo simulate report --seed {seed} --runs {}", swarm.runs),
        ),
        row(
            "the swarm",
            format!(
                "cargo simulate swarm --runs {} --seed {}",
                swarm.runs, swarm.seed
            ),
        ),
        row("a row of the results", claims::replay(swarm.seed)),
        row(
            "what it costs",
            format!(
                "cargo simulate table --only {} --nodes 5 --seed {seed}",
                evidence.plan.workloads
            ),
        ),
    ];
    let seeds = swarm.losses.iter().take(10);
    rows.extend(seeds.map(|loss| {
        row(
            &format!("failure of {}", loss.checker),
            claims::replay(loss.seed),
        )
    }));
    let table = Table {
        caption: "What shows it again".to_owned(),
        columns: ["what", "command"].map(Column::words).into(),
        rows,
    };
    let text = "The same seed gives the same runs, on any machine and any number of threads. In \
                the results every row names its own seed.";
    Section::new(
        "How to reproduce",
        vec![Block::text(text), Block::Table(table)],
    )
}
