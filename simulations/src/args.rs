//! What can be typed after `simulate`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;

/// The deterministic world that distributary is proved in.
///
/// Exit code 0: every claim that was looked at held; 1: one is false; 2: bad usage or input;
/// 3: nothing was seen that could have shown a claim false.
#[derive(Debug, Parser)]
#[command(name = "simulate", version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// One file under `commands/` each.
#[derive(Debug, Subcommand)]
enum Command {
    /// What changed from one table to another, worst first.
    Compare(commands::compare::Options),
    /// Runs what a divergence report needs, and writes it.
    Report(commands::report::Options),
    /// Runs every strategy on every workload, against what must be shown.
    Table(commands::table::Options),
    /// Runs one scenario.
    Run(commands::run::Options),
    /// Many drawn worlds, all oracles on.
    Swarm(commands::swarm::Options),
    /// One seed of a swarm, in full.
    Replay(commands::replay::Options),
    /// Makes a failing scenario small.
    Shrink(commands::shrink::Options),
    /// What each choice of an operator costs and buys.
    Choices(commands::choices::Options),
    /// Walks through all that three nodes can do within small bounds.
    Model(commands::model::Options),
    /// Plants bugs, in a build of their own, and has the checkers find them.
    Mutants(commands::mutants::Options),
}

impl Args {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What was wrong with the input.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Compare(options) => options.execute(),
            Command::Report(options) => options.execute(),
            Command::Table(options) => options.execute(),
            Command::Run(options) => options.execute(),
            Command::Swarm(options) => options.execute(),
            Command::Replay(options) => options.execute(),
            Command::Shrink(options) => options.execute(),
            Command::Choices(options) => options.execute(),
            Command::Model(options) => options.execute(),
            Command::Mutants(options) => options.execute(),
        }
    }
}
