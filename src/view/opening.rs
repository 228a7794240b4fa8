//! What a member holds as it adopts a view: immutable, sent in chunks, relayed by anybody.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::ViewId;
use super::item::{self, Item, Pending};
use crate::limit::Fullness;
use crate::table::Listed;
use crate::units::{LimitId, NodeId};

/// All that an opening says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The view that the member counted with until now: its grants and its applied clock are of it.
    pub base: Option<ViewId>,
    /// How many grants of each sender it has applied in that view.
    pub applied: BTreeMap<NodeId, u64>,
    /// Per limit, an upper bound on how full any key was here that is not listed, as its share was
    /// lowered. A limit that is not named is vouched for by nobody.
    pub fullness: BTreeMap<LimitId, Fullness>,
    /// The keys that it lists.
    pub listed: Vec<Listed>,
    /// Its grants in that view that were not acknowledged.
    pub pending: Vec<Pending>,
}

impl Statement {
    fn items(&self) -> Vec<Item> {
        let base = self.base.iter().map(|view| Item::Base(*view));
        let applied = self
            .applied
            .iter()
            .map(|(from, n)| Item::Applied(*from, *n));
        let fullness = self
            .fullness
            .iter()
            .map(|(limit, full)| Item::Fullness(*limit, *full));
        let listed = self.listed.iter().map(|listed| Item::Key(*listed));
        let pending = self.pending.iter().map(|pending| Item::Grant(*pending));
        base.chain(applied)
            .chain(fullness)
            .chain(listed)
            .chain(pending)
            .collect()
    }

    fn from_items<'a>(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut statement = Self::default();
        for item in items {
            match *item {
                Item::Base(view) => statement.base = Some(view),
                Item::Applied(from, number) => {
                    statement.applied.insert(from, number);
                }
                Item::Fullness(limit, fullness) => {
                    statement.fullness.insert(limit, fullness);
                }
                Item::Key(listed) => statement.listed.push(listed),
                Item::Grant(pending) => statement.pending.push(pending),
            }
        }
        statement
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
    /// What this part says.
    #[serde(with = "item")]
    pub(crate) items: Vec<Item>,
}

/// Items in one chunk: about 25 KiB on the wire.
pub(super) const CHUNK_ITEMS: usize = 512;

/// Most chunks of an opening: two million contended keys.
pub(crate) const CHUNKS_MAX: u32 = 4096;

/// A member's opening, whole or as far as it has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    chunks: BTreeMap<u32, OpeningChunk>,
    whole: Option<Statement>,
}

/// By what its chunks say of themselves: they carry a hash of the whole.
impl Hash for Opening {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for chunk in self.chunks.values() {
            (chunk.view, chunk.member, chunk.index, chunk.hash).hash(hasher);
        }
        self.is_whole().hash(hasher);
    }
}

impl Opening {
    /// This node's own.
    #[must_use]
    pub fn of(view: ViewId, member: NodeId, statement: Statement) -> Self {
        let items = statement.items();
        let mut parts: Vec<_> = items.chunks(CHUNK_ITEMS).map(<[Item]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let hash = hash(parts.iter());
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let chunk = |(items, index)| OpeningChunk {
            view,
            member,
            index,
            count,
            hash,
            items,
        };
        let chunks = parts.into_iter().zip(0..).map(chunk);
        Self {
            chunks: chunks.map(|chunk| (chunk.index, chunk)).collect(),
            whole: Some(statement),
        }
    }

    /// Adds a chunk; says whether the opening became whole by it. Repeats change nothing, and a
    /// whole whose hash is wrong is dropped to be sent again.
    pub fn add(&mut self, chunk: OpeningChunk) -> bool {
        let fits = chunk.count <= CHUNKS_MAX && chunk.index < chunk.count;
        if self.is_whole() || !fits || chunk.items.len() > CHUNK_ITEMS {
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
        let items = || self.chunks.values().map(|chunk| &chunk.items);
        if hash(items()) == sum {
            self.whole = Some(Statement::from_items(items().flatten()));
        } else {
            self.chunks.clear();
        }
        self.is_whole()
    }

    /// Whether all of it is here.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// What it says, if all of it is here.
    #[must_use]
    pub const fn statement(&self) -> Option<&Statement> {
        self.whole.as_ref()
    }

    /// Its chunks, to send or relay.
    pub fn chunks(&self) -> impl Iterator<Item = &OpeningChunk> {
        self.chunks.values()
    }
}

/// A hash of what an opening says, to tell a mixed-up whole from a right one; not a secret.
fn hash<'a>(parts: impl Iterator<Item = &'a Vec<Item>>) -> u64 {
    let mut hasher = SipHasher13::new();
    for items in parts {
        hasher.write(&item::pack(items));
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Parcel;
    use crate::units::{KeyId, Share};

    fn statement(count: u64) -> Statement {
        let parcel = |index| Parcel {
            share: Share::from_parts(index),
            ..Parcel::default()
        };
        let listed = (0..count).map(|index| Listed {
            limit: LimitId(1),
            key: KeyId(index.into()),
            parcel: parcel(index),
        });
        Statement {
            base: Some(ViewId::default()),
            applied: [(NodeId(4), 7)].into(),
            fullness: [(LimitId(1), Fullness::FULL)].into(),
            listed: listed.collect(),
            pending: Vec::new(),
        }
    }

    const VIEW: ViewId = ViewId {
        number: 3,
        proposer: 1,
    };

    #[test]
    fn an_opening_survives_its_chunks_in_any_order() {
        let sent = Opening::of(VIEW, NodeId(7), statement(1300));
        let mut chunks: Vec<_> = sent.chunks().cloned().collect();
        assert_eq!(chunks.len(), 3);
        chunks.reverse();
        let mut heard = Opening::default();
        assert!(!heard.add(chunks[0].clone()) && !heard.add(chunks[0].clone()));
        assert!(!heard.add(chunks[1].clone()) && heard.add(chunks[2].clone()));
        assert_eq!(heard.statement(), Some(&statement(1300)));
    }

    #[test]
    fn a_forged_chunk_does_not_make_a_whole() {
        let sent = Opening::of(VIEW, NodeId(7), statement(2));
        let mut chunk = sent.chunks().next().expect("one").clone();
        chunk.items.pop();
        let mut heard = Opening::default();
        assert!(!heard.add(chunk) && !heard.is_whole());
        assert!(heard.add(sent.chunks().next().expect("one").clone()));
    }

    #[test]
    fn an_empty_opening_is_one_chunk() {
        let sent = Opening::of(ViewId::default(), NodeId(7), Statement::default());
        assert_eq!(sent.chunks().count(), 1);
        assert!(Opening::default().add(sent.chunks().next().expect("one").clone()));
    }
}
