//! Resident bytes for each key, each size in a process of its own.

use serde_json::{Value, json};

use super::{child, contestant};
use crate::args::Args;
use crate::keys::Numbered;
use crate::measure::{Mode, median};
use crate::roster::{Contested, FLOOR};

const PAGE_BYTES: u64 = 4096;

/// Ours and each rival (only the first, if it is to be quick), at sizes in equal steps of proportion.
pub fn measure(args: &Args) -> Result<Value, String> {
    let sizes = args.either(3, 20);
    let most: f64 = args.either(1.6e6, 10e6);
    let size = |step: i32| 0.2e6 * (most / 0.2e6).powf(f64::from(step) / f64::from(sizes - 1));
    let mut by_name = serde_json::Map::new();
    let rivals = String::rivals()
        .into_iter()
        .filter(|rival| rival.name != FLOOR);
    let others = rivals.map(|rival| (rival.name, rival.keys_max));
    let others = others.take(args.either(1, usize::MAX));
    for (who, keys_max) in [("ours", u64::MAX)].into_iter().chain(others) {
        // Half the sizes are enough for the rest.
        let steps = (0..sizes).step_by(if who == "ours" || args.quick { 1 } else { 2 });
        let keys = steps
            .map(|step| size(step) as u64)
            .filter(|keys| *keys <= keys_max);
        let found: Result<Vec<_>, _> = keys
            .map(|keys| child(&["resident", who, &keys.to_string()]))
            .collect();
        let found = found?;
        let each = found.iter().filter_map(|one| one["bytes_per_key"].as_f64());
        let mut each: Vec<_> = each.collect();
        let middle = median(&mut each);
        let worst = each.last().copied();
        by_name.insert(
            who.to_owned(),
            json!({"median": middle, "worst": worst, "sizes": found}),
        );
    }
    Ok(Value::Object(by_name))
}

/// What one contestant takes for so many keys.
pub fn of(who: &str, keys: u64) -> Option<Value> {
    let before = resident_bytes();
    let contestant = contestant(who, keys)?;
    for number in 0..keys {
        contestant.walk(&[String::numbered(number)], Mode::Throughput);
    }
    let grown = resident_bytes().saturating_sub(before);
    let bytes_per_key = grown as f64 / keys as f64;
    Some(json!({"keys": keys, "bytes_per_key": bytes_per_key}))
}

/// What this process has in memory now; 0 where that cannot be known.
pub fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
