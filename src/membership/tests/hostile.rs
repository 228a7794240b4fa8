//! Too many nodes, garbage, and members that talk nonsense.

use std::{collections::BTreeSet, iter, time::Duration};

use foca::{Header, Member, Message, State};
use proptest::prelude::*;

use super::messages::messages;
use super::network::{Network, peer};
use crate::{
    membership::{
        MEMBERS_MAX, Membership, MembershipConfig, MembershipError, MembershipEvent,
        PACKET_BYTES_MAX, Peer, identity::Identity, wire::Packet,
    },
    units::Nanos,
};

/// An announcement from a node nobody has heard of.
fn announcement(from: Peer, to: Peer) -> Vec<u8> {
    let mut stranger = Membership::new(from, MembershipConfig::default(), 0);
    stranger.announce(Nanos::ZERO, to);
    stranger.poll_transmit().expect("the announcement").1
}

#[test]
fn the_number_of_nodes_is_bounded_and_the_unreachable_give_way() {
    let own = peer(1, 1);
    let mut machine = Membership::new(own, MembershipConfig::default(), 1);
    let mut results = Vec::new();
    for node in 2..MEMBERS_MAX as u64 + 12 {
        let bytes = announcement(peer(node, node), own);
        results.push(machine.handle_packet(Nanos::ZERO, &bytes));
        while let Some((_, bytes)) = machine.poll_transmit() {
            assert!(bytes.len() <= PACKET_BYTES_MAX);
        }
    }
    let refused = results.iter().filter(|result| result.is_err()).count();
    assert_eq!((machine.reachable().count(), refused), (MEMBERS_MAX, 10));
    let late = announcement(peer(9999, 9999), own);
    let result = machine.handle_packet(Nanos::ZERO, &late);
    assert_eq!(result, Err(MembershipError::TooManyMembers));

    let mut leaver = Membership::new(peer(2, 2), MembershipConfig::default(), 0);
    let feed = Packet {
        header: Header {
            src: Identity::first(own),
            src_incarnation: 0,
            dst: Identity::first(peer(2, 2)),
            message: Message::Feed,
        },
        updates: Vec::new(),
    };
    let feed = feed.to_bytes().expect("a small packet");
    leaver.handle_packet(Nanos::ZERO, &feed).expect("a feed");
    leaver.leave(Nanos::ZERO);
    let (_, farewell) = leaver.poll_transmit().expect("a farewell");
    machine
        .handle_packet(Nanos::ZERO, &farewell)
        .expect("known");
    machine.handle_packet(Nanos::ZERO, &late).expect("room");
    assert!(machine.reachable().any(|peer| peer.node.0 == 9999));
    assert!(!machine.reachable().any(|peer| peer.node.0 == 2));
}

#[test]
fn a_full_node_hears_known_members_but_not_of_more() {
    let own = peer(1, 1);
    let mut machine = Membership::new(own, MembershipConfig::default(), 1);
    for node in 2..MEMBERS_MAX as u64 + 2 {
        let bytes = announcement(peer(node, node), own);
        machine.handle_packet(Nanos::ZERO, &bytes).expect("room");
    }
    while machine.poll_transmit().is_some() {}
    let told = [peer(1, 1), peer(9999, 9999)].map(Identity::first);
    let ping = Packet {
        header: Header {
            src: Identity::first(peer(2, 2)),
            src_incarnation: 0,
            dst: Identity::first(own),
            message: Message::Ping(1),
        },
        updates: told.map(|id| Member::new(id, 0, State::Suspect)).into(),
    };
    let bytes = ping.to_bytes().expect("a small packet");
    machine
        .handle_packet(Nanos::ZERO, &bytes)
        .expect("a member");
    assert!(machine.reachable().all(|peer| peer.node.0 != 9999));
    let replies: Vec<_> = iter::from_fn(|| machine.poll_transmit()).collect();
    let to_sender = replies.iter().find(|(to, _)| to.node.0 == 2);
    let reply = Packet::parse(&to_sender.expect("an answer").1).expect("sound");
    assert_eq!(reply.header.src_incarnation, 1, "the suspicion was heard");
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut network = Network::joined(3);
    let machine = &mut network.nodes[0].machine;
    let ours = announcement(peer(1, 1), peer(2, 2));
    let theirs = announcement(peer(7, 7), peer(2, 2));
    let mut long = announcement(peer(7, 7), peer(1, 1));
    long.push(0);
    let before = machine.poll_timeout();
    for bytes in [&ours, &theirs, &long, &vec![0; PACKET_BYTES_MAX + 1]] {
        assert!(machine.handle_packet(network.now, bytes).is_err());
        assert_eq!(machine.poll_transmit(), None);
        assert_eq!(machine.poll_event(), None);
        assert_eq!(machine.poll_timeout(), before);
    }
}

