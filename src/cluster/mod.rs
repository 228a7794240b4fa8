//! The running node: builder, driver, `acquire`, shutdown.
//!
//! A thin driver around the sans-IO [`crate::node::Node`]: it carries frames between the transport
//! and the machine, calls it when its timers are due, and hands answers to those who wait. `check`
//! needs none of it: it goes to the table, and works on if the driver has died.

mod builder;
mod driver;
mod error;
mod running;
mod stats;

pub use builder::Builder;
pub use error::StartError;
pub use stats::{DriverState, Member, Stats};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::limiter::{Core, Limiter};
use crate::table::LimitIndex;
use crate::units::NodeId;
use running::{Phase, Running};

/// A running node of a cluster. Dropping it stops it abruptly, as a crash would: use
/// [`Node::shutdown`] to hand its shares over first.
pub struct Node {
    running: Arc<Running>,
    core: Arc<Core>,
    names: Vec<String>,
    outcome: StartOutcome,
    task: JoinHandle<()>,
}

/// Whether a node holds its share when [`Builder::start`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// It is a member of a complete view and holds its share.
    Holding,
    /// The start deadline has passed: it runs, holds no share yet and goes on trying. `check`
    /// refuses with [`crate::Refusal::NoShare`]; `acquire` asks the others if it reaches any.
    DeadlinePassed,
}

/// Whether a node could hand over what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownOutcome {
    /// The others hold all that it held.
    HandedOver,
    /// The deadline passed first: what it held comes back when it is evicted.
    DeadlinePassed,
}

impl Node {
    /// A node to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Whether it held its share when it had started.
    #[must_use]
    pub const fn start_outcome(&self) -> StartOutcome {
        self.outcome
    }

    /// This life's id. A node that was given up by the others begins a new life under a new one.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.running.with_node(|node| node.id())
    }

    /// Where others reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.transport.local_address()
    }

    /// The limiter of a named limit; `None` if no limit has that name.
    #[must_use]
    pub fn limiter(&self, name: &str) -> Option<Limiter> {
        let index = self.names.iter().position(|other| other == name)?;
        let index = LimitIndex(u16::try_from(index).ok()?);
        Some(Limiter::clustered(Arc::clone(&self.core), index))
    }

    /// Everybody it knows of, itself included, by id.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        stats::members(&self.running)
    }

    /// What it has counted, and how it stands.
    #[must_use]
    pub fn stats(&self) -> Stats {
        stats::stats(&self.running, &self.core)
    }

    /// Says that a node is gone for good: it is evicted without waiting. Wrong about a node that
    /// lives on behind a partition, this breaks the promise as an eviction does (κ = 2).
    ///
    /// Where nobody is evicted by itself, this is also how the others hear of one that left in good order
    /// among members of whom none is left: it is unreachable in their [`members`](Self::members) till then.
    pub fn forget(&self, node: NodeId) {
        let now = self.core.clock.now();
        self.running.with_node(|machine| machine.forget(now, node));
    }

    /// Leaves: hands over all it holds, debts too, tells the others, and stops. Waits until they
    /// know, or until `deadline` has passed, or not at all if the driver has died; then up to a
    /// second for the last words to be acknowledged.
    pub async fn shutdown(self, deadline: Duration) -> ShutdownOutcome {
        let now = self.core.clock.now();
        self.running.with_node(|node| node.leave(now));
        let outcome = match self.reaches(deadline, |phase| phase.has_left).await {
            true => ShutdownOutcome::HandedOver,
            false => ShutdownOutcome::DeadlinePassed,
        };
        self.running.transport.shutdown(CLOSE_PATIENCE).await;
        self.running.stop();
        outcome
    }

    async fn holds_within(&self, deadline: Duration) -> bool {
        self.reaches(deadline, |phase| phase.is_holding).await
    }

    /// Whether a phase comes in time. A driver that has ended brings none: that is not waited for.
    async fn reaches(&self, deadline: Duration, is_there: impl Fn(&Phase) -> bool) -> bool {
        let mut phase = self.running.phase.subscribe();
        let ends = phase.wait_for(|phase| is_there(phase) || phase.has_stopped);
        match tokio::time::timeout(deadline, ends).await {
            Ok(Ok(phase)) => is_there(&phase),
            _ => false,
        }
    }

    /// Makes the driver panic: for tests of what is left of a node then.
    #[doc(hidden)]
    pub fn panic_driver(&self) {
        self.running
            .panic_next
            .store(true, std::sync::atomic::Ordering::SeqCst);
        self.running.changed.notify_one();
    }
}

/// How long a leaving node waits for its last words to be acknowledged.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl Drop for Node {
    fn drop(&mut self) {
        self.running.stop();
        self.task.abort();
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
