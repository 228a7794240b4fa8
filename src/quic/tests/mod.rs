//! Real sockets on the loopback interface.

mod exchange;
mod faults;
mod refusals;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::*;

const SECRET: &str = "a secret of the test cluster";

/// Long enough for any step on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Node {
    transport: Transport,
    events: Receiver<TransportEvent>,
}

fn config(node: u64) -> TransportConfig {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    TransportConfig::new(Secret::new(SECRET), "tests", NodeId(node), bind)
}

async fn start(config: TransportConfig) -> Node {
    let (transport, events) = Transport::start(config).await.expect("starts");
    Node { transport, events }
}

/// Two nodes that know one another, both up.
async fn pair() -> (Node, Node) {
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    one.transport.want(two.target());
    one.up(2).await;
    two.up(1).await;
    (one, two)
}

impl Node {
    fn id(&self) -> NodeId {
        self.transport.node()
    }

    fn target(&self) -> Target {
        let (node, address) = (self.id(), self.transport.local_address());
        Target::Peer { node, address }
    }

    fn seed(&self) -> Target {
        Target::Seed(self.transport.local_address())
    }

    async fn next(&mut self) -> TransportEvent {
        let next = timeout(PATIENCE, self.events.recv()).await;
        next.expect("an event in time")
            .expect("a running transport")
    }

    /// Passes over events until one is wanted.
    async fn until<T>(&mut self, wanted: impl Fn(TransportEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    async fn up(&mut self, id: u64) -> SocketAddr {
        self.until(|event| match event {
            TransportEvent::Up { node, address, .. } if node == NodeId(id) => Some(address),
            _ => None,
        })
        .await
    }

    async fn down(&mut self, id: u64) -> DownReason {
        self.until(|event| match event {
            TransportEvent::Down { node, reason } if node == NodeId(id) => Some(reason),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self) -> (NodeId, Bytes, Channel) {
        self.until(|event| match event {
            TransportEvent::Frame {
                from,
                bytes,
                channel,
                ..
            } => Some((from, bytes, channel)),
            _ => None,
        })
        .await
    }

    async fn refused(&mut self) -> Refusal {
        self.until(|event| match event {
            TransportEvent::Refused { why, .. } => Some(why),
            _ => None,
        })
        .await
    }

    fn counters(&self) -> TransportCounters {
        self.transport.counters()
    }

    /// Peers that came and went without anybody looking.
    fn lifecycle(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            match event {
                TransportEvent::Up { node, .. } => seen.push(format!("up {}", node.0)),
                TransportEvent::Down { node, reason } => {
                    seen.push(format!("down {} {reason:?}", node.0));
                }
                _ => {}
            }
        }
        seen
    }
}
