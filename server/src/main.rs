//! The `distributary` command: a cluster that limits real traffic on one machine, to watch.
//!
//! Exit codes: 0 the run kept its bound, 1 the bound was exceeded, 2 bad usage or input, 3 the
//! cluster could not be run.

mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Rate limits divided into shares over a cluster, with nobody in the middle.
#[derive(Parser)]
#[command(name = "distributary", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a cluster on this machine and drives an access log or a seeded workload through it.
    Demo(demo::Args),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let code = match Cli::parse().command {
        Command::Demo(args) => demo::exit_code(demo::run(&args)),
    };
    ExitCode::from(code)
}
