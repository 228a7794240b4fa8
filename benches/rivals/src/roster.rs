//! Who is compared, by name.

use std::hash::RandomState;

use distributary::Hashing;

use crate::contestant::Quota;
use crate::contestant::floor::Floor;
use crate::contestant::governor::Governor;
use crate::contestant::limitador::Limitador;
use crate::contestant::ours::Ours;
use crate::contestant::rateguard::{KEYS_MAX as RATEGUARD_KEYS_MAX, Rateguard};
use crate::contestant::throttlecrab::Throttlecrab;
use crate::measure::Walk;

/// A contestant with its types forgotten.
pub type Contestant<K> = Box<dyn Walk<K>>;

/// Makes a contestant for so many keys.
type Make<K> = fn(Quota, u64) -> Contestant<K>;

/// One of ours, by the hash of its keys.
pub struct Variant<K> {
    /// The name of the hash.
    pub hash: &'static str,
    /// Makes it.
    pub make: Make<K>,
}

/// One that we are compared with.
pub struct Rival<K> {
    /// Its name.
    pub name: &'static str,
    /// Makes it.
    pub make: Make<K>,
    /// Most keys that it is measured with.
    pub keys_max: u64,
    /// Why not with more.
    pub reason: &'static str,
    /// Most keys that it is measured with when there is little time.
    pub keys_max_quick: u64,
}

/// The name of what is no limiter but the least that one costs.
pub const FLOOR: &str = "floor";

/// Kinds of keys that can be measured.
pub trait Contested: Sized {
    /// Ours.
    fn variants() -> Vec<Variant<Self>>;
    /// The others.
    fn rivals() -> Vec<Rival<Self>>;
}

fn rival<K>(name: &'static str, make: Make<K>) -> Rival<K> {
    Rival {
        name,
        make,
        keys_max: u64::MAX,
        reason: "",
        keys_max_quick: u64::MAX,
    }
}

impl Contested for String {
    fn variants() -> Vec<Variant<Self>> {
        vec![
            Variant {
                hash: "default",
                make: |quota, _| Box::new(Ours::local(quota)),
            },
            Variant {
                hash: "xxh3",
                make: |quota, _| Box::new(Ours::hashing(quota, Hashing::Xxh3)),
            },
        ]
    }

    fn rivals() -> Vec<Rival<Self>> {
        vec![
            rival(FLOOR, |_, keys| Box::new(Floor::new(keys))),
            rival("governor", |quota, _| {
                Box::new(Governor::<Self, RandomState>::new(quota))
            }),
            rival("governor ahash", |quota, _| {
                Box::new(Governor::<Self, ahash::RandomState>::new(quota))
            }),
            Rival {
                keys_max: RATEGUARD_KEYS_MAX,
                reason: "it tracks at most a million keys",
                ..rival("rateguard", |quota, keys| {
                    Box::new(Rateguard::new(quota, keys))
                })
            },
            rival("throttlecrab", |quota, keys| {
                Box::new(Throttlecrab::new(quota, keys))
            }),
            Rival {
                keys_max: 1_000_000,
                reason: "filling it would take minutes and several gigabytes",
                keys_max_quick: 1_000,
                ..rival("limitador", |quota, keys| {
                    Box::new(Limitador::new(quota, keys))
                })
            },
        ]
    }
}

/// The others take strings only.
impl Contested for u64 {
    fn variants() -> Vec<Variant<Self>> {
        vec![
            Variant {
                hash: "default",
                make: |quota, _| Box::new(Ours::local(quota)),
            },
            Variant {
                hash: "xxh3",
                make: |quota, _| Box::new(Ours::hashing(quota, Hashing::Xxh3)),
            },
        ]
    }

    fn rivals() -> Vec<Rival<Self>> {
        vec![
            rival(FLOOR, |_, keys| Box::new(Floor::new(keys))),
            rival("governor", |quota, _| {
                Box::new(Governor::<Self, RandomState>::new(quota))
            }),
            rival("governor ahash", |quota, _| {
                Box::new(Governor::<Self, ahash::RandomState>::new(quota))
            }),
        ]
    }
}
