//! Measures distributary beside other limiters: see `benches/README.md`.

mod allocator;
mod args;
mod contestant;
mod figure;
mod keys;
mod measure;
mod report;
mod roster;
mod works;

use std::process::ExitCode;

use args::{Args, Task, USAGE};
use measure::wall_ns;

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Task::Versus(args) => versus(&args),
        Task::Child(words) if figure::in_child(&words) => ExitCode::SUCCESS,
        Task::Child(words) => usage(&format!("no figure {words:?}")),
        Task::Usage(Some(problem)) => usage(&problem),
        Task::Usage(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{USAGE}");
    ExitCode::from(2)
}

fn versus(args: &Args) -> ExitCode {
    let begun_ns = wall_ns();
    println!("{}", report::machine());
    let (rows, mut skipped) = works::all(args);
    let figures = figure::all(args, &mut skipped);
    for what in &skipped {
        println!("skipped: {what}");
    }
    println!("took {} s", (wall_ns() - begun_ns) / 1_000_000_000);
    if rows.is_empty() && figures.is_empty() {
        return usage("nothing has that in its name, or nothing that is measured here");
    }
    let Some(file) = &args.json else {
        return ExitCode::SUCCESS;
    };
    match report::write(file, args, &rows, figures, &skipped) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
