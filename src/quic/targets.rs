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
use tokio::time::{Instant, sleep, timeout, timeout_at};

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

/// Pause after somebody else answered where a node was wanted.
const STRANGER_PAUSE: Duration = Duration::from_secs(10);

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
    /// Says whether anything changed.
    fn change(&mut self, target: Target, wanted: bool) -> bool {
        match target {
            Target::Seed(_) => std::mem::replace(&mut self.seed, wanted) != wanted,
            Target::Peer { node, .. } if wanted => self.nodes.insert(node),
            Target::Peer { node, .. } => self.nodes.remove(&node),
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
        let mut kept = self.kept.entry(address).or_insert_with(|| {
            let wants = Arc::default();
            let task = self.keep(shared, address, &wants);
            Kept { wants, task }
        });
        let changed = kept.wants.lock().change(target, true);
        if changed {
            // A fresh start: whoever is wanted now is not to wait for a former pause's end.
            kept.task.abort();
            kept.task = self.keep(shared, address, &kept.wants);
        }
    }

    fn keep(
        &self,
        shared: &Arc<Shared>,
        address: SocketAddr,
        wants: &Arc<Mutex<Wants>>,
    ) -> AbortHandle {
        let keeper = Keeper::new(Arc::clone(shared), address, Arc::clone(wants));
        self.runtime.spawn(keeper.run()).abort_handle()
    }

    pub(super) fn unwant(&self, target: Target) {
        let Entry::Occupied(kept) = self.kept.entry(address(target)) else {
            return;
        };
        let mut wants = kept.get().wants.lock();
        wants.change(target, false);
        let unwanted = wants.is_empty();
        drop(wants);
        if unwanted {
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
            let outcome = self.call().await;
            let pause = self.pauses.next();
            self.pause(started + pause, &mut wake).await;
            if let Outcome::Known(node) = outcome {
                self.endure(node, &mut wake).await;
            }
        }
    }

    async fn call(&mut self) -> Outcome {
        // In a task of its own, which outlives this one: a connection that was adopted must run.
        let call = handshake::call(Arc::clone(&self.shared), self.address);
        let outcome = tokio::spawn(call).await.unwrap_or(Outcome::Failed);
        match outcome {
            Outcome::Known(node) => self.answers = Some(node),
            Outcome::Myself => self.is_myself = true,
            Outcome::Failed => {}
        }
        outcome
    }

    /// If `node` answers in place of those wanted here, calling soon again is of no use.
    async fn endure(&self, node: NodeId, wake: &mut watch::Receiver<Wake>) {
        if !self.is_stranger(node) {
            return;
        }
        let retries = wake.borrow_and_update().retries;
        let ended = wake
            .wait_for(|wake| wake.retries != retries || wake.stopping || !self.shared.is_up(node));
        drop(timeout(STRANGER_PAUSE, ended).await);
    }

    /// Whether `node` answered in place of those wanted here: lives that have ended, most likely.
    fn is_stranger(&self, node: NodeId) -> bool {
        let wants = self.wants.lock();
        !wants.nodes.is_empty() && !wants.nodes.contains(&node)
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

    /// Waits for the pause's end, unless told to try at once.
    async fn pause(&mut self, until: Instant, wake: &mut watch::Receiver<Wake>) {
        let retries = wake.borrow_and_update().retries;
        let told = wake.wait_for(|wake| wake.retries != retries || wake.stopping);
        if timeout_at(until, told).await.is_ok() {
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
        assert!(wants.change(seed, true) && wants.change(peer, true));
        assert!(!wants.change(seed, true) && !wants.change(peer, true));
        assert!(wants.change(seed, false) && !wants.is_empty());
        assert!(wants.change(peer, false));
        assert!(wants.is_empty());
    }
}
