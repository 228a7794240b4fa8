//! Every message of the detector, about any node.

use foca::Message;
use proptest::prelude::*;

use crate::membership::identity::Identity;

/// Messages of all ten kinds; those about a third node are about one of `nodes`.
pub(in crate::membership) fn messages(
    nodes: impl Strategy<Value = Identity>,
    probes: impl Strategy<Value = u8>,
) -> impl Strategy<Value = Message<Identity>> {
    (0..10_u8, nodes, probes).prop_map(|(kind, target, probe_number)| {
        let origin = target;
        match kind {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq {
                target,
                probe_number,
            },
            3 => Message::IndirectPing {
                origin,
                probe_number,
            },
            4 => Message::IndirectAck {
                target,
                probe_number,
            },
            5 => Message::ForwardedAck {
                origin,
                probe_number,
            },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            _ => Message::TurnUndead,
        }
    })
}
