//! Who gives how much of one thing to whom.

use super::PerHolder;

/// What each holder has above or below its target, and who gives what to whom.
///
/// Givers and takers are paired from the largest down, ties by id, so that nodes that know the
/// same pair alike without a word.
///
/// Only what one of them gives is kept, as it decides for itself alone.
#[derive(Default)]
pub(super) struct Flow {
    /// To whom, and how much.
    moves: PerHolder<(usize, u128)>,
}

impl Flow {
    /// What `own` gives.
    pub(super) fn pair(
        surplus: &[i128],
        own: usize,
        gives: impl Fn(usize) -> bool,
        takes: impl Fn(usize) -> bool,
    ) -> Self {
        let mut moves = PerHolder::new();
        if surplus[own] <= 0 || !gives(own) {
            return Self { moves };
        }
        let mut takers = largest_first(surplus, |index| surplus[index] < 0 && takes(index));
        let mut givers = largest_first(surplus, |index| surplus[index] > 0 && gives(index));
        let (mut giver, mut taker) = (givers.next(), takers.next());
        while let (Some((has, from)), Some((wants, to))) = (giver, taker) {
            let amount = has.min(wants);
            if from == own {
                moves.push((to, amount));
            }
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

    /// How much goes to a taker.
    pub(super) fn amount(&self, to: usize) -> u128 {
        let moves = self.moves.iter().filter(|(taker, _)| *taker == to);
        moves.map(|(_, amount)| amount).sum()
    }
}

/// Those who are to be kept, with what each has or lacks, ties by id.
fn largest_first(
    surplus: &[i128],
    keep: impl Fn(usize) -> bool,
) -> impl Iterator<Item = (u128, usize)> {
    let mut list: PerHolder<_> = surplus
        .iter()
        .enumerate()
        .filter(|(index, _)| keep(*index))
        .map(|(index, amount)| (amount.unsigned_abs(), index))
        .collect();
    list.sort_unstable_by_key(|(amount, index)| (std::cmp::Reverse(*amount), *index));
    list.into_iter()
}

/// Whether a holder gives, where only `giver` does, if there is one.
pub(super) fn of(giver: Option<usize>) -> impl Fn(usize) -> bool {
    move |index| giver.is_none_or(|giver| giver == index)
}
