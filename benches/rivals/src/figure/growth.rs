//! What single checks cost while a table grows: the ones that wait for it to make room.

use serde_json::{Value, json};

use super::{child, contestant};
use crate::args::Args;
use crate::keys::Numbered;
use crate::measure::{Mode, quantile, thread_ns};

/// Ours and the rival that grows as well as any.
pub fn measure(args: &Args) -> Result<Value, String> {
    let keys = args.either("1000000", "10000000");
    let of = |who| child(&["growth", who, keys]);
    Ok(json!({"ours": of("ours")?, "governor": of("governor")?}))
}

/// Every check of a new key timed by itself, in processor time; what reading that time takes is
/// told beside.
pub fn of(who: &str, keys: u64) -> Option<Value> {
    let contestant = contestant(who, keys)?;
    let mut took_ns = Vec::with_capacity(keys as usize);
    let mut clock_ns = Vec::with_capacity(1_000);
    for number in 0..keys {
        let key = [String::numbered(number)];
        let begun_ns = thread_ns();
        contestant.walk(&key, Mode::Throughput);
        took_ns.push((thread_ns() - begun_ns) as f64);
        if clock_ns.len() < clock_ns.capacity() {
            let begun_ns = thread_ns();
            clock_ns.push((thread_ns() - begun_ns) as f64);
        }
    }
    let quantiles = |part| quantile(&mut took_ns.clone(), part);
    Some(json!({
        "keys": keys,
        "p50_ns": quantiles(0.5),
        "p99_ns": quantiles(0.99),
        "p9999_ns": quantiles(0.9999),
        "max_ns": quantiles(1.0),
        "clock_ns": quantile(&mut clock_ns, 0.5),
    }))
}
