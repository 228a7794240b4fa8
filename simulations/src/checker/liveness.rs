//! Every request that reaches a running process is answered, once, in time: none is lost, none is
//! decided twice, none is charged before it came or after it was answered.

use super::timeline;
use super::weather::{Weather, ns};
use crate::history::{Arrival, Outcome, Run};
use crate::scenario::Mode;
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Beyond the deadline: what a process that runs takes to get to it.
const GRACE_NS: u64 = 5_000_000;
/// The deadline is by the node's own clock, which may be slow by so many per cent.
const CLOCK_PERCENT: u64 = 2;

/// Liveness of every check.
pub struct Liveness;

impl Checker for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        match judged(scenario, run) {
            Ok(Some(finding)) => Verdict::Pass(finding),
            Ok(None) => Verdict::Unknown("no request reached a process that went on".to_owned()),
            Err(finding) => Verdict::Fail(*finding),
        }
    }
}

fn judged(scenario: &Scenario, run: &Run) -> Result<Option<Finding>, Box<Finding>> {
    let told = |text: &str, arrival: &Arrival, took_ns: u64| {
        Box::new(found(scenario, run, text, arrival, took_ns))
    };
    let weather = Weather::of(scenario);
    let allowed_ns = allowed_ns(scenario);
    let mut answers: Vec<Option<&Outcome>> = vec![None; run.arrivals.len()];
    for outcome in &run.outcomes {
        let index = outcome.arrival as usize;
        let (Some(arrival), Some(answer)) = (run.arrivals.get(index), answers.get_mut(index))
        else {
            let unasked = Arrival {
                at_ns: outcome.charged_ns,
                place: 0,
                key: 0,
                cost: 0,
            };
            return Err(told("an answer to what nobody asked", &unasked, 0));
        };
        if answer.replace(outcome).is_some() {
            return Err(told("answered twice", arrival, 0));
        }
        let early = outcome.admitted && outcome.charged_ns < arrival.at_ns;
        if early || outcome.answered_ns < outcome.charged_ns {
            return Err(told(
                "charged before it came, or after its answer",
                arrival,
                0,
            ));
        }
    }
    let mut lost = vec![false; run.arrivals.len()];
    for one in &run.unanswered {
        if let Some(lost) = lost.get_mut(one.arrival as usize) {
            *lost = true;
        }
    }
    let mut worst: Option<(u64, &Arrival)> = None;
    for ((arrival, answer), lost) in run.arrivals.iter().zip(&answers).zip(&lost) {
        let until_ns = arrival.at_ns.saturating_add(allowed_ns);
        let went_on = weather.runs(arrival.place, arrival.at_ns, until_ns)
            && weather.steady(arrival.place, arrival.at_ns, until_ns);
        if !went_on || until_ns > run.ended_ns {
            continue;
        }
        let Some(answer) = answer.filter(|_| !*lost) else {
            return Err(told(
                "never answered, though its process went on",
                arrival,
                0,
            ));
        };
        let took_ns = answer.answered_ns - arrival.at_ns;
        if took_ns > allowed_ns {
            return Err(told("answered too late", arrival, took_ns));
        }
        if worst.is_none_or(|(longest, _)| took_ns > longest) {
            worst = Some((took_ns, arrival));
        }
    }
    Ok(worst.map(|(took_ns, arrival)| {
        found(
            scenario,
            run,
            "answered like all; the slowest",
            arrival,
            took_ns,
        )
    }))
}

/// How long an answer may take.
fn allowed_ns(scenario: &Scenario) -> u64 {
    let deadline_ns = match scenario.mode {
        Mode::Check => 0,
        Mode::Acquire | Mode::Mixed(_) => ns(scenario.cluster.acquire_deadline_ms),
    };
    deadline_ns + deadline_ns / 100 * CLOCK_PERCENT + GRACE_NS
}

fn found(scenario: &Scenario, run: &Run, text: &str, arrival: &Arrival, took_ns: u64) -> Finding {
    let (measured, bound) = (took_ns as f64 / 1e6, allowed_ns(scenario) as f64 / 1e6);
    let Arrival {
        place,
        key,
        cost,
        at_ns,
    } = *arrival;
    let text = format!("{cost} units of key {key} at place {place}: {text} ({measured:.3} ms)");
    let mut timeline = timeline::notes(run, at_ns.saturating_sub(5_000_000_000), at_ns);
    timeline.push(timeline::line(at_ns, &text));
    Finding {
        text,
        measured,
        bound,
        unit: "ms".to_owned(),
        slack: bound - measured,
        at_ns,
        timeline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{fault, honest, plain};
    use crate::history::Unanswered;
    use crate::scenario::FaultKind;

    #[test]
    fn lost_doubled_late_and_early_answers_are_seen() {
        let scenario = plain();
        let run = honest(&scenario);
        let judged = |change: &dyn Fn(&mut Run)| {
            let mut changed = run.clone();
            change(&mut changed);
            Liveness.check(&scenario, &changed).rank()
        };
        assert_eq!(judged(&|_| {}), 0);
        assert_eq!(judged(&|run| run.outcomes.truncate(17)), 2);
        assert_eq!(judged(&|run| run.outcomes.push(run.outcomes[3])), 2);
        assert_eq!(judged(&|run| run.outcomes[9].answered_ns += ns(1_000)), 2);
        assert_eq!(judged(&|run| run.outcomes[9].charged_ns -= 1), 2);
        let refused = |run: &mut Run| {
            run.outcomes[9].admitted = false;
            run.outcomes[9].charged_ns -= 1;
        };
        assert_eq!(judged(&refused), 0, "a refusal may rest on one before");
        assert_eq!(judged(&|run| run.outcomes[9].arrival = u32::MAX), 2);
        let forgotten = Unanswered {
            arrival: 5,
            maybe_charged: false,
        };
        assert_eq!(judged(&|run| run.unanswered.push(forgotten)), 2);
    }

    #[test]
    fn who_died_under_its_requests_owes_no_answer() {
        let mut scenario = plain();
        scenario.faults = vec![fault(1_000, FaultKind::Crash(1))];
        let mut run = honest(&scenario);
        let arrivals = run.arrivals.clone();
        let dead = |outcome: &Outcome| {
            let arrival = &arrivals[outcome.arrival as usize];
            arrival.place == 1 && arrival.at_ns >= ns(995)
        };
        run.outcomes.retain(|outcome| !dead(outcome));
        assert_eq!(Liveness.check(&scenario, &run).rank(), 0);
    }
}
