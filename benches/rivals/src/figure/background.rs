//! What a limiter does while nobody asks it anything.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LASTING, child};
use crate::args::Args;
use crate::contestant::ours::Ours;
use crate::contestant::rateguard::Rateguard;
use crate::measure::{process_ns, wall_ns};
use crate::roster::Contestant;
use crate::works::filled;

const KEYS: u64 = 1_000_000;

/// Those that run anything in the background.
pub fn measure(args: &Args) -> Result<Value, String> {
    let seconds = args.either("4", "20");
    let of = |who| child(&["background", who, seconds]);
    Ok(json!({"ours": of("ours")?, "rateguard": of("rateguard")?}))
}

/// The part of one core that a node with a million live quiet keys takes.
pub fn of(who: &str, seconds: u64) -> Option<Value> {
    let contestant: Contestant<String> = match who {
        "ours" => Box::new(Ours::node(LASTING, KEYS * 2)),
        "rateguard" => Box::new(Rateguard::new(LASTING, KEYS)),
        _ => return None,
    };
    let _kept = filled(contestant, KEYS);
    std::thread::sleep(Duration::from_secs(2));
    let (begun_ns, begun_cpu_ns) = (wall_ns(), process_ns());
    std::thread::sleep(Duration::from_secs(seconds));
    let used_ns = (process_ns() - begun_cpu_ns) as f64;
    let part = used_ns / (wall_ns() - begun_ns) as f64;
    Some(json!({"keys": KEYS, "part_of_a_core": part}))
}
