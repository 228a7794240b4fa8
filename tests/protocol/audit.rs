//! What must be true of a cluster at every moment, computed from the nodes' own state.

use std::collections::BTreeSet;

use distributary::proto::{Grant, KeyId, Ledger, Nanos, NodeId, Share, View};

use crate::cluster::Cluster;
use crate::host::{Host, LIMIT};

impl Cluster {
    /// After every input to a node: counts groups, and adds up the shares of watched keys.
    pub fn audit(&mut self, place: usize) {
        let view = self.hosts[place].node.ledger().complete();
        if let Some(view) = view.filter(|view| view.is_founding()) {
            self.foundings.insert(view.id);
        }
        let count = self.count_groups();
        if self.groups.last().is_some_and(|(_, last)| *last != count) {
            self.groups.push((self.now, count));
        }
        if self.ever_apart() {
            return;
        }
        for key in self.watched.clone() {
            let rates = self.rates_held(key) + self.rates_in_flight(key);
            let whole = u128::from(Share::WHOLE.parts());
            assert!(
                rates <= whole,
                "rates of {key} sum to more than the whole: {}",
                self.describe()
            );
            let sum = self.held(key) + self.in_flight(key);
            assert!(
                sum <= whole,
                "shares of {key} sum to {} of the whole: {}\n{:?}",
                sum as f64 / whole as f64,
                self.describe(),
                self.shares(key),
            );
        }
    }

    /// Whether nodes that live were ever counted apart.
    pub fn ever_apart(&self) -> bool {
        self.groups.iter().any(|(_, count)| *count > 1)
    }

    /// κ: groups of living nodes that hold something and count with each other.
    fn count_groups(&self) -> u32 {
        let holders: Vec<&Host> = self
            .hosts
            .iter()
            .filter(|host| host.is_alive && self.holds_any(host))
            .collect();
        // Who has opened for the era of another and not completed it is with either, and is counted
        // with the newer.
        let newer = |one: &Ledger, other: &Ledger| {
            other.era().map(|id| id.number) > one.era().map(|id| id.number)
        };
        let lags = |one: &&Host| {
            let one = one.node.ledger();
            let mut others = holders.iter().map(|host| host.node.ledger());
            others.any(|other| newer(one, other) && one.counts_with(other))
        };
        let holders: Vec<&Host> = holders.iter().copied().filter(|host| !lags(host)).collect();
        let ledger = |place: usize| holders[place].node.ledger();
        let alike = |a: usize, b: usize| ledger(a).counts_with(ledger(b));
        let mut rest: BTreeSet<usize> = (0..holders.len()).collect();
        let mut count = 0;
        while let Some(first) = rest.pop_first() {
            count += 1;
            let mut frontier = vec![first];
            while let Some(one) = frontier.pop() {
                let near: Vec<_> = rest
                    .iter()
                    .copied()
                    .filter(|two| alike(one, *two))
                    .collect();
                for two in near {
                    rest.remove(&two);
                    frontier.push(two);
                }
            }
        }
        count.max(1)
    }

    /// Whether a node holds anything: of quiet keys, or by a grant of a key that is watched.
    fn holds_any(&self, host: &Host) -> bool {
        let granted = |key: &KeyId| !self.share_of(host, *key).is_none();
        !host.node.ledger().weight().is_none() || self.watched.iter().any(granted)
    }

    /// Everybody whose share counts: who lives, and the dead whom nobody has given up.
    fn counted(&self) -> impl Iterator<Item = &Host> {
        let crashed = self.hosts.iter().filter(|host| !host.is_alive);
        let dead = self
            .dead
            .iter()
            .filter(|host| !host.has_left)
            .chain(crashed);
        let ledgers = || self.living().map(|place| self.hosts[place].node.ledger());
        let holders = ledgers().filter(|ledger| !ledger.weight().is_none());
        let lives = |ledger: &Ledger| [ledger.known(), ledger.carried().to_vec()].concat();
        let known: Vec<NodeId> = holders.flat_map(lives).collect();
        let views: Vec<_> = ledgers().filter_map(|ledger| ledger.complete()).collect();
        let dead = dead.filter(move |host| {
            let given_up = |view: &&View| view.hands_out() && !view.has(host.id);
            known.contains(&host.id) && !views.iter().any(given_up)
        });
        self.hosts.iter().filter(|host| host.is_alive).chain(dead)
    }

    fn share_of(&self, host: &Host, key: KeyId) -> Share {
        let local = Nanos(self.now + host.offset_ns);
        host.table.peek(LIMIT, key, local).share
    }

    pub fn held(&self, key: KeyId) -> u128 {
        let counted = self.counted();
        counted
            .map(|host| u128::from(self.share_of(host, key).parts()))
            .sum()
    }

    /// The same for the shares of the rate.
    pub fn rates_held(&self, key: KeyId) -> u128 {
        let counted = self.counted();
        counted
            .map(|host| u128::from(self.rate_of(host, key).parts()))
            .sum()
    }

    fn rate_of(&self, host: &Host, key: KeyId) -> Share {
        let local = Nanos(self.now + host.offset_ns);
        host.table.peek(LIMIT, key, local).rate
    }

    /// Shares of the rate of `key` by place.
    pub fn rates(&self, key: KeyId) -> Vec<f64> {
        let hosts = self.hosts.iter();
        hosts
            .map(|host| self.rate_of(host, key).as_fraction())
            .collect()
    }

    /// Shares of `key` by place, for messages of failure and for tests of where they are.
    pub fn shares(&self, key: KeyId) -> Vec<f64> {
        let hosts = self.hosts.iter();
        hosts
            .map(|host| self.share_of(host, key).as_fraction())
            .collect()
    }

    pub fn rate_at(&self, place: usize, key: KeyId) -> Share {
        self.rate_of(&self.hosts[place], key)
    }

    pub fn share_at(&self, place: usize, key: KeyId) -> Share {
        self.share_of(&self.hosts[place], key)
    }

    /// Every grant that is not acknowledged, for messages of failure.
    pub fn grants_on_their_way(&self) -> Vec<String> {
        let of = |host: &Host| {
            let from = host.id;
            let grants = host.node.grants_in_flight();
            let told = grants.map(|(to, grant)| format!("{from} to {to}: {grant:?}"));
            told.collect::<Vec<_>>()
        };
        self.hosts.iter().flat_map(of).collect()
    }

    /// Granted, not applied yet, and not void: the receiver may still adopt the view it is of.
    pub fn in_flight(&self, key: KeyId) -> u128 {
        self.on_their_way(key, |grant| grant.share)
    }

    /// The same for the shares of the rate.
    pub fn rates_in_flight(&self, key: KeyId) -> u128 {
        self.on_their_way(key, |grant| grant.rate)
    }

    fn on_their_way(&self, key: KeyId, part: fn(&Grant) -> Share) -> u128 {
        let hosts: Vec<&Host> = self.counted().collect();
        let mut sum = 0;
        for sender in &hosts {
            let view = sender.node.ledger().adopted_id();
            for (to, grant) in sender.node.grants_in_flight() {
                let Some(receiver) = hosts.iter().find(|host| host.id == to) else {
                    continue;
                };
                let theirs = receiver.node.ledger().adopted_id();
                let applied =
                    theirs == view && receiver.node.grants_applied_of(sender.id) >= grant.number;
                let void = theirs.map(|id| id.number) > view.map(|id| id.number);
                if grant.key == key && !applied && !void {
                    sum += u128::from(part(grant).parts());
                }
            }
        }
        sum
    }
}
