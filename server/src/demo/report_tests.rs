//! What is printed and what is written.

use clap::Parser;

use super::*;
use crate::demo::{args::Args, schedule::HotSpot};

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

fn figures() -> Figures {
    let args = Typed::try_parse_from(["demo", "--log", "a.log"])
        .expect("good")
        .args;
    let options = Options::new(&args, 9).expect("good");
    Figures {
        requests: 10,
        admitted: 8,
        ideal_admitted: 8,
        utilisation: Some(1.0),
        overshoot_units: 0.0,
        bound_units: 2.0,
        converged_ms: None,
        converged_ticks: None,
        converged_from_healing_ms: None,
        datagrams_per_node_s: 31.5,
        bytes_per_node_s: 4000.0,
        check_ns: Quantiles::of(vec![80], 1.0),
        acquire_us: None,
        unparsed_lines: Some(0),
        late_lines: Some(0),
        seed: 9,
        options: OptionsShown::new(&options),
    }
}

#[test]
fn the_json_has_every_key_and_null_where_one_does_not_apply() {
    let mut written = Vec::new();
    write_json(&figures(), &mut written).expect("memory");
    let json: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
    let keys = "requests admitted ideal_admitted utilisation overshoot_units bound_units \
                converged_ms converged_ticks converged_from_healing_ms datagrams_per_node_s \
                bytes_per_node_s check_ns acquire_us unparsed_lines late_lines seed options";
    let object = json.as_object().expect("an object");
    assert!(
        keys.split(' ')
            .filter(|k| !k.is_empty())
            .all(|key| object.contains_key(key))
    );
    assert_eq!(object.len(), 17);
    assert_eq!(json["check_ns"]["p999"], 80.0);
    assert!(json["acquire_us"].is_null() && json["converged_ms"].is_null());
    assert_eq!(json["options"]["speed"], 600.0);
}

#[test]
fn the_widest_second_fits_in_100_columns() {
    let line = NodeLine {
        second: 86_400,
        node: 39,
        share: 1.0,
        admitted: 9_999_999,
        refused: 9_999_999,
        hot: true,
    };
    assert!(second_line(&line).len() <= 100);
    let first = NodeLine { node: 0, ..line };
    assert!(second_line(&first).starts_with("86400"));
}

#[test]
fn a_bar_is_as_long_as_its_share() {
    assert_eq!(bar(0.5).matches('#').count(), BAR_CHARS / 2);
    for share in [-1.0, 0.0, 2.0, f64::NAN] {
        assert_eq!(bar(share).len(), BAR_CHARS);
    }
}

#[test]
fn the_table_leaves_out_what_does_not_apply() {
    let table = table(&figures()).join("\n");
    assert!(table.contains("utilisation             1.0000"));
    assert!(table.contains("p50 80 ns"));
    assert!(!table.contains("acquire") && !table.contains("converged"));
}

#[test]
fn names_from_a_log_cannot_drive_a_terminal() {
    assert_eq!(name_shown("a\u{1b}[2Jb"), "a[2Jb");
    assert_eq!(name_shown(&"x".repeat(100)).len(), 40);
}

#[test]
fn a_followed_hot_spot_says_how_fast() {
    let mut followed = Followed {
        spot: HotSpot {
            from_ns: 7_000_000_000,
            node: 1,
        },
        after_ns: Some(900_000_000),
    };
    assert!(followed_line(&followed).ends_with("from 7 s: its share passed 0.6 after 0.90 s"));
    followed.after_ns = None;
    assert!(followed_line(&followed).ends_with("never passed 0.6"));
}
