//! Clusters on loopback for stories: every node in this process, each with its own QUIC endpoint.

use std::time::Duration;

use distributary::{Builder, Node, StartOutcome};

/// Long enough for any step on a busy machine; nothing waits for it that goes well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node of the tests' cluster, without a limit yet, on a free port of loopback.
///
/// `acquire` waits longer than by default: on a loaded machine a fallback is no failure, and here
/// what holders decide is looked at.
pub fn builder() -> Builder {
    Node::builder()
        .secret("a secret of the test cluster")
        .cluster("stories")
        .start_deadline(PATIENCE)
        .acquire_deadline(Duration::from_secs(5))
}

/// `count` nodes, `configure`d by their index, that found a cluster together and hold their shares.
///
/// The first starts alone, so that the rest know its port without reserving one.
pub async fn cluster(count: usize, configure: impl Fn(usize, Builder) -> Builder) -> Vec<Node> {
    let configured = |index| configure(index, builder()).expected_nodes(count);
    let first = configured(0).start_deadline(Duration::from_millis(1));
    let first = first.start().await.expect("the first node starts");
    let seed = first.address();
    let starting = (1..count).map(|index| tokio::spawn(configured(index).seeds([seed]).start()));
    let starting: Vec<_> = starting.collect();
    let mut nodes = vec![first];
    for start in starting {
        let node = start.await.expect("no panic").expect("a node starts");
        assert_eq!(node.start_outcome(), StartOutcome::Holding);
        nodes.push(node);
    }
    until("all nodes hold their shares", || {
        nodes.iter().all(|node| node.stats().members == count)
    })
    .await;
    nodes
}

/// Waits for a condition; fails if it does not come to hold in [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(held.await.is_ok(), "waited in vain: {what}");
}
