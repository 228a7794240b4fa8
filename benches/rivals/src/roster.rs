//! Who is compared, by name.

use std::hash::{Hash, RandomState};

use distributary::{Hashing, Key};

use crate::contestant::Quota;
use crate::contestant::floor::Floor;
use crate::contestant::governor::Governor;
use crate::contestant::limitador::Limitador;
use crate::contestant::ours::Ours;
use crate::contestant::rateguard::{KEYS_MAX as RATEGUARD_KEYS_MAX, Rateguard};
use crate::contestant::throttlecrab::Throttlecrab;
use crate::measure::{Check, Walk};

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

/// Ours with each hash that there is.
fn ours<K>() -> Vec<Variant<K>>
where
    K: Send + Sync + 'static,
    for<'a> &'a K: Key,
{
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

/// The floor and those that take keys of any kind.
fn of_any_key<K>() -> Vec<Rival<K>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    Floor: Check<K>,
{
    vec![
        rival(FLOOR, |_, keys| Box::new(Floor::new(keys))),
        rival("governor", |quota, _| {
            Box::new(Governor::<K, RandomState>::new(quota))
        }),
        rival("governor ahash", |quota, _| {
            Box::new(Governor::<K, ahash::RandomState>::new(quota))
        }),
    ]
}

impl Contested for String {
    fn variants() -> Vec<Variant<Self>> {
        ours()
    }

    fn rivals() -> Vec<Rival<Self>> {
        let mut rivals = of_any_key();
        rivals.extend([
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
        ]);
        rivals
    }
}

/// The others take strings only.
impl Contested for u64 {
    fn variants() -> Vec<Variant<Self>> {
        ours()
    }

    fn rivals() -> Vec<Rival<Self>> {
        of_any_key()
    }
}
