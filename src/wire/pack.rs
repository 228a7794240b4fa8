//! Rows packed end to end: one byte string inside the MessagePack envelope.
//!
//! Most of a row's numbers are small most of the time, so each takes as many groups of seven bits as
//! it needs. A level stands for N, which is P
//! less the level. A row takes about 75 bytes, three quarters of what it takes field by field.

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use super::ITEMS_MAX;
use crate::row::Row;
use crate::share::Demand;
use crate::units::pack::{read, read_u64, take, write};
use crate::units::{Amount, KeyId, LimitId, Share};

/// Serializes rows as one byte string.
pub(super) fn serialize<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES_USUAL);
    rows.iter().for_each(|row| pack(row, &mut bytes));
    serializer.serialize_bytes(&bytes)
}

/// What a row takes, usually.
pub(crate) const ROW_BYTES_USUAL: usize = 76;

/// The reverse of [`serialize`]: total, and bounded by the string's length.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Row>, D::Error> {
    deserializer.deserialize_bytes(Packed)
}

struct Packed;

impl Visitor<'_> for Packed {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("packed rows")
    }

    fn visit_bytes<E: serde::de::Error>(self, mut bytes: &[u8]) -> Result<Vec<Row>, E> {
        let mut rows = Vec::new();
        while !bytes.is_empty() && rows.len() <= ITEMS_MAX {
            rows.push(unpack(&mut bytes).ok_or_else(|| E::custom("a row is cut short"))?);
        }
        if bytes.is_empty() {
            Ok(rows)
        } else {
            Err(E::custom("too many rows"))
        }
    }
}

fn pack(row: &Row, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&row.limit.0.to_be_bytes());
    bytes.extend_from_slice(&row.key.0.to_be_bytes());
    let Demand {
        dense,
        sparse,
        habit,
    } = row.demand;
    let small = [
        row.seq,
        row.share.parts(),
        row.rate.parts(),
        row.overdraft.parts(),
        dense,
        sparse,
        habit,
    ];
    small
        .into_iter()
        .for_each(|number| write(u128::from(number), bytes));
    write(u128::from(row.unmet_cost_units), bytes);
    write(row.filled.grains(), bytes);
    write(row.level().grains(), bytes);
}

fn unpack(bytes: &mut &[u8]) -> Option<Row> {
    let limit = LimitId(u64::from_be_bytes(*take(bytes)?));
    let key = KeyId(u128::from_be_bytes(*take(bytes)?));
    let mut small = || read_u64(bytes);
    let (seq, share, rate, overdraft) = (small()?, small()?, small()?, small()?);
    let demand = Demand {
        dense: small()?,
        sparse: small()?,
        habit: small()?,
    };
    let unmet_cost_units = small()?;
    let (filled, level) = (read(bytes)?, read(bytes)?);
    Some(Row {
        limit,
        key,
        seq,
        filled: Amount::from_grains(filled),
        emptied: Amount::from_grains(filled.checked_sub(level)?),
        share: Share::from_parts(share),
        rate: Share::from_parts(rate),
        overdraft: Share::from_parts(overdraft),
        demand,
        unmet_cost_units,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_survive(seq in any::<u64>(), filled in any::<u128>(), level in any::<u128>()) {
            let level = level.min(filled);
            let row = Row {
                seq,
                filled: Amount::from_grains(filled),
                emptied: Amount::from_grains(filled - level),
                share: Share::WHOLE,
                rate: Share::from_parts(seq),
                unmet_cost_units: u64::MAX,
                ..Row::new(LimitId(7), KeyId(8))
            };
            let mut bytes = Vec::new();
            pack(&row, &mut bytes);
            prop_assert_eq!(unpack(&mut &bytes[..]), Some(row));
        }

        #[test]
        fn any_bytes_unpack_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _row = unpack(&mut &bytes[..]);
        }
    }
}
