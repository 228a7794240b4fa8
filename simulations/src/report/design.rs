//! What is claimed, and how it is put to the test.

use distributary_report::{
    Axis, Block, Cell, Column, Drawing, Plot, Schedule, Section, Table, Text,
};

use super::{Evidence, claims::CLAIMS, picture};

/// The claims by number.
pub(super) fn background() -> Section {
    let ceiling = Text::plain(
        "Every node of a cluster admits requests of a key on its own part of one bucket of burst C \
         and rate r. Parts are moved between nodes by grants and never made. What is claimed of \
         the whole stands by number in ",
    )
    .code("docs/invariants.md")
    .and("; the first of them is the ceiling, ")
    .strong("C1: every interval of length T admits at most (1 + ε)·C + (1 + ρ)·r·T")
    .and(
        ", under loss, delay, duplication, reordering, partition, crash, pause, join and leave, \
         with ε as configured and ρ the rate error of the fastest clock.",
    );
    let groups = Text::plain(
        "Where an evicted member lives on behind a partition, there are κ groups that count apart, \
         and the bound grows with κ and with nothing else (C8). Without eviction κ stays 1.",
    );
    let rows = CLAIMS.iter().filter(|(_, numbers, ..)| !numbers.is_empty());
    let rows = rows.map(|(checker, numbers, claim, _)| {
        vec![
            Cell::from(*numbers),
            Cell::from(*claim),
            Cell::from(Text::default().code(*checker)),
        ]
    });
    let table = Table {
        caption: "Claims and who judges them".to_owned(),
        columns: ["number", "claim", "checker"].map(Column::words).into(),
        rows: rows.collect(),
    };
    Section::new(
        "Background",
        vec![
            Block::Paragraph(ceiling),
            Block::Paragraph(groups),
            Block::Table(table),
        ],
    )
}

/// What is real, what is simulated, what goes wrong, who judges.
pub(super) fn design(evidence: &Evidence) -> Section {
    let mut blocks = vec![
        Block::List(vec![
            Text::default().strong("Real: ").and(
                "the library's own node, table and wire format, as shipped, one of each per \
                 simulated process.",
            ),
            Text::default().strong("Simulated: ").and(
                "time, network, clocks, processes and requests. A seed decides everything; the \
                 same seed gives the same history.",
            ),
            Text::default().strong("Two phases: ").and(
                "while requests come, faults do, and nothing that is promised may break; then all \
                 is healed, and the cluster must converge.",
            ),
            Text::default().strong("Rivals: ").and(
                "small honest accounts of how others limit a cluster, on the same arrivals and in \
                 the same weather, with perfect clocks.",
            ),
        ]),
        Block::Plot(schedule(evidence)),
    ];
    blocks.push(Block::Heading(
        "Checkers, and what each cannot see".to_owned(),
    ));
    blocks.push(Block::Table(blind()));
    blocks.push(Block::text(
        "The checkers know the history of a run from outside and share no code with the library. \
         Each was seen to fail on a history that breaks its claim, in its own tests.",
    ));
    Section::new("Test design", blocks)
}

fn schedule(evidence: &Evidence) -> Plot {
    let scenario = &evidence.example;
    let description = format!(
        "The world of seed {}: {} nodes, {} faults in {} s, and what heals at the end. Places that \
         nothing happens to are left out.",
        scenario.seed,
        scenario.cluster.nodes,
        scenario.faults.len(),
        scenario.duration_ms / 1000
    );
    Plot {
        title: "A schedule that was drawn".to_owned(),
        description,
        drawing: Drawing::Schedule(Schedule {
            x: Axis::from_zero("virtual time (s)"),
            lanes: picture::lanes(scenario),
        }),
    }
}

fn blind() -> Table {
    let rows = CLAIMS.iter().map(|(checker, _, _, blind)| {
        vec![
            Cell::from(Text::default().code(*checker)),
            Cell::from(*blind),
        ]
    });
    Table {
        caption: "Blind spots".to_owned(),
        columns: ["checker", "cannot see, or does not claim"]
            .map(Column::words)
            .into(),
        rows: rows.collect(),
    }
}
