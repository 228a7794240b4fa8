//! `simulate choices`: what each choice of an operator costs and buys.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::choices::{all, filled};
use crate::say::say;

/// Makes the tables of docs/consistency.md, prints them, and puts them in their places.
///
/// Exit code 1: the ceiling was broken somewhere.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only the table of this name.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// The document to put them into, between marks with their names.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// The seed of all runs.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// Runs all that the tables are made of.
    ///
    /// # Errors
    /// A name that no table has; a document that cannot be read or written, or has no such marks.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut tables = all(self.seed)?;
        tables.retain(|table| self.only.as_deref().is_none_or(|name| name == table.name));
        ensure!(!tables.is_empty(), "no table of that name");
        let runs = tables.iter().flat_map(|table| &table.rows);
        let bar = bar(runs.map(|(_, runs)| runs.len() as u64).sum());
        let mut broken = false;
        for table in &tables {
            bar.set_message(table.name);
            let text = table.markdown(&|| bar.inc(1))?;
            broken |= text.contains("broken");
            bar.suspend(|| say!("{}\n\n{text}\n", table.name));
            if let Some(file) = &self.into {
                let named = || file.display().to_string();
                let document = std::fs::read_to_string(file).with_context(named)?;
                let document = filled(&document, table.name, &text)?;
                std::fs::write(file, document).with_context(named)?;
            }
        }
        bar.finish_and_clear();
        Ok(ExitCode::from(u8::from(broken)))
    }
}

fn bar(runs: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    bar.with_style(style.expect("the template is well-formed"))
}
