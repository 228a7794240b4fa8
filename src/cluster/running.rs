//! A machine, its transport, and those who wait for its answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use crate::limit::{Charge, Decision};
use crate::limiter::{Cluster, Core, Deciding};
use crate::node::{Event, Node, Output, Request, Ticket};
use crate::quic::{Channel, Target, Transport};
use crate::table::{Ask, LimitIndex, Wake};
use crate::units::{KeyId, NodeId};

/// How far a node has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phase {
    pub(super) is_holding: bool,
    pub(super) has_left: bool,
    pub(super) has_stopped: bool,
    pub(super) has_panicked: bool,
}

/// Shared by the driver, the handle and the limiters.
pub(super) struct Running {
    machine: Mutex<Node>,
    pub(super) transport: Transport,
    pub(super) phase: watch::Sender<Phase>,
    /// Tells the driver that timers moved or that there is something to do.
    pub(super) changed: Notify,
    pub(super) panic_next: AtomicBool,
    waiters: DashMap<Ticket, (LimitIndex, oneshot::Sender<Decision>)>,
    tickets: AtomicU64,
    acquire_deadline: Duration,
    core: OnceLock<Weak<Core>>,
}

impl Running {
    pub(super) fn new(machine: Node, transport: Transport, acquire_deadline: Duration) -> Self {
        Self {
            machine: Mutex::new(machine),
            transport,
            phase: watch::Sender::new(Phase::default()),
            changed: Notify::new(),
            panic_next: AtomicBool::new(false),
            waiters: DashMap::new(),
            tickets: AtomicU64::new(0),
            acquire_deadline,
            core: OnceLock::new(),
        }
    }

    /// Lets the hot path wake the driver, and the driver read the clock.
    pub(super) fn attach(self: &Arc<Self>, core: &Arc<Core>) {
        let _first = self.core.set(Arc::downgrade(core));
        core.table
            .set_wake(Arc::new(WakeDriver(Arc::downgrade(self))));
    }

    fn core(&self) -> Option<Arc<Core>> {
        self.core.get()?.upgrade()
    }

    /// Gives the machine an input, and does at once all that it asks for.
    pub(super) fn with_node<T>(&self, with: impl FnOnce(&mut Node) -> T) -> T {
        let mut answers = Vec::new();
        let result = {
            let mut machine = self.machine.lock();
            let result = with(&mut machine);
            while let Some(output) = machine.poll_output() {
                self.carry_out(output, &mut answers);
            }
            result
        };
        for (ticket, decision) in answers {
            self.answer(ticket, decision);
        }
        result
    }

    /// Does one thing that the machine asks for. The lock is held: nothing here waits.
    fn carry_out(&self, output: Output, answers: &mut Vec<(Ticket, Decision)>) {
        match output {
            Output::Send { to, bytes } => {
                let fits = self.transport.datagram_bytes_max(to).unwrap_or(0) >= bytes.len();
                let channel = if fits {
                    Channel::Datagram
                } else {
                    Channel::Stream
                };
                self.transport.send(to, Bytes::from(bytes), channel);
            }
            Output::Event(Event::Answered(ticket, decision)) => answers.push((ticket, decision)),
            Output::Event(event) => self.note(&event),
        }
    }

    fn note(&self, event: &Event) {
        match event {
            Event::Found(peer) => self.want(peer.node, peer.address),
            Event::Forgotten(peer) => {
                let (node, address) = (peer.node, peer.address);
                self.transport.unwant(Target::Peer { node, address });
            }
            Event::TryAgain => self.transport.retry_now(),
            Event::ViewComplete(view) => {
                tracing::info!(view = view.number, "this node holds its share");
                self.phase.send_modify(|phase| phase.is_holding = true);
            }
            Event::Reborn { old, new } => {
                tracing::warn!(%old, %new, "given up by the others: a new life begins, empty");
                self.phase.send_modify(|phase| phase.is_holding = false);
                if let Err(error) = self.transport.reidentify(*new) {
                    tracing::error!(%error, "no certificate for the new life");
                }
            }
            Event::Left => self.phase.send_modify(|phase| phase.has_left = true),
            Event::Answered(..) => {}
        }
    }

