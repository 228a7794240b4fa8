//! Keeping targets connected: one task per address, pauses that double, jitter.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::address::canonical;
use super::event::Target;
use super::handshake::{self, Outcome};
use super::shared::{Shared, Wake};
use crate::units::NodeId;

/// The higher of two ids gives the lower one this much of a head start, so that calls seldom
/// cross.
const HEAD_START: Duration = Duration::from_millis(100);

/// Longest wait before trying again at once: many nodes may be told at the same moment.
const RETRY_JITTER: Duration = Duration::from_millis(20);

/// All addresses to keep connected.
pub(super) struct Targets {
    runtime: Handle,
    kept: DashMap<SocketAddr, Kept>,
}

struct Kept {
    wants: Arc<Mutex<Wants>>,
    task: AbortHandle,
}

/// Why an address is wanted.
#[derive(Default)]
struct Wants {
    seed: bool,
    nodes: BTreeSet<NodeId>,
}

impl Wants {
    fn change(&mut self, target: Target, wanted: bool) {
        match target {
            Target::Seed(_) => self.seed = wanted,
            Target::Peer { node, .. } if wanted => drop(self.nodes.insert(node)),
            Target::Peer { node, .. } => drop(self.nodes.remove(&node)),
        }
    }

    fn is_empty(&self) -> bool {
        !self.seed && self.nodes.is_empty()
    }
}

fn address(target: Target) -> SocketAddr {
    canonical(match target {
        Target::Seed(address) | Target::Peer { address, .. } => address,
    })
}

impl Targets {
    pub(super) fn new(runtime: Handle) -> Self {
        let kept = DashMap::new();
        Self { runtime, kept }
    }

    pub(super) fn want(&self, shared: &Arc<Shared>, target: Target) {
        let address = address(target);
        match self.kept.entry(address) {
            Entry::Occupied(kept) => kept.get().wants.lock().change(target, true),
            Entry::Vacant(place) => {
                let wants = Arc::new(Mutex::new(Wants::default()));
                wants.lock().change(target, true);
                let keeper = Keeper::new(Arc::clone(shared), address, Arc::clone(&wants));
                let task = self.runtime.spawn(keeper.run()).abort_handle();
                place.insert(Kept { wants, task });
            }
        }
        shared.changed();
    }

    pub(super) fn unwant(&self, target: Target) {
        let Entry::Occupied(kept) = self.kept.entry(address(target)) else {
            return;
        };
        kept.get().wants.lock().change(target, false);
        if kept.get().wants.lock().is_empty() {
            kept.remove().task.abort();
        }
    }
}

/// Keeps one address connected.
struct Keeper {
    shared: Arc<Shared>,
    address: SocketAddr,
    wants: Arc<Mutex<Wants>>,
    /// Who answered last.
    answers: Option<NodeId>,
    is_myself: bool,
    pauses: Pauses,
}

impl Keeper {
    fn new(shared: Arc<Shared>, address: SocketAddr, wants: Arc<Mutex<Wants>>) -> Self {
        let seed = shared.life.load().hello.node.0 ^ u64::from(address.port());
        let timings = &shared.config.timings;
        let pauses = Pauses::new(timings.backoff_min, timings.backoff_max, seed);
        Self {
            shared,
            address,
            wants,
            answers: None,
            is_myself: false,
            pauses,
        }
    }

    async fn run(mut self) {
        let mut wake = self.shared.wake.subscribe();
        loop {
            self.await_need(&mut wake).await;
            if wake.borrow().stopping {
                return;
            }
            let started = Instant::now();
            match handshake::call(&self.shared, self.address).await {
                Outcome::Known(node) => self.answers = Some(node),
                Outcome::Myself => self.is_myself = true,
                Outcome::Failed => {}
            }
            self.pause(started, &mut wake).await;
        }
    }

    /// Waits until somebody wanted here is not connected.
    async fn await_need(&mut self, wake: &mut watch::Receiver<Wake>) {
        let since = Instant::now();
        let mut gave_head_start = false;
        while !wake.borrow_and_update().stopping {
            let Some(first) = self.need() else {
                gave_head_start = false;
                // The sender lives as long as `shared`.
                drop(wake.changed().await);
                continue;
            };
            if since.elapsed() > self.shared.config.timings.backoff_max {
                self.pauses.reset();
            }
            if first || gave_head_start || self.pauses.is_pausing() {
                return;
            }
            gave_head_start = true;
            sleep(HEAD_START).await;
        }
    }

    /// Whether a call is needed, and if so whether this node is to be the first to call.
    fn need(&self) -> Option<bool> {
        let wants = self.wants.lock();
        let answers = self.answers.is_some_and(|node| self.shared.is_up(node));
        let seed = wants.seed && !answers && !self.is_myself;
        let mut missing = wants
            .nodes
            .iter()
            .filter(|node| !self.shared.is_up(**node))
            .peekable();
        if !seed && missing.peek().is_none() {
            return None;
        }
        let me = self.shared.life.load().hello.node;
        Some(missing.all(|node| me < *node))
    }

    /// Waits for the rest of the pause, which counts from the last call's start, unless told to
    /// try at once.
    async fn pause(&mut self, started: Instant, wake: &mut watch::Receiver<Wake>) {
        let retries = wake.borrow_and_update().retries;
        let until = started + self.pauses.next();
        let told = timeout_at(
            until,
            wake.wait_for(|wake| wake.retries != retries || wake.stopping),
        );
        if told.await.is_ok() {
            self.pauses.reset();
            sleep(self.pauses.jitter(RETRY_JITTER)).await;
        }
    }
}

/// Pauses between calls: each twice the last, up to a cap, and somewhere in its upper half.
struct Pauses {
    min: Duration,
    max: Duration,
    next: Duration,
    jitter: StdRng,
}

impl Pauses {
    fn new(min: Duration, max: Duration, seed: u64) -> Self {
        let jitter = StdRng::seed_from_u64(seed);
        Self {
            min,
            max,
            next: min,
            jitter,
        }
    }

    fn reset(&mut self) {
        self.next = self.min;
    }

    fn is_pausing(&self) -> bool {
        self.next > self.min
    }

    fn next(&mut self) -> Duration {
        let whole = self.next.min(self.max);
        self.next = whole.saturating_mul(2).min(self.max);
        whole / 2 + self.jitter(whole / 2)
    }

    fn jitter(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.jitter.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_cap_with_jitter() {
        let (min, max) = (Duration::from_millis(50), Duration::from_secs(1));
        let mut pauses = Pauses::new(min, max, 1);
        for doublings in 0..10 {
            let whole = (min * (1 << doublings)).min(max);
            let pause = pauses.next();
            assert!(
                pause >= whole / 2 && pause <= whole,
                "{pause:?} of {whole:?}"
            );
        }
        pauses.reset();
        assert!(pauses.next() <= min);
    }

    #[test]
    fn an_address_is_wanted_until_every_reason_is_gone() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let (seed, peer) = (
            Target::Seed(address),
            Target::Peer {
                node: NodeId(1),
                address,
            },
        );
        let mut wants = Wants::default();
        wants.change(seed, true);
        wants.change(peer, true);
        wants.change(seed, false);
        assert!(!wants.is_empty());
        wants.change(peer, false);
        assert!(wants.is_empty());
    }
}
