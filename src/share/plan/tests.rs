//! The planner's rules, one by one.

use super::likelihood::WHOLE;
use super::*;
use crate::limit::{Limit, UnitsTime};
use crate::share::COUNT_SCALE;
use crate::share::demand::HABIT_SCALE;

fn pace(burst: u64) -> Pace {
    Pace::new(Limit::per_second(100).burst(burst))
}

/// Three holders at a third each, with these demands a tick and these levels in units.
fn holders(demand: [u64; 3], level: [u64; 3]) -> Vec<Holder> {
    let third = Share::WHOLE.portion(1, 3);
    (0..3)
        .map(|index| {
            let mut meter = crate::share::Meter::new(0);
            (1..=60).for_each(|tick| meter.count(demand[index], tick));
            Holder {
                node: NodeId(index as u64),
                base: third,
                base_overdraft: Share::NONE,
                share: third,
                rate: third,
                rank: index as u64,
                reached: true,
                overdraft: Share::NONE,
                level: Amount::from_units(level[index]),
                demand: meter.at(60),
                load: 0,
                unmet: false,
                cost_units: 0,
                ready: true,
            }
        })
        .collect()
}

fn plan_of(holders: &[Holder], own: usize, burst: u64) -> Vec<Move> {
    plan_at(10 * COUNT_SCALE, holders, own, burst)
}

fn plan_at(rate_count_per_tick: u64, holders: &[Holder], own: usize, burst: u64) -> Vec<Move> {
    let pace = pace(burst);
    let scene = Scene {
        pace: &pace,
        rate_count_per_tick,
        cost_units: 1,
        holders,
        asker: None,
    };
    let holder = holders[own];
    let account = Account::open(holder.share, Share::NONE, holder.level, UnitsTime(0));
    plan(&scene, holder.node, &account)
}

#[test]
fn an_even_load_moves_nothing() {
    let holders = holders([4, 4, 4], [10, 11, 9]);
    for own in 0..3 {
        assert_eq!(plan_of(&holders, own, 99), []);
    }
}

#[test]
fn the_rate_follows_a_hot_spot() {
    let holders = holders([20, 0, 0], [33, 0, 0]);
    for own in 1..3 {
        let moves = plan_of(&holders, own, 99);
        assert_eq!(moves.len(), 1, "{moves:?}");
        assert_eq!(moves[0].to, NodeId(0));
        assert!(moves[0].parcel.rate > Share::WHOLE.portion(1, 4));
    }
    let back = plan_of(&holders, 0, 99);
    assert!(
        back.iter().all(|planned| planned.parcel.rate.is_none()),
        "{back:?}"
    );
}

/// Noise is not demand: one arrival is hardly evidence that the next will land there too.
#[test]
fn a_lone_arrival_moves_no_rate() {
    let mut holders = holders([0, 0, 0], [0, 0, 0]);
    holders[1].demand = Demand {
        dense: 256,
        sparse: 256,
        habit: HABIT_SCALE,
    };
    for own in 0..3 {
        assert_eq!(plan_of(&holders, own, 99), []);
    }
}

/// Rate is not enough: a node that ran out gets units though its rate is right.
#[test]
fn units_go_where_they_ran_out() {
    let holders = holders([1, 1, 1], [33, 3, 3]);
    let moves = plan_of(&holders, 1, 99);
    assert_eq!(moves.len(), 1);
    let Parcel { share, level, .. } = moves[0].parcel;
    let brings = Amount::share_of_units(share, 99).saturating_sub(level);
    assert!(brings >= Amount::from_units(8), "{brings}");
}

/// No crumbs: a third of ten is three and a third; the thirds make a whole unit where needed.
#[test]
fn scarce_units_are_dealt_whole() {
    let unit = Amount::from_units(1).grains();
    let (even, empty) = ([WHOLE / 3; 3], [0; 3]);
    let quiet = holders([0, 0, 0], [0, 0, 0]);
    let dealt = |total, weights: &[u128], balances: &[i128]| {
        units::dealt(&quiet, (total, unit), weights, balances).to_vec()
    };
    assert_eq!(
        dealt(unit * 10, &even, &empty),
        [4 * unit, 3 * unit, 3 * unit]
    );
    assert_eq!(dealt(unit / 2, &even, &empty), [0; 3]);
    let one = [WHOLE / 10, WHOLE / 10 * 8, WHOLE / 10];
    assert_eq!(dealt(unit, &one, &empty), [0, unit, 0]);
    let there = [0, 0, signed(unit)];
    assert_eq!(dealt(unit, &even, &there), [0, 0, unit], "it stays");
    assert_eq!(dealt(unit, &one, &there), [0, unit, 0], "but for much");
}

