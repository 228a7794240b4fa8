//! The library of this repository.

use std::hint::black_box;

use distributary::{Hashing, Key, Limit, Limiter, Node};
use tokio::runtime::Runtime;

use super::Quota;
use crate::measure::Check;

/// A limiter, and what keeps it alive.
pub struct Ours {
    limiter: Limiter,
    _node: Option<(Node, Runtime)>,
}

impl Ours {
    /// For this process alone, with the usual hash of keys.
    pub fn local(quota: Quota) -> Self {
        Self::of(Limiter::local(limit(quota)))
    }

    /// The same with another hash.
    pub fn hashing(quota: Quota, hashing: Hashing) -> Self {
        Self::of(Limiter::builder(limit(quota)).hashing(hashing).build())
    }

    /// The limiter of a node that is its whole cluster.
    pub fn node(quota: Quota, keys_max: u64) -> Self {
        let runtime = runtime(1);
        let node = Node::builder()
            .secret("a secret of the measured cluster")
            .limit(LIMIT, limit(quota))
            .keys_max(keys_max as usize)
            .start();
        let node = runtime.block_on(node).expect("a port of loopback is free");
        Self {
            limiter: node.limiter(LIMIT).expect("named above"),
            _node: Some((node, runtime)),
        }
    }

    /// One that somebody else keeps alive.
    pub const fn of(limiter: Limiter) -> Self {
        Self {
            limiter,
            _node: None,
        }
    }

    /// The limiter.
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }
}

/// The limit's name in clusters.
pub const LIMIT: &str = "versus";

/// A runtime for background work, of so many threads.
pub fn runtime(threads: usize) -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).enable_all().build();
    runtime.expect("a runtime can be had")
}

/// The quota as the library states it.
pub const fn limit(quota: Quota) -> Limit {
    Limit::per(quota.units as u64, quota.period)
}

impl<K> Check<K> for Ours
where
    K: Send + Sync,
    for<'a> &'a K: Key,
{
    #[inline]
    fn check(&self, key: &K) -> bool {
        black_box(self.limiter.check(key)).is_allowed()
    }
}
