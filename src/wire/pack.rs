//! Rows packed end to end: one byte string inside the MessagePack envelope.
//!
//! Most of a row's numbers are small most of the time, so each takes as many groups of seven bits as
//! it needs; a `seq` and a limit are told by the row before; a share by one byte if it is none, an
//! equal part or known already; a level stands for N, which is P less the level. A row takes between
//! 36 bytes and 54, field by field a hundred.

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use super::ITEMS_MAX;
use crate::row::Row;
use crate::share::Demand;
use crate::units::pack::{bytes_of, read, read_u64, take, write, write_u64};
use crate::units::{Amount, KeyId, LimitId, Share};

/// Serializes rows as one byte string.
pub(super) fn serialize<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&pack_all(rows))
}

/// What a row takes, usually.
pub(crate) const ROW_BYTES_USUAL: usize = 52;

/// What a row takes at least: its bits, its key and a byte for each number.
const ROW_BYTES_LEAST: usize = 1 + 16 + 9;

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

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<Row>, E> {
        unpack_all(bytes).map_err(E::custom)
    }
}

fn pack_all(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES_USUAL);
    let mut above = &nothing();
    for row in rows {
        pack(row, above, &mut bytes);
        above = row;
    }
    bytes
}

fn unpack_all(mut bytes: &[u8]) -> Result<Vec<Row>, &'static str> {
    let mut rows = Vec::with_capacity((bytes.len() / ROW_BYTES_LEAST).min(ITEMS_MAX) + 1);
    let mut above = nothing();
    while !bytes.is_empty() {
        if rows.len() > ITEMS_MAX {
            return Err("too many rows");
        }
        above = unpack(&mut bytes, &above).ok_or("a row is cut short")?;
        rows.push(above);
    }
    Ok(rows)
}

/// Bits of a row's first byte.
///
/// It is under the limit of the row before.
const SAME_LIMIT: u8 = 1;
/// Its amounts are told in grains, not in steps.
const FINE: u8 = 2;
/// A request was refused.
const UNMET: u8 = 4;
/// Requests need other than one unit: how many follows.
const DEAR: u8 = 8;
const KNOWN_BITS: u8 = SAME_LIMIT | FINE | UNMET | DEAR;

/// A share that is the one told before it in the same row.
const AS_BEFORE: u64 = 41;
/// A share that is the one at the same place of the row before.
const AS_ABOVE: u64 = 42;
/// Another share: its parts follow.
const OF_PARTS: u64 = 43;

/// Packs one row after another: each is told by how it differs from the last.
fn pack(row: &Row, above: &Row, bytes: &mut Vec<u8>) {
    let amounts = steps_of(row);
    let bits = bit(row.limit == above.limit, SAME_LIMIT)
        | bit(amounts.is_none(), FINE)
        | bit(row.unmet, UNMET)
        | bit(row.cost_units != 1, DEAR);
    bytes.push(bits);
    if bits & SAME_LIMIT == 0 {
        bytes.extend_from_slice(&row.limit.0.to_be_bytes());
    }
    bytes.extend_from_slice(&row.key.0.to_be_bytes());
    write_u64(row.seq.wrapping_sub(above.seq), bytes);
    let mut before = Share::NONE;
    for (share, above) in shares_of(row).into_iter().zip(shares_of(above)) {
        write_share(share, before, above, bytes);
        before = share;
    }
    let Demand {
        dense,
        sparse,
        habit,
    } = row.demand;
    [dense, sparse, habit]
        .into_iter()
        .for_each(|count| write_u64(count, bytes));
    if bits & DEAR != 0 {
        write_u64(row.cost_units, bytes);
    }
    let (filled, level) = amounts.unwrap_or((row.filled.grains(), row.level().grains()));
    write(filled, bytes);
    write(level, bytes);
}

const fn bit(is: bool, bit: u8) -> u8 {
    if is { bit } else { 0 }
}

const fn shares_of(row: &Row) -> [Share; 3] {
    [row.share, row.rate, row.overdraft]
}

/// What went in and the level, in steps, if they are whole ones.
fn steps_of(row: &Row) -> Option<(u128, u128)> {
    Some((row.filled.steps()?, row.level().steps()?))
}

/// Most shares are none, an equal part of the whole, or one that was told just before.
fn write_share(share: Share, before: Share, above: Share, bytes: &mut Vec<u8>) {
    match share {
        share if share.is_none() => write_u64(0, bytes),
        share if share == before => write_u64(AS_BEFORE, bytes),
        share if share == above => write_u64(AS_ABOVE, bytes),
        share => match equal_part(share) {
            Some(holders) => write_u64(holders, bytes),
            None => {
                write_u64(OF_PARTS, bytes);
                write_u64(share.parts(), bytes);
            }
        },
    }
}

/// Among how many holders it is an equal part, if so and they are few enough to be told by one byte.
fn equal_part(share: Share) -> Option<u64> {
    share.holders().filter(|holders| *holders < AS_BEFORE)
}

fn read_share(bytes: &mut &[u8], before: Share, above: Share) -> Option<Share> {
    match read_u64(bytes)? {
        0 => Some(Share::NONE),
        AS_BEFORE => Some(before),
        AS_ABOVE => Some(above),
        OF_PARTS => Some(Share::from_parts(read_u64(bytes)?)),
        holders if holders < AS_BEFORE => Some(Share::WHOLE.portion(1, holders)),
        _ => None,
    }
}

