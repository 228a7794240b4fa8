//! Stories of small clusters.

mod hostile;
pub(super) mod messages;
mod network;

use std::{collections::BTreeSet, hash::Hasher as _, time::Duration};

use network::{Network, peer};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn one_announcement_makes_a_pair_and_a_chain_of_them_a_cluster() {
    let mut network = Network::new(5);
    for joining in 1..5 {
        network.announce(joining, joining - 1);
    }
    network.run(Duration::from_secs(30));
    network.assert_settled();
    for node in &network.nodes {
        assert_eq!(node.events.len(), 4, "each told once: {:?}", node.events);
    }
}

#[test]
fn a_lost_announcement_is_repeated() {
    let mut network = Network::new(2);
    network.loss_percent = 100;
    network.announce(1, 0);
    network.loss_percent = 0;
    network.run(Duration::from_secs(3));
    network.assert_settled();
}

#[test]
fn a_silent_node_is_unreachable_until_it_returns() {
    let mut network = Network::joined(5);
    network.nodes[4].side = 9;
    network.run(Duration::from_secs(3));
    assert!((0..4).all(|index| network.seen(index).contains(&5)));
    network.run(Duration::from_secs(27));
    network.assert_settled();
    network.nodes[4].side = 0;
    network.run(MINUTE);
    network.assert_settled();
    for node in &network.nodes[..4] {
        let of_5 = node.events.iter().filter(|event| match event {
            MembershipEvent::Reachable(peer) => peer.node.0 == 5,
            MembershipEvent::Unreachable(node) => node.0 == 5,
        });
        let up = MembershipEvent::Reachable(peer(5, 5));
        let down = MembershipEvent::Unreachable(NodeId(5));
        let expected = [up, down, up];
        assert!(of_5.eq(&expected), "{:?}", node.events);
        // Nobody else is drawn into it: what node 5 believed of the others does not spread.
        assert_eq!(node.events.len(), 3 + 3, "{:?}", node.events);
    }
}

#[test]
fn who_is_suspected_out_of_turn_and_silent_is_unreachable_for_all_after_the_doubt() {
    let mut network = Network::joined(5);
    network.nodes[4].side = 9;
    network.suspect(0, 4);
    network.run(Duration::from_millis(999));
    assert!((0..4).all(|index| network.seen(index).contains(&5)));
    network.run(Duration::from_millis(151));
    assert!((0..4).all(|index| !network.seen(index).contains(&5)));
}

#[test]
fn whom_a_third_still_hears_refutes_a_suspicion_out_of_turn() {
    for (lost, unreachable_max) in [(0, 0), (20, 2)] {
        let mut network = Network::joined(4);
        network.broken_link = Some([NodeId(1), NodeId(4)]);
        network.loss_percent = lost;
        for _ in 0..200 {
            network.suspect(0, 3);
            network.run(Duration::from_secs(5));
        }
        network.loss_percent = 0;
        network.run(MINUTE);
        network.assert_settled();
        let changes = network.nodes[0].events.len() - 3;
        assert!(changes / 2 <= unreachable_max, "{changes} of 200");
    }
}

#[test]
fn who_refutes_a_suspicion_stays_who_it_is() {
    let mut network = Network::joined(9);
    network.suspect(0, 2);
    network.run(MINUTE);
    let third = network.nodes[2].machine.detector.identity();
    assert_eq!(*third, Identity::first(peer(3, 3)));
}

#[test]
fn nobody_is_declared_unreachable_who_is_heard_by_other_means() {
    let mut network = Network::joined(5);
    network.nodes[4].side = 9;
    network.is_busy = true;
    network.suspect(0, 4);
    network.run(MINUTE);
    assert!((0..4).all(|index| network.seen(index).contains(&5)));
    network.is_busy = false;
    network.run(Duration::from_secs(30));
    network.assert_settled();
}

#[test]
fn who_is_suspected_hears_of_it_though_the_news_passed_it_by() {
    let mut network = Network::joined(5);
    network.nodes[4].side = 9;
    network.is_busy = true;
    network.suspect(0, 4);
    network.run(MINUTE);
    // It hears the others again; what was said of it was said while it did not.
    network.nodes[4].side = 0;
    network.run(Duration::from_secs(2));
    network.is_busy = false;
    network.run(MINUTE);
    network.assert_settled();
    let seen = |index: usize| network.nodes[index].events.len();
    assert!((0..4).all(|index| seen(index) == 4), "never unreachable");
}

#[test]
fn a_pair_that_lost_each_other_meets_again_unaided() {
    let mut network = Network::joined(2);
    network.nodes[1].side = 9;
    network.run(MINUTE);
    assert!(network.seen(0).is_empty() && network.seen(1).is_empty());
    assert_eq!(network.nodes[0].machine.outbox.timers.len(), 0);
    network.nodes[1].side = 0;
    network.run(Duration::from_secs(10));
    network.assert_settled();
}

