//! What it costs to tell rows and to hear them: two nodes, without a transport between them.

use serde_json::{Value, json};

use super::mesh::{Frame, HEARER, LIMIT, Mesh, REST_TICKS, TELLER, TICK_NS};
use crate::keys::Random;
use crate::measure::{median, thread_ns};

/// So few that all fit one tick's budget, and so many that they do not.
const KEYS: [u64; 2] = [1_500, 10_000];

/// So many times what a tick tells is told again, to be timed by itself.
const AGAIN: u64 = 4;

/// So many rounds of each number of keys.
pub fn measure(rounds: usize) -> Value {
    let of = |keys: u64| (format!("{keys} keys"), of(keys, rounds));
    Value::Object(KEYS.into_iter().map(of).collect())
}

/// Medians of the rounds, in processor time of this thread.
fn of(keys: u64, rounds: usize) -> Value {
    let mut mesh = Mesh::founded(2, LIMIT);
    let mut random = Random::new(keys);
    for host in [TELLER, HEARER] {
        mesh.fill(host, keys);
    }
    let rounds = (0..rounds + 2).map(|_| Round::of(&mut mesh, keys, &mut random));
    // In the first ones everything is new.
    let rounds: Vec<_> = rounds.skip(2).collect();
    let middle = |of: fn(&Round) -> f64| median(&mut rounds.iter().map(of).collect::<Vec<_>>());
    let (told_ns, heard_ns) = (
        middle(|round| round.told_ns),
        middle(|round| round.heard_ns),
    );
    json!({
        "told_per_core_and_s": 1e9 / told_ns,
        "heard_per_core_and_s": 1e9 / heard_ns,
        "told_ns": told_ns,
        "heard_ns": heard_ns,
        "tick_ns_per_key": middle(|round| round.tick_ns),
        "bytes_per_row": middle(|round| round.bytes),
        "rows_told": middle(|round| round.rows),
    })
}

/// What one tick told, each figure by row; that of the tick by key.
struct Round {
    told_ns: f64,
    heard_ns: f64,
    tick_ns: f64,
    bytes: f64,
    rows: f64,
}

impl Round {
    fn of(mesh: &mut Mesh, keys: u64, random: &mut Random) -> Self {
        mesh.spend(keys, random);
        mesh.now.0 += REST_TICKS * TICK_NS;
        let now = mesh.now;
        let (tick_ns, ()) = timed(|| mesh.hosts[TELLER].node.handle_timeout(now));
        let frames = mesh.said_by(TELLER);
        let rows = |mesh: &Mesh| mesh.hosts[TELLER].node.counters().rows_sent;
        let before = rows(mesh);
        let (told_ns, ()) = timed(|| {
            for _ in 0..AGAIN {
                mesh.hosts[TELLER].node.tell_again(now);
            }
        });
        let told = rows(mesh) - before;
        let repeated = mesh.said_by(TELLER);
        let bytes: usize = repeated.iter().map(|frame| frame.bytes.len()).sum();
        let (heard_ns, heard) = hear(mesh, &frames);
        mesh.hosts[HEARER].node.handle_timeout(now);
        mesh.exchange();
        Self {
            told_ns: told_ns / told as f64,
            heard_ns: heard_ns / heard as f64,
            tick_ns: tick_ns / keys as f64,
            bytes: bytes as f64 / told as f64,
            rows: heard as f64,
        }
    }
}

/// Says how many rows were news, and how long that took.
fn hear(mesh: &mut Mesh, frames: &[Frame]) -> (f64, u64) {
    let rows = |mesh: &Mesh| mesh.hosts[HEARER].node.counters().rows_heard;
    let before = rows(mesh);
    let (heard_ns, ()) = timed(|| frames.iter().for_each(|frame| mesh.hand_over(frame)));
    (heard_ns, rows(mesh) - before)
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun_ns = thread_ns();
    let done = work();
    ((thread_ns() - begun_ns) as f64, done)
}
