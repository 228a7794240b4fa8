//! Shares follow demand, and cost little.
//!
//! Goal: a hot spot gets the rate within two seconds; an even load trades next to nothing; an idle
//! cluster is nearly silent. Method: steady loads on a quiet network, grants and frames counted.

use distributary::Limit;
use distributary::proto::KeyId;

use crate::cluster::Cluster;
use crate::dice::Dice;
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