#[test]
fn a_broken_link_between_two_is_bridged_by_a_third() {
    let mut network = Network::joined(3);
    network.broken_link = Some([NodeId(1), NodeId(2)]);
    network.run(MINUTE * 10);
    network.assert_settled();
    assert!(network.nodes.iter().all(|node| node.events.len() == 2));
}

#[test]
fn halves_heal_after_a_minute_and_after_a_day() {
    for (minutes, announces) in [(1, false), (24 * 60, true)] {
        let mut network = Network::joined(5);
        network.nodes[3].side = 9;
        network.nodes[4].side = 9;
        network.run(MINUTE * minutes);
        network.assert_settled();
        network.nodes[3].side = 0;
        network.nodes[4].side = 0;
        if announces {
            network.announce(0, 3);
            network.announce(3, 0);
        }
        network.run(MINUTE);
        network.assert_settled();
    }
}

#[test]
fn half_of_all_packets_lost_does_not_keep_nodes_apart_for_good() {
    let mut network = Network::new(4);
    network.loss_percent = 50;
    for joining in 1..4 {
        network.announce(joining, 0);
    }
    network.run(MINUTE * 5);
    network.loss_percent = 0;
    network.run(MINUTE);
    network.assert_settled();
}

#[test]
fn a_restart_under_a_new_id_replaces_the_old_one_at_its_address() {
    let mut network = Network::joined(3);
    network.nodes[2].side = 9;
    let new = network.start(peer(33, 3));
    network.announce(new, 0);
    network.run(MINUTE);
    assert_eq!(network.seen(0), BTreeSet::from([2, 33]));
    assert_eq!(network.seen(1), BTreeSet::from([1, 33]));
    assert_eq!(network.seen(new), BTreeSet::from([1, 2]));
    let gone = MembershipEvent::Unreachable(NodeId(3));
    assert!(network.nodes[1].events.contains(&gone));
}

#[test]
fn restarts_are_forgotten_in_time() {
    let mut network = Network::joined(2);
    for life in 0..100 {
        network.nodes[1].side = 9;
        network.nodes.truncate(2);
        let new = network.start(peer(100 + life, 2));
        network.announce(new, 0);
        network.run(MINUTE);
    }
    let first = &network.nodes[0].machine;
    assert!(first.detector.iter_membership_state().len() < 15);
    assert!(first.outbox.contacts.next_at().is_some());
    network.run(MINUTE * 15);
    let first = &network.nodes[0].machine;
    assert_eq!(first.detector.iter_membership_state().len(), 1);
    assert_eq!(first.outbox.contacts.next_at(), None);
}

#[test]
fn who_leaves_is_known_to_be_gone_at_once_and_stays_away() {
    let mut network = Network::joined(3);
    network.leave(2);
    network.run(Duration::from_millis(100));
    assert_eq!(network.seen(0), BTreeSet::from([2]));
    assert_eq!(network.seen(1), BTreeSet::from([1]));
    let sent = network.nodes[2].sent;
    network.announce(2, 0);
    network.run(MINUTE);
    assert_eq!(network.nodes[2].sent, sent);
    assert_eq!(network.nodes[2].machine.poll_timeout(), None);
    assert_eq!(network.seen(0), BTreeSet::from([2]));
}

#[test]
fn quiet_nodes_send_few_packets() {
    for size in [2, 3] {
        let mut network = Network::joined(size);
        let before: Vec<u64> = network.nodes.iter().map(|node| node.sent).collect();
        network.run(MINUTE * 10);
        for (node, before) in network.nodes.iter().zip(before) {
            let per_minute = (node.sent - before) / 10;
            assert!((30..=90).contains(&per_minute), "{per_minute} a minute");
        }
    }
}

/// A message from one to the other, with the news that the other is down if the kind carries any.
fn verdict(message: Message<Identity>, from: Identity, to: Identity) -> Vec<u8> {
    let header = Header {
        src: from,
        src_incarnation: 0,
        dst: to,
        message,
    };
    let updates = vec![Member::down(to)];
    let packet = Packet { header, updates };
    packet.to_bytes().expect("a small packet")
}

#[test]
fn a_node_with_a_new_identity_notices_when_all_others_go_silent() {
    let mut network = Network::joined(3);
    let first = &mut network.nodes[0].machine;
    let own = *first.detector.identity();
    let bytes = verdict(Message::TurnUndead, Identity::first(peer(2, 2)), own);
    first.handle_packet(network.now, &bytes).expect("sound");
    assert_eq!(first.detector.identity().bump, own.bump + 1);
    network.nodes[0].side = 9;
    network.drain(0);
    network.run(MINUTE);
    assert!(network.seen(0).is_empty());
}