/// Of places as likely, those that take turns find the unit where it was not for longest.
#[test]
fn who_was_asked_longest_ago_is_dealt_the_next_unit() {
    let unit = Amount::from_units(1).grains();
    let mut turns = holders([0, 0, 0], [0, 0, 0]);
    for (holder, habit) in turns.iter_mut().zip([3, 1, 2]) {
        holder.demand.habit = habit;
    }
    let dealt = units::dealt(&turns, (unit, unit), &[WHOLE / 3; 3], &[0; 3]);
    assert_eq!(dealt.to_vec(), [0, unit, 0]);
}

/// Two units at three holders: thirds go to the keeper, who deals whole ones, and there they stay as
/// long as the key is remembered.
#[test]
fn fractions_that_admit_nothing_go_to_the_keeper() {
    let mut holders = holders([0, 0, 0], [0, 0, 0]);
    let slow = |holders: &[Holder], own, burst| plan_at(1, holders, own, burst);
    assert_eq!(slow(&holders, 0, 2), [], "nobody was ever asked");
    holders[0].demand.habit = HABIT_SCALE;
    let (third, unit) = (holders[0].share, Share::WHOLE.portion(1, 2));
    for own in 0..2 {
        let moves = slow(&holders, own, 2);
        assert_eq!(moves.len(), 1, "{moves:?}");
        assert_eq!((moves[0].to, moves[0].parcel.share), (NodeId(2), third));
    }
    for (index, holder) in holders.iter_mut().enumerate() {
        let all = if index == 2 {
            Share::WHOLE
        } else {
            Share::NONE
        };
        (holder.share, holder.rate) = (all, all);
    }
    let moves = slow(&holders, 2, 2);
    assert_eq!(moves.len(), 1, "{moves:?}");
    assert_eq!((moves[0].to, moves[0].parcel.share), (NodeId(1), unit));
    (holders[1].share, holders[2].share) = (unit, unit);
    assert_eq!(slow(&holders, 1, 2), []);
    holders[0].demand.habit = HABIT_SCALE / 5;
    assert_ne!(slow(&holders, 1, 2), [], "forgotten, it goes home");
}

/// Ten share twenty: who has one and a half gives the half to a keeper, who has whole ones with it.
#[test]
fn what_many_have_left_over_is_put_together_at_the_keepers() {
    let third = holders([4, 4, 4], [0, 0, 0])[0];
    let mut many: Vec<Holder> = (0..10)
        .map(|index| Holder {
            node: NodeId(index),
            rank: index,
            base: Share::WHOLE.portion(1, 10),
            share: Share::WHOLE.portion(1, 10),
            rate: Share::NONE,
            ..third
        })
        .collect();
    let half = Share::WHOLE.portion(1, 40);
    (7..10).for_each(|index| many[index].rate = Share::WHOLE.portion(1, 3));
    (many[2].share, many[3].share) = (Share::WHOLE.portion(3, 40), Share::WHOLE.portion(5, 40));
    let moves = plan_of(&many, 2, 20);
    assert_eq!(moves.len(), 1, "{moves:?}");
    let Move { to, parcel } = moves[0];
    assert!((7..10).contains(&to.0) && parcel.share == half, "{moves:?}");
    assert_eq!(plan_of(&many, 2, 80), [], "of six units a half is nothing");
    assert_eq!(
        plan_of(&many[1..9], 1, 20),
        [],
        "few members all keep what they have"
    );
}

/// Two units are of no use to who is asked for five together.
#[test]
fn what_requests_need_together_is_dealt_together() {
    let unit = Amount::from_units(1).grains();
    let even = [WHOLE / 3; 3];
    let quiet = holders([0, 0, 0], [0, 0, 0]);
    let dealt = |total| units::dealt(&quiet, (total, 5 * unit), &even, &[0; 3]).to_vec();
    assert_eq!(dealt(unit * 14), [5 * unit, 5 * unit, 0]);
    assert_eq!(dealt(unit * 4), [0; 3]);
}

