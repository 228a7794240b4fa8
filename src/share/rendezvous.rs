//! Who owns a key: rendezvous (highest random weight) hashing.
//!
//! Every node ranks all members for a key by the same hash, so no table needs agreeing on, and a
//! member that joins or leaves moves only the keys that it wins or loses (Thaler and Ravishankar).

use crate::units::{KeyId, NodeId};

/// The members in the order in which they own `key`, the owner first.
pub fn owners(key: KeyId, members: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
    let mut ranked: Vec<_> = members
        .into_iter()
        .map(|node| (std::cmp::Reverse(weight(key, node)), node))
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, node)| node).collect()
}

/// The first owner of `key`.
pub fn owner(key: KeyId, members: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    members
        .into_iter()
        .max_by_key(|node| (weight(key, *node), std::cmp::Reverse(*node)))
}

/// A member's weight for a key. Both are already uniform and secret, so that mixing is enough: the
/// finaliser is that of splitmix64.
pub(crate) fn weight(key: KeyId, node: NodeId) -> u64 {
    let high = (key.0 >> 64) as u64;
    let low = key.0 as u64;
    mix(mix(high ^ node.0).wrapping_add(low))
}

const fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const KEYS: usize = 10_000;

    fn random(seed: u64, nodes: usize) -> (Vec<KeyId>, Vec<NodeId>) {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = (0..KEYS).map(|_| KeyId(rng.random())).collect();
        (keys, (0..nodes).map(|_| NodeId(rng.random())).collect())
    }

    /// C7: loads within 15 % of even at 10⁴ keys.
    #[test]
    fn loads_are_even() {
        for nodes in [3, 5, 10] {
            let (keys, nodes) = random(7, nodes);
            let mut loads = BTreeMap::<NodeId, usize>::new();
            for key in &keys {
                *loads
                    .entry(owner(*key, nodes.iter().copied()).expect("some"))
                    .or_default() += 1;
            }
            let even = KEYS as f64 / nodes.len() as f64;
            for (node, load) in loads {
                assert!(
                    (load as f64 / even - 1.0).abs() < 0.15,
                    "{node} owns {load} of {even}"
                );
            }
        }
    }

    /// C7: a join or a leave moves at most 1/N + 2 % of the keys, and only to or from that node.
    #[test]
    fn a_join_moves_only_what_it_wins() {
        for count in [3, 5, 10] {
            let (keys, nodes) = random(11, count);
            let (newcomer, rest) = nodes.split_last().expect("some");
            let moved = keys.iter().filter(|key| {
                let before = owner(**key, rest.iter().copied());
                let after = owner(**key, nodes.iter().copied());
                assert!(before == after || after == Some(*newcomer));
                before != after
            });
            let part = moved.count() as f64 / KEYS as f64;
            assert!(
                part <= 1.0 / count as f64 + 0.02,
                "{part} moved at {count} nodes"
            );
        }
    }

    #[test]
    fn the_owner_heads_the_owners() {
        let (keys, nodes) = random(3, 6);
        for key in keys.iter().take(100) {
            let ranked = owners(*key, nodes.iter().copied());
            assert_eq!(ranked.first().copied(), owner(*key, nodes.iter().copied()));
            assert_eq!(ranked.len(), nodes.len());
        }
        assert_eq!(owner(keys[0], []), None);
    }
}
