//! The one task that decides which connection stands for a peer, and says who is up.
//!
//! Two nodes may call one another at the same moment, and one may call again before the other has
//! noticed that a connection died. The rules that keep one connection per pair, without a peer
//! ever seeming to go down and up:
//!
//! - A caller greets only if it has no connection to the peer, and only once at a time. So a
//!   greeting means: whatever the peer may still hold, its caller has lost, or the two calls
//!   crossed.
//! - The one called answers only after it has adopted the connection. So when the caller adopts,
//!   both have.
//! - Of calls that crossed, the lower id's wins. Its caller closes the loser, for only it knows
//!   that both have adopted the winner; until then the loser is still read from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::code::CloseCode;
use super::counters::count;
use super::error::DownReason;
use super::event::TransportEvent;
use super::link::Link;
use super::shared::Shared;
use crate::units::NodeId;

/// A loser that its peer did not close by then is closed by this node.
const LOSER_CLOSED_AFTER: Duration = Duration::from_secs(3);

/// A loser that its own side closes first delivers what it carries, for at most so long.
const LOSER_FLUSHED_AFTER: Duration = Duration::from_millis(500);

/// And is read for so long after.
const LOSER_LINGERS: Duration = Duration::from_millis(100);

/// How often a loser is looked at meanwhile.
const FLUSH_LOOK: Duration = Duration::from_millis(5);

/// What the registry is told.
pub(super) enum Note {
    /// Greetings were exchanged (by the caller) or received (by the one called): may it stand?
    Adopt {
        link: Arc<Link>,
        reply: oneshot::Sender<Result<(), CloseCode>>,
    },
    /// A connection ended.
    Gone { link: Arc<Link>, reason: DownReason },
    /// Close all connections to a peer.
    Disconnect {
        node: NodeId,
        code: CloseCode,
        why: String,
    },
    /// This node has a new life: close what belongs to the old one.
    Reidentified,
    /// The transport ends.
    Stop,
}

/// What becomes of a further connection to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It stands for the peer now; the others are closed.
    Replaces,
    /// It stands for the peer now; the others are read until the peer closes them.
    Leads,
    /// It is read until the peer closes it.
    Follows,
    /// It is closed.
    Loses,
}

pub(super) struct Registry {
    shared: Arc<Shared>,
    /// All open connections; the first of each peer stands for it.
    links: BTreeMap<NodeId, Vec<Arc<Link>>>,
}

/// Runs until the transport ends.
pub(super) async fn run(shared: Arc<Shared>, mut notes: mpsc::UnboundedReceiver<Note>) {
    let links = BTreeMap::new();
    let mut registry = Registry { shared, links };
    while let Some(note) = notes.recv().await {
        match note {
            Note::Adopt { link, reply } => {
                let verdict = registry.adopt(link).await;
                // A caller that no longer waits has seen its connection end.
                let _unheard = reply.send(verdict);
            }
            Note::Gone { link, reason } => registry.gone(&link, reason).await,
            Note::Disconnect { node, code, why } => registry.disconnect(node, code, &why),
            Note::Reidentified => registry.close_former_lives(),
            Note::Stop => return,
        }
    }
}

impl Registry {
    async fn adopt(&mut self, link: Arc<Link>) -> Result<(), CloseCode> {
        if !Arc::ptr_eq(&link.life, &self.shared.life.load()) {
            return Err(CloseCode::Reidentified);
        }
        let node = link.node;
        let links = self.links.entry(node).or_default();
        let Some(current) = links.first() else {
            links.push(Arc::clone(&link));
            self.shared.peers.insert(node, Arc::clone(&link));
            self.up(&link).await;
            return Ok(());
        };
        count(&self.shared.counters.further_connections);
        // Two calls can cross within the time one may take, on either side.
        let crossed = current.since.elapsed() < 2 * self.shared.config.timings.attempt;
        let me = link.life.hello.node;
        match verdict(me, node, current.opened_by, link.opened_by, crossed) {
            Verdict::Loses => return Err(CloseCode::Superseded),
            Verdict::Follows => {
                close_later(&link);
                links.push(link);
                return Ok(());
            }
            Verdict::Leads => links.iter().for_each(close_later),
            Verdict::Replaces => links.iter().for_each(retire),
        }
        self.shared.peers.insert(node, Arc::clone(&link));
        links.insert(0, link);
        Ok(())
    }

