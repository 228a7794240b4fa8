//! `simulate report`: runs what a divergence report needs, and writes it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use distributary_report::{Document, Fact, Standing, html, json, markdown};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{Evidence, Plan, document, gather, standing};
use crate::say::say;
use crate::strategy;

/// Most runs of the swarm in one report.
const RUNS_MAX: u64 = 100_000;

/// How much to run, and where to write what it showed.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Writes a page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes the same as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes the same as JSON, every plotted number included.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only what runs in about a minute.
    #[arg(long)]
    quick: bool,
    /// The seed of all runs, and the first of the swarm's.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Runs of the swarm [default: 300, with --quick 12].
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
}

impl Options {
    /// Runs, judges and writes. Code 0: all claims held; 1: one is false; 3: one was never put to
    /// the test.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn execute(self) -> Result<ExitCode> {
        let mut plan = Plan::new(self.seed, self.quick);
        plan.swarm_runs = self.runs.unwrap_or(plan.swarm_runs);
        ensure!(
            (1..=RUNS_MAX).contains(&plan.swarm_runs),
            "--runs takes 1 to {RUNS_MAX}"
        );
        let bar = bar();
        // A panic is a verdict and is reported as one: the hook's own words would be in the way.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let evidence = gather(plan, &strategy::all(), &|step| {
            bar.set_message(step.to_owned());
        });
        std::panic::set_hook(hook);
        let evidence = evidence?;
        let wall_s = bar.elapsed().as_secs_f64();
        bar.finish_and_clear();
        let document = document(&evidence, facts(&evidence, wall_s));
        self.write(&document)?;
        let standing = standing(&evidence);
        say!("{}: {}", standing.word(), document.question);
        document
            .summary
            .iter()
            .for_each(|text| say!("{}", text.characters()));
        Ok(ExitCode::from(match standing {
            Standing::Pass => 0,
            Standing::Fail => 1,
            Standing::Unknown => 3,
        }))
    }

    fn write(&self, document: &Document) -> Result<()> {
        let renderers: [fn(&Document) -> String; 3] = [html, markdown, json];
        let paths = [&self.out, &self.markdown, &self.json];
        for (path, render) in paths.into_iter().zip(renderers) {
            if let Some(path) = path {
                std::fs::write(path, render(document)).with_context(|| cannot(path))?;
            }
        }
        Ok(())
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{spinner} {elapsed} {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is right");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar.with_style(style)
}

fn facts(evidence: &Evidence, wall_s: f64) -> Vec<Fact> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let times = format!(
        "{wall_s:.0} s, for {:.0} s simulated ({:.0} to 1)",
        evidence.virtual_s,
        evidence.virtual_s / wall_s.max(1e-3)
    );
    vec![
        Fact::new("date", distributary_report::date(unix_s())),
        Fact::new("version", env!("CARGO_PKG_VERSION")),
        Fact::new("commit", commit().unwrap_or_else(|| "unknown".to_owned())),
        Fact::new("command", format!("cargo simulate {}", arguments.join(" "))),
        Fact::new("time", times),
        Fact::new("seed", evidence.plan.seed.to_string()),
        Fact::new("swarm", format!("{} runs", evidence.swarm.runs)),
    ]
}

/// Of the working tree that this is run in; with a mark if it was changed since.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        hash
    } else {
        format!("{hash}, with changes")
    })
}

#[expect(clippy::disallowed_methods, reason = "a report says when it was made")]
fn unix_s() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
