//! `simulate shrink`: what is left of a failing scenario is what the failure needs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::run::read;
use crate::Scenario;
use crate::say::say;
use crate::shrink::shrink;
use crate::strategy::Shares;
use crate::swarm::draw;

/// Makes a failing scenario small, and prints it with the events that show the failure.
///
/// Exit code 1: here is the witness; 2: no claim is false, or bad input.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A swarm's seed, or a file with a scenario.
    from: String,
    /// Which claim; the gravest that is false, if not given.
    #[arg(long)]
    claim: Option<String>,
    /// Most runs that it may take.
    #[arg(long, default_value_t = 300)]
    runs: usize,
    /// Where to write the small scenario, for `simulate run`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Options {
    /// Shrinks it.
    ///
    /// # Errors
    /// No claim is false; a file that can't be read or written.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let scenario = self.scenario()?;
        std::panic::set_hook(Box::new(|_| {}));
        let witness = shrink(&Shares, &scenario, self.claim.as_deref(), self.runs);
        drop(std::panic::take_hook());
        let witness = witness?;
        let text = toml::to_string(&witness.scenario)?;
        say!("{text}");
        say!("{}: {}", witness.checker, witness.finding.text);
        witness
            .finding
            .timeline
            .iter()
            .for_each(|line| say!("{line}"));
        say!("({} runs)", witness.runs);
        if let Some(file) = &self.out {
            std::fs::write(file, text).with_context(|| file.display().to_string())?;
        }
        Ok(ExitCode::FAILURE)
    }

    fn scenario(&self) -> anyhow::Result<Scenario> {
        match self.from.parse() {
            Ok(seed) => Ok(draw(seed)),
            Err(_) => read(Path::new(&self.from)),
        }
    }
}