#[test]
fn the_cost_of_a_request_is_that_of_all_who_have_told() {
    let mut holders = holders([20, 5, 50], [0, 0, 0]);
    assert_eq!(cost_units(&holders), 1);
    (holders[0].cost_units, holders[1].cost_units) = (10, 1);
    assert_eq!(cost_units(&holders), 4, "25 units in 7 requests");
    assert_eq!(cost_units(&[]), 1);
}

#[test]
fn a_debtor_and_a_lone_node_grant_nothing() {
    let holders = holders([0, 20, 0], [40, 0, 0]);
    assert_eq!(plan_of(&holders, 0, 99), []);
    assert_eq!(plan_of(&holders[..1], 0, 99), []);
}

#[test]
fn nothing_goes_to_whom_was_not_heard() {
    let mut holders = holders([20, 0, 0], [33, 0, 0]);
    holders[0].ready = false;
    assert_eq!(plan_of(&holders, 1, 99), []);
}

/// What one is on its way to another must not set the third going: that never ended.
#[test]
fn a_share_on_its_way_moves_no_other() {
    let mut holders = holders([0, 0, 0], [0, 0, 0]);
    holders[2].share = holders[2].share.portion(9, 10);
    holders[2].rate = holders[2].rate.portion(9, 10);
    for own in 0..3 {
        assert_eq!(plan_of(&holders, own, 99), []);
    }
}

/// A key too new to have habits of its own is expected where the others land.
#[test]
fn units_of_a_new_key_go_where_the_load_is() {
    let mut holders = holders([0, 0, 0], [10, 0, 0]);
    holders[0].demand = Demand {
        dense: 768,
        sparse: 768,
        habit: 3 * HABIT_SCALE,
    };
    let asks = |holders: &[Holder]| {
        let pace = pace(30);
        let rate_count_per_tick = 10 * COUNT_SCALE;
        let asker = Some(NodeId(0));
        donors(
            &Scene {
                pace: &pace,
                rate_count_per_tick,
                cost_units: 1,
                holders,
                asker,
            },
            NodeId(0),
        )
    };
    holders[0].load = 1000 * COUNT_SCALE;
    assert_eq!(asks(&holders).len(), 2);
    (holders[0].load, holders[1].load) = (0, 1000 * COUNT_SCALE);
    assert!(!asks(&holders).contains(&NodeId(1)));
}

/// A small burst that refills within a tick or two is found everywhere by itself: its rate stays with
/// all. That of a slow limit is put together.
#[test]
fn what_refills_in_a_tick_needs_no_keeper() {
    let holders = holders([4, 4, 4], [3, 3, 3]);
    let moves_rate = |rate_count_per_tick: u64| {
        let plans = (0..3).map(|own| plan_at(rate_count_per_tick, &holders, own, 10));
        plans
            .flatten()
            .any(|planned| !planned.parcel.rate.is_none())
    };
    assert!(!moves_rate(5 * COUNT_SCALE));
    assert!(moves_rate(COUNT_SCALE));
}

/// Nobody has much more to spare of a burst that comes back within two ticks.
#[test]
fn who_runs_out_of_what_comes_back_soon_asks_for_a_single_unit() {
    let holders = holders([4, 4, 4], [3, 1, 0]);
    let asks = |rate_count_per_tick| {
        let pace = pace(10);
        let scene = Scene {
            pace: &pace,
            rate_count_per_tick,
            cost_units: 1,
            holders: &holders,
            asker: Some(NodeId(0)),
        };
        donors(&scene, NodeId(0))
    };
    assert_eq!(asks(5 * COUNT_SCALE), [NodeId(2)], "1.33 to spare");
    assert_eq!(asks(COUNT_SCALE), []);
}

