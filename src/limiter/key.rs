//! Who is limited: keys, and the keyed hash that stands for them.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;

use siphasher::sip128::SipHasher13;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::units::{KeyId, LimitId};

/// Something that names who is limited: a string, bytes, an integer, an address, a tuple of such.
///
/// Equal keys of one type have one bucket. Keys of different types are different keys, whatever
/// they look like: `"7"` is not `7`. Tuples do not run together: `("a", "bc")` is not
/// `("ab", "c")`.
pub trait Key {
    /// Feeds the key to the hash. Whatever has a variable length must say so.
    fn feed(&self, hash: &mut KeyHash<'_>);

    /// Whether it names nobody: such a key is refused.
    fn is_empty(&self) -> bool {
        false
    }
}

/// Which hash stands for a key. All are keyed with a secret, so that nobody outside can choose keys that
/// collide; all nodes of a cluster must use the same one, and refuse each other otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hashing {
    /// SipHash-1-3-128: made to withstand whoever chooses the keys and sees what becomes of them. About
    /// 13 ns for 36 bytes.
    #[default]
    Sip,
    /// XXH3-128 with a seed: about 4 ns for 36 bytes. It was not made to withstand anybody: who can choose
    /// keys and measure which of them share a bucket may in time find some that do. For keys that clients
    /// do not choose, such as ids that you have given out.
    Xxh3,
}

/// What keys are fed to. A key of one part is its hash; what has several parts is the hash of the hash so
/// far and that of the next: three hashes for a pair, and parts that cannot run together.
#[derive(Clone, Debug)]
pub struct KeyHash<'a> {
    hasher: &'a KeyHasher,
    digest: Option<u128>,
}

impl KeyHash<'_> {
    /// Feeds a part of a fixed length.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        // Another hash than that of text with the same bytes.
        self.join(!self.hasher.part.digest(bytes));
    }

    /// Feeds a part of any length.
    #[inline]
    pub fn write_sized(&mut self, bytes: &[u8]) {
        self.join(self.hasher.part.digest(bytes));
    }

    #[inline]
    fn join(&mut self, part: u128) {
        let digest = self.digest.map_or(part, |before| {
            let mut both = [0; 32];
            both[..16].copy_from_slice(&before.to_le_bytes());
            both[16..].copy_from_slice(&part.to_le_bytes());
            self.hasher.joint.digest(&both)
        });
        self.digest = Some(digest);
    }
}

/// Hashes the keys of one limit under one secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHasher {
    part: Keyed,
    /// Another key than that of a part: no part can pass for two.
    joint: Keyed,
}

/// A hash with its key.
#[derive(Clone, Copy, Debug)]
enum Keyed {
    Sip(SipHasher13),
    Xxh3(u64),
}

impl Keyed {
    fn digest(&self, bytes: &[u8]) -> u128 {
        match self {
            Self::Sip(sip) => sip.hash(bytes).as_u128(),
            Self::Xxh3(seed) => xxh3_128_with_seed(bytes, *seed),
        }
    }
}

impl KeyHasher {
    /// The hasher of a limit's keys: the limit is in its keys, so that a check need not hash it.
    pub(crate) fn new(secret: [u8; 16], hashing: Hashing, limit: LimitId) -> Self {
        let root = SipHasher13::new_with_key(&secret);
        let keyed = |purpose: &[u8]| {
            let label = [purpose, &limit.0.to_le_bytes()].concat();
            let key = root.hash(&label);
            match hashing {
                Hashing::Sip => Keyed::Sip(SipHasher13::new_with_key(&key.as_bytes())),
                Hashing::Xxh3 => Keyed::Xxh3(key.as_u128() as u64),
            }
        };
        Self {
            part: keyed(b"part"),
            joint: keyed(b"joint"),
        }
    }

    #[inline]
    pub(crate) fn id(&self, key: &(impl Key + ?Sized)) -> KeyId {
        let mut hash = KeyHash {
            hasher: self,
            digest: None,
        };
        key.feed(&mut hash);
        // Only a key of somebody's own making feeds nothing.
        KeyId(hash.digest.unwrap_or_default())
    }
}

/// A limit's id: a hash of its name, the same everywhere where keys are hashed in the same way.
pub(crate) fn limit_id(name: &str, hashing: Hashing) -> LimitId {
    let id = SipHasher13::new().hash(name.as_bytes()).as_u128() as u64;
    match hashing {
        Hashing::Sip => LimitId(id),
        Hashing::Xxh3 => LimitId(!id),
    }
}

