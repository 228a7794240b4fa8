//! `simulate replay`: one seed of a swarm, in full.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::say::say;
use crate::strategy::Shares;
use crate::swarm::draw;
use crate::trial::{Trial, trial};
use crate::{Scenario, Verdict};

/// Runs one seed of a swarm again, and tells its scenario, its verdicts and what shows them.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The seed, as `swarm` told it.
    seed: u64,
    /// Where to write scenario, history and verdicts.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    /// Runs it.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let scenario = draw(self.seed);
        say!("{}", toml::to_string(&scenario)?);
        let seen = trial(&Shares, &scenario)?;
        tell(&seen);
        if let Some(file) = &self.json {
            write(file, &scenario, &seen)?;
        }
        Ok(ExitCode::from(seen.report.exit_code()))
    }
}

/// Every verdict in a line, and the witness of each that failed.
pub(super) fn tell(seen: &Trial) {
    for (name, verdict) in &seen.report.verdicts {
        say!("{name:<13} {}", verdict.line());
    }
    for (name, verdict) in seen.report.failed() {
        let Verdict::Fail(finding) = verdict else {
            continue;
        };
        say!("\n{name}: {}", finding.text);
        finding.timeline.iter().for_each(|line| say!("{line}"));
    }
    say!("\ntrace {:016x}", seen.run.trace_hash);
}

fn write(file: &PathBuf, scenario: &Scenario, seen: &Trial) -> anyhow::Result<()> {
    let told = serde_json::json!({
        "scenario": scenario,
        "run": seen.run,
        "report": seen.report,
    });
    std::fs::write(file, serde_json::to_vec(&told)?).with_context(|| file.display().to_string())
}