    async fn gone(&mut self, link: &Arc<Link>, reason: DownReason) {
        let node = link.node;
        let Some(links) = self.links.get_mut(&node) else {
            return;
        };
        let led = links.first().is_some_and(|first| Arc::ptr_eq(first, link));
        links.retain(|other| !Arc::ptr_eq(other, link));
        if let Some(next) = links.first() {
            if led {
                self.shared.peers.insert(node, Arc::clone(next));
            }
            return;
        }
        self.links.remove(&node);
        self.shared.peers.remove(&node);
        self.down(node, reason).await;
    }

    async fn up(&self, link: &Link) {
        count(&self.shared.counters.peers_up);
        self.shared.forget_refusals(link.address);
        self.shared.changed();
        tracing::debug!(peer = %link.node, address = %link.address, name = ?link.name, "up");
        let (node, address, name) = (link.node, link.address, link.name.clone());
        let up = TransportEvent::Up {
            node,
            address,
            name,
        };
        self.shared.emit(up).await;
    }

    async fn down(&self, node: NodeId, reason: DownReason) {
        count(&self.shared.counters.peers_down);
        self.shared.changed();
        tracing::debug!(peer = %node, ?reason, "down");
        self.shared
            .emit(TransportEvent::Down { node, reason })
            .await;
    }

    fn disconnect(&self, node: NodeId, code: CloseCode, why: &str) {
        for link in self.links.get(&node).into_iter().flatten() {
            link.close(code, why);
        }
    }

    fn close_former_lives(&self) {
        let life = self.shared.life.load();
        let code = CloseCode::Reidentified;
        for link in self.links.values().flatten() {
            if !Arc::ptr_eq(&link.life, &life) {
                link.close(code, code.words());
            }
        }
    }
}

fn verdict(me: NodeId, peer: NodeId, current: NodeId, new: NodeId, crossed: bool) -> Verdict {
    let lower = me.min(peer);
    match (new == me, new == lower) {
        // Our call, answered: the peer has adopted it.
        (true, true) => Verdict::Replaces,
        (true, false) if current == peer => Verdict::Follows,
        (true, false) => Verdict::Replaces,
        // The peer's call: it had nothing else when it greeted, unless our calls crossed.
        (false, true) if current == me => Verdict::Leads,
        (false, false) if current == me && crossed => Verdict::Loses,
        (false, _) => Verdict::Replaces,
    }
}

fn supersede(link: &Link) {
    link.close(CloseCode::Superseded, CloseCode::Superseded.words());
}

fn retire(link: &Arc<Link>) {
    let link = Arc::clone(link);
    tokio::spawn(async move {
        let flushed = async {
            while !link.is_flushed() {
                sleep(FLUSH_LOOK).await;
            }
        };
        drop(timeout(LOSER_FLUSHED_AFTER, flushed).await);
        sleep(LOSER_LINGERS).await;
        supersede(&link);
    });
}

fn close_later(link: &Arc<Link>) {
    let link = Arc::clone(link);
    tokio::spawn(async move {
        let closed = link.connection.closed();
        if timeout(LOSER_CLOSED_AFTER, closed).await.is_err() {
            supersede(&link);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: NodeId = NodeId(1);
    const HIGH: NodeId = NodeId(2);

    #[test]
    fn of_calls_that_crossed_the_lower_ids_stands_on_both_sides() {
        // The lower node adopted its own call, then hears the other's; or the other way round.
        assert_eq!(verdict(LOW, HIGH, LOW, HIGH, true), Verdict::Loses);
        assert_eq!(verdict(LOW, HIGH, HIGH, LOW, true), Verdict::Replaces);
        // The higher node never closes the loser at once: the lower one may still stand on it.
        assert_eq!(verdict(HIGH, LOW, HIGH, LOW, true), Verdict::Leads);
        assert_eq!(verdict(HIGH, LOW, LOW, HIGH, true), Verdict::Follows);
    }

    #[test]
    fn a_peer_that_calls_again_has_lost_what_there_was() {
        assert_eq!(verdict(LOW, HIGH, LOW, HIGH, false), Verdict::Replaces);
        assert_eq!(verdict(LOW, HIGH, HIGH, HIGH, true), Verdict::Replaces);
        assert_eq!(verdict(HIGH, LOW, LOW, LOW, true), Verdict::Replaces);
    }
}
