//! What openings are made of, packed end to end: with ten thousand contended keys the openings are
//! most of what a view change sends. A key takes about 53 bytes.

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use super::ViewId;
use super::opening::CHUNK_ITEMS;
use crate::limit::{Fullness, Parcel};
use crate::table::Listed;
use crate::units::pack::{read, read_u64, take, write};
use crate::units::{Amount, KeyId, LimitId, NodeId, Share};

/// A grant that its sender had no acknowledgement of when it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// To whom it was made.
    pub to: NodeId,
    /// Its number among the sender's grants to that node in the view it was made in.
    pub number: u64,
    /// What it carries, and of which key.
    pub listed: Listed,
}

/// One statement of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Base(ViewId),
    Applied(NodeId, u64),
    Fullness(LimitId, Fullness),
    Key(Listed),
    Grant(Pending),
}

const BASE: u8 = 0;
const APPLIED: u8 = 1;
const FULLNESS: u8 = 2;
const KEY: u8 = 3;
const GRANT: u8 = 4;
/// Names the limit of the keys and grants that follow.
const LIMIT: u8 = 5;

/// Serializes items as one byte string.
pub(super) fn serialize<S: Serializer>(items: &[Item], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&pack(items))
}

/// The reverse of [`serialize`]: total, and bounded by the string's length.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Item>, D::Error> {
    deserializer.deserialize_bytes(Packed)
}

struct Packed;

impl Visitor<'_> for Packed {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("packed items")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<Item>, E> {
        unpack(bytes).ok_or_else(|| E::custom("not an opening's items"))
    }
}

/// Items as bytes, one encoding for each list of items.
pub(super) fn pack(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() * 48);
    let mut limit = None;
    for item in items {
        match item {
            Item::Base(view) => {
                bytes.push(BASE);
                write(view.number.into(), &mut bytes);
                bytes.extend_from_slice(&view.proposer.to_be_bytes());
            }
            Item::Applied(from, number) => {
                bytes.push(APPLIED);
                bytes.extend_from_slice(&from.0.to_be_bytes());
                write((*number).into(), &mut bytes);
            }
            Item::Fullness(limit, fullness) => {
                bytes.push(FULLNESS);
                bytes.extend_from_slice(&limit.0.to_be_bytes());
                write(fullness.parts().into(), &mut bytes);
            }
            Item::Key(listed) => pack_listed(KEY, listed, &mut limit, &mut bytes),
            Item::Grant(pending) => {
                pack_listed(GRANT, &pending.listed, &mut limit, &mut bytes);
                bytes.extend_from_slice(&pending.to.0.to_be_bytes());
                write(pending.number.into(), &mut bytes);
            }
        }
    }
    bytes
}

fn pack_listed(kind: u8, listed: &Listed, limit: &mut Option<LimitId>, bytes: &mut Vec<u8>) {
    if limit.replace(listed.limit) != Some(listed.limit) {
        bytes.push(LIMIT);
        bytes.extend_from_slice(&listed.limit.0.to_be_bytes());
    }
    bytes.push(kind);
    bytes.extend_from_slice(&listed.key.0.to_be_bytes());
    write(listed.parcel.share.parts().into(), bytes);
    write(listed.parcel.rate.parts().into(), bytes);
    write(listed.parcel.overdraft.parts().into(), bytes);
    write(listed.parcel.level.grains(), bytes);
}

fn unpack(mut bytes: &[u8]) -> Option<Vec<Item>> {
    let bytes = &mut bytes;
    let (mut items, mut limit) = (Vec::new(), None);
    while !bytes.is_empty() {
        if items.len() == CHUNK_ITEMS {
            return None;
        }
        let [kind] = *take::<1>(bytes)?;
        if kind == LIMIT {
            limit = Some(LimitId(u64::from_be_bytes(*take(bytes)?)));
        } else {
            items.push(unpack_item(kind, limit, bytes)?);
        }
    }
    Some(items)
}

