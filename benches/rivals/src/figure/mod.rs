//! The figures beside the cost of a check, each with a name.

pub mod accuracy;
pub mod acquire;
pub mod background;
pub mod churn;
pub mod cluster;
pub mod contended;
pub mod crowded;
pub mod entries;
pub mod gossip;
pub mod growth;
pub mod many;
pub mod merging;
pub mod mesh;
pub mod redis;
pub mod resident;

use std::process::Command;

use serde_json::{Map, Value};

use crate::args::{Args, CHILD};
use crate::contestant::Quota;
use crate::contestant::ours::Ours;
use crate::roster::{Contestant, Contested};

/// Figures by name.
pub type Figures = Map<String, Value>;

/// All that are wanted, printed as they come.
pub fn all(args: &Args, skipped: &mut Vec<String>) -> Figures {
    let mut figures = Figures::new();
    let mut take = |name: &str, measure: &mut dyn FnMut() -> Result<Value, String>| {
        if !args.wants(name) {
            return;
        }
        println!("\n{name}");
        match measure() {
            Ok(value) => {
                print(&value);
                figures.insert(name.to_owned(), value);
            }
            Err(reason) => {
                println!("  skipped: {reason}");
                skipped.push(format!("{name}: {reason}"));
            }
        }
    };
    let seconds = |quick: &str, full: &str| args.either(quick, full).to_owned();
    take("accuracy", &mut || {
        Ok(accuracy::measure(args.either(3, 10)))
    });
    take("many", &mut || Ok(many::measure(args)));
    take("cluster", &mut || {
        child(&["cluster", &seconds("quick", "full")])
    });
    take("contended", &mut || {
        child(&["contended", &seconds("5", "30")])
    });
    take("crowded", &mut || child(&["crowded", &seconds("5", "30")]));
    take("gossip", &mut || child(&["gossip", &seconds("11", "41")]));
    take("merging", &mut || child(&["merging", &seconds("11", "41")]));
    take("entries", &mut || child(&["entries"]));
    take("acquire", &mut || child(&["acquire", &seconds("3", "10")]));
    take("resident", &mut || resident::measure(args));
    take("growth", &mut || growth::measure(args));
    take("churn", &mut || child(&["churn", &seconds("5", "60")]));
    take("background", &mut || background::measure(args));
    take("redis", &mut || redis::measure(args.either(1, 5)));
    figures
}

/// Runs one figure in a process of its own.
pub fn child(words: &[&str]) -> Result<Value, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).arg(CHILD).args(words).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("its process ended with {}: {told}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// What a child does. Says whether it knew how.
pub fn in_child(words: &[String]) -> bool {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let value = match *words.as_slice() {
        ["resident", who, keys] => keys.parse().ok().and_then(|keys| resident::of(who, keys)),
        ["growth", who, keys] => keys.parse().ok().and_then(|keys| growth::of(who, keys)),
        ["background", who, seconds] => seconds
            .parse()
            .ok()
            .and_then(|seconds| background::of(who, seconds)),
        ["churn", seconds] => seconds.parse().ok().map(churn::of),
        ["cluster", effort] => Some(cluster::of(effort == "quick")),
        ["contended", seconds] => seconds.parse().ok().map(contended::of),
        ["crowded", seconds] => seconds.parse().ok().map(crowded::measure),
        ["gossip", rounds] => rounds.parse().ok().map(gossip::measure),
        ["merging", rounds] => rounds.parse().ok().map(merging::measure),
        ["entries"] => Some(entries::measure()),
        ["acquire", seconds] => seconds.parse().ok().map(acquire::of),
        _ => None,
    };
    if let Some(value) = &value {
        println!("{value}");
    }
    value.is_some()
}

/// So slow that a unit outlasts every figure: no key drains meanwhile.
pub const LASTING: Quota = Quota {
    units: 10,
    period: std::time::Duration::from_secs(3600),
};

/// A contestant by its name, whose keys last.
pub fn contestant(who: &str, keys: u64) -> Option<Contestant<String>> {
    if who == "ours" {
        return Some(Box::new(Ours::local(LASTING)));
    }
    let rival = String::rivals()
        .into_iter()
        .find(|rival| rival.name == who)?;
    (keys <= rival.keys_max).then(|| (rival.make)(LASTING, keys))
}

/// For people: one line for each innermost object.
fn print(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(print),
        Value::Object(fields) if fields.values().any(Value::is_object) => {
            for (name, value) in fields {
                print!("  {name}:");
                print(value);
            }
        }
        Value::Object(fields) => {
            let text = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", rounded(value)));
            println!("  {}", text.collect::<Vec<_>>().join(", "));
        }
        other => println!("  {}", rounded(other)),
    }
}

fn rounded(value: &Value) -> String {
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) if value.is_f64() => format!("{number:.3}"),
        _ => value.to_string(),
    }
}
