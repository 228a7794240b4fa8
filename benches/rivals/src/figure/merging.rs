//! Checks of quiet keys at a node, while another thread takes in rows of contended ones.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use distributary::proto::{Nanos, Table};
use distributary::{Clock, TscClock};
use serde_json::{Value, json};

use super::mesh::{Frame, HEARER, LIMIT, Mesh, REST_TICKS, TELLER, TICK_NS, ask};
use crate::keys::Random;
use crate::measure::{median, quantile, thread_ns, wall_ns};

const QUIET_KEYS: u64 = 1_000_000;
const CONTENDED_KEYS: u64 = 10_000;
/// Quiet keys are those from this number on.
const QUIET_FROM: u64 = CONTENDED_KEYS;

const ROWS_PER_S: u64 = 100_000;
/// Checks in one half of a round, and those of them that are timed one by one.
const CHECKS: u64 = 100_000;
const CHECKS_EACH: u64 = 20_000;
/// Rows that are merged in one round, more or less: both of its halves take about this part of a second.
const ROWS_PER_ROUND: u64 = ROWS_PER_S / 10;

/// So many rounds, in each of which rows are merged in one half and not in the other.
pub fn measure(rounds: usize) -> Value {
    let frames = told(ROWS_PER_ROUND * rounds as u64);
    let mesh = Mesh::founded(2, LIMIT);
    let mut checks = Checks::new(&mesh);
    let order = Arc::new(AtomicU8::new(REST));
    let merger = Merger {
        mesh,
        frames,
        order: Arc::clone(&order),
    };
    let merger = std::thread::spawn(move || merger.run());
    let (mut alone, mut beside) = (Half::default(), Half::default());
    for _ in 0..rounds {
        for (half, told) in [(&mut alone, REST), (&mut beside, MERGE)] {
            order.store(told, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
            half.walks_ns.push(checks.walk());
            checks.each(&mut half.each_ns);
        }
    }
    order.store(END, Ordering::Relaxed);
    let rows_per_s = merger.join().expect("merging does not panic");
    let (alone_ns, beside_ns) = (median(&mut alone.walks_ns), median(&mut beside.walks_ns));
    json!({
        "alone_ns": alone_ns,
        "beside_ns": beside_ns,
        "ratio": beside_ns / alone_ns,
        "alone_p999_ns": quantile(&mut alone.each_ns, 0.999),
        "beside_p999_ns": quantile(&mut beside.each_ns, 0.999),
        "rows_per_s": rows_per_s,
    })
}

/// What one kind of halves took, in processor time.
#[derive(Default)]
struct Half {
    /// Of one check on average, for each half.
    walks_ns: Vec<f64>,
    /// Of single checks, with what reading the time takes.
    each_ns: Vec<f64>,
}

/// Frames of at least so many rows, told by one of two nodes to the other. The same frames are news to
/// the other one of any two nodes.
fn told(rows: u64) -> Vec<Frame> {
    let mut mesh = Mesh::founded(2, LIMIT);
    let mut random = Random::new(rows);
    let mut frames = Vec::new();
    for host in [TELLER, HEARER] {
        mesh.fill(host, CONTENDED_KEYS);
    }
    while mesh.hosts[TELLER].node.counters().rows_sent < rows {
        mesh.spend(CONTENDED_KEYS, &mut random);
        mesh.now.0 += REST_TICKS * TICK_NS;
        mesh.hosts[TELLER].node.handle_timeout(mesh.now);
        let said = mesh.said_by(TELLER);
        said.iter().for_each(|frame| mesh.hand_over(frame));
        frames.extend(said);
        mesh.hosts[HEARER].node.handle_timeout(mesh.now);
        mesh.exchange();
    }
    frames
}

const REST: u8 = 0;
const MERGE: u8 = 1;
const END: u8 = 2;

/// Hands frames to a node while it is told to.
struct Merger {
    mesh: Mesh,
    frames: Vec<Frame>,
    order: Arc<AtomicU8>,
}

impl Merger {
    /// Says how many rows a second were merged while it was told to.
    fn run(mut self) -> f64 {
        let (mut merged_ns, mut since_ns) = (0, wall_ns());
        let mut frames = std::mem::take(&mut self.frames).into_iter();
        loop {
            std::thread::sleep(Duration::from_micros(500));
            let passed_ns = wall_ns() - std::mem::replace(&mut since_ns, wall_ns());
            match self.order.load(Ordering::Relaxed) {
                MERGE if frames.len() > 0 => merged_ns += passed_ns,
                END => return self.heard() as f64 / (merged_ns as f64 / 1e9),
                _ => continue,
            }
            while self.heard() < merged_ns * ROWS_PER_S / 1_000_000_000
                && let Some(frame) = frames.next()
            {
                self.mesh.hand_over(&frame);
            }
        }
    }

    fn heard(&self) -> u64 {
        self.mesh.hosts[HEARER].node.counters().rows_heard
    }
}

/// Checks of quiet keys at the node that hears, with the clock that the library reads by default.
struct Checks {
    table: Arc<Table>,
    clock: TscClock,
    begun: Nanos,
    random: Random,
}

impl Checks {
    fn new(mesh: &Mesh) -> Self {
        let mut checks = Self {
            table: Arc::clone(&mesh.hosts[HEARER].table),
            clock: TscClock::new(),
            begun: mesh.now,
            random: Random::new(QUIET_KEYS),
        };
        (0..QUIET_KEYS).for_each(|number| checks.check(number));
        checks
    }

    fn check(&mut self, number: u64) {
        let now = Nanos(self.begun.0 + self.clock.now_ns());
        let _decided = black_box(
            self.table
                .check(black_box(ask(QUIET_FROM + number, 1)), now),
        );
    }

    /// What one of many takes.
    fn walk(&mut self) -> f64 {
        let begun_ns = thread_ns();
        for _ in 0..CHECKS {
            let number = self.random.below(QUIET_KEYS);
            self.check(number);
        }
        (thread_ns() - begun_ns) as f64 / CHECKS as f64
    }

    /// What each of some takes.
    fn each(&mut self, each_ns: &mut Vec<f64>) {
        for _ in 0..CHECKS_EACH {
            let number = self.random.below(QUIET_KEYS);
            let begun_ns = thread_ns();
            self.check(number);
            each_ns.push((thread_ns() - begun_ns) as f64);
        }
    }
}
