use super::*;
use crate::scenario::FaultKind;

#[test]
fn patterns_match_as_in_a_shell() {
    for (glob, name) in [
        ("even-2x", "even-2x"),
        ("*", "log"),
        ("even-*", "even-0.8x"),
        ("*-2x", "moving-2x"),
        ("partition-*-20s", "partition-2x-20s"),
        ("log,rolling", "rolling"),
    ] {
        assert!(matches(glob, name), "{glob} {name}");
    }
    for (glob, name) in [
        ("even", "even-2x"),
        ("*-2x", "partition-2x-20s"),
        ("", "log"),
    ] {
        assert!(!matches(glob, name), "{glob} {name}");
    }
}

#[test]
fn every_workload_has_its_cells_and_selections_narrow_them() {
    let all = cells(&Selection::default()).expect("cells");
    let named = |name: &str| all.iter().filter(|cell| cell.workload == name).count();
    for name in NAMES {
        // Nothing plays a log where there is none.
        assert_eq!(named(name) == 0, name.starts_with("log"), "{name}");
    }
    assert_eq!(named("even-2x"), 5);
    assert_eq!(named("low-limit-random"), 3);
    let narrow = Selection {
        only: Some("even-*".to_owned()),
        nodes: vec![20],
        ..Selection::default()
    };
    assert_eq!(cells(&narrow).expect("cells").len(), 3);
    let quick = Selection {
        quick: true,
        ..Selection::default()
    };
    assert!(
        cells(&quick)
            .expect("cells")
            .iter()
            .all(|cell| cell.nodes <= 5)
    );
    let none = Selection {
        only: Some("nothing".to_owned()),
        ..Selection::default()
    };
    assert!(cells(&none).is_err());
}

#[test]
fn scenarios_survive_being_written_and_read() {
    for cell in cells(&Selection::default()).expect("cells") {
        let scenario = cell.scenario(3, 200, Mode::Acquire);
        let text = toml::to_string(&scenario).expect("a scenario is TOML");
        assert_eq!(
            toml::from_str::<Scenario>(&text).expect("it is read"),
            scenario
        );
    }
}

#[test]
fn a_rolling_deploy_reaches_every_node_within_the_run() {
    let cell = cell("rolling", "lan", 5, 2000, &Selection::default()).expect("a cell");
    let left = cell
        .base
        .faults
        .iter()
        .filter_map(|fault| match fault.kind {
            FaultKind::Leave(place) => Some(place),
            _ => None,
        });
    assert_eq!(left.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(cell.base.faults.iter().all(|fault| fault.at_ms < 60_000));
}

#[test]
fn a_row_has_the_fields_that_readers_expect_and_counts_per_node_and_second() {
    let cell = cell("even-2x", "lan", 5, 2000, &Selection::default()).expect("a cell");
    let scenario = cell.scenario(4, 200, Mode::Acquire);
    let run = crate::Run {
        traffic: crate::Traffic {
            span_ns: 60_000_000_000,
            nodes: 5.0,
            grants: 300,
            datagrams: 3_000,
            bytes: 600_000,
        },
        ..crate::Run::default()
    };
    let row = Row::of(&cell, &scenario, "shares", &run, 6_100);
    let json = serde_json::to_value(&row).expect("a row is JSON");
    for (field, value) in [
        ("workload", "even-2x".into()),
        ("network", "lan".into()),
        ("nodes", 5.into()),
        ("strategy", "shares".into()),
        ("epsilon", 0.2.into()),
        ("mode", "acquire".into()),
        ("seed", 4.into()),
        ("tick_ms", 100.into()),
        ("duration_s", 60.0.into()),
        ("admitted", 0.into()),
        ("ideal_admitted", 6_100.into()),
        ("utilisation", 0.0.into()),
        ("overshoot_units", 0.0.into()),
        ("bound_units", 20.0.into()),
        ("grants_per_node_s", 1.0.into()),
        ("datagrams_per_node_s", 10.0.into()),
        ("bytes_per_node_s", 2_000.0.into()),
        ("converged_ms", serde_json::Value::Null),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
}
