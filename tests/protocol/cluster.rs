//! A scripted cluster: real nodes, a virtual network, virtual time, one seed.

use std::collections::{BTreeMap, BTreeSet};

use distributary::proto::{KeyId, NodeCounters, NodeId, Ticket, ViewId};
use distributary::{Decision, Limit};

use crate::dice::Dice;
use crate::host::{Host, SECOND_NS, Settings, TICK_NS};
use crate::judge::{Admission, Groups, Terms, judge};
use crate::links::{Links, Quality};

/// What the queue holds.
pub enum Happening {
    Frame {
        from: NodeId,
        to: NodeId,
        bytes: Vec<u8>,
    },
    Wake(usize),
    /// Two lives may connect now.
    Connect(NodeId, NodeId),
    /// Whether a broken connection is lost by now.
    Review(NodeId, NodeId),
}

/// The cluster. `places` are where nodes run; a restart puts a new life into an old place.
pub struct Cluster {
    pub settings: Settings,
    pub quality: Quality,
    pub now: u64,
    pub hosts: Vec<Host>,
    /// Lives that crashed, with the tables that they left.
    pub dead: Vec<Host>,
    pub links: Links,
    pub dice: Dice,
    pub queue: BTreeMap<(u64, u64), Happening>,
    pub queued: u64,
    pub place_of: BTreeMap<NodeId, usize>,
    pub offset_of: BTreeMap<NodeId, u64>,
    pub history: BTreeMap<KeyId, Vec<Admission>>,
    pub groups: Groups,
    /// Founding views that were completed: more than one if all who held something died.
    pub foundings: BTreeSet<ViewId>,
    pub answers: BTreeMap<Ticket, Decision>,
    /// Requests put by `acquire` that wait for their answer.
    pub asked: BTreeMap<Ticket, (usize, KeyId, u64)>,
    pub tickets: u64,
    pub rebirths: u64,
    pub frames: u64,
    /// Of these, packets of the failure detector.
    pub packets: u64,
    /// Keys whose shares are added up after every event.
    pub watched: Vec<KeyId>,
    /// Whether offsets of new lives' clocks are chosen at random.
    pub skewed: bool,
}

impl Cluster {
    /// `count` nodes that know of each other and have not founded yet.
    pub fn new(settings: Settings, count: usize, quality: Quality, seed: u64) -> Self {
        let mut cluster = Self {
            settings,
            quality,
            now: 0,
            hosts: Vec::new(),
            dead: Vec::new(),
            links: Links::default(),
            dice: Dice::new(seed),
            queue: BTreeMap::new(),
            queued: 0,
            place_of: BTreeMap::new(),
            offset_of: BTreeMap::new(),
            history: BTreeMap::new(),
            groups: vec![(0, 1)],
            foundings: BTreeSet::new(),
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            tickets: 0,
            rebirths: 0,
            frames: 0,
            packets: 0,
            watched: Vec::new(),
            skewed: true,
        };
        (0..count).for_each(|_| {
            cluster.join();
        });
        cluster
    }

    /// The same, founded: every node holds its share.
    pub fn founded(settings: Settings, quality: Quality, seed: u64) -> Self {
        let mut cluster = Self::new(settings, settings.expected, quality, seed);
        cluster.settle_views(60);
        cluster
    }

    /// Runs until every living node has completed its view; panics after so many seconds.
    pub fn settle_views(&mut self, seconds: u64) {
        let settled = self.try_settle(seconds);
        assert!(settled, "no view completes: {}", self.describe());
    }

    /// The same; says whether it came to that.
    pub fn try_settle(&mut self, seconds: u64) -> bool {
        let until = self.now + seconds * SECOND_NS;
        while !self.is_settled() && self.now < until {
            self.run_for(TICK_NS);
        }
        self.is_settled()
    }

    /// An operator's word on every life that has ended.
    pub fn forget_the_dead(&mut self) {
        // Also lives that a process gave up to begin a new one: it may have died before it said so.
        let ended = |(id, place): (&NodeId, &usize)| {
            let host = &self.hosts[*place];
            (host.id != *id || !host.is_alive || host.has_left).then_some(*id)
        };
        let dead: Vec<_> = self.place_of.iter().filter_map(ended).collect();
        dead.into_iter().for_each(|id| self.forget(id));
    }

