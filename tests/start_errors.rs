//! Goal: what is wrong with a node's configuration is told by name, before anything runs; a node
//! that cannot have a share yet says so, and one that needs nobody has its share at once.
//!
//! Method: the public builder, one mistake at a time.

#![cfg(feature = "quic")]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use distributary::{
    Builder, DriverState, EvictAfter, Limit, LimitError, Node, Refusal, ShutdownOutcome,
    StartError, StartOutcome, TransportError, Verdict,
};

const SECRET: &str = "a secret of the test cluster";

fn builder() -> Builder {
    let limit = Limit::per_hour(3);
    Node::builder().secret(SECRET).limit("api", limit)
}

async fn error_of(builder: Builder) -> StartError {
    let error = builder.start().await.expect_err("cannot start");
    assert!(error.to_string().len() > 10, "{error}");
    error
}

#[tokio::test]
async fn secrets_must_be_one_and_long_enough() {
    let limit = Limit::per_second(1);
    let none = error_of(Node::builder().limit("api", limit)).await;
    assert!(matches!(none, StartError::SecretMissing), "{none}");
    let two = error_of(builder().secret("another secret, of another cluster")).await;
    assert!(matches!(two, StartError::SecretsDiffer), "{two}");
    let short = error_of(
        Node::builder()
            .secret("15 bytes, sadly")
            .limit("api", limit),
    )
    .await;
    let StartError::Transport(TransportError::SecretTooShort { bytes, bytes_min }) = short else {
        panic!("{short}");
    };
    assert_eq!((bytes, bytes_min), (15, 16));
    let twice = builder().secret(SECRET).start().await;
    assert!(twice.is_ok(), "the same one twice is one");
}

#[tokio::test]
async fn limits_must_be_some_and_told_apart() {
    let limit = Limit::per_second(1);
    let none = error_of(Node::builder().secret(SECRET)).await;
    assert!(matches!(none, StartError::LimitMissing), "{none}");
    let twice = error_of(builder().limit("api", limit)).await;
    assert!(matches!(&twice, StartError::LimitTwice(name) if name == "api"));
    let empty = error_of(builder().limit("", limit)).await;
    assert!(matches!(&empty, StartError::LimitName(name) if name.is_empty()));
    let long = error_of(builder().limit("x".repeat(257), limit)).await;
    assert!(matches!(&long, StartError::LimitName(name) if name.len() == 257));
    let many = (0..70_000).fold(builder(), |all, n| all.limit(n.to_string(), limit));
    let many = error_of(many).await;
    assert!(matches!(many, StartError::LimitsTooMany), "{many}");
}

#[tokio::test]
async fn numbers_must_lie_in_their_ranges() {
    for overshoot in [-0.1, f64::NAN, f64::INFINITY, 1e6] {
        let error = error_of(builder().overshoot(overshoot)).await;
        let named = matches!(
            error,
            StartError::Overshoot(LimitError::OvershootOutOfRange(_))
        );
        assert!(named, "{error}");
    }
    for tick in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let error = error_of(builder().tick(tick)).await;
        assert!(matches!(error, StartError::Tick(given) if given == tick));
    }
}

#[tokio::test]
async fn addresses_must_be_such() {
    for text in ["", "nowhere", "10.0.0.1", "10.0.0.1:99999", ":::"] {
        for builder in [builder().bind_to(text), builder().seed(text)] {
            let error = error_of(builder).await;
            assert!(matches!(&error, StartError::Address { text: given } if given == text));
        }
    }
    for text in ["127.0.0.1:0", "[::1]:0"] {
        let node = builder().bind_to(text).start().await.expect("starts");
        let bound: SocketAddr = text.parse().expect("an address");
        assert_eq!(node.address().ip(), bound.ip());
        assert_ne!(node.address().port(), 0);
    }
}

