//! Names of things that travel: one life of a node, a limit, a key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One life (incarnation) of one node: a random number, drawn at every start.
///
/// Two lives of one process have different ids; no clock and no counter is involved, so nothing
/// needs to survive a restart. Shown as 16 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

/// A limit, by a hash of its name: the same on every node that knows the name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LimitId(pub u64);

/// A key under one limit, by a 128-bit hash keyed with the cluster's secret.
///
/// The limit's name is part of what is hashed, so one client under two limits has two ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u128);

macro_rules! show_as_hex {
    ($name:ident, $digits:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    concat!(stringify!($name), "({:0", $digits, "x})"),
                    self.0
                )
            }
        }
    };
}

show_as_hex!(NodeId, "16");
show_as_hex!(LimitId, "16");
show_as_hex!(KeyId, "32");

/// On the wire a key id is sixteen bytes (`bin`), which decodes faster than two integers.
impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.to_be_bytes())
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(KeyIdVisitor)
    }
}

struct KeyIdVisitor;

impl serde::de::Visitor<'_> for KeyIdVisitor {
    type Value = KeyId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sixteen bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<KeyId, E> {
        let bytes = bytes
            .try_into()
            .map_err(|_| E::invalid_length(bytes.len(), &self))?;
        Ok(KeyId(u128::from_be_bytes(bytes)))
    }
}