    /// Whether all that live count with each other in one complete view.
    pub fn is_settled(&self) -> bool {
        let mut views = self
            .living()
            .map(|place| self.hosts[place].node.ledger())
            .map(|ledger| {
                ledger
                    .complete()
                    .map(|view| (view.id, ledger.known().len()))
            });
        let first = views.next().flatten();
        let count = self.living().count();
        first.is_some_and(|(_, known)| known == count) && views.all(|view| view == first)
    }

    /// Places at which a node runs that has not left.
    pub fn living(&self) -> impl Iterator<Item = usize> + '_ {
        let living = |place: &usize| self.hosts[*place].is_alive && !self.hosts[*place].has_left;
        (0..self.hosts.len()).filter(living)
    }

    pub fn running(&self) -> Vec<usize> {
        self.living()
            .filter(|place| !self.hosts[*place].is_paused)
            .collect()
    }

    pub fn id(&self, place: usize) -> NodeId {
        self.hosts[place].id
    }

    pub fn counters(&self, place: usize) -> NodeCounters {
        self.hosts[place].node.counters()
    }

    pub fn terms(&self) -> Terms {
        terms(self.settings.limit, self.settings.overshoot_milli)
    }

    /// The judge's word on every key.
    pub fn judge(&self) -> Result<(), String> {
        self.history.iter().try_for_each(|(key, history)| {
            let verdict = judge(self.terms(), history, &self.groups, self.foundings.len());
            verdict.map_err(|why| format!("key {key}: {why}"))
        })
    }

    /// Notes that units were admitted, by the clock of the node that was charged.
    pub fn admitted(&mut self, key: KeyId, cost: u64, decision: &Decision, here: usize) {
        let holder = match decision.basis() {
            distributary::Basis::Holder(holder) => holder,
            _ => self.id(here),
        };
        let at_ns = decision.decided_at_ns() - self.offset_of[&holder];
        let units = i128::from(cost);
        let history = self.history.entry(key).or_default();
        history.push(Admission { at_ns, units });
    }

    pub fn total_admitted(&self, key: KeyId) -> i128 {
        let history = self.history.get(&key).into_iter().flatten();
        history.map(|admission| admission.units).sum()
    }

    /// Where everybody stands, for messages of failure.
    pub fn describe(&self) -> String {
        let short = |id: &NodeId| format!("{:04x}", id.0 >> 48);
        let list = |ids: &[NodeId]| ids.iter().map(short).collect::<Vec<_>>().join(" ");
        let told = self.hosts.iter().enumerate().map(|(place, host)| {
            let ledger = host.node.ledger();
            let view = ledger.adopted();
            let peers = host.node.peers().filter(|(_, _, connected, _)| *connected);
            let peers: Vec<_> = peers.map(|(id, ..)| id).collect();
            let reached = host.node.peers().filter(|(_, _, _, reachable)| *reachable);
            let reached: Vec<_> = reached.map(|(id, ..)| id).collect();
            format!(
                "\n  {place} {}{}{}{}{}: view {:?} complete {} weight {} known [{}] lacks [{}] \
                 connected [{}] reachable [{}] evicted [{}] carried [{}] departed [{}] era {:?}",
                short(&host.id),
                if host.is_alive { "" } else { " DEAD" },
                if host.is_paused { " PAUSED" } else { "" },
                if host.has_left { " LEFT" } else { "" },
                if ledger.is_leaving() { " LEAVING" } else { "" },
                view.map(|view| (view.id.number, short(&NodeId(view.id.proposer)))),
                ledger.complete().is_some(),
                ledger.weight(),
                list(&ledger.known()),
                list(&ledger.lacks()),
                list(&peers),
                list(&reached),
                list(view.map_or(&[], |view| &view.evicted)),
                list(ledger.carried()),
                list(view.map_or(&[], |view| &view.departed)),
                ledger.era().map(|era| era.number),
            )
        });
        format!("at {} ns{}", self.now, told.collect::<String>())
    }
}

pub fn terms(limit: Limit, overshoot_milli: u64) -> Terms {
    Terms {
        burst: i128::from(limit.burst_units()),
        units: i128::from(limit.rate().units()),
        period_ns: i128::from(limit.rate().period_ns()),
        overshoot_milli: i128::from(overshoot_milli),
    }
}
