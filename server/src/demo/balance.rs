//! The load balancer in front of the cluster.

use std::hash::{DefaultHasher, Hash, Hasher};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{args::Balance, schedule::Request};

/// How much of the traffic a skewed balancer sends to the first node.
const SKEW: f64 = 0.8;

/// Set apart from the workload's randomness, so that neither shifts the other.
const SEED_STREAM: u64 = 0x6261_6c61_6e63_6572;

/// Chooses the node of each request.
pub(crate) struct Balancer {
    strategy: Balance,
    nodes: usize,
    rng: StdRng,
    next: usize,
}

impl Balancer {
    /// A balancer over `nodes` of them, at least one.
    pub(crate) fn new(strategy: Balance, nodes: usize, seed: u64) -> Self {
        Self {
            strategy,
            nodes: nodes.max(1),
            rng: StdRng::seed_from_u64(seed ^ SEED_STREAM),
            next: 0,
        }
    }

    /// The node of this request: its own target if it has one. `owner` is asked only when the
    /// strategy goes by it; where nobody is known to own the client, any node will do.
    pub(crate) fn node(
        &mut self,
        request: &Request,
        client: &str,
        owner: impl FnOnce(&str) -> Option<usize>,
    ) -> usize {
        if let Some(target) = request.target {
            return usize::from(target) % self.nodes;
        }
        match self.strategy {
            Balance::Random => self.any(),
            Balance::RoundRobin => self.after_the_last(),
            Balance::Sticky => sticky(client, self.nodes),
            Balance::Skewed => self.skewed(),
            Balance::Owner => match owner(client) {
                Some(node) if node < self.nodes => node,
                _ => self.any(),
            },
        }
    }

    fn any(&mut self) -> usize {
        self.rng.random_range(0..self.nodes)
    }

    fn after_the_last(&mut self) -> usize {
        let node = self.next;
        self.next = (node + 1) % self.nodes;
        node
    }

    fn skewed(&mut self) -> usize {
        if self.nodes == 1 || self.rng.random_bool(SKEW) {
            return 0;
        }
        self.rng.random_range(1..self.nodes)
    }
}

fn sticky(client: &str, nodes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    let node = hasher.finish() % nodes as u64;
    usize::try_from(node).expect("below a usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Request = Request {
        at_ns: 0,
        client: 0,
        target: None,
    };

    fn counts(strategy: Balance, nodes: usize) -> Vec<usize> {
        let mut balancer = Balancer::new(strategy, nodes, 1);
        let mut counts = vec![0; nodes];
        for index in 0..6000 {
            let client = format!("client-{index}");
            counts[balancer.node(&ANYWHERE, &client, |_| Some(1))] += 1;
        }
        counts
    }

    #[test]
    fn even_strategies_are_even() {
        assert_eq!(counts(Balance::RoundRobin, 3), [2000; 3]);
        for strategy in [Balance::Random, Balance::Sticky] {
            let counts = counts(strategy, 3);
            assert!(counts.iter().all(|count| (1800..2200).contains(count)));
        }
    }

    #[test]
    fn skewed_sends_four_fifths_to_the_first_node() {
        let counts = counts(Balance::Skewed, 5);
        assert!((4650..4950).contains(&counts[0]));
        assert!(counts[1..].iter().all(|count| (200..400).contains(count)));
        assert_eq!(self::counts(Balance::Skewed, 1), [6000]);
    }

    #[test]
    fn sticky_sends_a_client_to_one_node() {
        let mut balancer = Balancer::new(Balance::Sticky, 7, 1);
        let first = balancer.node(&ANYWHERE, "a", |_| None);
        for _ in 0..20 {
            assert_eq!(balancer.node(&ANYWHERE, "a", |_| None), first);
        }
    }

    #[test]
    fn owner_goes_by_the_owner_and_elsewhere_if_there_is_none() {
        let mut balancer = Balancer::new(Balance::Owner, 3, 1);
        for owner in 0..3 {
            assert_eq!(balancer.node(&ANYWHERE, "a", |_| Some(owner)), owner);
        }
        assert!(balancer.node(&ANYWHERE, "a", |_| Some(3)) < 3);
        assert!(balancer.node(&ANYWHERE, "a", |_| None) < 3);
    }

    #[test]
    fn a_target_is_honoured() {
        let request = Request {
            target: Some(2),
            ..ANYWHERE
        };
        let mut balancer = Balancer::new(Balance::Skewed, 3, 1);
        assert!((0..50).all(|_| balancer.node(&request, "a", |_| None) == 2));
    }
}