/// The /64 network of an IPv6 address, and IPv4 addresses as they are: one subscriber has a whole
/// /64 to choose addresses from.
///
/// ```
/// use distributary::subscriber;
///
/// let one = subscriber("2001:db8::1".parse()?);
/// let other = subscriber("2001:db8::2".parse()?);
/// assert_eq!(one, other);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

impl Key for [u8] {
    #[inline]
    fn feed(&self, hash: &mut KeyHash<'_>) {
        hash.write_sized(self);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Key for str {
    #[inline]
    fn feed(&self, hash: &mut KeyHash<'_>) {
        hash.write_sized(self.as_bytes());
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Key for String {
    #[inline]
    fn feed(&self, hash: &mut KeyHash<'_>) {
        self.as_str().feed(hash);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Key for Vec<u8> {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        self.as_slice().feed(hash);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<const N: usize> Key for [u8; N] {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        self.as_slice().feed(hash);
    }

    fn is_empty(&self) -> bool {
        N == 0
    }
}

impl<T: Key + ?Sized> Key for &T {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        (**self).feed(hash);
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {
        $(impl<T: Key + ?Sized> Key for $pointer<T> {
            fn feed(&self, hash: &mut KeyHash<'_>) {
                (**self).feed(hash);
            }

            fn is_empty(&self) -> bool {
                (**self).is_empty()
            }
        })*
    };
}

pointers!(Box, Arc, Rc);

impl<T: Key + ToOwned + ?Sized> Key for Cow<'_, T> {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        (**self).feed(hash);
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl Key for $integer {
            #[inline]
            fn feed(&self, hash: &mut KeyHash<'_>) {
                hash.write(&self.to_le_bytes());
            }
        })*
    };
}

integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Key for IpAddr {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        match self {
            Self::V4(address) => address.feed(hash),
            Self::V6(address) => address.feed(hash),
        }
    }
}

impl Key for Ipv4Addr {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        hash.write(&self.octets());
    }
}

impl Key for Ipv6Addr {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        hash.write(&self.octets());
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        self.0.feed(hash);
        self.1.feed(hash);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_empty()
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn feed(&self, hash: &mut KeyHash<'_>) {
        self.0.feed(hash);
        self.1.feed(hash);
        self.2.feed(hash);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_empty() && self.2.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hasher(secret: u8, hashing: Hashing, limit: u64) -> KeyHasher {
        KeyHasher::new([secret; 16], hashing, LimitId(limit))
    }

    fn id(key: &(impl Key + ?Sized)) -> KeyId {
        hasher(7, Hashing::Sip, 1).id(key)
    }

    #[test]
    fn tuples_do_not_run_together() {
        assert_ne!(id(&("a", "bc")), id(&("ab", "c")));
        assert_ne!(id(&("", "a")), id(&("a", "")));
        assert_eq!(id(&("a", 1_u32)), id(&("a".to_owned(), 1_u32)));
    }

    #[test]
    fn a_key_is_another_under_another_limit_or_secret() {
        for hashing in [Hashing::Sip, Hashing::Xxh3] {
            let of = |secret, limit| hasher(secret, hashing, limit).id("a");
            assert_ne!(of(7, 1), of(8, 1));
            assert_ne!(of(7, 1), of(7, 2));
        }
    }

    #[test]
    fn what_has_the_same_bytes_is_not_the_same_key() {
        assert_ne!(id("7"), id(&b'7'));
        assert_ne!(id(&7_u32), id(&7_u64));
        assert_ne!(id(&(7_u32, 0_u32)), id(&7_u64));
    }

    #[test]
    fn keys_of_any_length_and_any_bytes_work() {
        for hashing in [Hashing::Sip, Hashing::Xxh3] {
            let hasher = hasher(7, hashing, 1);
            let bytes: Vec<u8> = (0..400).map(|at| at as u8).collect();
            let ids: BTreeSet<KeyId> = (0..400).map(|count| hasher.id(&bytes[..count])).collect();
            assert_eq!(ids.len(), 400, "each length is another key");
            let pair = |at: usize| hasher.id(&(&bytes[..at], &bytes[at..300]));
            assert_eq!((0..300).map(pair).collect::<BTreeSet<_>>().len(), 300);
        }
        let long = vec![0xff; 1 << 20];
        assert_ne!(id(&long), id(&long[1..]));
        assert_ne!(id(&[0_u8][..]), id(&[0_u8, 0][..]));
        assert!(Key::is_empty("") && Key::is_empty(&("", "")) && !Key::is_empty(&("", "a")));
    }
}
