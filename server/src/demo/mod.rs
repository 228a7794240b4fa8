//! `demo`: a cluster on loopback, driven through a load balancer, watched and judged.
//!
//! Input is an access log or a workload made up from a seed; output is a line a second for each
//! node, a table, and JSON. Whatever the cluster admitted is judged against one ideal bucket for
//! each client by a file that shares no code with the library.

mod args;
mod balance;
mod cluster;
mod decimal;
mod drive;
mod faults;
mod judge;
mod log;
mod options;
mod page;
mod quantiles;
mod report;
mod run;
mod samples;
mod schedule;
mod shown;
mod verdict;
mod watch;
mod workload;

use rand::RngExt;

pub(crate) use args::Args;
use options::Options;
use run::Plan;
use verdict::Verdict;

/// Why there is no verdict.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or input.
    Input(anyhow::Error),
    /// The cluster could not be run.
    Run(anyhow::Error),
}

/// Runs the demo.
///
/// # Errors
/// Says whose fault it is that there is no verdict.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let drawn_seed = u64::from(rand::rng().random::<u32>());
    let options = Options::new(args, drawn_seed).map_err(Failure::Input)?;
    report::show_seed(options.seed);
    let plan = Plan::new(options).map_err(Failure::Input)?;
    if let Some(lines) = &plan.lines {
        report::show_lines(lines);
    }
    report::show_start(&plan.options, &plan.schedule);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Run(error.into()))?;
    runtime.block_on(plan.run())
}

/// The exit code of a run, whose failure it also tells.
pub(crate) fn exit_code(result: Result<Verdict, Failure>) -> u8 {
    match result {
        Ok(Verdict::Kept) => 0,
        Ok(Verdict::Exceeded) => 1,
        Err(Failure::Input(error)) => failed(&error, 2),
        Err(Failure::Run(error)) => failed(&error, 3),
    }
}

fn failed(error: &anyhow::Error, code: u8) -> u8 {
    eprintln!("error: {error:#}");
    code
}
