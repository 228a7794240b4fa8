//! What is not reckoned, as nothing can come of it, would have come to nothing.

use proptest::prelude::*;

use super::likelihood::Likelihood;
use super::rates::Keeping;
use super::*;
use crate::limit::Limit;
use crate::share::COUNT_SCALE;

const BURST_UNITS: u64 = 10;

/// Anything, often nothing, and seldom more than there is.
fn shares() -> impl Strategy<Value = Share> {
    prop_oneof![
        Just(Share::NONE),
        (1u64..9).prop_map(|count| Share::WHOLE.portion(1, count)),
        (0..Share::WHOLE.parts() / 2).prop_map(Share::from_parts),
    ]
}

prop_compose! {
    fn holders()(
        (share, rate, overdraft) in (shares(), shares(), shares()),
        level in prop_oneof![Just(0u128), Just(1), 0..2 * Amount::from_units(BURST_UNITS).grains()],
        asked in prop_oneof![Just(0u64), 0u64..40],
        (rank, load, cost_units) in (any::<u64>(), 0u64..9000, 0u64..3),
        (reached, ready) in (any::<bool>(), prop::bool::weighted(0.8)),
    ) -> Holder {
        Holder {
            node: NodeId(0),
            base: Share::WHOLE.portion(1, 5),
            base_overdraft: Share::WHOLE.portion(1, 25),
            share,
            rate,
            overdraft,
            level: Amount::from_grains(level),
            demand: Demand {
                dense: asked * COUNT_SCALE / 4,
                sparse: asked * COUNT_SCALE,
                habit: asked * COUNT_SCALE * 640,
            },
            rank,
            reached,
            load,
            unmet: false,
            cost_units,
            ready,
        }
    }
}

/// All flows between two sets of holders, whoever has something to give or not.
fn paired(
    surplus: &[i128],
    gives: impl Fn(usize) -> bool,
    takes: impl Fn(usize) -> bool,
) -> Vec<(usize, usize, u128)> {
    let sorted = |sign: i128, keep: &dyn Fn(usize) -> bool| {
        let indices = (0..surplus.len()).filter(|index| surplus[*index] * sign > 0 && keep(*index));
        let mut list: Vec<_> = indices.collect();
        list.sort_by_key(|index| (std::cmp::Reverse(surplus[*index].abs()), *index));
        list
    };
    let mut left: Vec<_> = surplus.iter().map(|amount| amount.unsigned_abs()).collect();
    let mut moves = Vec::new();
    for from in sorted(1, &gives) {
        for to in sorted(-1, &takes) {
            let amount = left[from].min(left[to]);
            (left[from], left[to]) = (left[from] - amount, left[to] - amount);
            moves.push((from, to, amount));
        }
    }
    moves
}

/// Every flow, reckoned in any case.
fn all_flows(
    scene: &Scene<'_>,
    own: usize,
    likelihood: &Likelihood,
    keeping: &Keeping,
) -> [Flow; 2] {
    let by = (own, scene.asker.map(|_| own));
    let units = units::units(scene, likelihood, keeping);
    [
        rate_flow(scene, by, likelihood, keeping),
        unit_flow(scene, by, (likelihood, keeping), &units),
    ]
}

proptest! {
    #[test]
    fn what_one_gives_is_its_part_of_what_all_give(
        surplus in prop::collection::vec(-50i128..50, 1..9),
        (give, take) in (any::<u8>(), any::<u8>()),
        own in any::<prop::sample::Index>(),
    ) {
        let own = own.index(surplus.len());
        let gives = |index: usize| give & (1 << index) != 0;
        let takes = |index: usize| take & (1 << index) != 0;
        let all = paired(&surplus, gives, takes);
        let flow = Flow::pair(&surplus, own, gives, takes);
        for to in 0..surplus.len() {
            let moved = all.iter().filter(|(from, taker, _)| (*from, *taker) == (own, to));
            prop_assert_eq!(flow.amount(to), moved.map(|(.., amount)| amount).sum::<u128>());
        }
    }

    #[test]
    fn flows_that_are_left_out_are_empty(
        mut holders in prop::collection::vec(holders(), 2..7),
        (own, asked) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        (rate_count_per_tick, is_asked) in (1u64..2000, prop::bool::weighted(0.3)),
    ) {
        let own = own.index(holders.len());
        for (index, holder) in holders.iter_mut().enumerate() {
            holder.node = NodeId(index as u64);
        }
        let asker = is_asked.then(|| holders[asked.index(holders.len())].node);
        let pace = Pace::new(Limit::per_second(2).burst(BURST_UNITS));
        let cost_units = cost_units(&holders);
        let scene = Scene { pace: &pace, rate_count_per_tick, cost_units, holders: &holders, asker };
        let likelihood = likelihood(&scene);
        let keeping = keeping(&scene, &likelihood);
        let [rate, units] = all_flows(&scene, own, &likelihood, &keeping);
        let flows = Flows::of(&scene, own);
        for to in 0..holders.len() {
            prop_assert_eq!(flows.rate.amount(to), rate.amount(to));
            prop_assert_eq!(flows.units.amount(to), units.amount(to));
        }
    }
}
