//! Does a cluster come to life at all? Founding, one hot key, one cut.

use distributary::Limit;
use distributary::proto::KeyId;

use crate::cluster::Cluster;
use crate::host::{SECOND_NS, Settings};
use crate::links::Quality;

#[test]
fn three_nodes_found_and_share_a_key() {
    let settings = Settings::new(3, Limit::per_second(200));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 1);
    let key = KeyId(5 << 100);
    cluster.watched.push(key);
    for _ in 0..3000 {
        cluster.run_for(SECOND_NS / 300);
        let _decision = cluster.check(0, key, 1);
    }
    println!(
        "{:?} {:?}",
        cluster.shares(key),
        cluster.total_admitted(key)
    );
    cluster.judge().expect("the bound");
    assert!(cluster.share_at(0, key).as_fraction() > 0.6);
}
