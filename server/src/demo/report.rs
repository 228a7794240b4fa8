//! What a run prints: seconds as they pass, a table for people, JSON for programs.

use std::io::Write;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    args::Mode,
    faults::Convergence,
    log::Tally,
    options::Options,
    quantiles::Quantiles,
    schedule::Schedule,
    shown::OptionsShown,
    watch::{FOLLOWED_SHARE, Followed},
};

/// Width of the bar that shows a share, in characters.
const BAR_CHARS: usize = 30;

/// Prints a line. A reader that went away (`| head`) stops the printing, not the run.
macro_rules! say {
    ($($what:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($what)*);
    }};
}

/// The figures of a run; null is what does not apply to it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) admitted: u64,
    pub(crate) ideal_admitted: u64,
    /// Admitted ÷ ideal.
    pub(crate) utilisation: Option<f64>,
    pub(crate) overshoot_units: f64,
    pub(crate) bound_units: f64,
    /// From the first datagram that passed after healing.
    pub(crate) converged_ms: Option<f64>,
    pub(crate) converged_ticks: Option<f64>,
    pub(crate) converged_from_healing_ms: Option<f64>,
    pub(crate) datagrams_per_node_s: f64,
    pub(crate) bytes_per_node_s: f64,
    pub(crate) check_ns: Option<Quantiles>,
    pub(crate) acquire_us: Option<Quantiles>,
    pub(crate) unparsed_lines: Option<u64>,
    pub(crate) late_lines: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) options: OptionsShown,
}

/// One node in one second of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeLine {
    pub(crate) second: u64,
    pub(crate) node: usize,
    /// The part of the hottest client's limit that it holds.
    pub(crate) share: f64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    /// Whether the hottest client's requests mostly land on it.
    pub(crate) hot: bool,
}

/// Prints where the run's randomness comes from, so that it can be asked for again.
pub(crate) fn show_seed(seed: u64) {
    say!("seed {seed}");
}

/// Prints what a run is about to do.
pub(crate) fn show_start(options: &Options, schedule: &Schedule) {
    let nodes = options.nodes;
    let Some(hottest) = schedule.clients.get(schedule.hottest as usize) else {
        say!("{nodes} nodes, which are asked for nothing");
        return;
    };
    let mode = match options.mode {
        Mode::Check => "check",
        Mode::Acquire => "acquire",
    };
    say!(
        "{nodes} nodes, {mode}, {} requests of {} clients in {:.1} s; the share is that of `{}`",
        schedule.requests.len(),
        schedule.clients.len(),
        schedule.duration_ns() as f64 / 1e9,
        name_shown(hottest),
    );
    let share = "";
    say!("   s node  {share:BAR_CHARS$}  share  admitted  refused");
}

/// Prints what of a log could not be used; nothing if all of it could.
pub(crate) fn show_lines(tally: &Tally) {
    if tally.unparsed_lines > 0 {
        let first: Vec<_> = tally.unparsed_first.iter().map(u64::to_string).collect();
        say!(
            "{} lines do not parse, the first of them {}",
            tally.unparsed_lines,
            first.join(", ")
        );
    }
    if tally.late_lines > 0 {
        say!(
            "{} lines are too far out of order and left out",
            tally.late_lines
        );
    }
}

/// Prints one node's second.
pub(crate) fn show_second(line: &NodeLine) {
    say!("{}", second_line(line));
}

fn second_line(line: &NodeLine) -> String {
    let NodeLine { node, share, .. } = *line;
    let second = match node {
        0 => line.second.to_string(),
        _ => String::new(),
    };
    let hot = if line.hot { "  <- hot" } else { "" };
    format!(
        "{second:>4} {node:>4}  {}  {share:.3} {:>9} {:>8}{hot}",
        bar(share),
        line.admitted,
        line.refused
    )
}

fn bar(share: f64) -> String {
    let filled = (share.clamp(0.0, 1.0) * BAR_CHARS as f64).round() as usize;
    format!("{}{}", "#".repeat(filled), ".".repeat(BAR_CHARS - filled))
}

/// A client's name, short enough for a line and without what a terminal would obey.
fn name_shown(name: &str) -> String {
    let plain = name.chars().filter(|c| !c.is_control());
    plain.take(40).collect()
}

