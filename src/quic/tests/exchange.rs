//! Good days: messages, crossing calls, new lives, leaving.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_and_streams_go_both_ways() {
    let (mut one, mut two) = pair().await;
    let small = Bytes::from_static(b"a row");
    let large = Bytes::from(vec![7; STREAM_FRAME_BYTES_MAX]);
    assert!(
        one.transport
            .send(two.id(), small.clone(), Channel::Datagram)
    );
    assert_eq!(
        two.frame().await,
        (one.id(), small.clone(), Channel::Datagram)
    );
    assert!(
        two.transport
            .send(one.id(), small.clone(), Channel::Datagram)
    );
    assert_eq!(one.frame().await, (two.id(), small, Channel::Datagram));
    // A datagram too large for one goes on a stream.
    assert!(
        one.transport
            .send(two.id(), large.clone(), Channel::Datagram)
    );
    assert_eq!(
        two.frame().await,
        (one.id(), large.clone(), Channel::Stream)
    );
    assert!(two.transport.send(one.id(), large.clone(), Channel::Stream));
    assert_eq!(one.frame().await, (two.id(), large, Channel::Stream));
    assert_eq!(one.counters().datagrams_too_large, 1);
    assert!(one.counters().udp_bytes_sent > STREAM_FRAME_BYTES_MAX as u64);
    let fits = one.transport.datagram_bytes_max(two.id());
    assert!(fits.is_some_and(|bytes| bytes > 1000), "{fits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_dropped_and_counted() {
    let (one, two) = pair().await;
    let large = Bytes::from(vec![7; STREAM_FRAME_BYTES_MAX + 1]);
    assert!(!one.transport.send(two.id(), large, Channel::Stream));
    assert!(
        !one.transport
            .send(NodeId(99), Bytes::new(), Channel::Datagram)
    );
    let message = Bytes::from(vec![7; STREAM_FRAME_BYTES_MAX / 2]);
    let sent = (0..64).filter(|_| {
        one.transport
            .send(two.id(), message.clone(), Channel::Stream)
    });
    assert!(sent.count() < 64);
    let counters = one.counters();
    assert_eq!((counters.dropped_oversize, counters.dropped_not_up), (1, 1));
    assert!(counters.dropped_queue_full > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_cross_end_as_one_connection_and_nobody_flaps() {
    let mut rounds = tokio::task::JoinSet::new();
    for _ in 0..8 {
        rounds.spawn(cross());
    }
    let crossed = rounds
        .join_all()
        .await
        .into_iter()
        .filter(|crossed| *crossed)
        .count();
    println!("the calls crossed in {crossed} of 8 rounds");
}

/// Two nodes call one another at the same moment; says whether the calls did cross.
async fn cross() -> bool {
    const SENT: u64 = 80;
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    // Seeds give no head start.
    one.transport.want(two.seed());
    two.transport.want(one.seed());
    one.up(2).await;
    two.up(1).await;
    // For longer than a loser is read by the side that waits for the other to close it.
    for _ in 0..SENT {
        assert!(
            one.transport
                .send(two.id(), Bytes::from_static(b"x"), Channel::Stream)
        );
        assert!(
            two.transport
                .send(one.id(), Bytes::from_static(b"y"), Channel::Stream)
        );
        sleep(Duration::from_millis(50)).await;
    }
    let open = |node: &Node| node.transport.0.shared.endpoint.open_connections();
    assert_eq!((open(&one), open(&two)), (1, 1));
    let received = (
        one.counters().streams_received,
        two.counters().streams_received,
    );
    assert_eq!(received, (SENT, SENT));
    let link = one.transport.0.shared.link(two.id()).expect("still up");
    let same = two.transport.0.shared.link(one.id()).expect("still up");
    assert_eq!(link.opened_by, same.opened_by);
    assert_eq!((one.lifecycle(), two.lifecycle()), (vec![], vec![]));
    one.counters().further_connections + two.counters().further_connections > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_calls_itself_says_nothing_and_stops() {
    let mut one = start(config(1)).await;
    one.transport.want(one.seed());
    sleep(Duration::from_millis(700)).await;
    assert_eq!(one.counters().attempts, 1);
    assert!(one.lifecycle().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_at_a_peers_address_is_connected_and_not_called_often() {
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    let address = two.transport.local_address();
    let node = NodeId(77);
    one.transport.want(Target::Peer { node, address });
    one.up(2).await;
    two.up(1).await;
    sleep(Duration::from_secs(2)).await;
    assert!(one.counters().attempts <= 2, "{:?}", one.counters());
    // But at once if the stranger becomes wanted, and goes.
    one.transport.want(two.target());
    two.transport
        .disconnect(one.id(), CloseCode::BadFrame, "again");
    one.down(2).await;
    one.up(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_life_is_down_and_up_again_under_its_new_id() {
    let (mut one, mut two) = pair().await;
    two.transport.want(one.seed());
    two.transport
        .reidentify(NodeId(22))
        .expect("a new certificate");
    assert_eq!(two.down(1).await, DownReason::ByUs(CloseCode::Reidentified));
    // The new life may come before the old one's end was noticed.
    let (mut ended, mut began) = (false, false);
    while !(ended && began) {
        match one.next().await {
            TransportEvent::Up { node, .. } => began |= node == NodeId(22),
            TransportEvent::Down { node, reason } => ended |= node == NodeId(2) && told(&reason),
            _ => {}
        }
    }
    two.up(1).await;
    one.transport
        .send(NodeId(22), Bytes::from_static(b"hello"), Channel::Stream);
    assert_eq!(two.frame().await.0, NodeId(1));
}

fn told(reason: &DownReason) -> bool {
    let code = Some(CloseCode::Reidentified);
    matches!(reason, DownReason::ByPeer { code: told, .. } if *told == code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_delivers_what_was_sent_and_says_why() {
    let (mut one, two) = pair().await;
    let message = Bytes::from(vec![7; 300_000]);
    assert!(
        two.transport
            .send(one.id(), message.clone(), Channel::Stream)
    );
    let started = Instant::now();
    two.transport.shutdown(PATIENCE).await;
    assert!(
        started.elapsed() < PATIENCE / 2,
        "it waits for no more than it must"
    );
    assert_eq!(two.counters().streams_sent, 1);
    let reason = one.down(2).await;
    let told = matches!(
        reason,
        DownReason::ByPeer {
            code: Some(CloseCode::ShuttingDown),
            ..
        }
    );
    assert!(told, "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_transport_ends_its_tasks_and_its_peer_learns() {
    let (mut one, two) = pair().await;
    let shared = Arc::downgrade(&two.transport.0.shared);
    drop(two);
    let reason = one.down(2).await;
    assert!(matches!(reason, DownReason::ByPeer { .. }), "{reason:?}");
    let ended = async {
        while shared.strong_count() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("every task lets go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_occupied_port_is_a_typed_error() {
    let one = start(config(1)).await;
    let mut second = config(2);
    second.bind = one.transport.local_address();
    let error = Transport::start(second)
        .await
        .expect_err("the port is taken");
    assert!(matches!(error, TransportError::AddressInUse(_)), "{error}");
}

#[tokio::test]
async fn a_short_secret_and_a_long_name_are_typed_errors() {
    let mut short = config(1);
    short.secret = Secret::new("fifteen bytes..");
    let error = Transport::start(short).await.expect_err("too short");
    assert!(
        matches!(error, TransportError::SecretTooShort { .. }),
        "{error}"
    );
    let mut long = config(1);
    long.cluster = "c".repeat(NAME_BYTES_MAX + 1);
    let error = Transport::start(long).await.expect_err("too long");
    assert!(
        matches!(error, TransportError::NameTooLong { .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_families_reach_a_node_bound_to_any_address() {
    let mut any = config(1);
    any.bind = "[::]:0".parse().expect("an address");
    let Ok((transport, events)) = Transport::start(any).await else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let mut any = Node { transport, events };
    let port = any.transport.local_address().port();
    let (mut four, mut six) = (start(config(4)).await, config(6));
    four.transport
        .want(Target::Seed(SocketAddr::from(([127, 0, 0, 1], port))));
    // What it advertises is "any": its peers fill in what they see.
    let seen = four.up(1).await;
    assert_eq!(seen, SocketAddr::from(([127, 0, 0, 1], port)));
    any.up(4).await;
    six.bind = "[::1]:0".parse().expect("an address");
    let Ok((transport, events)) = Transport::start(six).await else {
        println!("skipped: this machine has no ::1");
        return;
    };
    let mut six = Node { transport, events };
    six.transport.want(Target::Seed(
        format!("[::1]:{port}").parse().expect("an address"),
    ));
    six.up(1).await;
    any.up(6).await;
}