/// Anything a member might send to node 1, sensible or not.
fn packets() -> impl Strategy<Value = Packet> {
    let identity = (1..6_u64, 0..3_u32).prop_map(|(node, bump)| Identity {
        bump,
        ..Identity::first(peer(node, node))
    });
    let state = prop::sample::select(vec![State::Alive, State::Suspect, State::Down]);
    let incarnation = prop::sample::select(vec![0, 1, 2, u16::MAX]);
    let member = (identity.clone(), incarnation, state);
    let member = member.prop_map(|(id, at, state)| Member::new(id, at, state));
    let own = (0..3_u32).prop_map(|bump| Identity {
        bump,
        ..Identity::first(peer(1, 1))
    });
    let probes = 0..4_u8;
    let parties = (identity.clone(), own, messages(identity, probes.clone()));
    let updates = prop::collection::vec(member, 0..8);
    (parties, probes, updates).prop_map(|((src, dst, message), probe, updates)| {
        let src_incarnation = u16::from(probe);
        Packet {
            header: Header {
                src,
                src_incarnation,
                dst,
                message,
            },
            updates,
        }
    })
}

proptest! {
    #[test]
    fn garbage_neither_panics_nor_changes_anything(
        bytes in prop::collection::vec(any::<u8>(), 0..1100),
    ) {
        let mut machine = Membership::new(peer(1, 1), MembershipConfig::default(), 1);
        prop_assert!(machine.handle_packet(Nanos::ZERO, &bytes).is_err());
        prop_assert_eq!(machine.poll_timeout(), None);
        prop_assert_eq!(machine.poll_transmit(), None);
    }

    #[test]
    fn damaged_packets_do_not_panic(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut network = Network::joined(3);
        network.leave(2);
        while let Some((_, (_, _, mut bytes))) = network.packets.pop_first() {
            let at = at.index(bytes.len());
            bytes[at] = value;
            for node in &mut network.nodes {
                let _ = node.machine.handle_packet(network.now, &bytes);
                node.machine.handle_timeout(network.now, |_| None);
            }
        }
    }

    #[test]
    fn nonsense_from_members_neither_panics_nor_piles_up(
        inputs in prop::collection::vec((packets(), 0..3000_u64), 1..200),
    ) {
        let mut machine = Membership::new(peer(1, 1), MembershipConfig::default(), 1);
        let mut up = BTreeSet::new();
        let mut now = Nanos::ZERO;
        for (packet, wait_ms) in inputs {
            now = now.after(Duration::from_millis(wait_ms));
            machine.handle_timeout(now, |_| None);
            let bytes = packet.to_bytes().expect("a small packet");
            let result = machine.handle_packet(now, &bytes);
            prop_assert!(!matches!(result, Err(MembershipError::Internal { .. })), "{result:?}");
            while let Some((to, bytes)) = machine.poll_transmit() {
                prop_assert!(to.node.0 != 1 && bytes.len() <= PACKET_BYTES_MAX);
            }
            while let Some(event) = machine.poll_event() {
                let alternates = match event {
                    MembershipEvent::Reachable(peer) => up.insert(peer.node),
                    MembershipEvent::Unreachable(node) => up.remove(&node),
                };
                prop_assert!(alternates);
            }
            let reachable: BTreeSet<_> = machine.reachable().map(|peer| peer.node).collect();
            prop_assert_eq!(&reachable, &up);
            let active = machine.detector.iter_members().map(|member| member.id().node);
            prop_assert_eq!(active.collect::<BTreeSet<_>>(), reachable);
            prop_assert!(machine.poll_timeout().is_none_or(|at| at > now));
            prop_assert!(machine.outbox.timers.len() < 20);
        }
    }
}
