//! Numbers packed end to end: groups of seven bits, the lowest first, the top bit saying that more
//! follow (LEB128). Reading is total: whatever the bytes are, it yields a number or nothing.

/// Bits of a number in each byte; the top one says that more follow.
const GROUP_BITS: u32 = 7;
const MORE: u8 = 1 << GROUP_BITS;

/// Takes so many bytes off the front.
pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

/// Appends a number.
pub(crate) fn write(mut number: u128, bytes: &mut Vec<u8>) {
    while number > u128::from(u64::MAX) {
        bytes.push(number as u8 | MORE);
        number >>= GROUP_BITS;
    }
    write_u64(number as u64, bytes);
}

/// Appends a number of at most 64 bits: nearly all are, and take half the work.
pub(crate) fn write_u64(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= u64::from(MORE) {
        bytes.push(number as u8 | MORE);
        number >>= GROUP_BITS;
    }
    bytes.push(number as u8);
}

/// How many bytes a number takes.
pub(crate) const fn bytes_of(number: u128) -> usize {
    let bits = u128::BITS - (number | 1).leading_zeros();
    bits.div_ceil(GROUP_BITS) as usize
}

/// Takes a number off the front.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u128> {
    match read_groups(bytes)? {
        Read::All(number) => Some(u128::from(number)),
        Read::Part(low) => read_high(bytes, low),
    }
}

/// Takes a number of at most 64 bits off the front.
pub(crate) fn read_u64(bytes: &mut &[u8]) -> Option<u64> {
    match read_groups(bytes)? {
        Read::All(number) => Some(number),
        Read::Part(low) => u64::try_from(read_high(bytes, low)?).ok(),
    }
}

/// What the first groups of a number say.
enum Read {
    /// All of it.
    All(u64),
    /// As many bits as fit, and more follow.
    Part(u64),
}

/// Groups that fit 64 bits whatever they are.
const GROUPS_LOW: u32 = u64::BITS / GROUP_BITS;

fn read_groups(bytes: &mut &[u8]) -> Option<Read> {
    let mut number = 0_u64;
    for shift in (0..GROUPS_LOW * GROUP_BITS).step_by(GROUP_BITS as usize) {
        let [byte] = *take::<1>(bytes)?;
        number |= u64::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            return Some(Read::All(number));
        }
    }
    Some(Read::Part(number))
}

/// The groups that follow the first ones.
fn read_high(bytes: &mut &[u8], low: u64) -> Option<u128> {
    let mut number = u128::from(low);
    for shift in (GROUPS_LOW * GROUP_BITS..u128::BITS).step_by(GROUP_BITS as usize) {
        let [byte] = *take::<1>(bytes)?;
        let group = u128::from(byte & !MORE);
        // The last group of a 128-bit number has two bits: more would be lost.
        if group.leading_zeros() < shift {
            return None;
        }
        number |= group << shift;
        if byte & MORE == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_of_any_size_survive(number in any::<u128>(), shift in 0u32..128) {
            let mut bytes = Vec::new();
            write(number >> shift, &mut bytes);
            let narrow = u64::try_from(number >> shift).ok();
            prop_assert_eq!(read_u64(&mut &bytes[..]), narrow);
            let mut rest = &bytes[..];
            prop_assert_eq!(read(&mut rest), Some(number >> shift));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(bytes_of(number >> shift), bytes.len());
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        assert_eq!(read(&mut &[0xff; 19][..]), None);
        assert_eq!(read(&mut &[0x80; 40][..]), None);
        let mut bytes = Vec::new();
        write(1 << 64, &mut bytes);
        assert_eq!(read_u64(&mut &bytes[..]), None);
    }
}