/// Two thirds of a unit here and two thirds there admit nothing; together they admit one.
#[test]
fn who_is_asked_gives_a_fraction_that_makes_up_a_unit() {
    let gives = |level: [u64; 3]| {
        let holders = holders([4, 4, 4], level);
        let pace = pace(11);
        let scene = Scene {
            pace: &pace,
            rate_count_per_tick: 5 * COUNT_SCALE,
            cost_units: 1,
            holders: &holders,
            asker: Some(NodeId(0)),
        };
        let (third, level) = (holders[1].share, holders[1].level);
        let account = Account::open(third, Share::NONE, level, UnitsTime(0));
        let moves = plan(&scene, NodeId(1), &account).into_iter();
        let units = moves.map(|planned| {
            assert_eq!(planned.to, NodeId(0));
            let room = Amount::share_of_units(planned.parcel.share, 11);
            room.saturating_sub(planned.parcel.level).grains()
        });
        units.sum::<u128>() as f64 / Amount::from_units(1).grains() as f64
    };
    let some = gives([3, 1, 0]);
    assert!((0.66..0.67).contains(&some), "{some}");
    assert_eq!(gives([2, 2, 0]), 0.0, "it has none to spare");
}

/// Losing interest: with nobody asking, shares go home to the base split exactly.
#[test]
fn idle_shares_go_home_exactly() {
    let mut holders = holders([0, 0, 0], [0, 0, 0]);
    let borrowed = Share::from_parts(1_234_567);
    holders[0].share = holders[0].share.saturating_add(borrowed);
    holders[2].share = holders[2].share.saturating_sub(borrowed);
    holders[0].rate = holders[0].share;
    holders[2].rate = holders[2].share;
    let moves = plan_of(&holders, 0, 99);
    assert_eq!(moves.len(), 1);
    let Parcel { share, rate, .. } = moves[0].parcel;
    assert_eq!((moves[0].to, share, rate), (NodeId(2), borrowed, borrowed));
}

/// A debt without a share would stand for ever: who holds the rate lends what repays it, and who
/// has enough for that gets no more. Wherever the base split lies, and idle or not.
#[test]
fn a_debtor_without_a_share_is_lent_one() {
    for (demand, base_of_debtor) in [
        (30, Share::WHOLE.portion(1, 3)),
        (30, Share::NONE),
        (0, Share::NONE),
    ] {
        let mut holders = holders([demand, 0, 0], [99, 0, 20]);
        for (holder, holds) in holders
            .iter_mut()
            .zip([Share::WHOLE, Share::NONE, Share::NONE])
        {
            (holder.share, holder.rate) = (holds, holds);
        }
        holders[2].base = base_of_debtor;
        let given = Share::WHOLE.saturating_sub(base_of_debtor);
        holders[0].base = given.portion(1, 2);
        holders[1].base = given.portion(1, 2);
        let lent = plan_of(&holders, 0, 99).into_iter();
        let lent: Share = lent
            .filter(|planned| planned.to == NodeId(2))
            .map(|planned| planned.parcel.rate)
            .sum();
        let part = lent.as_fraction();
        assert!((0.19..0.25).contains(&part), "{demand} a tick: {part} lent");
        holders[0].rate = holders[0].rate.saturating_sub(lent);
        holders[2].rate = lent;
        holders[2].level = Amount::from_units(30);
        let more = plan_of(&holders, 0, 99);
        assert!(
            more.iter().all(|planned| planned.to != NodeId(2)),
            "{more:?}"
        );
    }
}

/// Two of three keep the rate of such bursts. The units of the smaller one they keep too, those of the
/// larger lie with all who are asked.
#[test]
fn units_that_are_many_for_each_lie_with_all_though_few_keep_the_rate() {
    let holders = holders([1, 1, 1], [0, 0, 0]);
    let sends_any = |burst: u64| {
        let pace = pace(burst);
        let scene = Scene {
            pace: &pace,
            rate_count_per_tick: COUNT_SCALE,
            cost_units: 1,
            holders: &holders,
            asker: None,
        };
        let likelihood = likelihood(&scene);
        let keeping = keeping(&scene, &likelihood);
        assert!(keeping.few);
        let units = units::units(&scene, &likelihood, &keeping);
        let unit = signed(Amount::from_units(1).grains());
        (0..3).any(|index| units.spare(index) >= unit)
    };
    assert!(sends_any(17));
    assert!(!sends_any(18));
}
