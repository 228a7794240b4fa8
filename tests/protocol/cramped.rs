//! Tables with less room than keys that are contended. (C6, INV-3)
//!
//! Goal: a grant for which there is no room holds up nobody. It goes on to who has room for it, or
//! back, and when the load stops every share comes home. Method: tables of one key in each shard, and
//! limits whose base split is less than a request, so that fractions go to keepers that are full.

use distributary::Limit;
use distributary::proto::{KeyId, NodeId, Row, Share};

use crate::cluster::Cluster;
use crate::dice::{Dice, seeds};
use crate::host::{LIMIT, SECOND_NS, Settings};
use crate::links::Quality;

const KEYS_MAX: usize = 64;
/// Two keys of one shard.
const KEY: KeyId = KeyId(5 << 122);
const OTHER: KeyId = KeyId((5 << 122) | 1);

fn cramped(seed: u64) -> Cluster {
    let settings = Settings {
        keys_max: KEYS_MAX,
        ..Settings::new(3, Limit::per_second(100).burst(180))
    };
    Cluster::founded(settings, Quality::LAN, seed)
}

fn passed(cluster: &Cluster) -> u64 {
    let hosts = cluster.hosts.iter();
    hosts.map(|host| host.node.counters().grants_passed).sum()
}

#[test]
fn when_the_load_stops_every_share_comes_home() {
    let mut passed_on = 0;
    for seed in seeds(3) {
        let mut cluster = cramped(seed);
        let mut dice = Dice::new(seed);
        let key = |_| KeyId(u128::from(dice.roll()) << 64 | u128::from(dice.roll()));
        let keys: Vec<_> = (0..150).map(key).collect();
        for _ in 0..2000 {
            let index = dice.within(0, keys.len() as u64) as usize;
            let _decision = cluster.check(index % 3, keys[index], 180);
            cluster.run_for(SECOND_NS / 100);
        }
        passed_on += passed(&cluster);
        cluster.run_for(60 * SECOND_NS);
        let whole = u128::from(Share::WHOLE.parts());
        for host in &cluster.hosts {
            assert_eq!(host.table.contended_keys(), [], "seed {seed}");
        }
        for key in &keys {
            assert_eq!(cluster.held(*key), whole, "seed {seed}");
        }
        cluster.judge().expect("the bound");
    }
    assert!(passed_on > 0, "there was room for all");
}

/// Node 1 hands all it holds of a key to node 2, whose shard is full of another: to whom that passes
/// it on.
fn heir_of_who_is_full(cluster: &mut Cluster) -> NodeId {
    assert_eq!(cluster.hosts[2].table.contended_keys(), [OTHER]);
    cluster.demand(2, 1, KEY);
    while cluster.counters(2).grants_passed == 0 {
        assert!(cluster.in_flight(KEY) > 0, "it was taken");
        cluster.run_for(SECOND_NS / 1000);
    }
    let mut passed = cluster.hosts[2].node.grants_in_flight();
    let (heir, _) = passed
        .find(|(_, grant)| grant.key == KEY)
        .expect("passed on");
    heir
}

#[test]
fn what_there_is_no_room_for_goes_back() {
    let mut cluster = cramped(1);
    cluster.exhaust(2, OTHER);
    assert_eq!(heir_of_who_is_full(&mut cluster), cluster.id(1));
    cluster.run_for(SECOND_NS);
    let base = Share::WHOLE.portion(1, 3);
    assert_eq!(
        [0, 1, 2].map(|place| cluster.share_at(place, KEY)),
        [base; 3]
    );
}

/// The giver may have no room for it any more either.
#[test]
fn or_on_to_who_lacks_it() {
    let mut cluster = cramped(1);
    cluster.exhaust(2, OTHER);
    let empty = Row {
        seq: 1 << 40,
        ..Row::new(cluster.hosts[0].table.policy(LIMIT).id, KEY)
    };
    cluster.tell(0, 2, empty);
    assert_eq!(heir_of_who_is_full(&mut cluster), cluster.id(0));
}
