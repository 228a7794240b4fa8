//! What is asked of every contestant, and the comparison of each with ours.

use std::io::Write;

use serde::Serialize;

use crate::args::Args;
use crate::contestant::Quota;
use crate::keys::{Numbered, Stream};
use crate::measure::{Mode, Walk, paired};
use crate::roster::{Contestant, Contested, FLOOR, Rival};

/// One comparison: nanoseconds of processor time for each check, medians.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was asked.
    pub work: &'static str,
    /// Of how many keys.
    pub keys: u64,
    /// By how many threads at once.
    pub threads: usize,
    /// Back to back, or one by one.
    pub mode: Mode,
    /// The hash of our keys.
    pub hash: &'static str,
    /// Who else was asked.
    pub rival: &'static str,
    /// What it cost us.
    pub ours_ns: f64,
    /// What it cost the rival.
    pub rival_ns: f64,
    /// The rival's time ÷ ours. Of the floor the other way round: how many times it we take.
    pub ratio: f64,
    /// The floor, in its own row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor_ns: Option<f64>,
    /// The part of the timed checks that we allowed.
    pub ours_allowed: f64,
    /// The part that the rival allowed: not ours if it did something else than was asked.
    pub rival_allowed: f64,
}

/// One kind of checks.
#[derive(Clone, Copy, Debug)]
struct Work {
    name: &'static str,
    keys: u64,
    quota: Quota,
    threads: &'static [usize],
    /// Whether it is left out when there is little time.
    long: bool,
}

impl Work {
    /// With all keys known, and used up if they are to be refused.
    fn prepared<K: Numbered>(&self, mut contestant: Contestant<K>) -> Contestant<K> {
        let times = if self.is_denied() {
            self.quota.units + 1
        } else {
            1
        };
        for _ in 0..times {
            contestant = filled(contestant, self.keys);
        }
        contestant
    }

    const fn is_denied(&self) -> bool {
        self.quota.units == Quota::SPENT.units
    }
}

const STRINGS: &[Work] = &[
    Work {
        name: "string 1 k",
        keys: 1_000,
        quota: Quota::AMPLE,
        threads: &[1, 2],
        long: false,
    },
    Work {
        name: "string 1 M",
        keys: 1_000_000,
        quota: Quota::AMPLE,
        threads: &[1, 2],
        long: false,
    },
    Work {
        name: "string 10 M",
        keys: 10_000_000,
        quota: Quota::AMPLE,
        threads: &[1, 2],
        long: true,
    },
    Work {
        name: "one hot key",
        keys: 1,
        quota: Quota::AMPLE,
        threads: &[2],
        long: false,
    },
    Work {
        name: "denied 1 M",
        keys: 1_000_000,
        quota: Quota::SPENT,
        threads: &[1, 2],
        long: false,
    },
];

const INTEGERS: &[Work] = &[Work {
    name: "u64 1 M",
    keys: 1_000_000,
    quota: Quota::AMPLE,
    threads: &[1, 2],
    long: false,
}];

/// All comparisons that are wanted, printed as they come; and what was left out, and why.
pub fn all(args: &Args) -> (Vec<Row>, Vec<String>) {
    let mut field = Field {
        args,
        rows: Vec::new(),
        skipped: Vec::new(),
    };
    println!(
        "{:<12} {:>7} {:<10} {:<8} {:<15} {:>9} {:>9} {:>7}",
        "work", "threads", "mode", "hash", "rival", "ours ns", "rival ns", "ratio"
    );
    for work in STRINGS {
        field.compare::<String>(*work);
    }
    for work in INTEGERS {
        field.compare::<u64>(*work);
    }
    println!(
        "(floor: one hash, one locked add; its ratio is ours ÷ floor, all others are rival ÷ ours)"
    );
    (field.rows, field.skipped)
}

struct Field<'a> {
    args: &'a Args,
    rows: Vec<Row>,
    skipped: Vec<String>,
}

