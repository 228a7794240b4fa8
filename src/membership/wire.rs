//! The bytes of a membership packet: fixed-size, big-endian, no lengths to trust.
//!
//! ```text
//! packet   = header [ count:u16 member* ]     the part in brackets unless announce, turn-undead
//! header   = identity incarnation:u16 identity kind:u8 [ identity ] [ probe:u8 ]
//! member   = identity incarnation:u16 state:u8
//! identity = node:u64 bump:u32 family:u8 ( 4 or 16 bytes ) port:u16
//! ```
//!
//! A packet is read twice: here, whole, before anything is changed, and by the library as it acts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member, Message, State};
use thiserror::Error;

use super::{PACKET_BYTES_MAX, identity::Identity};
use crate::units::NodeId;

/// Why bytes are not a packet, or a packet cannot be bytes. Touches no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum WireError {
    #[error("the packet has {0} bytes, the limit is {PACKET_BYTES_MAX}")]
    TooLong(usize),
    #[error("the packet ends in the middle of a field")]
    Truncated,
    #[error("{0} bytes follow the end of the packet")]
    Trailing(usize),
    #[error("no message kind, member state or address family has the number {0}")]
    UnknownTag(u8),
    #[error("no room for another item")]
    NoRoom,
    #[error("this kind of message is not used")]
    UnusedKind,
}

/// A whole packet, decoded.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) header: Header<Identity>,
    pub(super) updates: Vec<Member<Identity>>,
}

impl Packet {
    /// Reads all of a packet, or nothing.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > PACKET_BYTES_MAX {
            return Err(WireError::TooLong(bytes.len()));
        }
        let mut rest = bytes;
        let header = Wire.decode_header(&mut rest)?;
        let updates = if carries_updates(&header.message) {
            take_updates(&mut rest)?
        } else {
            Vec::new()
        };
        match rest.len() {
            0 => Ok(Self { header, updates }),
            trailing => Err(WireError::Trailing(trailing)),
        }
    }

    /// The opposite of [`Packet::parse`].
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut bytes = Vec::with_capacity(PACKET_BYTES_MAX);
        Wire.encode_header(&self.header, &mut bytes)?;
        if carries_updates(&self.header.message) {
            let count = u16::try_from(self.updates.len()).map_err(|_| WireError::NoRoom)?;
            bytes.put_u16(count);
            for member in &self.updates {
                Wire.encode_member(member, &mut bytes)?;
            }
        }
        Ok(bytes)
    }
}

fn carries_updates(message: &Message<Identity>) -> bool {
    !matches!(message, Message::Announce | Message::TurnUndead)
}

/// Each update takes its bytes from the packet, so the count alone allocates nothing.
fn take_updates(rest: &mut &[u8]) -> Result<Vec<Member<Identity>>, WireError> {
    let mut updates = Vec::new();
    for _ in 0..take_u16(rest)? {
        updates.push(Wire.decode_member(&mut *rest)?);
    }
    Ok(updates)
}

/// The library's view of the format.
pub(super) struct Wire;

impl Codec<Identity> for Wire {
    type Error = WireError;

    fn encode_header(
        &mut self,
        header: &Header<Identity>,
        mut buf: impl BufMut,
    ) -> Result<(), WireError> {
        if buf.remaining_mut() < HEADER_BYTES_MAX {
            return Err(WireError::NoRoom);
        }
        let (kind, about, probe) = parts(&header.message)?;
        put_identity(&mut buf, &header.src);
        buf.put_u16(header.src_incarnation);
        put_identity(&mut buf, &header.dst);
        buf.put_u8(kind);
        if let Some(about) = about {
            put_identity(&mut buf, about);
        }
        if let Some(probe) = probe {
            buf.put_u8(probe);
        }
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>, WireError> {
        Ok(Header {
            src: take_identity(&mut buf)?,
            src_incarnation: take_u16(&mut buf)?,
            dst: take_identity(&mut buf)?,
            message: take_message(&mut buf)?,
        })
    }

    fn encode_member(
        &mut self,
        member: &Member<Identity>,
        mut buf: impl BufMut,
    ) -> Result<(), WireError> {
        if buf.remaining_mut() < MEMBER_BYTES_MAX {
            return Err(WireError::NoRoom);
        }
        put_identity(&mut buf, member.id());
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>, WireError> {
        let id = take_identity(&mut buf)?;
        let incarnation = take_u16(&mut buf)?;
        let state = match take_u8(&mut buf)? {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            other => return Err(WireError::UnknownTag(other)),
        };
        Ok(Member::new(id, incarnation, state))
    }
}

/// A message's number, the third node it is about, and its probe number.
type Parts<'a> = (u8, Option<&'a Identity>, Option<u8>);

fn parts(message: &Message<Identity>) -> Result<Parts<'_>, WireError> {
    Ok(match message {
        Message::Ping(probe) => (PING, None, Some(*probe)),
        Message::Ack(probe) => (ACK, None, Some(*probe)),
        Message::PingReq {
            target,
            probe_number,
        } => (PING_REQUEST, Some(target), Some(*probe_number)),
        Message::IndirectPing {
            origin,
            probe_number,
        } => (INDIRECT_PING, Some(origin), Some(*probe_number)),
        Message::IndirectAck {
            target,
            probe_number,
        } => (INDIRECT_ACK, Some(target), Some(*probe_number)),
        Message::ForwardedAck {
            origin,
            probe_number,
        } => (FORWARDED_ACK, Some(origin), Some(*probe_number)),
        Message::Announce => (ANNOUNCE, None, None),
        Message::Feed => (FEED, None, None),
        Message::Gossip => (GOSSIP, None, None),
        Message::TurnUndead => (TURN_UNDEAD, None, None),
        Message::Broadcast => return Err(WireError::UnusedKind),
    })
}

