//! `simulate swarm`: many drawn worlds, all oracles on.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Verdict;
use crate::say::say;
use crate::strategy::Shares;
use crate::swarm::{Loss, Summary, hunt};
use crate::world::MARKS;

/// Seeds that are drawn are below this, so that people can type them.
const SEED_MAX: u64 = 1_000_000_000;
/// A swarm takes as many threads as its bar on time was set for.
const THREADS: usize = 2;

/// Draws a world for each of many seeds, runs the library in it, and has every claim judged.
///
/// Exit code 0: no claim is false and each was put to the test; 1: one is false; 3: one was never
/// put to the test.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many.
    #[arg(long, default_value_t = 300)]
    runs: u64,
    /// The first seed; the others follow it. Drawn, and printed first, if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = THREADS)]
    threads: usize,
    /// Where to write what was found.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    /// Runs the swarm.
    ///
    /// # Errors
    /// A seed that can't be drawn, or a file that can't be written.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let drawn = || RandomState::new().hash_one(0u64) % SEED_MAX;
        let seed = self.seed.unwrap_or_else(drawn);
        say!("seed {seed}, {} runs", self.runs);
        let bar = bar(self.runs);
        let mut failed = 0u64;
        // A panic is a verdict and is reported as one: the hook's own words would be in the way.
        std::panic::set_hook(Box::new(|_| {}));
        let found = hunt(
            &Shares,
            (seed, self.runs),
            self.threads,
            MARKS,
            |seed, losses| {
                bar.suspend(|| losses.iter().for_each(|loss| tell_loss(seed, loss)));
                failed += u64::from(!losses.is_empty());
                bar.set_message(format!("{failed} failed"));
                bar.inc(1);
            },
        );
        drop(std::panic::take_hook());
        bar.finish_and_clear();
        let summary = found?;
        tell(&summary, bar.elapsed().as_secs_f64());
        if let Some(file) = &self.json {
            let text = serde_json::to_vec_pretty(&summary)?;
            std::fs::write(file, text).with_context(|| file.display().to_string())?;
        }
        Ok(ExitCode::from(
            [0, 3, 1][usize::from(summary.rank().min(2))],
        ))
    }
}

fn bar(runs: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} (eta {eta}) {msg}");
    bar.with_style(style.expect("the template is well-formed"))
}

fn tell_loss(seed: u64, loss: &Loss) {
    let text = &loss.finding.text;
    say!("FAIL {}: {text}\n     simulate replay {seed}", loss.checker);
}

fn tell(summary: &Summary, elapsed_s: f64) {
    say!("\nclaim          pass  unknown  fail  nearest to its bound");
    for (name, claim) in &summary.claims {
        let nearest = claim
            .tightest
            .as_ref()
            .map_or_else(String::new, |(seed, finding)| {
                let (measured, bound, unit) = (finding.measured, finding.bound, &finding.unit);
                format!("{measured:.4} of {bound:.4} {unit} (seed {seed})")
            });
        let (passed, unknown, failed) = (claim.passed, claim.unknown, claim.failed);
        say!("{name:<13} {passed:>5} {unknown:>8} {failed:>5}  {nearest}");
    }
    say!("\nrare branch                 runs   of a thousand");
    for mark in &summary.marks {
        say!("{:<25} {:>6} {:>6}", mark.name, mark.runs, mark.milli);
    }
    let coverage = summary.coverage.as_ref().map(Verdict::line);
    say!(
        "coverage {}",
        coverage.unwrap_or_else(|| "unknown: no marks".to_owned())
    );
    say!(
        "\n{} runs from seed {}: {} requests, {:.0} virtual s in {elapsed_s:.1} s ({:.0} times real \
         time)",
        summary.runs,
        summary.seed,
        summary.requests,
        summary.virtual_s,
        summary.virtual_s / elapsed_s.max(1e-9),
    );
}
