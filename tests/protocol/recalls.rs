//! Who comes to attend to a key knows what was said of it before. (C4)
//!
//! Goal: rows that were heard while a key was quiet here are in its entry, whatever made it contended:
//! another row, a grant, a gathering, or a request to hand it over. Method: a row that asks for
//! nothing, told to nodes at which the key is quiet, and then each of these.

use std::time::Duration;

use distributary::Limit;
use distributary::proto::{KeyId, NodeId, Row};

use crate::cluster::Cluster;
use crate::host::{LIMIT, SECOND_NS, Settings};
use crate::links::Quality;

const KEY: KeyId = KeyId(3 << 120);

/// Four nodes; the last has told the others of a key, and wants nothing of it.
fn told() -> Cluster {
    let settings = Settings::new(4, Limit::per_second(1).burst(100));
    let mut cluster = Cluster::founded(settings, Quality::LAN, 7);
    let row = calm(&cluster);
    (0..3).for_each(|place| cluster.tell(3, place, row));
    assert!((0..3).all(|place| heard(&cluster, place).is_none()));
    cluster
}

fn calm(cluster: &Cluster) -> Row {
    let table = &cluster.hosts[3].table;
    let base = table.peek(LIMIT, KEY, distributary::proto::Nanos(0)).share;
    Row {
        seq: 1 << 40,
        share: base,
        rate: base,
        ..Row::new(table.policy(LIMIT).id, KEY)
    }
}

/// Whose rows are in the key's entry; none if the key is quiet there.
fn heard(cluster: &Cluster, place: usize) -> Option<Vec<NodeId>> {
    let table = &cluster.hosts[place].table;
    table.with_contended(KEY, |entry, _| {
        entry.rows.iter().map(|h| h.origin).collect()
    })
}

fn knows_the_last(cluster: &Cluster, place: usize) -> bool {
    heard(cluster, place).is_some_and(|origins| origins.contains(&cluster.id(3)))
}

#[test]
fn by_a_row() {
    let mut cluster = told();
    let wanting = Row {
        unmet: true,
        ..calm(&cluster)
    };
    cluster.tell(1, 0, wanting);
    assert!(knows_the_last(&cluster, 0));
}

#[test]
fn by_a_gathering() {
    let mut cluster = told();
    let owner = cluster.hosts[0].node.owners(KEY)[0];
    let place = cluster.place_of[&owner];
    assert_ne!(place, 3, "another key");
    cluster.acquire(place, KEY, 1, Duration::from_millis(200));
    assert!(knows_the_last(&cluster, place));
}

#[test]
fn by_handing_over_and_by_being_granted() {
    let mut cluster = told();
    cluster.demand(0, 1, KEY);
    assert!(knows_the_last(&cluster, 1), "who hands over");
    cluster.run_for(SECOND_NS / 100);
    assert!(cluster.counters(0).grants_applied > 0);
    assert!(knows_the_last(&cluster, 0), "who is granted it");
}
