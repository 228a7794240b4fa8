//! Every scenario that is written down, and every seed that once failed, with all oracles on.

use std::path::{Path, PathBuf};

use simulations::Scenario;
use simulations::strategy::Shares;
use simulations::trial::trial;

/// What is known to be false, and why: file, claim, reason. An entry whose claim holds again is
/// told, and has to go.
const KNOWN: &[(&str, &str, &str)] = &[(
    "crowd",
    "convergence",
    "rows of keys that no longer change are not told again",
)];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    files
}

/// What is false in a scenario and not known to be.
fn surprises(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("it can be read");
    let scenario: Scenario = toml::from_str(&text).expect("it is a scenario");
    let report = trial(&Shares, &scenario).expect("it can be drawn").report;
    let name = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .expect("a name");
    let known = |claim: &str| {
        KNOWN
            .iter()
            .any(|(of, what, _)| *of == name && *what == claim)
    };
    for (of, claim, _) in KNOWN.iter().filter(|(of, ..)| *of == name) {
        if !report.failed().any(|(failed, _)| failed == claim) {
            eprintln!("{of}: {claim} is not false any more: take it off the list");
        }
    }
    let unknown = report.failed().filter(|(claim, _)| !known(claim));
    let told = unknown.filter_map(|(claim, verdict)| {
        let finding = verdict.finding()?;
        let timeline = finding.timeline.join("\n");
        Some(format!("{name}: {claim}: {}\n{timeline}", finding.text))
    });
    told.collect()
}

fn all_hold(folder: &str) -> usize {
    let files = files(folder);
    let surprises: Vec<String> = files.iter().flat_map(|file| surprises(file)).collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
    files.len()
}

#[test]
fn every_written_scenario_keeps_every_claim() {
    assert!(all_hold("scenarios") >= 10);
}

#[test]
fn every_seed_that_once_failed_is_as_it_is_known_to_be() {
    assert!(all_hold("seeds") >= 1);
}