#[test]
fn who_knows_a_node_by_a_former_identity_is_shown_the_present_one() {
    let mut network = Network::joined(3);
    let first = &mut network.nodes[0].machine;
    let (former, other) = (*first.detector.identity(), Identity::first(peer(2, 2)));
    let bytes = verdict(Message::TurnUndead, other, former);
    first.handle_packet(network.now, &bytes).expect("sound");
    while first.poll_transmit().is_some() {}
    let bytes = verdict(Message::Gossip, other, former);
    first.handle_packet(network.now, &bytes).expect("sound");
    let (to, answer) = first.poll_transmit().expect("an answer");
    let answer = Packet::parse(&answer).expect("a packet");
    assert_eq!(
        (to, answer.header.src.bump),
        (other.peer(), former.bump + 1)
    );
    assert_eq!(first.poll_transmit(), None);
}

/// What a machine says to node 2, once that has told it of a suspicion, for the second time.
fn answer_to(network: &mut Network, index: usize, suspicion: &Member<Identity>) -> Vec<Packet> {
    let doubter = Identity::first(peer(2, 2));
    let machine = &mut network.nodes[index].machine;
    let own = *machine.detector.identity();
    let word = news::word(doubter, own, slice::from_ref(suspicion));
    let bytes = word.to_bytes().expect("a small packet");
    let mut answers = Vec::new();
    for _ in 0..2 {
        assert_eq!(machine.handle_packet(network.now, &bytes), Ok(()));
        answers = iter::from_fn(|| machine.poll_transmit()).collect();
    }
    answers.retain(|(to, _)| *to == doubter.peer());
    let parse = |(_, bytes): &(Peer, Vec<u8>)| Packet::parse(bytes).expect("a packet");
    answers.iter().map(parse).collect()
}

#[test]
fn who_still_doubts_a_node_is_told_by_it_that_it_lives() {
    let mut network = Network::joined(9);
    let own = *network.nodes[0].machine.detector.identity();
    let suspicion = Member::new(own, 0, State::Suspect);
    let answers = answer_to(&mut network, 0, &suspicion);
    let of_later = |packet: &Packet| packet.header.src_incarnation == 1;
    assert!(!answers.is_empty() && answers.iter().all(of_later));
}

#[test]
fn who_still_doubts_a_third_is_told_by_who_knows_better() {
    let mut network = Network::joined(9);
    let third = Identity::first(peer(3, 3));
    network.suspect(0, 2);
    network.run(Duration::from_secs(5));
    let known = network.nodes[0].machine.member(third.node).cloned();
    assert_eq!(known, Some(Member::new(third, 1, State::Alive)), "refuted");
    let suspicion = Member::new(third, 0, State::Suspect);
    let answers = answer_to(&mut network, 0, &suspicion);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].updates, known.into_iter().collect::<Vec<_>>());
    let of_now = Member::new(third, 1, State::Suspect);
    let answers = answer_to(&mut network, 0, &of_now);
    assert!(
        answers
            .iter()
            .all(|answer| answer.updates != [Member::new(third, 1, State::Alive)])
    );
}

#[test]
fn a_node_that_left_is_not_brought_back_by_hearing_so() {
    let mut network = Network::joined(3);
    network.leave(0);
    let first = &mut network.nodes[0].machine;
    let own = *first.detector.identity();
    let bytes = verdict(Message::Gossip, Identity::first(peer(2, 2)), own);
    assert_eq!(first.handle_packet(network.now, &bytes), Ok(()));
    assert_eq!(first.poll_transmit(), None);
    assert_eq!(first.poll_timeout(), None);
}

#[test]
fn a_member_under_another_address_is_reported_gone_and_back() {
    let mut network = Network::joined(2);
    let moved = Identity {
        bump: 1,
        ..Identity::first(peer(2, 22))
    };
    let first = &mut network.nodes[0].machine;
    let bytes = verdict(Message::Gossip, moved, *first.detector.identity());
    first.handle_packet(network.now, &bytes).expect("sound");
    let gone = MembershipEvent::Unreachable(NodeId(2));
    let back = MembershipEvent::Reachable(peer(2, 22));
    let events: Vec<_> = iter::from_fn(|| first.poll_event()).collect();
    assert_eq!(events, [gone, back]);
}

#[test]
fn the_same_seeds_give_the_same_packets() {
    let trace = || {
        let mut network = Network::new(5);
        network.loss_percent = 20;
        for joining in 1..5 {
            network.announce(joining, 0);
        }
        network.run(MINUTE * 5);
        network.leave(4);
        network.run(MINUTE);
        network.trace.finish()
    };
    assert_eq!(trace(), trace());
}