fn unpack(bytes: &mut &[u8], above: &Row) -> Option<Row> {
    let [bits] = *take(bytes)?;
    if bits & !KNOWN_BITS != 0 {
        return None;
    }
    let limit = match bits & SAME_LIMIT {
        0 => LimitId(u64::from_be_bytes(*take(bytes)?)),
        _ => above.limit,
    };
    let key = KeyId(u128::from_be_bytes(*take(bytes)?));
    let seq = above.seq.wrapping_add(read_u64(bytes)?);
    let share = read_share(bytes, Share::NONE, above.share)?;
    let rate = read_share(bytes, share, above.rate)?;
    let overdraft = read_share(bytes, rate, above.overdraft)?;
    let demand = Demand {
        dense: read_u64(bytes)?,
        sparse: read_u64(bytes)?,
        habit: read_u64(bytes)?,
    };
    let cost_units = match bits & DEAR {
        0 => 1,
        _ => read_u64(bytes)?,
    };
    let amount = |bytes: &mut &[u8]| {
        let number = read(bytes)?;
        match bits & FINE {
            0 => Amount::from_steps(number),
            _ => Some(Amount::from_grains(number)),
        }
    };
    let (filled, level) = (amount(bytes)?, amount(bytes)?);
    Some(Row {
        limit,
        key,
        seq,
        filled,
        emptied: Amount::from_grains(filled.grains().checked_sub(level.grains())?),
        share,
        rate,
        overdraft,
        demand,
        cost_units,
        unmet: bits & UNMET != 0,
    })
}

/// Bits, a key, and a `seq` that is not far from the one before.
const FIRST_KEY_SEQ_BYTES: usize = 1 + 16 + 3;

/// How many bytes a row takes behind another one, if their `seq`s are not far apart. It takes fewer where
/// they are close, and where a share is not told because the row before has it at the same place.
pub(crate) fn row_bytes(row: &Row, above: Option<&Row>) -> usize {
    let limit = if above.is_some_and(|above| above.limit == row.limit) {
        0
    } else {
        8
    };
    let mut before = Share::NONE;
    let mut shares = 0;
    for share in shares_of(row) {
        let told = share.is_none() || share == before || equal_part(share).is_some();
        shares += if told {
            1
        } else {
            1 + bytes_of(u128::from(share.parts()))
        };
        before = share;
    }
    let counts = [
        row.demand.dense,
        row.demand.sparse,
        row.demand.habit,
        row.cost_units,
    ];
    let counts: usize = counts
        .into_iter()
        .map(|count| bytes_of(u128::from(count)))
        .sum();
    let amounts = steps_of(row).unwrap_or((row.filled.grains(), row.level().grains()));
    FIRST_KEY_SEQ_BYTES + limit + shares + counts + bytes_of(amounts.0) + bytes_of(amounts.1)
}

/// The row that the first one of a message differs from.
fn nothing() -> Row {
    Row::new(LimitId(0), KeyId(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares() -> impl Strategy<Value = Share> {
        prop_oneof![
            (1u64..60).prop_map(|holders| Share::WHOLE.portion(1, holders)),
            (0u64..4).prop_map(Share::from_parts),
            any::<u64>().prop_map(Share::from_parts),
        ]
    }

    fn amounts() -> impl Strategy<Value = Amount> {
        prop_oneof![
            any::<u128>().prop_map(Amount::from_grains),
            (0u64..9000).prop_map(Amount::from_units),
            any::<u64>().prop_map(|grains| Amount::from_grains(u128::from(grains)).in_steps()),
        ]
    }

    prop_compose! {
        fn rows()(
            (limit, key, seq) in (0u64..3, any::<u128>(), any::<u64>()),
            (share, rate, overdraft) in (shares(), shares(), shares()),
            (filled, level) in (amounts(), amounts()),
            (dense, sparse, habit) in (any::<u64>(), 0u64..300, any::<u64>()),
            (cost_units, unmet) in (0u64..3, any::<bool>()),
        ) -> Row {
            let level = level.min(filled);
            Row {
                limit: LimitId(limit),
                key: KeyId(key),
                seq,
                filled,
                emptied: Amount::from_grains(filled.grains() - level.grains()),
                share,
                rate,
                overdraft,
                demand: Demand { dense, sparse, habit },
                cost_units,
                unmet,
            }
        }
    }

    proptest! {
        #[test]
        fn rows_survive(rows in prop::collection::vec(rows(), 0..6)) {
            prop_assert_eq!(unpack_all(&pack_all(&rows)), Ok(rows));
        }

        #[test]
        fn what_a_row_takes_is_known_before(rows in prop::collection::vec(rows(), 2..3)) {
            let follows = Row { seq: rows[0].seq.wrapping_add(200), ..rows[1] };
            let taken = pack_all(&[rows[0], follows]).len() - pack_all(&rows[..1]).len();
            let said = row_bytes(&follows, Some(&rows[0]));
            prop_assert!(taken <= said && said <= taken + 50, "{} said, {} taken", said, taken);
        }

        #[test]
        fn any_bytes_unpack_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _row = unpack(&mut &bytes[..], &nothing());
        }
    }

    #[test]
    fn a_holder_of_all_is_told_in_forty_bytes() {
        let row = Row {
            seq: 100_001,
            filled: Amount::from_units(6_000),
            emptied: Amount::from_units(5_970),
            share: Share::WHOLE,
            rate: Share::WHOLE,
            demand: Demand {
                dense: 6_144,
                sparse: 61_440,
                habit: 157_000_000,
            },
            ..Row::new(LimitId(7), KeyId(8))
        };
        let above = Row {
            seq: 100_000,
            ..row
        };
        let mut bytes = Vec::new();
        pack(&row, &above, &mut bytes);
        assert!(bytes.len() <= 40, "{} bytes", bytes.len());
    }
}
