//! Ten thousand contended keys at five nodes in virtual time: what the protocol itself costs them, whatever
//! else the machine does and without a transport.

use distributary::Limit;
use serde_json::{Value, json};

use super::cluster::MODEST_PER_S;
use super::contended::{KEYS, NODES, OFFERED};
use super::mesh::{Mesh, TICK_NS, ask};
use crate::keys::Random;
use crate::measure::thread_ns;

/// Between two looks at what has become urgent: a round trip in a data centre, and some.
const STEP_NS: u64 = 2_000_000;
const STEPS_PER_TICK: u64 = TICK_NS / STEP_NS;
const CHECKS_PER_STEP: u64 = KEYS * OFFERED * MODEST_PER_S * STEP_NS / 1_000_000_000;
const TICKS_PER_S: u64 = 1_000_000_000 / TICK_NS;
const WARM_SECONDS: u64 = 5;

/// So many seconds of virtual time, after some to warm up.
pub fn measure(seconds: u64) -> Value {
    let mut crowd = Crowd {
        mesh: Mesh::founded(NODES, Limit::per_second(MODEST_PER_S).burst(10)),
        random: Random::new(5),
        seen: Seen::default(),
    };
    (0..WARM_SECONDS * TICKS_PER_S).for_each(|_| crowd.tick());
    crowd.seen = Seen::default();
    let sent_before = crowd.rows_sent();
    (0..seconds * TICKS_PER_S).for_each(|_| crowd.tick());
    let seen = &crowd.seen;
    let each = |count: u64| count as f64 / (NODES as u64 * seconds) as f64;
    let rows = crowd.rows_sent() - sent_before;
    json!({
        "contended_at_first": crowd.mesh.hosts[0].node.memory().keys_active,
        "asked_per_s": seen.asked / seconds,
        "utilisation": seen.admitted as f64 / (KEYS * MODEST_PER_S * seconds) as f64,
        "part_of_a_core_per_node": each(seen.spent_ns) / 1e9,
        "of_it_for_ticks": each(seen.ticks_ns) / 1e9,
        "of_it_for_frames": each(seen.frames_ns) / 1e9,
        "bytes_per_node_and_s": each(seen.bytes),
        "frames_per_node_and_s": each(seen.frames),
        "rows_per_node_and_s": each(rows),
        "bytes_per_row_frames_and_all": seen.bytes as f64 / rows as f64,
    })
}

/// What happened.
#[derive(Default)]
struct Seen {
    asked: u64,
    admitted: u64,
    frames: u64,
    bytes: u64,
    /// Processor time of the protocol, checks not included.
    spent_ns: u64,
    ticks_ns: u64,
    frames_ns: u64,
}

/// Requests for any key at any node, at an even pace.
struct Crowd {
    mesh: Mesh,
    random: Random,
    seen: Seen,
}

impl Crowd {
    fn tick(&mut self) {
        for step in 0..STEPS_PER_TICK {
            self.mesh.now.0 += STEP_NS;
            self.ask();
            let begun_ns = thread_ns();
            let now = self.mesh.now;
            for (place, host) in self.mesh.hosts.iter_mut().enumerate() {
                host.node.handle_urgent(now);
                // As in the world, nodes do not tick all at once.
                if step == place as u64 * STEPS_PER_TICK / NODES as u64 {
                    let begun_ns = thread_ns();
                    host.node.handle_timeout(now);
                    self.seen.ticks_ns += thread_ns() - begun_ns;
                }
            }
            self.hand_over();
            self.seen.spent_ns += thread_ns() - begun_ns;
        }
    }

    fn ask(&mut self) {
        for _ in 0..CHECKS_PER_STEP {
            let host = &self.mesh.hosts[self.random.below(NODES as u64) as usize];
            let decision = host
                .table
                .check(ask(self.random.below(KEYS), 1), self.mesh.now);
            self.seen.asked += 1;
            self.seen.admitted += u64::from(decision.is_allowed());
        }
    }

    /// Until nobody has anything to say.
    fn hand_over(&mut self) {
        let begun_ns = thread_ns();
        let seen = &mut self.seen;
        self.mesh.exchange_seen(|frame| {
            seen.frames += 1;
            seen.bytes += frame.bytes.len() as u64;
        });
        self.seen.frames_ns += thread_ns() - begun_ns;
    }

    fn rows_sent(&self) -> u64 {
        let hosts = self.mesh.hosts.iter();
        hosts.map(|host| host.node.counters().rows_sent).sum()
    }
}
