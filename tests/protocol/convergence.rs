//! After a cut, rows agree; after the load, nothing is left. (C4)
//!
//! Method: load on both sides of a cut of five seconds; then the sequence numbers that each node
//! has heard of each other are compared with what they were at healing.

use distributary::Limit;
use distributary::proto::{KeyId, NodeId, Share};

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{SECOND_NS, Settings, TICK_NS};
use crate::links::Quality;

fn keys() -> Vec<KeyId> {
    (1..=20).map(|key| KeyId(key << 115)).collect()
}

fn load(cluster: &mut Cluster, dice: &mut Dice, seconds: u64) {
    for _ in 0..seconds * 500 {
        cluster.run_for(SECOND_NS / 500);
        let places = cluster.running();
        let (place, key) = (dice.pick(&places), dice.pick(&keys()));
        let _decision = cluster.check(place, key, 1);
    }
}

/// Whether every node has every row that others had written by then.
fn has_all(cluster: &Cluster, written: &[(NodeId, u64)]) -> bool {
    cluster.hosts.iter().all(|host| {
        let seen: Vec<_> = host.node.rows_seq_seen().collect();
        written
            .iter()
            .filter(|(origin, _)| *origin != host.id)
            .all(|(origin, seq)| {
                seen.iter()
                    .any(|(node, heard)| node == origin && heard >= seq)
            })
    })
}

#[test]
fn rows_agree_within_three_ticks_of_healing() {
    for seed in seeds(10) {
        let settings = Settings::new(5, Limit::per_second(20));
        let mut cluster = Cluster::founded(settings, Quality::LAN, seed);
        let mut dice = Dice::new(seed);
        load(&mut cluster, &mut dice, 2);
        cluster.cut_between(&[0, 1], &[2, 3, 4]);
        load(&mut cluster, &mut dice, 5);
        let hosts = cluster.hosts.iter();
        let written: Vec<_> = hosts
            .map(|host| (host.id, host.node.rows_seq_own()))
            .collect();
        assert!(!has_all(&cluster, &written));
        cluster.heal();
        let healed_at = cluster.now;
        while !has_all(&cluster, &written) {
            cluster.run_for(TICK_NS / 10);
            assert!(
                cluster.now - healed_at < 10 * SECOND_NS,
                "seed {seed}: rows never agree"
            );
        }
        let ticks = (cluster.now - healed_at) as f64 / TICK_NS as f64;
        assert!(ticks <= 3.5, "seed {seed}: {ticks} ticks");
        cluster.judge().expect("the bound");
    }
}

#[test]
fn after_the_load_all_is_quiet_and_whole() {
    for seed in seeds(6) {
        let settings = Settings {
            overshoot_milli: 200,
            ..Settings::new(4, Limit::per_second(5))
        };
        let mut cluster = Cluster::founded(settings, Quality::LAN, seed);
        let mut dice = Dice::new(seed);
        cluster.watched = keys();
        load(&mut cluster, &mut dice, 4);
        cluster.run_for(60 * SECOND_NS);
        for key in keys() {
            assert_eq!(cluster.held(key), u128::from(Share::WHOLE.parts()));
        }
        for host in &cluster.hosts {
            assert_eq!(host.table.counters().keys_contended, 0, "seed {seed}");
            assert_eq!(host.node.grants_in_flight().count(), 0, "seed {seed}");
        }
    }
}
