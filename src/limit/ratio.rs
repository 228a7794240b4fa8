//! A fixed fraction that numbers are multiplied by, without dividing.

/// `num / den`, ready to multiply by.
///
/// The quotient is estimated by a multiplication with the whole part and one with the first 64 bits of the
/// rest, which is at most one too small, and put right by the remainder: what comes out is exact (after
/// Granlund and Montgomery, "Division by invariant integers using multiplication", 1994).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    num: u64,
    den: u64,
    /// ⌊num / den⌋.
    whole: u64,
    /// ⌊2⁶⁴ · (num / den − whole)⌋.
    part: u64,
}

impl Ratio {
    /// The fraction; `den` is at least one, and below 2⁶³.
    pub(super) fn new(num: u64, den: u64) -> Self {
        let den = den.clamp(1, DEN_MAX);
        let part = (u128::from(num % den) << 64) / u128::from(den);
        Self {
            num,
            den,
            whole: num / den,
            part: part as u64,
        }
    }

    /// `⌊number · num / den⌋`, unless it is above 2⁶⁴.
    #[inline]
    pub(super) fn floor(&self, number: u64) -> Option<u64> {
        let (estimate, rest) = self.divided(number)?;
        estimate.checked_add(u64::from(rest >= self.den))
    }

    /// `⌈number · num / den⌉`, unless it is above 2⁶⁴.
    #[inline]
    pub(super) fn ceil(&self, number: u64) -> Option<u64> {
        let (estimate, rest) = self.divided(number)?;
        estimate.checked_add(u64::from(rest > 0) + u64::from(rest > self.den))
    }

    /// A quotient that is right or one too small, and what it leaves: less than twice the divisor, so that
    /// the low 64 bits of either product tell it.
    #[inline]
    fn divided(&self, number: u64) -> Option<(u64, u64)> {
        let parts = (u128::from(number) * u128::from(self.part)) >> 64;
        let estimate = number.checked_mul(self.whole)?.checked_add(parts as u64)?;
        let product = number.wrapping_mul(self.num);
        Some((
            estimate,
            product.wrapping_sub(estimate.wrapping_mul(self.den)),
        ))
    }
}

/// So that less than twice of it fits into 64 bits.
const DEN_MAX: u64 = (1 << 63) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn it_is_what_a_division_yields(number in numbers(), num in numbers(), den in numbers()) {
            let (num, den) = (num, (den / 2).max(1));
            let ratio = Ratio::new(num, den);
            let product = u128::from(number) * u128::from(num);
            let fits = |quotient: u128| u64::try_from(quotient).ok();
            prop_assert_eq!(ratio.floor(number), fits(product / u128::from(den)));
            prop_assert_eq!(ratio.ceil(number), fits(product.div_ceil(u128::from(den))));
        }

        /// Where the quotient is whole, or just not.
        #[test]
        fn it_is_exact_at_the_edges(quotient in numbers(), den in 1u64..1 << 40, off in 0u64..3) {
            let ratio = Ratio::new(1, den);
            let Some(number) = quotient.checked_mul(den).map(|number| number.saturating_sub(off)) else {
                return Ok(());
            };
            prop_assert_eq!(ratio.floor(number), Some(number / den));
            prop_assert_eq!(ratio.ceil(number), Some(number.div_ceil(den)));
        }
    }
}
