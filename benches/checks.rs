//! The public API by itself, with criterion: `cargo bench --bench checks`.
//!
//! Goal: to see what a change does to one operation. How this library stands beside others is
//! `cargo versus`; what CI watches are the instruction counts of `.ci/instructions`.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distributary::{Key, Limit, Limiter};

const KEYS: usize = 100_000;

/// Nobody comes near it.
const AMPLE: Limit = Limit::per_second(100_000_000);
/// Used up after one request for an hour.
const SPENT: Limit = Limit::per_hour(1);

/// 36 bytes, as a UUID.
fn name(number: usize) -> String {
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}-0000-4000-{number:09}")
}

/// A limiter that has seen every key once.
fn seen<K: Key>(limit: Limit, keys: &[K]) -> Limiter {
    let limiter = Limiter::local(limit);
    for key in keys {
        let _decided = limiter.check(key);
    }
    limiter
}

/// One check after another, of each key in its turn.
fn walk<K: Key>(criterion: &mut Criterion, what: &str, limit: Limit, keys: &[K]) {
    let limiter = seen(limit, keys);
    let mut turn = (0..keys.len()).cycle();
    let mut group = criterion.benchmark_group("check");
    group.throughput(Throughput::Elements(1));
    group.bench_function(what, |bencher| {
        bencher.iter(|| {
            let key = turn.next().map_or(&keys[0], |place| &keys[place]);
            black_box(limiter.check(black_box(key)))
        });
    });
    group.finish();
}

fn checks(criterion: &mut Criterion) {
    let strings: Vec<_> = (0..KEYS).map(name).collect();
    let integers: Vec<_> = (0..KEYS as u64).collect();
    walk(criterion, "allowed, 36 bytes", AMPLE, &strings);
    walk(criterion, "allowed, u64", AMPLE, &integers);
    walk(criterion, "denied, 36 bytes", SPENT, &strings);
    walk(criterion, "one key", AMPLE, &strings[..1]);
}

/// One key, asked for by another thread all the while.
fn contested(criterion: &mut Criterion) {
    let limiter = Limiter::local(AMPLE);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _decided = black_box(limiter.check("hot"));
            }
        });
        criterion.bench_function("check/one key, beside another thread", |bencher| {
            bencher.iter(|| black_box(limiter.check(black_box("hot"))));
        });
        stop.store(true, Ordering::Relaxed);
    });
}

fn others(criterion: &mut Criterion) {
    let strings: Vec<_> = (0..KEYS).map(name).collect();
    let limiter = seen(AMPLE, &strings);
    criterion.bench_function("peek", |bencher| {
        bencher.iter(|| black_box(limiter.peek(black_box(&strings[7]))));
    });
    criterion.bench_function("check and refund", |bencher| {
        bencher.iter(|| {
            let decision = limiter.check(black_box(&strings[7]));
            black_box(limiter.refund(&decision))
        });
    });
    // On a local limiter nothing is waited for: the first poll has the answer.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without threads can be had");
    criterion.bench_function("acquire, rights here", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(limiter.acquire(black_box(&strings[7])))));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .without_plots();
    targets = checks, contested, others
}
criterion_main!(benches);
