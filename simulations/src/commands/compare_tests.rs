//! Tables that differ in one figure each.

use super::*;

const THRESHOLDS: Thresholds = Thresholds {
    utilisation: 0.005,
    overshoot: 0.5,
    traffic: 0.1,
    converged: 200.0,
};

fn row(seed: u64) -> Row {
    let text = format!(
        "{{\"workload\": \"even-2x\", \"network\": \"lan\", \"nodes\": 5, \"load\": 2.0, \
         \"strategy\": \"shares\", \"epsilon\": 0.2, \"mode\": \"check\", \"seed\": {seed}, \
         \"tick_ms\": 100, \"duration_s\": 60.0, \"admitted\": 990, \"ideal_admitted\": 1000, \
         \"utilisation\": 0.99, \"overshoot_units\": 3.0, \"bound_units\": 20.0, \
         \"grants_per_node_s\": 10.0, \"datagrams_per_node_s\": 50.0, \
         \"bytes_per_node_s\": 5000.0, \"converged_ms\": 150.0}}"
    );
    serde_json::from_str(&text).expect("a row")
}

fn with(change: impl Fn(&mut Row)) -> Comparison {
    let mut changed = row(1);
    change(&mut changed);
    compare(&[row(1), row(2)], &[row(2), changed], &THRESHOLDS)
}

#[test]
fn the_same_table_does_not_differ() {
    let comparison = with(|_| {});
    assert_eq!((comparison.cells, comparison.differences.len()), (2, 0));
    assert!(!comparison.is_worse());
}

#[test]
fn a_figure_is_worse_only_beyond_its_threshold_and_in_its_direction() {
    for (worse, change) in [
        (true, (|row| row.utilisation = 0.984) as fn(&mut Row)),
        (false, |row| row.utilisation = 0.986),
        (false, |row| row.utilisation = 1.0),
        (true, |row| row.overshoot_units = 3.6),
        (false, |row| row.overshoot_units = 0.0),
        (true, |row| row.datagrams_per_node_s = 55.1),
        (false, |row| row.datagrams_per_node_s = 20.0),
        (true, |row| row.bytes_per_node_s = 5501.0),
        (false, |row| row.grants_per_node_s = 11.0),
        (true, |row| row.converged_ms = Some(351.0)),
        (true, |row| row.converged_ms = None),
        (false, |row| row.converged_ms = Some(1.0)),
    ] {
        let comparison = with(change);
        assert_eq!(comparison.is_worse(), worse, "{:?}", comparison.differences);
        assert_eq!(comparison.differences.len(), 1);
    }
}

#[test]
fn a_broken_bound_comes_first_whatever_is_permitted() {
    let mut changed = row(1);
    changed.overshoot_units = 20.1;
    changed.utilisation = 0.5;
    let generous = Thresholds {
        overshoot: 1000.0,
        ..THRESHOLDS
    };
    let comparison = compare(&[row(1)], &[changed], &generous);
    assert_eq!(comparison.differences[0].figure, "units above the bound");
    assert_eq!(comparison.differences[1].figure, "utilisation");
    assert!(comparison.is_worse());
}

#[test]
fn cells_are_paired_whatever_their_order_and_the_others_are_named() {
    let comparison = compare(&[row(1), row(2)], &[row(3), row(2)], &THRESHOLDS);
    assert_eq!((comparison.cells, comparison.differences.len()), (1, 0));
    assert!(comparison.lost[0].ends_with("seed=1") && comparison.new[0].ends_with("seed=3"));
}

#[test]
fn what_is_no_table_is_bad_input() {
    let folder = std::env::temp_dir().join(format!("simulate-compare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    for (name, text) in [("empty", "[]"), ("other", "{\"a\": 1}"), ("broken", "[{")] {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        assert!(read(&path).is_err(), "{name}");
    }
    assert!(read(&folder.join("missing")).is_err());
    std::fs::remove_dir_all(&folder).expect("a temporary folder");
}
