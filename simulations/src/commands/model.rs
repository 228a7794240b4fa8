//! `simulate model`: all that three nodes can do within small bounds, state by state.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{Outcome, Planted, Scope, Search, explore, falsify};
use serde::Serialize;

use crate::say::say;

/// Walks through every order of events within the bounds of each scope, on the library's own
/// functions, and counts the distinct states.
///
/// Exit code 0: every claim held in every state, and all was come across that must be; 1: one is
/// false, or with `--planted` one bug was not found; 3: something was never come across.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only the scopes of this name.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// The bounds that the tests have: seconds instead of minutes.
    #[arg(long)]
    small: bool,
    /// Plants a bug after the other, and tells the steps that show each.
    #[arg(long, conflicts_with_all = ["small", "scope"])]
    planted: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where to write what came of it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One scope, as `--json` writes it.
#[derive(Debug, Serialize)]
struct Told {
    name: String,
    about: String,
    outcome: Outcome,
}

const FALSE: u8 = 1;
const UNSEEN: u8 = 3;

impl Options {
    /// Explores.
    ///
    /// # Errors
    /// A name that no scope has, or a file that cannot be written.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if self.planted {
            return self.plant();
        }
        let mut scopes = match self.small {
            true => Scope::small(),
            false => Scope::large(),
        };
        scopes.retain(|scope| self.scope.as_deref().is_none_or(|name| name == scope.name));
        ensure!(!scopes.is_empty(), "no scope of that name");
        say!("scope                 states       steps  depth");
        let bar = bar(scopes.len());
        let (mut told, mut code) = (Vec::new(), 0);
        for scope in &scopes {
            bar.set_message(scope.name);
            let outcome = explore(scope, Search::Depth, self.threads);
            bar.suspend(|| tell(scope, &outcome));
            bar.inc(1);
            code = worse(code, code_of(scope, &outcome));
            told.push(Told {
                name: scope.name.to_owned(),
                about: scope.about.to_owned(),
                outcome,
            });
        }
        bar.finish_and_clear();
        let states: usize = told.iter().map(|told| told.outcome.states).sum();
        say!("{:<17} {states:>10} distinct states", "in all");
        self.write(&told)?;
        Ok(ExitCode::from(code))
    }

    fn plant(&self) -> anyhow::Result<ExitCode> {
        let (mut told, mut code) = (Vec::new(), 0);
        for planted in Planted::ALL {
            let scope = Scope::showing(planted);
            let outcome = falsify(&scope, planted.breaks());
            say!("{planted:?}, in {}: {}", scope.name, planted.breaks());
            match outcome.broken.get(planted.breaks()) {
                Some(steps) => steps.iter().for_each(|step| say!("    {step}")),
                None => {
                    say!("    NOT FOUND in {} states", outcome.states);
                    code = FALSE;
                }
            }
            told.push(Told {
                name: format!("{planted:?}"),
                about: planted.breaks().to_owned(),
                outcome,
            });
        }
        self.write(&told)?;
        Ok(ExitCode::from(code))
    }

    fn write(&self, told: &[Told]) -> anyhow::Result<()> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        let named = |file: &Path| file.display().to_string();
        std::fs::write(file, serde_json::to_vec_pretty(told)?).with_context(|| named(file))
    }
}

fn bar(scopes: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(scopes as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar.with_style(style.expect("the template is well-formed"))
}

fn code_of(scope: &Scope, outcome: &Outcome) -> u8 {
    match (outcome.broken.is_empty(), outcome.holds(scope)) {
        (false, _) => FALSE,
        (true, false) => UNSEEN,
        (true, true) => 0,
    }
}

/// A false claim is worse than one that was not put to the test.
fn worse(one: u8, other: u8) -> u8 {
    match (one, other) {
        (FALSE, _) | (_, FALSE) => FALSE,
        (one, other) => one.max(other),
    }
}

fn tell(scope: &Scope, outcome: &Outcome) {
    let (states, steps, depth) = (outcome.states, outcome.steps, outcome.depth);
    say!(
        "{:<17} {states:>10} {steps:>11} {depth:>6}  {}",
        scope.name,
        scope.about
    );
    for (claim, steps) in &outcome.broken {
        say!("    FALSE: {claim}");
        steps.iter().for_each(|step| say!("        {step}"));
    }
    for claim in &outcome.unseen {
        say!("    never: {claim}");
    }
    for mark in outcome.missed(scope) {
        say!("    never: {mark:?}");
    }
}
