//! What a finding shows: at most fifteen lines of what happened around it.

use super::ledger::Admission;
use crate::history::{Note, Run, What};

/// Most lines of a witness.
pub const LINES_MAX: usize = 15;
/// Most of them about faults and views.
const NOTES_MAX: usize = 6;
/// The last admissions are told one by one, those before them as a sum.
const ADMISSIONS_MAX: usize = 6;

/// A line with its instant.
pub fn line(at_ns: u64, text: &str) -> String {
    let (s, ns) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
    format!("{s:>6}.{ns:09} s  {text}")
}

/// What matters of a note to people, if it does.
pub fn told(note: &Note) -> Option<String> {
    Some(match &note.what {
        What::Fault(text) => format!("fault: {text}"),
        What::Healed => "all is healed".to_owned(),
        What::Groups(groups) => format!("κ is {groups} from here on"),
        What::Founded => "founded anew by nodes that remembered nothing".to_owned(),
        What::ViewComplete {
            place,
            view,
            members,
        } => {
            format!("place {place} completed view {view} of {members}")
        }
        What::Suspected { by, of, alive, .. } => {
            let thinks = if *alive { "alive again" } else { "dead" };
            format!("place {by} thinks place {of} {thinks}")
        }
        _ => return None,
    })
}

/// The last few notes of an interval that matter to people.
pub fn notes(run: &Run, from_ns: u64, to_ns: u64) -> Vec<String> {
    let within = |note: &&Note| (from_ns..=to_ns).contains(&note.at_ns);
    let weighty = |note: &&Note| matches!(note.what, What::Fault(_) | What::Groups(_));
    let rank = |note: &Note| !weighty(&note);
    let mut chosen: Vec<&Note> = run.notes.iter().filter(within).collect();
    chosen.retain(|note| told(note).is_some());
    chosen.sort_by_key(|note| (rank(note), std::cmp::Reverse(note.at_ns)));
    chosen.truncate(NOTES_MAX);
    chosen.sort_by_key(|note| note.at_ns);
    let lines = chosen
        .iter()
        .filter_map(|note| Some(line(note.at_ns, &told(note)?)));
    lines.collect()
}

/// The interval that shows it: its ends, the notes in it, and its admissions.
pub fn witness(run: &Run, key: u32, from_ns: u64, admitted: &[Admission]) -> Vec<String> {
    let to_ns = admitted.last().map_or(from_ns, |last| last.at_ns);
    let mut lines = vec![line(from_ns, &format!("key {key}: the interval starts"))];
    lines.extend(notes(run, from_ns, to_ns));
    let (before, last) = admitted.split_at(admitted.len().saturating_sub(ADMISSIONS_MAX));
    if let Some(end) = before.last() {
        let units: u128 = before.iter().map(|one| u128::from(one.cost)).sum();
        let text = format!("{} requests, {units} units, admitted by here", before.len());
        lines.push(line(end.at_ns, &text));
    }
    lines.extend(last.iter().map(|one| {
        let Admission {
            cost,
            place,
            basis,
            arrival,
            ..
        } = one;
        let text = format!("request {arrival}: {cost} admitted at place {place} ({basis:?})");
        line(one.at_ns, &text)
    }));
    lines.truncate(LINES_MAX);
    lines
}