#[tokio::test]
async fn an_occupied_port_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one");
    let error = error_of(builder().bind(address)).await;
    let StartError::Transport(TransportError::AddressInUse(told)) = error else {
        panic!("{error}");
    };
    assert_eq!(told, address);
    let elsewhere = SocketAddr::from(([203, 0, 113, 1], 7000));
    let error = error_of(builder().bind(elsewhere)).await;
    let named = matches!(error, StartError::Transport(TransportError::Bind { address, .. })
        if address == elsewhere);
    assert!(named);
}

#[tokio::test]
async fn names_must_fit_a_greeting() {
    let error = error_of(builder().cluster("x".repeat(100_000))).await;
    let named = matches!(
        error,
        StartError::Transport(TransportError::NameTooLong { .. })
    );
    assert!(named, "{error}");
}

#[tokio::test]
async fn a_node_without_seeds_founds_alone_at_once() {
    let node = builder().start().await.expect("starts");
    assert_eq!(node.start_outcome(), StartOutcome::Holding);
    let api = node.limiter("api").expect("its one limit");
    assert!(node.limiter("other").is_none());
    assert_eq!(api.limit(), Limit::per_hour(3));
    let allowed = (0..10).filter(|_| api.check("ann").is_allowed()).count();
    assert_eq!(allowed, 3);
    assert!(api.acquire("bob").await.is_allowed());
    assert_eq!(api.owners("bob"), [node.id()]);
    assert_eq!(node.members().len(), 1);
    assert_eq!(node.stats().driver, DriverState::Running);
    let outcome = node.shutdown(Duration::from_secs(10)).await;
    assert_eq!(
        outcome,
        ShutdownOutcome::HandedOver,
        "there is nobody to hand to"
    );
}

#[tokio::test]
async fn a_node_that_waits_for_others_refuses_and_says_why() {
    let waiting = builder()
        .expected_nodes(3)
        .start_deadline(Duration::from_millis(200));
    let node = waiting.start().await.expect("starts");
    assert_eq!(node.start_outcome(), StartOutcome::DeadlinePassed);
    let api = node.limiter("api").expect("its one limit");
    let refused = api.check("ann");
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::NoShare));
    assert!(api.peek("ann").share.is_none());
    let refused = api.acquire("ann").await;
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::NoShare));
    assert!(api.check_n("ann", 0).is_allowed());
    assert_eq!(node.stats().view, None);
}

#[tokio::test]
async fn a_seed_that_does_not_answer_is_waited_for() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let seed = silent.local_addr().expect("it has one");
    let waiting = builder()
        .seeds([seed])
        .start_deadline(Duration::from_millis(200));
    let node = waiting.start().await.expect("starts");
    assert_eq!(node.start_outcome(), StartOutcome::DeadlinePassed);
    assert_eq!(node.members().len(), 1);
}

#[tokio::test]
async fn durations_without_end_are_no_mistake() {
    let patient = builder()
        .acquire_deadline(Duration::MAX)
        .start_deadline(Duration::MAX)
        .evict_after(EvictAfter::After(Duration::MAX));
    let node = patient.start().await.expect("starts");
    let api = node.limiter("api").expect("its one limit");
    assert!(api.acquire("ann").await.is_allowed());
    let hasty = builder().acquire_deadline(Duration::ZERO);
    let node = hasty.start().await.expect("starts");
    let api = node.limiter("api").expect("its one limit");
    assert!(api.acquire("ann").await.is_allowed());
    let outcome = node.shutdown(Duration::MAX).await;
    assert_eq!(outcome, ShutdownOutcome::HandedOver);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_running() {
    let address = {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("it has one")
    };
    let waiting = builder().bind(address).expected_nodes(2);
    let patience = Duration::from_millis(200);
    let given_up = tokio::time::timeout(patience, waiting.start()).await;
    assert!(given_up.is_err(), "there is nobody else");
    for attempt in 0.. {
        if UdpSocket::bind(address).is_ok() {
            break;
        }
        assert!(attempt < 200, "the port is still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
