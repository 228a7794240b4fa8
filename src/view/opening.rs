//! What a member holds as it adopts a view: immutable, sent in chunks, relayed by anybody.

use std::collections::BTreeMap;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::ViewId;
use crate::limit::Parcel;
use crate::table::Listed;
use crate::units::{Amount, KeyId, LimitId, NodeId, Share};

/// One contended key in an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedKey {
    limit: LimitId,
    key: KeyId,
    share: Share,
    overdraft: Share,
    level: Amount,
}

impl From<Listed> for OpenedKey {
    fn from(Listed { limit, key, parcel }: Listed) -> Self {
        let Parcel {
            share,
            overdraft,
            level,
        } = parcel;
        Self {
            limit,
            key,
            share,
            overdraft,
            level,
        }
    }
}

impl From<OpenedKey> for Listed {
    fn from(
        OpenedKey {
            limit,
            key,
            share,
            overdraft,
            level,
        }: OpenedKey,
    ) -> Self {
        Self {
            limit,
            key,
            parcel: Parcel {
                share,
                overdraft,
                level,
            },
        }
    }
}

/// A part of one member's opening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningChunk {
    /// Of which view.
    pub view: ViewId,
    /// Whose opening.
    pub member: NodeId,
    /// Which part, from 0.
    pub index: u32,
    /// How many parts there are, at least one.
    pub count: u32,
    /// A hash of the whole opening.
    pub hash: u64,
    /// The keys of this part.
    pub keys: Vec<OpenedKey>,
}

/// Keys in one chunk: about 45 KiB on the wire.
const CHUNK_KEYS: usize = 512;

/// Most chunks of an opening: two million contended keys.
pub(crate) const CHUNKS_MAX: u32 = 4096;

/// A member's opening, whole or as far as it has arrived.
#[derive(Debug, Default)]
pub struct Opening {
    chunks: BTreeMap<u32, OpeningChunk>,
    whole: bool,
}

impl Opening {
    /// This node's own.
    #[must_use]
    pub fn of(view: ViewId, member: NodeId, listed: &[Listed]) -> Self {
        let keys: Vec<OpenedKey> = listed.iter().copied().map(OpenedKey::from).collect();
        let hash = hash(keys.iter());
        let mut parts: Vec<_> = keys.chunks(CHUNK_KEYS).map(<[OpenedKey]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let chunks = parts.into_iter().zip(0..).map(|(keys, index)| {
            (
                index,
                OpeningChunk {
                    view,
                    member,
                    index,
                    count,
                    hash,
                    keys,
                },
            )
        });
        Self {
            chunks: chunks.collect(),
            whole: true,
        }
    }

    /// Adds a chunk; says whether the opening became whole by it. Repeats change nothing, and a
    /// whole whose hash is wrong is dropped to be sent again.
    pub fn add(&mut self, chunk: OpeningChunk) -> bool {
        let fits = chunk.count <= CHUNKS_MAX && chunk.index < chunk.count;
        if self.whole || !fits || chunk.keys.len() > CHUNK_KEYS {
            return false;
        }
        let like = |first: &OpeningChunk| first.count == chunk.count && first.hash == chunk.hash;
        if !self.chunks.values().next().is_none_or(like) {
            return false;
        }
        let count = chunk.count as usize;
        let sum = chunk.hash;
        self.chunks.entry(chunk.index).or_insert(chunk);
        if self.chunks.len() < count {
            return false;
        }
        self.whole = hash(self.chunks.values().flat_map(|chunk| &chunk.keys)) == sum;
        if !self.whole {
            self.chunks.clear();
        }
        self.whole
    }

    /// Whether all of it is here.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Its chunks, to send or relay.
    pub fn chunks(&self) -> impl Iterator<Item = &OpeningChunk> {
        self.chunks.values()
    }

    /// The keys it lists.
    pub fn keys(&self) -> impl Iterator<Item = Listed> {
        self.chunks
            .values()
            .flat_map(|chunk| chunk.keys.iter().copied().map(Listed::from))
    }
}

/// A hash of what an opening lists, to tell a mixed-up whole from a right one; not a secret.
fn hash<'a>(keys: impl Iterator<Item = &'a OpenedKey>) -> u64 {
    let mut hasher = SipHasher13::new();
    for key in keys {
        hasher.write_u64(key.limit.0);
        hasher.write_u128(key.key.0);
        hasher.write_u64(key.share.parts());
        hasher.write_u64(key.overdraft.parts());
        hasher.write_u128(key.level.grains());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(count: u64) -> Vec<Listed> {
        let parcel = |index| Parcel {
            share: Share::from_parts(index),
            ..Parcel::default()
        };
        (0..count)
            .map(|index| Listed {
                limit: LimitId(1),
                key: KeyId(index.into()),
                parcel: parcel(index),
            })
            .collect()
    }

    #[test]
    fn an_opening_survives_its_chunks_in_any_order() {
        let view = ViewId {
            number: 3,
            proposer: 1,
        };
        let sent = Opening::of(view, NodeId(7), &listed(1300));
        let mut chunks: Vec<_> = sent.chunks().cloned().collect();
        assert_eq!(chunks.len(), 3);
        chunks.reverse();
        let mut heard = Opening::default();
        assert!(!heard.add(chunks[0].clone()) && !heard.add(chunks[0].clone()));
        assert!(!heard.add(chunks[1].clone()) && heard.add(chunks[2].clone()));
        assert_eq!(heard.keys().collect::<Vec<_>>(), listed(1300));
    }

    #[test]
    fn a_forged_chunk_does_not_make_a_whole() {
        let view = ViewId {
            number: 3,
            proposer: 1,
        };
        let sent = Opening::of(view, NodeId(7), &listed(2));
        let mut chunk = sent.chunks().next().expect("one").clone();
        chunk.keys.pop();
        let mut heard = Opening::default();
        assert!(!heard.add(chunk) && !heard.is_whole());
        assert!(heard.add(sent.chunks().next().expect("one").clone()));
    }

    #[test]
    fn an_empty_opening_is_one_chunk() {
        let sent = Opening::of(ViewId::default(), NodeId(7), &[]);
        assert_eq!(sent.chunks().count(), 1);
        assert!(Opening::default().add(sent.chunks().next().expect("one").clone()));
    }
}