fn unpack_item(kind: u8, limit: Option<LimitId>, bytes: &mut &[u8]) -> Option<Item> {
    Some(match kind {
        BASE => Item::Base(ViewId {
            number: read_u64(bytes)?,
            proposer: u64::from_be_bytes(*take(bytes)?),
        }),
        APPLIED => Item::Applied(NodeId(u64::from_be_bytes(*take(bytes)?)), read_u64(bytes)?),
        FULLNESS => Item::Fullness(
            LimitId(u64::from_be_bytes(*take(bytes)?)),
            Fullness::from_parts(read_u64(bytes)?),
        ),
        KEY => Item::Key(unpack_listed(limit?, bytes)?),
        GRANT => Item::Grant(Pending {
            listed: unpack_listed(limit?, bytes)?,
            to: NodeId(u64::from_be_bytes(*take(bytes)?)),
            number: read_u64(bytes)?,
        }),
        _ => return None,
    })
}

fn unpack_listed(limit: LimitId, bytes: &mut &[u8]) -> Option<Listed> {
    Some(Listed {
        limit,
        key: KeyId(u128::from_be_bytes(*take(bytes)?)),
        parcel: Parcel {
            share: Share::from_parts(read_u64(bytes)?),
            rate: Share::from_parts(read_u64(bytes)?),
            overdraft: Share::from_parts(read_u64(bytes)?),
            level: Amount::from_grains(read(bytes)?),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item() -> impl Strategy<Value = Item> {
        let listed = (
            0u64..3,
            any::<u128>(),
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            any::<u128>(),
        )
            .prop_map(|(limit, key, share, rate, overdraft, level)| Listed {
                limit: LimitId(limit),
                key: KeyId(key),
                parcel: Parcel {
                    share: Share::from_parts(share),
                    rate: Share::from_parts(rate),
                    overdraft: Share::from_parts(overdraft),
                    level: Amount::from_grains(level),
                },
            });
        let two = (any::<u64>(), any::<u64>());
        prop_oneof![
            two.prop_map(|(number, proposer)| Item::Base(ViewId { number, proposer })),
            two.prop_map(|(from, number)| Item::Applied(NodeId(from), number)),
            two.prop_map(|(limit, f)| Item::Fullness(LimitId(limit), Fullness::from_parts(f))),
            listed.clone().prop_map(Item::Key),
            (listed, two).prop_map(|(listed, (to, number))| Item::Grant(Pending {
                to: NodeId(to),
                number,
                listed,
            })),
        ]
    }

    proptest! {
        #[test]
        fn items_survive(items in prop::collection::vec(item(), 0..20)) {
            prop_assert_eq!(unpack(&pack(&items)), Some(items));
        }

        /// C9: any bytes at all are items or not.
        #[test]
        fn any_bytes_unpack_or_do_not(bytes in prop::collection::vec(0u8..8, 0..200)) {
            let _items = unpack(&bytes);
        }
    }

    #[test]
    fn no_more_items_than_a_chunk_has() {
        let item = Item::Applied(NodeId(1), 1);
        assert!(unpack(&pack(&[item; CHUNK_ITEMS])).is_some());
        assert!(unpack(&pack(&[item; CHUNK_ITEMS + 1])).is_none());
    }

    #[test]
    fn a_key_takes_about_50_bytes() {
        let parcel = Parcel {
            share: Share::WHOLE.portion(1, 5),
            rate: Share::WHOLE.portion(1, 5),
            overdraft: Share::WHOLE.portion(1, 25),
            level: Amount::from_units(17),
        };
        let (limit, key) = (LimitId(u64::MAX), KeyId(u128::MAX));
        let items = [Item::Key(Listed { limit, key, parcel }); 100];
        let bytes = pack(&items).len() / 100;
        assert!(bytes <= 54, "{bytes}");
    }
}
