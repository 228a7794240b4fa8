//! One scenario, run and judged. A panic is a verdict too: nothing may panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;

use crate::checker::{Report, judge_all};
use crate::{Finding, Run, Scenario, Strategy, Verdict, workload};

/// The name under which a panic is reported.
pub const PANIC: &str = "panic";

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What was seen; empty after a panic.
    pub run: Run,
    /// What the checkers say.
    pub report: Report,
}

/// Draws a scenario's arrivals, has them decided, and judges what was seen.
///
/// # Errors
/// Arrivals that can't be drawn.
pub fn trial(strategy: &dyn Strategy, scenario: &Scenario) -> Result<Trial> {
    let arrivals = workload::arrivals(scenario)?;
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let run = strategy.run(scenario, &arrivals);
        let report = judge_all(scenario, &run);
        Trial { run, report }
    }));
    Ok(judged.unwrap_or_else(|cause| panicked(cause.as_ref())))
}

fn panicked(cause: &(dyn std::any::Any + Send)) -> Trial {
    let said = cause.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| cause.downcast_ref::<&str>().copied());
    let finding = Finding {
        text: said.unwrap_or("without a word").to_owned(),
        measured: 1.0,
        unit: "panics".to_owned(),
        slack: -1.0,
        ..Finding::default()
    };
    let verdicts = vec![(PANIC.to_owned(), Verdict::Fail(finding))];
    Trial {
        run: Run::default(),
        report: Report { verdicts },
    }
}