fn take_message(buf: &mut impl Buf) -> Result<Message<Identity>, WireError> {
    let kind = take_u8(buf)?;
    Ok(match kind {
        PING => Message::Ping(take_u8(buf)?),
        ACK => Message::Ack(take_u8(buf)?),
        PING_REQUEST => Message::PingReq {
            target: take_identity(buf)?,
            probe_number: take_u8(buf)?,
        },
        INDIRECT_PING => Message::IndirectPing {
            origin: take_identity(buf)?,
            probe_number: take_u8(buf)?,
        },
        INDIRECT_ACK => Message::IndirectAck {
            target: take_identity(buf)?,
            probe_number: take_u8(buf)?,
        },
        FORWARDED_ACK => Message::ForwardedAck {
            origin: take_identity(buf)?,
            probe_number: take_u8(buf)?,
        },
        ANNOUNCE => Message::Announce,
        FEED => Message::Feed,
        GOSSIP => Message::Gossip,
        TURN_UNDEAD => Message::TurnUndead,
        other => return Err(WireError::UnknownTag(other)),
    })
}

fn put_identity(buf: &mut impl BufMut, identity: &Identity) {
    buf.put_u64(identity.node.0);
    buf.put_u32(identity.bump);
    match identity.address.ip() {
        IpAddr::V4(ip) => {
            buf.put_u8(FAMILY_V4);
            buf.put_u32(ip.to_bits());
        }
        IpAddr::V6(ip) => {
            buf.put_u8(FAMILY_V6);
            buf.put_u128(ip.to_bits());
        }
    }
    buf.put_u16(identity.address.port());
}

fn take_identity(buf: &mut impl Buf) -> Result<Identity, WireError> {
    let node = NodeId(buf.try_get_u64().map_err(|_| WireError::Truncated)?);
    let bump = take_u32(buf)?;
    let ip = match take_u8(buf)? {
        FAMILY_V4 => IpAddr::V4(Ipv4Addr::from_bits(take_u32(buf)?)),
        FAMILY_V6 => {
            let bits = buf.try_get_u128().map_err(|_| WireError::Truncated)?;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        other => return Err(WireError::UnknownTag(other)),
    };
    let address = SocketAddr::new(ip, take_u16(buf)?);
    Ok(Identity {
        node,
        address,
        bump,
    })
}

fn take_u8(buf: &mut impl Buf) -> Result<u8, WireError> {
    buf.try_get_u8().map_err(|_| WireError::Truncated)
}

fn take_u16(buf: &mut impl Buf) -> Result<u16, WireError> {
    buf.try_get_u16().map_err(|_| WireError::Truncated)
}

fn take_u32(buf: &mut impl Buf) -> Result<u32, WireError> {
    buf.try_get_u32().map_err(|_| WireError::Truncated)
}

const PING: u8 = 0;
const ACK: u8 = 1;
const PING_REQUEST: u8 = 2;
const INDIRECT_PING: u8 = 3;
const INDIRECT_ACK: u8 = 4;
const FORWARDED_ACK: u8 = 5;
const ANNOUNCE: u8 = 6;
const FEED: u8 = 7;
const GOSSIP: u8 = 8;
const TURN_UNDEAD: u8 = 9;

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

const IDENTITY_BYTES_MAX: usize = 8 + 4 + 1 + 16 + 2;
const MEMBER_BYTES_MAX: usize = IDENTITY_BYTES_MAX + 2 + 1;
const HEADER_BYTES_MAX: usize = 3 * IDENTITY_BYTES_MAX + 2 + 1 + 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::membership::tests::messages::messages;

    fn identities() -> impl Strategy<Value = Identity> {
        let make = |(node, address, bump)| Identity {
            node: NodeId(node),
            address,
            bump,
        };
        let addresses = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
        (any::<u64>(), addresses, any::<u32>()).prop_map(make)
    }

    fn members() -> impl Strategy<Value = Member<Identity>> {
        let states = prop_oneof![Just(State::Alive), Just(State::Suspect), Just(State::Down)];
        (identities(), any::<u16>(), states).prop_map(|(id, at, state)| Member::new(id, at, state))
    }

    prop_compose! {
        fn packets()(
            src in identities(),
            src_incarnation in any::<u16>(),
            dst in identities(),
            message in messages(identities(), any::<u8>()),
            mut updates in prop::collection::vec(members(), 0..20),
        ) -> Packet {
            if !carries_updates(&message) {
                updates.clear();
            }
            Packet { header: Header { src, src_incarnation, dst, message }, updates }
        }
    }

    proptest! {
        #[test]
        fn packets_survive_the_wire_and_no_shorter_or_longer_one_does(packet in packets()) {
            let mut bytes = packet.to_bytes().expect("an encodable packet");
            let decoded = Packet::parse(&bytes).expect("what was encoded");
            prop_assert_eq!(decoded.header, packet.header);
            prop_assert_eq!(decoded.updates, packet.updates);
            bytes.push(0);
            prop_assert!(Packet::parse(&bytes).is_err());
            for length in 0..bytes.len() - 1 {
                prop_assert!(Packet::parse(&bytes[..length]).is_err());
            }
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert_eq!(packet.to_bytes(), Ok(bytes));
            }
        }

        #[test]
        fn what_does_not_fit_leaves_the_buffer_clean(member in members(), room in 0..50_usize) {
            let mut bytes = Vec::new();
            let result = Wire.encode_member(&member, (&mut bytes).limit(room));
            prop_assert_eq!(result.is_err(), room < MEMBER_BYTES_MAX);
            prop_assert_eq!(bytes.is_empty(), result.is_err());
        }
    }
}
