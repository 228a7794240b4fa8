//! A fixed fraction that numbers are multiplied by, without dividing.

/// `num / den`, ready to multiply by.
///
/// The quotient is estimated by one multiplication with a 64-bit reciprocal, which is at most a little
/// too small, and put right by the remainder: what comes out is exact (after Granlund and Montgomery,
/// "Division by invariant integers using multiplication", 1994).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    num: u64,
    den: u64,
    /// ⌊num · 2^shift / den⌋, with its top bit set unless that would take a larger shift than there is.
    reciprocal: u64,
    shift: u32,
}

/// No estimate is further off for quotients below this; what is above is divided.
const QUOTIENT_MAX: u128 = 1 << 63;

impl Ratio {
    /// The fraction; `den` is not zero.
    pub(super) fn new(num: u64, den: u64) -> Self {
        let (wide_num, wide_den) = (u128::from(num.max(1)), u128::from(den.max(1)));
        // The largest shift at which the reciprocal stays below 2⁶⁴.
        let fits = |shift: &u32| {
            let room = wide_num.leading_zeros();
            *shift <= room && (wide_num << shift) / wide_den < 1 << 64
        };
        let shift = (0..=127).rev().find(fits).unwrap_or(0);
        Self {
            num,
            den: den.max(1),
            reciprocal: u64::try_from((u128::from(num) << shift) / wide_den).unwrap_or(u64::MAX),
            shift,
        }
    }

    /// `⌊number · num / den⌋`.
    pub(super) fn floor(&self, number: u64) -> u128 {
        self.divided(number).0
    }

    /// `⌈number · num / den⌉`.
    pub(super) fn ceil(&self, number: u64) -> u128 {
        let (quotient, rest) = self.divided(number);
        quotient + u128::from(rest > 0)
    }

    fn divided(&self, number: u64) -> (u128, u128) {
        let product = u128::from(number) * u128::from(self.num);
        let den = u128::from(self.den);
        let mut quotient = (u128::from(number) * u128::from(self.reciprocal)) >> self.shift;
        if quotient >= QUOTIENT_MAX {
            return (product / den, product % den);
        }
        let mut rest = product - quotient * den;
        while rest >= den {
            rest -= den;
            quotient += 1;
        }
        (quotient, rest)
    }
}

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
            let (num, den) = (num, den.max(1));
            let ratio = Ratio::new(num, den);
            let product = u128::from(number) * u128::from(num);
            prop_assert_eq!(ratio.floor(number), product / u128::from(den));
            prop_assert_eq!(ratio.ceil(number), product.div_ceil(u128::from(den)));
        }
    }

    /// The estimate is off by two at most, or the loop that puts it right would show.
    #[test]
    fn an_estimate_is_put_right_in_a_few_steps() {
        for (num, den) in [
            (100 << 20, 1_000_000_000),
            (1_000_000_000, 100 << 20),
            (1, u64::MAX),
        ] {
            let ratio = Ratio::new(num, den);
            for number in [1, 12_345_678_901_234_567, u64::MAX >> 2] {
                let estimate = (u128::from(number) * u128::from(ratio.reciprocal)) >> ratio.shift;
                assert!(
                    ratio.floor(number) - estimate <= 2,
                    "{num}/{den} of {number}"
                );
            }
        }
    }
}
