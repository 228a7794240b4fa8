//! `simulate`: tables, single runs, swarms, reports.

use std::process::ExitCode;

use clap::Parser;
use simulations::args::Args;

/// Bad usage or bad input.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Args::parse().execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}
