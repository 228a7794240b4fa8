//! Who gives how much of one thing to whom.

/// What each holder has above or below its target, and who gives what to whom.
///
/// Givers and takers are paired from the largest down, ties by id, so that nodes that know the
/// same pair alike without a word.
pub(super) struct Flow {
    moves: Vec<(usize, usize, u128)>,
}

impl Flow {
    pub(super) fn pair(
        surplus: &[i128],
        gives: impl Fn(usize) -> bool,
        takes: impl Fn(usize) -> bool,
    ) -> Self {
        let largest_first = |sign: i128, keep: &dyn Fn(usize) -> bool| {
            let mut list: Vec<_> = surplus
                .iter()
                .enumerate()
                .filter(|(index, amount)| **amount * sign > 0 && keep(*index))
                .map(|(index, amount)| (amount.unsigned_abs(), index))
                .collect();
            list.sort_unstable_by_key(|(amount, index)| (std::cmp::Reverse(*amount), *index));
            list
        };
        let mut givers = largest_first(1, &gives).into_iter();
        let mut takers = largest_first(-1, &takes).into_iter();
        let (mut giver, mut taker) = (givers.next(), takers.next());
        let mut moves = Vec::new();
        while let (Some((has, from)), Some((wants, to))) = (giver, taker) {
            let amount = has.min(wants);
            moves.push((from, to, amount));
            giver = if has > amount {
                Some((has - amount, from))
            } else {
                givers.next()
            };
            taker = if wants > amount {
                Some((wants - amount, to))
            } else {
                takers.next()
            };
        }
        Self { moves }
    }

    pub(super) fn amount(&self, from: usize, to: usize) -> u128 {
        let pairs = self
            .moves
            .iter()
            .filter(|(giver, taker, _)| (*giver, *taker) == (from, to));
        pairs.map(|(_, _, amount)| amount).sum()
    }
}

/// Whether a holder gives, where only `giver` does, if there is one.
pub(super) fn of(giver: Option<usize>) -> impl Fn(usize) -> bool {
    move |index| giver.is_none_or(|giver| giver == index)
}
