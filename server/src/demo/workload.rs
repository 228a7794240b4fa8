//! The workload of a run without a log: a hot client whose traffic moves from node to node, a crowd
//! of quiet clients by Zipf's law, and bursts. The same seed gives the same requests.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    judge::Rate,
    schedule::{HotSpot, Request, Schedule},
};

/// How long it lasts: with starting and reporting, under 30 seconds.
const DURATION_NS: u64 = 26_000_000_000;

/// When the hot spot comes to the next node. The second move comes after the default cut healed.
const MOVES_NS: [u64; 3] = [0, 7_000_000_000, 20_000_000_000];

/// What the hot client asks for, in parts of its limit: more than it may have, so that every unit
/// that does not follow the demand shows.
const HOT_OFFER: f64 = 1.5;

/// Most requests per second of the hot client, whatever its limit.
const HOT_PER_S_MAX: f64 = 3000.0;

/// How much of the hot client's traffic lands on the hot node; the rest lands anywhere.
const HOT_PART: f64 = 0.95;

/// Clients of the crowd.
const CROWD_CLIENTS: u32 = 400;

/// Requests per second of the crowd, of all its clients together.
const CROWD_PER_S: f64 = 300.0;

/// Bursts per second, each of one client of the crowd.
const BURSTS_PER_S: f64 = 0.5;

/// How long a burst lasts.
const BURST_NS: u64 = 200_000_000;

/// Most requests of one burst.
const BURST_REQUESTS_MAX: u64 = 2000;

/// Makes up the requests of a run.
pub(crate) fn seeded(seed: u64, rate: Rate, burst_units: u64, nodes: usize) -> Schedule {
    let mut rng = StdRng::seed_from_u64(seed);
    let hot_spots = hot_spots(nodes);
    let mut requests = hot(&mut rng, rate, &hot_spots);
    requests.extend(crowd(&mut rng));
    requests.extend(bursts(&mut rng, burst_units));
    requests.sort_by_key(|request| request.at_ns);
    let crowd_names = (1..=CROWD_CLIENTS).map(|client| format!("client-{client}"));
    Schedule {
        requests,
        clients: std::iter::once("hot".to_owned())
            .chain(crowd_names)
            .collect(),
        hottest: 0,
        hot_spots,
    }
}

fn hot_spots(nodes: usize) -> Vec<HotSpot> {
    let spots = MOVES_NS.iter().enumerate();
    spots
        .map(|(index, from_ns)| HotSpot {
            from_ns: *from_ns,
            node: u8::try_from(index % nodes).expect("three moves"),
        })
        .collect()
}

fn hot(rng: &mut StdRng, rate: Rate, hot_spots: &[HotSpot]) -> Vec<Request> {
    let limit_per_s = rate.units as f64 * 1e9 / rate.per_ns as f64;
    let instants = instants(rng, (limit_per_s * HOT_OFFER).min(HOT_PER_S_MAX));
    let requests = instants.into_iter().map(|at_ns| {
        let spots = hot_spots.iter().rev();
        let spot = spots.into_iter().find(|spot| spot.from_ns <= at_ns);
        let lands_there = rng.random_bool(HOT_PART);
        Request {
            at_ns,
            client: 0,
            target: spot.filter(|_| lands_there).map(|spot| spot.node),
        }
    });
    requests.collect()
}

fn crowd(rng: &mut StdRng) -> Vec<Request> {
    let zipf = Zipf::new(CROWD_CLIENTS);
    let requests = instants(rng, CROWD_PER_S).into_iter().map(|at_ns| Request {
        at_ns,
        client: zipf.draw(rng),
        target: None,
    });
    requests.collect()
}

/// Bursts a little larger than a bucket.
fn bursts(rng: &mut StdRng, burst_units: u64) -> Vec<Request> {
    let size = (burst_units.saturating_mul(6) / 5).clamp(1, BURST_REQUESTS_MAX);
    let mut requests = Vec::new();
    for start_ns in instants(rng, BURSTS_PER_S) {
        let client = rng.random_range(1..=CROWD_CLIENTS);
        requests.extend((0..size).map(|k| Request {
            at_ns: start_ns + BURST_NS * k / size,
            client,
            target: None,
        }));
    }
    requests
}

/// The instants of a Poisson process over the run.
fn instants(rng: &mut StdRng, per_s: f64) -> Vec<u64> {
    let mut at_s = 0.0;
    let mut instants = Vec::new();
    loop {
        let uniform: f64 = rng.random();
        at_s -= (1.0 - uniform).ln() / per_s;
        let at_ns = (at_s * 1e9) as u64;
        if at_ns >= DURATION_NS {
            return instants;
        }
        instants.push(at_ns);
    }
}

/// Clients 1, 2, 3 … with likelihoods 1, 1/2, 1/3 …
struct Zipf {
    /// Sums of the likelihoods up to each client.
    sums: Vec<f64>,
}

impl Zipf {
    fn new(clients: u32) -> Self {
        let parts = (1..=clients).map(|client| 1.0 / f64::from(client));
        let sums = parts.scan(0.0, |sum, part| {
            *sum += part;
            Some(*sum)
        });
        Self {
            sums: sums.collect(),
        }
    }

    fn draw(&self, rng: &mut StdRng) -> u32 {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let drawn = rng.random::<f64>() * total;
        let before = self.sums.partition_point(|sum| *sum <= drawn);
        let last = self.sums.len() - 1;
        u32::try_from(before.min(last)).expect("few clients") + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        units: 1,
        per_ns: 5_000_000,
    };

    #[test]
    fn the_same_seed_gives_the_same_requests_and_another_others() {
        let one = seeded(7, RATE, 200, 3);
        assert_eq!(one, seeded(7, RATE, 200, 3));
        assert_ne!(one, seeded(8, RATE, 200, 3));
    }

    #[test]
    fn the_hot_client_asks_for_more_than_its_limit_where_the_hot_spot_is() {
        let schedule = seeded(1, RATE, 200, 3);
        let hot = schedule.requests.iter().filter(|r| r.client == 0);
        let offered_per_s = hot.clone().count() as f64 / 26.0;
        assert!((offered_per_s - 300.0).abs() < 20.0, "{offered_per_s}");
        for (at_ns, node) in [(3e9, 0), (15e9, 1), (24e9, 2)] {
            let second = at_ns as u64..at_ns as u64 + 1_000_000_000;
            let then = hot.clone().filter(|r| second.contains(&r.at_ns));
            let there = then.clone().filter(|r| r.target == Some(node)).count();
            assert!(there as f64 > 0.85 * then.count() as f64);
        }
    }

    #[test]
    fn requests_come_in_order_and_within_the_run() {
        let schedule = seeded(3, RATE, 200, 2);
        assert!(schedule.requests.is_sorted_by_key(|r| r.at_ns));
        assert!(schedule.duration_ns() < DURATION_NS + BURST_NS);
        let clients = schedule.clients.len();
        assert!(
            schedule
                .requests
                .iter()
                .all(|r| (r.client as usize) < clients)
        );
        assert!(
            schedule
                .requests
                .iter()
                .all(|r| r.target.is_none_or(|node| node < 2))
        );
    }

    #[test]
    fn the_crowd_follows_zipfs_law() {
        let mut rng = StdRng::seed_from_u64(5);
        let zipf = Zipf::new(100);
        let mut counts = [0u32; 101];
        for _ in 0..50_000 {
            counts[zipf.draw(&mut rng) as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        let ratio = f64::from(counts[1]) / f64::from(counts[2]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
        assert!(counts[100] > 0);
    }
}