/// Prints that the halves no longer hear each other.
pub(crate) fn announce_cut(at_ns: u64, half: usize, nodes: usize) {
    let names = |nodes: std::ops::Range<usize>| {
        let names: Vec<_> = nodes.map(|node| node.to_string()).collect();
        names.join(" ")
    };
    say!(
        "---- {:.1} s: cut between nodes {} and nodes {}",
        at_ns as f64 / 1e9,
        names(0..half),
        names(half..nodes)
    );
}

/// Prints that the halves hear each other again.
pub(crate) fn announce_healing(at_ns: u64) {
    say!("---- {:.1} s: healed", at_ns as f64 / 1e9);
}

/// Prints how long that took to show in every node.
pub(crate) fn announce_convergence(convergence: Option<Convergence>) {
    match convergence {
        Some(convergence) => say!(
            "---- rows agree {:.0} ms after the first datagram, {:.0} ms after healing",
            convergence.from_first_datagram_ns as f64 / 1e6,
            convergence.from_healing_ns as f64 / 1e6
        ),
        None => say!("---- rows still do not agree"),
    }
}

/// The table for people, line by line.
pub(crate) fn table(figures: &Figures) -> Vec<String> {
    let rows = rows(figures).into_iter();
    rows.map(|(name, value)| format!("{name:<24}{value}"))
        .collect()
}

/// The figures by their names, for people.
pub(crate) fn rows(figures: &Figures) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("requests", figures.requests.to_string()),
        ("admitted", figures.admitted.to_string()),
        ("an ideal bucket admits", figures.ideal_admitted.to_string()),
        ("utilisation", or_dash(figures.utilisation, 4, "")),
        ("overshoot", format!("{:.3} units", figures.overshoot_units)),
        ("bound on it", format!("{:.3} units", figures.bound_units)),
        (
            "datagrams",
            format!("{:.1} per node and second", figures.datagrams_per_node_s),
        ),
        (
            "bytes",
            format!("{:.0} per node and second", figures.bytes_per_node_s),
        ),
    ];
    if figures.options.partition_s.is_some() {
        rows.push(("converged", or_dash(figures.converged_ms, 1, " ms")));
        rows.push(("in ticks", or_dash(figures.converged_ticks, 2, "")));
        rows.push((
            "since healing",
            or_dash(figures.converged_from_healing_ms, 1, " ms"),
        ));
    }
    rows.extend(figures.check_ns.map(|q| ("check", quantiles(&q, "ns"))));
    rows.extend(figures.acquire_us.map(|q| ("acquire", quantiles(&q, "us"))));
    rows
}

fn or_dash(value: Option<f64>, places: usize, unit: &str) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.places$}{unit}"))
}

fn quantiles(quantiles: &Quantiles, unit: &str) -> String {
    let Quantiles { p50, p99, p999 } = quantiles;
    format!("p50 {p50:.0} {unit}, p99 {p99:.0} {unit}, p99.9 {p999:.0} {unit}")
}

/// How fast shares followed the hot spot, for people.
pub(crate) fn followed_line(followed: &Followed) -> String {
    let node = followed.spot.node;
    let from_s = followed.spot.from_ns as f64 / 1e9;
    let start = format!("hot spot on node {node} from {from_s:.0} s: its share");
    match followed.after_ns {
        Some(ns) => format!(
            "{start} passed {FOLLOWED_SHARE} after {:.2} s",
            ns as f64 / 1e9
        ),
        None => format!("{start} never passed {FOLLOWED_SHARE}"),
    }
}

/// How well the driver itself kept its times, for people.
pub(crate) fn lag_line(lag_ns_max: u64) -> String {
    let lag_ms = lag_ns_max as f64 / 1e6;
    format!("requests were sent at most {lag_ms:.1} ms late")
}

/// Decisions whose instants cannot be; none if there are none.
pub(crate) fn misdated_line(decisions: usize) -> Option<String> {
    let line = format!("{decisions} decisions carry an instant outside the call they answer");
    (decisions > 0).then_some(line)
}

/// Prints lines below what was printed before.
pub(crate) fn show(lines: &[String]) {
    say!("\n{}", lines.join("\n"));
}

/// Writes the figures as JSON.
///
/// # Errors
/// What cannot be written.
pub(crate) fn write_json(figures: &Figures, mut output: impl Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut output, figures).context("cannot write the JSON")?;
    writeln!(output).context("cannot write the JSON")
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
