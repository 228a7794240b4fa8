//! Bad days: cut links, killed processes, garbage.

use super::super::identity::Identity;
use super::refusals::{greeting, raw_call};
use super::*;

fn fault() -> FaultLink {
    let started = Instant::now();
    FaultLink::new(Arc::new(move || {
        u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healed_link_is_up_again_soon() {
    let link = fault();
    let mut first = config(1);
    first.fault = Some(link.clone());
    let (mut one, mut two) = (start(first).await, start(config(2)).await);
    one.transport.want(two.target());
    two.transport.want(one.target());
    one.up(2).await;
    two.up(1).await;
    link.cut(two.transport.local_address());
    assert_eq!(one.down(2).await, DownReason::TimedOut);
    assert_eq!(two.down(1).await, DownReason::TimedOut);
    sleep(Duration::from_millis(1500)).await;
    assert!(link.dropped() > 0 && link.first_passed_ns().is_none());
    let healed = Instant::now();
    link.heal_all();
    one.up(2).await;
    two.up(1).await;
    let took = healed.elapsed();
    println!("up again {took:?} after the link healed");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert!(link.first_passed_ns().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_told_retry_ends_all_pauses() {
    let mut one = start(config(1)).await;
    let two = start(config(2)).await;
    let target = two.seed();
    let bind = two.transport.local_address();
    drop(two);
    one.transport.want(target);
    sleep(Duration::from_millis(1500)).await;
    let mut config = config(3);
    config.bind = bind;
    let mut three = start(config).await;
    one.transport.retry_now();
    one.up(3).await;
    three.up(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_peers_successor_resets_its_connections() {
    let link = fault();
    let mut first = config(2);
    first.fault = Some(link.clone());
    let (mut one, mut two) = (start(config(1)).await, start(first).await);
    one.transport.want(two.seed());
    one.up(2).await;
    two.up(1).await;
    // Killed: it cannot say that it goes.
    link.cut(one.transport.local_address());
    let mut successor = config(3);
    successor.bind = two.transport.local_address();
    drop(two);
    let mut three = loop {
        match Transport::start(successor.clone()).await {
            Ok((transport, events)) => break Node { transport, events },
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(one.down(2).await, DownReason::Reset);
    one.up(3).await;
    three.up(1).await;
}

/// C12, of the transport alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_pair_exchanges_few_datagrams_and_stays_up() {
    let (mut one, mut two) = pair().await;
    sleep(Duration::from_secs(1)).await;
    let before = one.counters();
    sleep(Duration::from_secs(5)).await;
    let after = one.counters();
    let sent = after.udp_datagrams_sent - before.udp_datagrams_sent;
    let received = after.udp_datagrams_received - before.udp_datagrams_received;
    println!("idle for 5 s: {sent} UDP datagrams sent, {received} received");
    assert!(sent + received <= 20, "{sent} sent, {received} received");
    assert!(one.lifecycle().is_empty() && two.lifecycle().is_empty());
}

async fn raw_peer(node: &Node, id: u64) -> quinn::Connection {
    let identity = Identity::new(&Secret::new(SECRET), NodeId(id)).expect("a certificate");
    let connection = raw_call(Some(&identity), &identity, node)
        .await
        .expect("TLS accepts");
    send(&connection, &greeting(&config(id)).encode()).await;
    connection
}

async fn send(connection: &quinn::Connection, message: &Bytes) {
    frame::write(connection, message.clone())
        .await
        .expect("an open connection");
}

async fn send_raw(connection: &quinn::Connection, bytes: &[u8]) {
    let mut stream = connection.open_uni().await.expect("an open connection");
    stream.write_all(bytes).await.expect("an open stream");
    stream.finish().expect("an open stream");
}

/// C9, on a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_oversize_close_and_are_counted() {
    let mut one = start(config(1)).await;
    let cases = [
        (vec![0, 0, 0, 5, 1, 2], CloseCode::Garbage),
        (vec![0, 0, 0, 1, 1, 2], CloseCode::Garbage),
        (vec![0, 0], CloseCode::Garbage),
        (vec![0xff; 64], CloseCode::Oversize),
    ];
    for (id, (bytes, code)) in cases.into_iter().enumerate() {
        let id = id as u64 + 10;
        let connection = raw_peer(&one, id).await;
        one.up(id).await;
        send_raw(&connection, &bytes).await;
        assert_eq!(one.down(id).await, DownReason::ByUs(code));
    }
    let counters = one.counters();
    assert_eq!((counters.garbage_frames, counters.oversize_frames), (3, 1));
    assert_eq!(counters.streams_received, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_peer_is_told_why_and_may_call_again() {
    let (mut one, mut two) = pair().await;
    two.transport
        .disconnect(one.id(), CloseCode::BadFrame, "unknown kind 7");
    assert_eq!(two.down(1).await, DownReason::ByUs(CloseCode::BadFrame));
    let (code, reason) = (Some(CloseCode::BadFrame), "unknown kind 7".to_owned());
    assert_eq!(one.down(2).await, DownReason::ByPeer { code, reason });
    one.up(2).await;
    two.up(1).await;
}
