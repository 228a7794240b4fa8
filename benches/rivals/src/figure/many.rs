//! Sixteen checks at a time beside the same ones one by one, of a limiter with a million keys.

use std::hint::black_box;

use distributary::{Hashing, Limiter};
use serde_json::{Value, json};

use crate::args::Args;
use crate::contestant::Quota;
use crate::contestant::ours::{Ours, limit};
use crate::keys::Stream;
use crate::measure::{Mode, Walk, paired};
use crate::works::{STREAM, filled};

const KEYS: u64 = 1_000_000;
const TOGETHER: usize = 16;

/// A walk by batches.
struct Batches(Limiter);

impl Walk<String> for Batches {
    fn walk(&self, keys: &[String], _: Mode) -> u64 {
        let batches = keys.chunks(TOGETHER).map(|keys| {
            let requests: Vec<(&String, u64)> = keys.iter().map(|key| (key, 1)).collect();
            let decisions = black_box(self.0.check_many(black_box(&requests)));
            decisions
                .iter()
                .filter(|decision| decision.is_allowed())
                .count() as u64
        });
        batches.sum()
    }
}

/// By each hash: nanoseconds for a check, and how many times the one the other is.
pub fn measure(args: &Args) -> Value {
    let stream = Stream::<String>::uniform(KEYS, STREAM);
    let mut measured = serde_json::Map::new();
    for (name, hashing) in [("default", Hashing::Sip), ("xxh3", Hashing::Xxh3)] {
        let limiter = Limiter::builder(limit(Quota::AMPLE))
            .hashing(hashing)
            .build();
        let single = filled::<String>(Box::new(Ours::of(limiter.clone())), KEYS);
        let batches = Batches(limiter);
        let both = paired(
            &batches,
            &*single,
            &stream,
            Mode::Throughput,
            1,
            args.effort(),
        );
        let together = json!({
            "together_ns": both.ours.ns,
            "one_by_one_ns": both.rival.ns,
            "ratio": both.rival.ns / both.ours.ns,
        });
        measured.insert(name.to_owned(), together);
    }
    Value::Object(measured)
}