impl Field<'_> {
    fn compare<K: Contested + Numbered>(&mut self, work: Work) {
        let of_work = self.args.wants(work.name);
        let wanted = |rival: &Rival<K>| of_work || self.args.wants(rival.name);
        let rivals: Vec<_> = K::rivals().into_iter().filter(wanted).collect();
        if rivals.is_empty() || work.long && self.args.quick {
            return;
        }
        let stream = Stream::<K>::uniform(work.keys, STREAM);
        for variant in K::variants() {
            let ours = work.prepared((variant.make)(work.quota, work.keys));
            for rival in &rivals {
                if let Some(reason) = self.unfit(rival, work.keys) {
                    let what = format!("{}, {}: {reason}", rival.name, work.name);
                    self.skipped.push(what);
                    continue;
                }
                let other = work.prepared((rival.make)(work.quota, work.keys));
                self.rows_of(work, variant.hash, &*ours, (rival.name, &*other), &stream);
            }
        }
    }

    /// Why a rival is not measured with so many keys.
    fn unfit<K>(&self, rival: &Rival<K>, keys: u64) -> Option<&'static str> {
        if keys > rival.keys_max {
            return Some(rival.reason);
        }
        (self.args.quick && keys > rival.keys_max_quick).then_some("it takes too long for --quick")
    }

    fn rows_of<K: Numbered>(
        &mut self,
        work: Work,
        hash: &'static str,
        ours: &dyn Walk<K>,
        (rival, other): (&'static str, &dyn Walk<K>),
        stream: &Stream<K>,
    ) {
        for &threads in work.threads {
            for mode in [Mode::Throughput, Mode::Isolated] {
                let paired = paired(ours, other, stream, mode, threads, self.args.effort());
                let is_floor = rival == FLOOR;
                let ratio = paired.rival.ns / paired.ours.ns;
                let row = Row {
                    work: work.name,
                    keys: work.keys,
                    threads,
                    mode,
                    hash,
                    rival,
                    ours_ns: paired.ours.ns,
                    rival_ns: paired.rival.ns,
                    ratio: if is_floor { 1.0 / ratio } else { ratio },
                    floor_ns: is_floor.then_some(paired.rival.ns),
                    ours_allowed: paired.ours.allowed,
                    rival_allowed: paired.rival.allowed,
                };
                print(&row);
                self.rows.push(row);
            }
        }
    }
}

/// Draws of a stream: more than any cache holds of them.
pub const STREAM: usize = 2_000_000;

/// With each key asked for once.
pub fn filled<K: Numbered>(contestant: Contestant<K>, keys: u64) -> Contestant<K> {
    for number in 0..keys {
        contestant.walk(&[K::numbered(number)], Mode::Throughput);
    }
    contestant
}

fn print(row: &Row) {
    let mode = match row.mode {
        Mode::Throughput => "throughput",
        Mode::Isolated => "isolated",
    };
    println!(
        "{:<12} {:>7} {:<10} {:<8} {:<15} {:>9.1} {:>9.1} {:>7.2}{}",
        row.work,
        row.threads,
        mode,
        row.hash,
        row.rival,
        row.ours_ns,
        row.rival_ns,
        row.ratio,
        remark(row)
    );
    let _unseen = std::io::stdout().flush();
}

/// What was not done as asked.
fn remark(row: &Row) -> String {
    let expected = if row.work.starts_with("denied") {
        0.0
    } else {
        1.0
    };
    let off = |allowed: f64| (allowed - expected).abs() > 0.001;
    let mut remark = String::new();
    if off(row.ours_allowed) {
        remark += &format!("  we allowed {:.3} of them", row.ours_allowed);
    }
    if off(row.rival_allowed) && row.rival != FLOOR {
        remark += &format!("  it allowed {:.3} of them", row.rival_allowed);
    }
    remark
}
