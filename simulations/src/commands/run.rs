//! `simulate run`: one scenario, as it is written down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::checker::judge_all;
use crate::history::{Run, Traffic, What};
use crate::say::say;
use crate::scenario::Scenario;
use crate::verdict::Verdict;
use crate::workload;
use crate::world::{self, Options as Watching};

/// Runs the library through one scenario, and says what was seen and what checkers make of it.
///
/// The exit code is 1 if a claim is false. That some claim was not put to the test by a single
/// scenario is told, and is no failure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The scenario, as TOML.
    scenario: PathBuf,
    /// Another seed than the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Adds shares up after every event, not only each second: for small runs.
    #[arg(long)]
    deep: bool,
    /// Where to write all that was seen.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Told<'a> {
    scenario: &'a Scenario,
    verdicts: &'a [(String, Verdict)],
    run: &'a Run,
}

impl Options {
    /// Runs it.
    ///
    /// # Errors
    /// A scenario that cannot be read, or a file that cannot be written.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut scenario = read(&self.scenario)?;
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        say!("{}, seed {}", scenario.name, scenario.seed);
        let arrivals = workload::arrivals(&scenario)?;
        let watching = Watching {
            deep: self.deep,
            ..Watching::default()
        };
        let run = world::run(&scenario, &arrivals, watching);
        tell(&scenario, &run);
        let report = judge_all(&scenario, &run);
        report.verdicts.iter().for_each(tell_verdict);
        if let Some(file) = &self.json {
            let told = Told {
                scenario: &scenario,
                verdicts: &report.verdicts,
                run: &run,
            };
            write(file, &told)?;
        }
        let worst = report.worst().map(|(_, verdict)| verdict);
        let failed = worst.filter(|worst| matches!(worst, Verdict::Fail(_)));
        Ok(ExitCode::from(failed.map_or(0, Verdict::exit_code)))
    }
}

/// Reads a scenario.
///
/// # Errors
/// A file that cannot be read, or is no scenario.
pub fn read(file: &Path) -> anyhow::Result<Scenario> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    toml::from_str(&text).with_context(|| file.display().to_string())
}

fn write(file: &Path, told: &Told<'_>) -> anyhow::Result<()> {
    let text = serde_json::to_vec(told)?;
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

fn tell_verdict((name, verdict): &(String, Verdict)) {
    match verdict {
        Verdict::Pass(finding) => say!("{name}: holds; {}", finding.text),
        Verdict::Unknown(why) => say!("{name}: not put to the test; {why}"),
        Verdict::Fail(finding) => {
            say!("{name}: FALSE; {}", finding.text);
            finding.timeline.iter().for_each(|line| say!("    {line}"));
        }
    }
}

fn tell(scenario: &Scenario, run: &Run) {
    let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
    let Traffic {
        span_ns,
        nodes,
        grants,
        datagrams,
        bytes,
    } = run.traffic;
    let node_seconds = (nodes * span_ns as f64 / 1e9).max(f64::MIN_POSITIVE);
    say!(
        "{} requests, {} admitted, {} unanswered; {:.1} virtual seconds",
        run.arrivals.len(),
        admitted.count(),
        run.unanswered.len(),
        run.ended_ns as f64 / 1e9,
    );
    say!(
        "per node and second: {:.1} datagrams, {:.0} bytes, {:.2} grants",
        datagrams as f64 / node_seconds,
        bytes as f64 / node_seconds,
        grants as f64 / node_seconds,
    );
    for note in &run.notes {
        let is_routine = matches!(
            note.what,
            What::Holdings(_) | What::Room { .. } | What::Contended(_)
        );
        if !is_routine {
            say!("{:>9.3} s  {:?}", note.at_ns as f64 / 1e9, note.what);
        }
    }
    let taken = run.marks.iter().filter(|(_, count)| **count > 0);
    let taken: Vec<String> = taken
        .map(|(mark, count)| format!("{mark} {count}"))
        .collect();
    say!("marks: {}", taken.join(", "));
    say!("trace {:016x} of seed {}", run.trace_hash, scenario.seed);
}
