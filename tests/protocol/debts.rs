//! What was overdrawn comes home, wherever the share went. (C2)
//!
//! Goal: a node that admitted on overdraft while others held the share repays it, whether or not the
//! hot spot goes on elsewhere; and the excess over the ideal bucket never grows beyond ε·C. Method: a
//! hot spot takes the share of a node that then admits a burst on overdraft alone.

use distributary::Limit;
use distributary::proto::{KeyId, Nanos, Share};

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{LIMIT, SECOND_NS, Settings};
use crate::links::Quality;

const KEY: KeyId = KeyId(11 << 117);

fn settings() -> Settings {
    Settings {
        overshoot_milli: 1000,
        ..Settings::new(5, Limit::per_second(100))
    }
}

/// Requests at one place, three times the limit or less.
fn saturate(cluster: &mut Cluster, place: usize, per_second: u64, seconds: u64) {
    for _ in 0..per_second * seconds {
        cluster.run_for(SECOND_NS / per_second);
        let _decision = cluster.check(place, KEY, 1);
    }
}

/// Units that a place owes beyond what its share may hold.
fn debt_units(cluster: &Cluster, place: usize) -> f64 {
    let host = &cluster.hosts[place];
    let now = Nanos(cluster.now + host.offset_ns);
    let peek = host.table.peek(LIMIT, KEY, now);
    peek.level_units - peek.share.as_fraction() * 100.0
}

/// A node without a share to speak of, in debt, and for so long that nobody remembers its demand:
/// it overdrew while it was cut off.
fn indebted(seed: u64) -> (Cluster, usize) {
    let mut cluster = Cluster::founded(settings(), Quality::LAN, seed);
    cluster.watched.push(KEY);
    saturate(&mut cluster, 1, 300, 30);
    // Below the limit: the merged view has units, so that overdraft is allowed.
    saturate(&mut cluster, 1, 85, 2);
    let poorest = |place: &usize| (cluster.rate_at(*place, KEY), cluster.share_at(*place, KEY));
    let debtor = (2..5).min_by_key(poorest).expect("three others");
    let rate = cluster.rate_at(debtor, KEY).as_fraction();
    assert!(
        rate < 0.05,
        "seed {seed}: the debtor holds {rate} of the rate"
    );
    cluster.cut_between(&[debtor], &[0, 1, 2, 3, 4]);
    let taken = cluster.exhaust(debtor, KEY);
    saturate(&mut cluster, 1, 95, 5);
    cluster.heal();
    let debt = debt_units(&cluster, debtor);
    assert!(debt > 2.0, "seed {seed}: {taken} taken, {debt} owed");
    (cluster, debtor)
}

#[test]
fn a_debt_is_repaid_while_the_hot_spot_is_elsewhere() {
    for seed in seeds(5) {
        let (mut cluster, debtor) = indebted(seed);
        saturate(&mut cluster, 1, 300, 20);
        let debt = debt_units(&cluster, debtor);
        assert!(debt <= 0.0, "seed {seed}: still owes {debt} units");
        // And what it needed for that is of use again: the hot spot has nearly all.
        let rates = cluster.rates(KEY);
        assert!(rates[1] > 0.8, "seed {seed}: {rates:?}");
        cluster.judge().expect("the bound");
    }
}

#[test]
fn after_the_load_every_debt_is_gone_and_every_share_at_home() {
    for seed in seeds(5) {
        let (mut cluster, _) = indebted(seed);
        for hot in [2, 3, 0] {
            saturate(&mut cluster, hot, 200, 3);
            for place in 0..5 {
                cluster.exhaust(place, KEY);
            }
        }
        cluster.run_for(120 * SECOND_NS);
        let base = Share::WHOLE.parts() / 5;
        for (place, host) in cluster.hosts.iter().enumerate() {
            let now = Nanos(cluster.now + host.offset_ns);
            let peek = host.table.peek(LIMIT, KEY, now);
            let stands = (peek.share.parts(), peek.level_units, peek.contended);
            assert_eq!(stands, (base, 0.0, false), "seed {seed}, place {place}");
        }
        cluster.judge().expect("the bound");
    }
}

/// However often the hot spot moves, what is admitted over a long time is what drains: C2.
#[test]
fn the_long_run_rate_is_the_limits() {
    let mut cluster = Cluster::founded(settings(), Quality::LAN, 1);
    let mut dice = Dice::new(1);
    let began = cluster.now;
    for _ in 0..60 {
        let hot = dice.within(0, 5) as usize;
        saturate(&mut cluster, hot, 300, 2);
    }
    let seconds = i128::from((cluster.now - began) / SECOND_NS);
    let admitted = cluster.total_admitted(KEY);
    cluster.judge().expect("the bound");
    println!("{admitted} admitted in {seconds} s");
    assert!(admitted <= 200 + 100 * seconds);
    // Each move costs some of the rate: the units have to follow.
    assert!(admitted >= 96 * seconds, "{admitted} in {seconds} s");
}
