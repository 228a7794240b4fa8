//! Plain counters, one set a shard: no label, no atomic, no cost to speak of.

/// What a table has counted since it was made.
///
/// What nearly every check counts comes first: see `Shard`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[non_exhaustive]
pub struct Counters {
    /// Requests allowed on this node's own share.
    pub allowed_owned: u64,
    /// Units admitted.
    pub admitted_units: u64,
    /// Requests refused, whatever the reason.
    pub refused: u64,
    /// Requests allowed on this node's right of overdraft.
    pub allowed_overdrawn: u64,
    /// Requests refused because the table had no room.
    pub refused_no_room: u64,
    /// Units refunded.
    pub refunded_units: u64,
    /// Keys that have a slot now.
    pub keys: u64,
    /// Of them, keys that are contended now.
    pub keys_contended: u64,
    /// Drained slots reused.
    pub keys_drained: u64,
    /// Live quiet keys given up for want of room: each burned a little.
    pub keys_given_up: u64,
}

impl std::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            allowed_owned: sum.allowed_owned + one.allowed_owned,
            allowed_overdrawn: sum.allowed_overdrawn + one.allowed_overdrawn,
            refused: sum.refused + one.refused,
            refused_no_room: sum.refused_no_room + one.refused_no_room,
            admitted_units: sum.admitted_units.saturating_add(one.admitted_units),
            refunded_units: sum.refunded_units.saturating_add(one.refunded_units),
            keys: sum.keys + one.keys,
            keys_contended: sum.keys_contended + one.keys_contended,
            keys_drained: sum.keys_drained + one.keys_drained,
            keys_given_up: sum.keys_given_up + one.keys_given_up,
        })
    }
}
