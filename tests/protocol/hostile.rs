//! What a peer must not be able to do.
//!
//! Goal: bytes that are no frame, frames out of place, and grants from whoever may not send them
//! change nothing and never panic. Method: a founded cluster, and frames forged from real ones.

use std::time::Duration;

use distributary::Limit;
use distributary::proto::{KeyId, NodeId, Share};

use crate::cluster::{Cluster, Happening};
use crate::dice::Dice;
use crate::host::{SECOND_NS, Settings};
use crate::links::Quality;

const KEY: KeyId = KeyId(1 << 120);

/// A cluster in which a hot key has moved shares, and every frame that was on its way meanwhile.
fn busy() -> (Cluster, Vec<(NodeId, NodeId, Vec<u8>)>) {
    let limit = Limit::per(60, Duration::from_secs(60)).burst(60);
    let mut cluster = Cluster::founded(Settings::new(3, limit), Quality::LAN, 3);
    cluster.watched.push(KEY);
    let mut frames = Vec::new();
    for index in 0..400 {
        let _decision = cluster.check(usize::from(index % 10 == 0), KEY, 1);
        frames.extend(
            cluster
                .queue
                .values()
                .filter_map(|happening| match happening {
                    Happening::Frame { from, to, bytes } => Some((*from, *to, bytes.clone())),
                    _ => None,
                }),
        );
        cluster.run_for(SECOND_NS / 100);
    }
    cluster.run_for(SECOND_NS);
    (cluster, frames)
}

fn state(cluster: &Cluster) -> (Vec<f64>, Vec<u64>) {
    let applied = cluster
        .hosts
        .iter()
        .map(|host| host.node.counters().grants_applied);
    (cluster.shares(KEY), applied.collect())
}

#[test]
fn any_bytes_change_nothing() {
    let (mut cluster, frames) = busy();
    let mut dice = Dice::new(9);
    let from = cluster.id(1);
    let before = state(&cluster);
    for round in 0..20_000 {
        let length = dice.within(0, 60);
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
        if let Some(kind) = bytes.first_mut() {
            // Of every known kind, so that the body is looked at.
            *kind = (round % 12) as u8;
        }
        cluster.with(0, |node, now| {
            let _refused = node.handle_frame(now, from, &bytes);
        });
    }
    for (_, _, bytes) in &frames {
        let cut = dice.within(1, bytes.len() as u64) as usize;
        cluster.with(0, |node, now| {
            let refused = node.handle_frame(now, from, &bytes[..cut]);
            assert!(
                refused.is_err() || bytes[0] == 2,
                "half a frame of kind {}",
                bytes[0]
            );
        });
    }
    assert_eq!(state(&cluster), before);
    assert!(cluster.counters(0).frames_refused > 10_000);
}

/// Everything that was ever sent is sent again, in another order: nothing is applied twice.
#[test]
fn replayed_frames_change_no_share() {
    let (mut cluster, frames) = busy();
    assert!(
        cluster
            .hosts
            .iter()
            .any(|host| host.node.counters().grants_applied > 0)
    );
    cluster.run_for(30 * SECOND_NS);
    let before = state(&cluster);
    let mut dice = Dice::new(4);
    for _ in 0..frames.len() * 2 {
        let (from, to, bytes) = &frames[dice.within(0, frames.len() as u64) as usize];
        // Questions and requests to hand over are meant to have an effect each time.
        if !(1..=5).contains(&bytes[0]) {
            continue;
        }
        let place = cluster.place_of[to];
        cluster.with(place, |node, now| {
            let _refused = node.handle_frame(now, *from, bytes);
        });
    }
    assert_eq!(state(&cluster).1, before.1, "grants applied twice");
    cluster.judge().expect("the bound");
}

/// A peer that is connected but no member, and a member that speaks of a view gone by.
#[test]
fn grants_of_strangers_and_of_old_views_are_ignored() {
    let (mut cluster, frames) = busy();
    let stranger = NodeId(42);
    let address = crate::host::address(9);
    cluster.with(0, |node, now| node.handle_peer_up(now, stranger, address));
    let gossip: Vec<_> = frames
        .iter()
        .filter(|(_, _, bytes)| bytes[0] == 1)
        .collect();
    let before = state(&cluster);
    for (_, _, bytes) in &gossip {
        cluster.with(0, |node, now| {
            assert!(node.handle_frame(now, stranger, bytes).is_ok());
        });
    }
    assert_eq!(state(&cluster), before);
    cluster.with(0, |node, now| node.handle_peer_down(now, stranger));
    cluster.join();
    cluster.settle_views(20);
    let whole = u128::from(Share::WHOLE.parts());
    assert_eq!(cluster.held(KEY) + cluster.in_flight(KEY), whole);
    let before = state(&cluster).1;
    for (from, to, bytes) in gossip {
        let place = cluster.place_of[to];
        cluster.with(place, |node, now| {
            assert!(node.handle_frame(now, *from, bytes).is_ok());
        });
    }
    assert_eq!(state(&cluster).1, before);
}

/// An answer that comes twice was used once: what it charged stays charged.
#[test]
fn a_doubled_answer_takes_nothing_back() {
    let limit = Limit::per(1, Duration::from_secs(60)).burst(30);
    let mut cluster = Cluster::founded(Settings::new(3, limit), Quality::LAN, 3);
    cluster.quality.double_percent = 100;
    for index in 0..120 {
        let place = index % 3;
        cluster.acquire(place, KEY, 1, Duration::from_millis(40));
        cluster.run_for(SECOND_NS / 20);
    }
    assert!(cluster.total_admitted(KEY) >= 10);
    cluster.judge().expect("the bound");
}
