//! What each checker claims, what it cannot see, and what the swarm says of it.

use distributary_report::{Block, Cell, Column, Section, Standing, Table, Text};

use super::{Evidence, of_rank};
use crate::swarm::{Claim, Summary};
use crate::{Finding, Verdict};

/// A checker's name, the numbers in `docs/invariants.md`, its claim, and what it cannot see.
pub(super) const CLAIMS: &[(&str, &str, &str, &str)] = &[
    (
        "ceiling",
        "C1, C5, C8",
        "every interval admits at most (1 + ε)·C + (1 + ρ)·r·T, and its form for κ groups",
        "requests that nobody answered count as not admitted",
    ),
    (
        "room",
        "C1, INV-9",
        "what all nodes may admit at a moment, with what was admitted, is within every interval's bound",
        "looked at once a second and at each completed view, for the keys that are asked for most",
    ),
    (
        "conservation",
        "INV-1, INV-2",
        "shares held and on their way are at most the whole, and the whole again once healed",
        "only the keys that are asked for most are added up",
    ),
    (
        "groups",
        "C8",
        "groups that count apart come of eviction or of founding and of nothing else",
        "groups are found by who counts with whom, not by the library's word",
    ),
    (
        "rate",
        "C2",
        "a key that is asked for too much admits exactly r in the long run",
        "only stretches of saturated demand before the first fault",
    ),
    (
        "needless",
        "",
        "what one ideal bucket admits is not refused while nothing is wrong",
        "a claim only before the first fault, where a node's part is room for several requests",
    ),
    (
        "liveness",
        "C11",
        "every request that reaches a running process is answered once and in time",
        "time is virtual: a slow machine does not show",
    ),
    (
        "monotone",
        "INV-5",
        "within one life counters and row numbers only grow",
        "looked at between events, once a second",
    ),
    (
        "convergence",
        "C4",
        "ten ticks after the last cut heals, rows and merged views are equal everywhere",
        "only nodes that live and are connected at the end",
    ),
    (
        "quiet",
        "C12",
        "contended keys become quiet again once load stops",
        "needs a healed phase that is long enough for buckets to drain",
    ),
    (
        "resources",
        "C6",
        "no queue, table or outbox grows beyond its limit",
        "high-water marks, once a second",
    ),
    (
        "members",
        "",
        "nobody is thought dead who can be reached; whoever died is thought dead soon",
        "not claimed where more than a fifth of datagrams are lost",
    ),
    (
        "panic",
        "",
        "nothing panics",
        "only what the drawn worlds lead to",
    ),
];

/// What is known of a checker.
pub(super) fn known(name: &str) -> (&'static str, String) {
    let found = CLAIMS.iter().find(|(checker, ..)| *checker == name);
    found.map_or(("", name.to_owned()), |(_, numbers, claim, _)| {
        (numbers, (*claim).to_owned())
    })
}

/// Claim by claim.
pub(super) fn results(evidence: &Evidence) -> Section {
    let swarm = &evidence.swarm;
    let intro = format!(
        "{} drawn worlds, {} requests. Each row is the run in which least was left to the bound; ",
        swarm.runs, swarm.requests
    );
    let intro = Text::plain(intro)
        .code("cargo simulate replay SEED")
        .and(" shows it again. A claim that no run put to the test is unknown, not passed.");
    let mut blocks = vec![Block::Paragraph(intro), Block::Table(table(swarm))];
    blocks.extend(coverage(swarm));
    Section::new("Results", blocks)
}

fn table(swarm: &Summary) -> Table {
    let columns = vec![
        Column::words("claim"),
        Column::words("verdict"),
        Column::numbers("worst measured"),
        Column::numbers("bound"),
        Column::numbers("margin"),
        Column::words("in"),
        Column::numbers("seed"),
        Column::words("runs ✓ / ? / ✗"),
    ];
    let claims = swarm.claims.iter();
    Table {
        caption: "What the swarm says of each claim".to_owned(),
        columns,
        rows: claims
            .map(|(name, claim)| row(swarm, name, claim))
            .collect(),
    }
}

fn row(swarm: &Summary, name: &str, claim: &Claim) -> Vec<Cell> {
    let named = Text::default().code(name);
    let named = match known(name).0 {
        "" => named,
        numbers => named.and(format!(" ({numbers})")),
    };
    let mut row = vec![Cell::from(named), Cell::standing(of_rank(claim.rank()))];
    match worst(swarm, name, claim) {
        Some((seed, finding)) => row.extend([
            number(finding.measured),
            number(finding.bound),
            number(finding.slack),
            Cell::from(finding.unit.as_str()),
            Cell::from(seed.to_string()),
        ]),
        None => row.extend(std::iter::repeat_with(Cell::none).take(5)),
    }
    let counts = format!("{} / {} / {}", claim.passed, claim.unknown, claim.failed);
    row.push(Cell::from(counts));
    row
}

/// The failure that lies furthest beyond its bound; where none failed, the tightest.
fn worst<'a>(swarm: &'a Summary, name: &str, claim: &'a Claim) -> Option<(u64, &'a Finding)> {
    let losses = swarm.losses.iter().filter(|loss| loss.checker == name);
    let furthest = losses.min_by(|a, b| a.finding.slack.total_cmp(&b.finding.slack));
    let tightest = claim
        .tightest
        .as_ref()
        .map(|(seed, finding)| (*seed, finding));
    furthest.map(|loss| (loss.seed, &loss.finding)).or(tightest)
}

fn number(value: f64) -> Cell {
    let places = if value.fract() == 0.0 { 0 } else { 3 };
    Cell::number(value, places)
}

/// The command that shows a seed's run again.
pub(super) fn replay(seed: u64) -> String {
    format!("cargo simulate replay {seed}")
}

/// Which rare branches were taken, and how often.
fn coverage(swarm: &Summary) -> Vec<Block> {
    if swarm.marks.is_empty() {
        return Vec::new();
    }
    let said = match &swarm.coverage {
        Some(Verdict::Pass(finding) | Verdict::Fail(finding)) => finding.text.clone(),
        Some(Verdict::Unknown(why)) => format!("too few runs to say: {why}"),
        None => "not judged".to_owned(),
    };
    let standing = swarm
        .coverage
        .as_ref()
        .map_or(Standing::Unknown, |v| of_rank(v.rank()));
    let mut marks = Text::plain("In per cent of all runs, the rarest first: ");
    for (index, mark) in swarm.marks.iter().enumerate() {
        let end = if index + 1 < swarm.marks.len() {
            ", "
        } else {
            "."
        };
        let part = format!(" {:.1}{end}", mark.milli as f64 / 10.0);
        marks = marks.code(&*mark.name).and(part);
    }
    vec![
        Block::Heading("Where the swarm went".to_owned()),
        Block::text(format!("Coverage ({}): {said}.", standing.word())),
        Block::Paragraph(marks),
    ]
}
