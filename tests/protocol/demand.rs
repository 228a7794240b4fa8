//! Shares follow demand, and cost little.
//!
//! Goal: a hot spot gets the rate within two seconds; an even load trades next to nothing; an idle
//! cluster is nearly silent. Method: steady loads on a quiet network, grants and frames counted.

use distributary::Limit;
use distributary::proto::KeyId;

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{SECOND_NS, Settings};
use crate::links::Quality;

const KEY: KeyId = KeyId(9 << 120);

/// `per_second` requests a second for `seconds`, at `hot` in so many of a hundred cases.
fn load(cluster: &mut Cluster, seconds: u64, per_second: u64, hot: usize, percent: u64) {
    let mut dice = Dice::new(3);
    let count = cluster.hosts.len() as u64;
    for _ in 0..seconds * per_second {
        cluster.run_for(SECOND_NS / per_second);
        let place = if dice.chance(percent) {
            hot
        } else {
            dice.within(0, count) as usize
        };
        let _decision = cluster.check(place, KEY, 1);
    }
}

fn grants(cluster: &Cluster) -> u64 {
    let hosts = cluster.hosts.iter();
    hosts.map(|host| host.node.counters().grants_sent).sum()
}

#[test]
fn a_hot_spot_holds_most_within_two_seconds() {
    let settings = Settings::new(3, Limit::per_second(200));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 2);
    cluster.watched.push(KEY);
    for hot in [0, 1, 2] {
        load(&mut cluster, 2, 300, hot, 93);
        let rates = cluster.rates(KEY);
        assert!(rates[hot] > 0.6, "{rates:?} with the hot spot at {hot}");
    }
    cluster.judge().expect("the bound");
}

#[test]
fn an_even_load_trades_few_grants() {
    let settings = Settings::new(3, Limit::per_second(200));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 2);
    load(&mut cluster, 5, 150, 0, 0);
    let before = grants(&cluster);
    load(&mut cluster, 20, 150, 0, 0);
    let per_second = (grants(&cluster) - before) as f64 / 20.0;
    assert!(per_second < 5.0, "{per_second} grants a second");
}

#[test]
fn an_idle_cluster_is_nearly_silent() {
    let settings = Settings::new(5, Limit::per_second(200));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 2);
    load(&mut cluster, 3, 300, 0, 60);
    cluster.run_for(60 * SECOND_NS);
    let before = cluster.frames;
    cluster.run_for(60 * SECOND_NS);
    let per_node_second = (cluster.frames - before) as f64 / 300.0;
    // The detector's probes, four times as often here as by default, are nearly all of it.
    assert!(per_node_second < 6.0, "{per_node_second} frames a second");
}

/// Nobody waits for long: what is asked for at one node while the others are idle is admitted.
/// The others have long had no reason to speak: they are asked all the same. Those that had not been
/// heard of late were passed over, and the first burst of a key found three fifths of its units.
#[test]
fn a_burst_out_of_silence_finds_the_units_of_all() {
    for seed in seeds(5) {
        let mut cluster =
            Cluster::founded(Settings::new(5, Limit::per_second(100)), Quality::LAN, seed);
        cluster.run_for(5 * SECOND_NS);
        for _ in 0..100 {
            cluster.run_for(SECOND_NS / 2_000);
            let _decision = cluster.check(2, KEY, 1);
        }
        let admitted = cluster.total_admitted(KEY);
        assert!(admitted >= 80, "seed {seed}: {admitted} of 100");
        cluster.judge().expect("the bound");
    }
}

#[test]
fn what_the_cluster_has_is_found() {
    for (milli, least) in [(0, 90), (200, 95)] {
        let settings = Settings {
            overshoot_milli: milli,
            ..Settings::new(3, Limit::per_second(100))
        };
        let mut cluster = Cluster::founded(settings, Quality::LAN, 4);
        load(&mut cluster, 20, 90, 1, 89);
        let admitted = cluster.total_admitted(KEY) * 100 / (20 * 90);
        assert!(
            admitted >= least,
            "{admitted} % of 0.9 of the limit, ε {milli}"
        );
    }
}