    pub(super) fn want(&self, node: NodeId, address: SocketAddr) {
        self.transport.want(Target::Peer { node, address });
    }

    /// Hands a decision to whoever asked. One that nobody waits for any more is taken back.
    fn answer(&self, ticket: Ticket, decision: Decision) {
        let Some((_, (limit, waiter))) = self.waiters.remove(&ticket) else {
            return;
        };
        if let Err(decision) = waiter.send(decision) {
            self.take_back(limit, &decision);
        }
    }

    /// Takes a charge back that nobody knows of.
    fn take_back(&self, limit: LimitIndex, decision: &Decision) {
        if let (Some(charge), Some(core)) = (decision.charge, self.core()) {
            self.refund(&core, limit, charge);
        }
    }

    fn refund(&self, core: &Core, limit: LimitIndex, charge: Charge) -> bool {
        let now = core.clock.now();
        self.with_node(|node| node.refund(now, limit, charge))
    }

    pub(super) fn stop(&self) {
        self.phase.send_modify(|phase| phase.has_stopped = true);
        self.changed.notify_one();
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }
}

/// The hot path's way to the driver.
struct WakeDriver(Weak<Running>);

impl Wake for WakeDriver {
    fn wake(&self) {
        if let Some(running) = self.0.upgrade() {
            running.changed.notify_one();
        }
    }
}

/// The limiters' way to the cluster. It holds the node weakly: a limiter that outlives its node
/// goes on deciding on what it holds.
pub(super) struct Remote(Weak<Running>);

impl Remote {
    pub(super) fn new(running: &Arc<Running>) -> Self {
        Self(Arc::downgrade(running))
    }

    /// The node, unless it was stopped. One whose driver has panicked still knows what it knew.
    fn running(&self) -> Option<Arc<Running>> {
        let running = self.0.upgrade()?;
        let phase = *running.phase.borrow();
        (!phase.has_stopped || phase.has_panicked).then_some(running)
    }
}

/// Somebody who waits for an answer. Gone before it was read, the answer is taken back.
struct Waiting {
    running: Arc<Running>,
    ticket: Ticket,
    limit: LimitIndex,
    receiver: oneshot::Receiver<Decision>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(decision) = self.receiver.try_recv() {
            self.running.take_back(self.limit, &decision);
        } else if self.running.phase.borrow().has_stopped {
            // Nobody is left to answer, and so to forget the question.
            self.running.waiters.remove(&self.ticket);
        }
    }
}

impl Cluster for Remote {
    fn acquire(&self, ask: Ask) -> Deciding {
        let running = self.running();
        Box::pin(async move {
            let running = running?;
            let core = running.core()?;
            if running.phase.borrow().has_stopped {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            let ticket = Ticket(running.tickets.fetch_add(1, Ordering::Relaxed));
            running.waiters.insert(ticket, (ask.limit, sender));
            let mut waiting = Waiting {
                running: Arc::clone(&running),
                ticket,
                limit: ask.limit,
                receiver,
            };
            let now = core.clock.now();
            let request = Request {
                ask,
                deadline: now.after(running.acquire_deadline),
            };
            running.with_node(|node| node.acquire(now, ticket, request));
            running.changed.notify_one();
            // A driver that has died never answers: wait no longer than twice the deadline.
            let twice = running.acquire_deadline.saturating_mul(2);
            let patience = twice.saturating_add(PATIENCE_EXTRA);
            let answer = tokio::time::timeout(patience, &mut waiting.receiver).await;
            answer.ok()?.ok()
        })
    }

    fn owners(&self, key: KeyId) -> Vec<NodeId> {
        let running = self.running();
        running.map_or_else(Vec::new, |running| {
            running.with_node(|node| node.owners(key))
        })
    }

    fn refund(&self, limit: LimitIndex, charge: Charge) -> bool {
        let Some(running) = self.running() else {
            return false;
        };
        let Some(core) = running.core() else {
            return false;
        };
        running.refund(&core, limit, charge)
    }
}

/// What a loaded machine may add to a deadline before a driver is taken for dead.
const PATIENCE_EXTRA: Duration = Duration::from_millis(50);
