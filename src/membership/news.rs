//! Which packets bring something that others should hear at once, and what one of them has to hear.

use foca::{Header, Member, Message, State};

use super::{identity::Identity, wire::Packet};

/// Whether a packet says that a member is suspected whom this node thinks alive, or that one is
/// alive whom it suspects. Who comes new, or is lost, shows otherwise.
pub(super) fn is_urgent<'a>(
    packet: &Packet,
    known: impl Fn(&Identity) -> Option<&'a Member<Identity>>,
) -> bool {
    let (id, incarnation) = (packet.header.src, packet.header.src_incarnation);
    let sender = Member::new(id, incarnation, State::Alive);
    let mut told = packet.updates.iter().chain([&sender]);
    told.any(|update| known(update.id()).is_some_and(|known| is_news(update, known)))
}

fn is_news(update: &Member<Identity>, known: &Member<Identity>) -> bool {
    if update.id() != known.id() {
        return false;
    }
    match (update.state(), known.state()) {
        (State::Suspect, State::Alive) => update.incarnation() >= known.incarnation(),
        (State::Alive, State::Suspect) => update.incarnation() > known.incarnation(),
        _ => false,
    }
}

/// A word to a member that it should hear at once: who this node is by now, and whom it suspects, that
/// member perhaps, so that it can say otherwise.
pub(super) fn word(own: Identity, to: Identity, suspicions: &[Member<Identity>]) -> Packet {
    let header = Header {
        src: own,
        // What the receiver knows of this identity is as new at least, and stands.
        src_incarnation: 0,
        dst: to,
        message: Message::Gossip,
    };
    Packet {
        header,
        updates: suspicions.to_vec(),
    }
}

/// Whom a packet says to be suspected.
pub(super) fn suspicions(packet: &Packet) -> Vec<Member<Identity>> {
    let told = packet.updates.iter();
    told.filter(|update| update.state() == State::Suspect)
        .cloned()
        .collect()
}

/// A word to who suspects members that have refuted it, as this node knows; `None` if there are none.
///
/// This node has refuted by now what is said of itself.
pub(super) fn refutation<'a>(
    own: Identity,
    to: Identity,
    suspicions: &[Member<Identity>],
    known: impl Fn(&Identity) -> Option<&'a Member<Identity>>,
) -> Option<Packet> {
    let mut packet = word(own, to, &[]);
    for suspicion in suspicions {
        if *suspicion.id() == own {
            packet.header.src_incarnation = suspicion.incarnation().saturating_add(1);
        }
        let known = known(suspicion.id()).filter(|known| is_refuted(suspicion, known));
        packet.updates.extend(known.cloned());
    }
    let says_something = packet.header.src_incarnation > 0 || !packet.updates.is_empty();
    says_something.then_some(packet)
}

fn is_refuted(suspicion: &Member<Identity>, known: &Member<Identity>) -> bool {
    known.id() == suspicion.id()
        && known.state() == State::Alive
        && known.incarnation() > suspicion.incarnation()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Peer;
    use crate::units::NodeId;

    #[test]
    fn suspicions_and_their_refutations_are_news_once() {
        use State::{Alive, Down, Suspect};
        let address = "10.0.0.1:7".parse().expect("an address");
        let id = Identity::first(Peer {
            node: NodeId(1),
            address,
        });
        let told = |state, incarnation| Member::new(id, incarnation, state);
        assert!(is_news(&told(Suspect, 3), &told(Alive, 3)));
        assert!(!is_news(&told(Suspect, 2), &told(Alive, 3)), "refuted");
        assert!(!is_news(&told(Suspect, 3), &told(Suspect, 3)), "known");
        assert!(is_news(&told(Alive, 4), &told(Suspect, 3)));
        assert!(!is_news(&told(Alive, 3), &told(Suspect, 3)), "of before");
        assert!(!is_news(&told(Alive, 4), &told(Alive, 3)));
        assert!(!is_news(&told(Alive, 4), &told(Down, 3)));
    }
}
