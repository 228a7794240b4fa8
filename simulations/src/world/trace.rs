//! A hash over all that nodes were told and said: two runs with one hash are one run.

/// The hash so far. It is no cryptographic one: it has to tell accidents apart, not enemies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }
}

impl Trace {
    pub(super) fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed.rotate_left(29) ^ (mixed >> 31);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words
            .iter()
            .for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        self.word(bytes.len() as u64);
    }

    pub(super) const fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_length_and_every_bit_show() {
        let hash = |parts: &[&[u8]]| {
            let mut trace = Trace::default();
            parts.iter().for_each(|part| trace.bytes(part));
            trace.value()
        };
        let base = hash(&[b"a frame of bytes", b"and another"]);
        assert_eq!(base, hash(&[b"a frame of bytes", b"and another"]));
        assert_ne!(base, hash(&[b"and another", b"a frame of bytes"]));
        assert_ne!(base, hash(&[b"a frame of bytes", b"and anothes"]));
        assert_ne!(hash(&[b"ab\0"]), hash(&[b"ab"]));
    }
}
