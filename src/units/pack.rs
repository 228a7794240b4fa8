//! Numbers packed end to end: groups of seven bits, the lowest first, the top bit saying that more
//! follow (LEB128). Reading is total: whatever the bytes are, it yields a number or nothing.

/// Takes so many bytes off the front.
pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

/// Appends a number.
pub(crate) fn write(mut number: u128, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a number of at most 64 bits.
pub(crate) fn write_u64(number: u64, bytes: &mut Vec<u8>) {
    write(u128::from(number), bytes);
}

/// How many bytes a number takes.
pub(crate) const fn bytes_of(number: u128) -> usize {
    let bits = u128::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Takes a number off the front.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..128).step_by(7) {
        let [byte] = *take::<1>(bytes)?;
        let group = u128::from(byte & 0x7f);
        // The last group of a 128-bit number has two bits: more would be lost.
        if group.leading_zeros() < shift {
            return None;
        }
        number |= group << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Takes a number of at most 64 bits off the front.
pub(crate) fn read_u64(bytes: &mut &[u8]) -> Option<u64> {
    u64::try_from(read(bytes)?).ok()
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
