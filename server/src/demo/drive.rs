//! Sends the requests, each at its instant, and notes what came of them.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    runtime::Handle,
    sync::{
        Semaphore,
        mpsc::{UnboundedSender, unbounded_channel},
    },
};

use super::{
    args::Mode,
    balance::Balancer,
    cluster::{Answer, Cluster},
    schedule::{Request, Schedule},
};

/// Most requests that wait for their answer at once; beyond it the driver waits too, which shows
/// as lag.
const IN_FLIGHT_MAX: usize = 4096;

/// One run of a schedule against a cluster.
pub(crate) struct Drive {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) balancer: Balancer,
    pub(crate) mode: Mode,
    /// When the run starts, by the cluster's clock.
    pub(crate) start_ns: u64,
}

/// What came of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) client: u32,
    pub(crate) allowed: bool,
    pub(crate) decided_at_ns: u64,
    pub(crate) took_ns: u64,
    /// Whether the node decided with an instant outside the call, by the same clock.
    pub(crate) misdated: bool,
}

/// What came of all requests.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    pub(crate) outcomes: Vec<Outcome>,
    /// How far behind its instant a request was sent at worst.
    pub(crate) lag_ns_max: u64,
}

/// Counts of each node, while the run goes on.
#[derive(Debug)]
pub(crate) struct Tally {
    nodes: Vec<NodeTally>,
}

#[derive(Debug, Default)]
struct NodeTally {
    admitted: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes: std::iter::repeat_with(NodeTally::default)
                .take(nodes)
                .collect(),
        }
    }

    /// Admitted and refused so far by that node's clients.
    pub(crate) fn of(&self, node: usize) -> (u64, u64) {
        let node = &self.nodes[node];
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&node.admitted), read(&node.refused))
    }

    fn count(&self, node: usize, allowed: bool) {
        let node = &self.nodes[node];
        let count = if allowed {
            &node.admitted
        } else {
            &node.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drive {
    /// Sends everything and waits for every answer.
    ///
    /// Runs on a thread of its own that sleeps to each instant: the operating system's sleep is
    /// some twenty times finer than an asynchronous timer, and no worker of the nodes is kept.
    ///
    /// # Errors
    /// A request whose answer never came.
    pub(crate) async fn run(self) -> Result<Driven> {
        let handle = Handle::current();
        let run = tokio::task::spawn_blocking(move || match self.mode {
            Mode::Check => Ok(self.check()),
            Mode::Acquire => self.acquire(&handle),
        });
        run.await.context("the driver stopped")?
    }

    fn check(mut self) -> Driven {
        let schedule = Arc::clone(&self.schedule);
        let mut driven = Driven::default();
        driven.outcomes.reserve(schedule.requests.len());
        for request in &schedule.requests {
            driven.lag(self.wait_until(request.at_ns));
            let client = schedule.client(request);
            let node = self.node(request, client);
            let asked_ns = self.cluster.now_ns();
            let answer = self.cluster.check(node, client);
            let answered_ns = self.cluster.now_ns();
            self.tally.count(node, answer.allowed);
            let span = asked_ns..=answered_ns;
            driven.outcomes.push(outcome(request, answer, &span));
        }
        driven
    }

    fn acquire(mut self, handle: &Handle) -> Result<Driven> {
        let schedule = Arc::clone(&self.schedule);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let (answered, mut answers) = unbounded_channel();
        let mut driven = Driven::default();
        for (index, request) in schedule.requests.iter().enumerate() {
            let permit = handle.block_on(Arc::clone(&in_flight).acquire_owned());
            let permit = permit.context("the semaphore is never closed")?;
            driven.lag(self.wait_until(request.at_ns));
            let node = self.node(request, schedule.client(request));
            let asking = self.ask(index, node, answered.clone());
            handle.spawn(async move {
                asking.await;
                drop(permit);
            });
        }
        drop(answered);
        driven.outcomes = std::iter::from_fn(|| answers.blocking_recv()).collect();
        let missing = schedule.requests.len() - driven.outcomes.len();
        ensure!(missing == 0, "{missing} requests got no answer");
        Ok(driven)
    }

    /// One request, asked and reported; owns all it needs.
    fn ask(
        &self,
        index: usize,
        node: usize,
        answered: UnboundedSender<Outcome>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (cluster, schedule) = (Arc::clone(&self.cluster), Arc::clone(&self.schedule));
        let tally = Arc::clone(&self.tally);
        async move {
            let request = &schedule.requests[index];
            let asked_ns = cluster.now_ns();
            let answer = cluster.acquire(node, schedule.client(request)).await;
            let span = asked_ns..=cluster.now_ns();
            tally.count(node, answer.allowed);
            // Nobody listens any more only when the run has been given up.
            let _ = answered.send(outcome(request, answer, &span));
        }
    }

    fn node(&mut self, request: &Request, client: &str) -> usize {
        let cluster = &self.cluster;
        self.balancer
            .node(request, client, |client| cluster.owner(client))
    }

    /// Sleeps until that instant of the run; returns how late it is then.
    fn wait_until(&self, at_ns: u64) -> u64 {
        let due_ns = self.start_ns.saturating_add(at_ns);
        loop {
            let now_ns = self.cluster.now_ns();
            if now_ns >= due_ns {
                return now_ns - due_ns;
            }
            std::thread::sleep(Duration::from_nanos(due_ns - now_ns));
        }
    }
}

impl Driven {
    /// How many decisions carry an instant outside the call that they answer: the judge goes by
    /// those instants.
    pub(crate) fn misdated(&self) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes.filter(|outcome| outcome.misdated).count()
    }

    fn lag(&mut self, lag_ns: u64) {
        self.lag_ns_max = self.lag_ns_max.max(lag_ns);
    }
}

/// `span`: from when the request was asked until it was answered.
fn outcome(request: &Request, answer: Answer, span: &RangeInclusive<u64>) -> Outcome {
    Outcome {
        client: request.client,
        allowed: answer.allowed,
        decided_at_ns: answer.decided_at_ns,
        took_ns: span.end().saturating_sub(*span.start()),
        misdated: !span.contains(&answer.decided_at_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_outside_its_call_is_noticed() {
        let request = Request {
            at_ns: 0,
            client: 3,
            target: None,
        };
        let misdated = |decided_at_ns| {
            let answer = Answer {
                allowed: true,
                decided_at_ns,
            };
            let outcome = outcome(&request, answer, &(10..=20));
            assert_eq!((outcome.client, outcome.took_ns), (3, 10));
            outcome.misdated
        };
        assert_eq!([9, 10, 20, 21].map(misdated), [true, false, false, true]);
    }

    #[test]
    fn each_node_has_its_own_counts() {
        let tally = Tally::new(2);
        tally.count(1, true);
        tally.count(1, true);
        tally.count(1, false);
        assert_eq!((tally.of(0), tally.of(1)), ((0, 0), (2, 1)));
    }
}
