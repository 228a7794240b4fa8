//! A million new keys a second at a table that keeps a million: does memory stay flat, and what is
//! given up?

use std::time::Duration;

use distributary::Limiter;
use serde_json::{Value, json};

use super::LASTING;
use super::resident::resident_bytes;
use crate::contestant::ours::{Ours, limit};
use crate::keys::Numbered;
use crate::measure::{Mode, Walk, thread_ns, wall_ns};

const KEYS_PER_STEP: u64 = 10_000;
const STEP_NS: u64 = 10_000_000;
const STEPS_PER_SAMPLE: u64 = 10;
const SECOND_NS: u64 = 1_000_000_000;
/// By then the table is full.
const FULL_NS: u64 = 2 * SECOND_NS;

/// So many seconds of it. If the table cannot keep up, fewer keys come: that is told.
pub fn of(seconds: u64) -> Value {
    let ours = Ours::of(Limiter::builder(limit(LASTING)).keys_max(1_000_000).build());
    let begun_ns = wall_ns();
    let begun_cpu_ns = thread_ns();
    let mut resident = Vec::new();
    let mut allowed = 0;
    let mut steps = 0;
    let mut elapsed_ns = 0;
    while elapsed_ns < seconds * SECOND_NS {
        let numbers = steps * KEYS_PER_STEP..(steps + 1) * KEYS_PER_STEP;
        for number in numbers {
            allowed += ours.walk(&[String::numbered(number)], Mode::Throughput);
        }
        steps += 1;
        let early_ns = (steps * STEP_NS).saturating_sub(wall_ns() - begun_ns);
        std::thread::sleep(Duration::from_nanos(early_ns));
        elapsed_ns = wall_ns() - begun_ns;
        if elapsed_ns > FULL_NS && steps % STEPS_PER_SAMPLE == 0 {
            resident.push(resident_bytes());
        }
    }
    let took_s = (wall_ns() - begun_ns) as f64 / 1e9;
    let checks = steps * KEYS_PER_STEP;
    let counters = ours.limiter().counters();
    let least = resident.iter().min().copied().unwrap_or(0);
    let most = resident.iter().max().copied().unwrap_or(0);
    json!({
        "keys_per_s": checks as f64 / took_s,
        "resident_bytes_least": least,
        "resident_bytes_most": most,
        "resident_spread": (most as f64 - least as f64) / (least as f64).max(1.0),
        "new_key_ns": (thread_ns() - begun_cpu_ns) as f64 / checks as f64,
        "allowed": allowed as f64 / checks as f64,
        "keys": counters.keys,
        "keys_given_up": counters.keys_given_up,
    })
}
