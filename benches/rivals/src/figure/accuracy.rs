//! Whether the fast ones limit: admissions beside those of an exact bucket on the same arrivals.

use serde_json::{Value, json};

use crate::contestant::Quota;
use crate::keys::{Numbered, Random};
use crate::measure::{Mode, wall_ns};
use crate::roster::{Contestant, Contested, FLOOR};

/// Ten a second, ten at once.
const QUOTA: Quota = Quota {
    units: 10,
    period: std::time::Duration::from_secs(1),
};
const KEYS: u64 = 5_000;
const ARRIVALS_PER_S: u64 = 20_000;

/// Arrivals of a skewed crowd for so many seconds, by the wall; every contestant is asked at each.
pub fn measure(seconds: u64) -> Value {
    let ours = String::variants()
        .into_iter()
        .take(1)
        .map(|one| ("ours", one.make));
    let rivals = String::rivals()
        .into_iter()
        .filter(|rival| rival.name != FLOOR);
    let all = ours.chain(rivals.map(|rival| (rival.name, rival.make)));
    let mut judged: Vec<_> = all
        .map(|(name, make)| (name, make(QUOTA, KEYS), Judge::default()))
        .collect();
    let keys: Vec<_> = (0..KEYS).map(String::numbered).collect();
    let skew = Skew::new(KEYS);
    let mut random = Random::new(1);
    let begun_ns = wall_ns();
    let count = seconds * ARRIVALS_PER_S;
    for arrival in 0..count {
        let due_ns = begun_ns + arrival * (1_000_000_000 / ARRIVALS_PER_S);
        while wall_ns() < due_ns {
            std::hint::spin_loop();
        }
        let key = skew.draw(&mut random);
        for (_, contestant, judge) in &mut judged {
            judge.ask(contestant, key, &keys[key]);
        }
    }
    let figures = judged.iter().map(|(name, _, judge)| {
        json!({
            "limiter": name,
            "arrivals": count,
            "admitted": judge.admitted,
            "exact": judge.exact,
            "ratio": judge.admitted as f64 / judge.exact as f64,
            "over_units": judge.over_units,
        })
    });
    Value::Array(figures.collect())
}

/// How full a bucket is, and when it was.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    level_units: f64,
    at_ns: u64,
}

impl Bucket {
    fn drain(&mut self, now_ns: u64) {
        let rate = f64::from(QUOTA.units) / QUOTA.period.as_secs_f64();
        let drained = (now_ns - self.at_ns) as f64 / 1e9 * rate;
        self.level_units = (self.level_units - drained).max(0.0);
        self.at_ns = now_ns;
    }
}

/// Two buckets for each key: one that decides, and one that holds what the contestant let through.
#[derive(Debug, Default)]
struct Judge {
    exact_buckets: Vec<Bucket>,
    admitted_buckets: Vec<Bucket>,
    exact: u64,
    admitted: u64,
    over_units: f64,
}

impl Judge {
    fn ask(&mut self, contestant: &Contestant<String>, key: usize, name: &String) {
        let now_ns = wall_ns();
        let allowed = contestant.walk(std::slice::from_ref(name), Mode::Throughput) == 1;
        self.note(key, now_ns, allowed);
    }

    fn note(&mut self, key: usize, now_ns: u64, allowed: bool) {
        let size = self.exact_buckets.len().max(key + 1);
        self.exact_buckets.resize(size, Bucket::default());
        self.admitted_buckets.resize(size, Bucket::default());
        let burst_units = f64::from(QUOTA.units);
        let exact = &mut self.exact_buckets[key];
        exact.drain(now_ns);
        if exact.level_units + 1.0 <= burst_units {
            exact.level_units += 1.0;
            self.exact += 1;
        }
        if allowed {
            let admitted = &mut self.admitted_buckets[key];
            admitted.drain(now_ns);
            admitted.level_units += 1.0;
            self.admitted += 1;
            self.over_units = self.over_units.max(admitted.level_units - burst_units);
        }
    }
}

/// Zipf's law with exponent 1, by its sums.
#[derive(Debug)]
struct Skew(Vec<f64>);

impl Skew {
    fn new(keys: u64) -> Self {
        let sums = (1..=keys).scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        });
        Self(sums.collect())
    }

    fn draw(&self, random: &mut Random) -> usize {
        let whole = self.0.last().copied().unwrap_or(0.0);
        let at = random.unit() * whole;
        self.0
            .partition_point(|sum| *sum <= at)
            .min(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_all_through_is_seen_to() {
        let mut judge = Judge::default();
        for _ in 0..25 {
            judge.note(0, 1, true);
        }
        assert_eq!((judge.exact, judge.admitted), (10, 25));
        assert!((judge.over_units - 15.0).abs() < 1e-6);
        judge.note(0, 1_000_000_001, false);
        assert_eq!((judge.exact, judge.admitted), (11, 25));
    }

    #[test]
    fn the_first_of_a_skewed_crowd_comes_most() {
        let skew = Skew::new(100);
        let mut random = Random::new(7);
        let mut counts = [0; 100];
        for _ in 0..10_000 {
            counts[skew.draw(&mut random)] += 1;
        }
        assert!(counts[0] > 1_500 && counts[0] > counts[1] && counts[99] > 0);
    }
}
