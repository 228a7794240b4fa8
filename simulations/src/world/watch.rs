//! What is written down of a run besides its requests.

use std::collections::{BTreeMap, BTreeSet};

use distributary::proto::ViewId;

use super::marks::Mark;
use super::process::LIMIT;
use super::{MILLI_NS, SECOND_NS, World};
use crate::history::{Arrival, Resources, Traffic, What};

/// Keys whose shares are added up, at most: those that are asked for most…
const KEYS_WATCHED_MAX: usize = 8;
/// …but for so many of the middle, which may be quiet for long.
const KEYS_USUAL: usize = 3;

/// How often the nodes' views are compared.
const VIEWS_NS: u64 = 100 * MILLI_NS;

/// What the world remembers for its notes.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Numbers of the keys whose shares are added up.
    pub(super) keys: Vec<u32>,
    pub(super) was_contended: Vec<bool>,
    pub(super) foundings: BTreeSet<ViewId>,
    pub(super) groups: u32,
    pub(super) view_completed: bool,
    pub(super) outputs_max: usize,
    /// What kept the living from agreeing when it was last looked.
    pub(super) differs: Option<String>,
    resources: Resources,
}

impl Watch {
    pub(super) fn new(arrivals: &[Arrival]) -> Self {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        arrivals
            .iter()
            .for_each(|arrival| *counts.entry(arrival.key).or_default() += 1);
        let mut keys: Vec<u32> = counts.keys().copied().collect();
        keys.sort_by_key(|key| (std::cmp::Reverse(counts[key]), *key));
        let middle = (keys.len() / 2).max(KEYS_WATCHED_MAX) - KEYS_USUAL;
        let usual: Vec<u32> = keys.iter().skip(middle).take(KEYS_USUAL).copied().collect();
        keys.truncate(KEYS_WATCHED_MAX - KEYS_USUAL);
        keys.extend(usual);
        Self {
            was_contended: vec![false; keys.len()],
            keys,
            groups: 1,
            ..Self::default()
        }
    }
}

impl World<'_> {
    /// A node has had an input.
    pub(super) fn saw_input(&mut self, process: usize) {
        self.saw_standpoint(process);
        self.saw_contention(process);
        if self.options.deep || std::mem::take(&mut self.watch.view_completed) {
            self.sample_holdings();
        }
    }

    /// A process has ended.
    pub(super) fn saw_end(&mut self, _process: usize) {
        self.count_groups();
    }

    /// How things stand at the first request.
    pub(super) fn begin_watch(&mut self) {
        self.note(What::Groups(self.watch.groups));
    }

    /// Once each virtual second.
    pub(super) fn sample(&mut self) {
        self.sample_holdings();
        self.sample_resources();
        if self.is_healing {
            self.note_contended();
        }
        self.queue
            .push(self.now_ns + SECOND_NS, super::queue::Happening::Sample);
    }

    /// How far the nodes are apart in what they think is left of the key that is asked for most.
    pub(super) fn sample_views(&mut self) {
        self.queue
            .push(self.now_ns + VIEWS_NS, super::queue::Happening::Views);
        let Some(key) = self.watch.keys.first().copied() else {
            return;
        };
        let left = |process: usize| {
            let of = &self.processes[process];
            let local = of.local(self.now_ns);
            let peek = of.table.peek(LIMIT, self.keys[key as usize], local);
            peek.remaining
        };
        let running = self.living().filter(|of| self.processes[*of].runs());
        let left: Vec<u64> = running.map(left).collect();
        if let (Some(most), Some(least)) = (left.iter().max(), left.iter().min()) {
            let units = most - least;
            self.note(What::Apart { key, units });
        }
    }

    pub(super) fn load_stops(&mut self) {
        self.sample_resources();
        self.note_contended();
    }

    fn note_contended(&mut self) {
        let counters = self
            .living()
            .map(|process| self.processes[process].table.counters());
        let contended = counters.map(|counters| counters.keys_contended).sum();
        self.note(What::Contended(contended));
    }

    fn sample_resources(&mut self) {
        let mut most = self.watch.resources;
        for process in self.living() {
            let of = &self.processes[process];
            let mut grants: BTreeMap<_, u64> = BTreeMap::new();
            of.node
                .grants_in_flight()
                .for_each(|(to, _)| *grants.entry(to).or_default() += 1);
            most.grants = most.grants.max(grants.into_values().max().unwrap_or(0));
            most.keys = most.keys.max(of.table.counters().keys);
            most.peers = most.peers.max(of.node.peers().count() as u64);
        }
        most.outputs = self.watch.outputs_max as u64;
        most.frame_bytes = self.frame_bytes_max as u64;
        self.watch.resources = most;
    }

    // --- Traffic ---

    /// Grants sent so far, by all processes that ever ran.
    pub(super) fn grants_sent(&self) -> u64 {
        let counters = self.processes.iter().map(|of| of.node.counters());
        counters.map(|counters| counters.grants_sent).sum()
    }

    /// What was sent from the first request to the last.
    pub(super) fn settle_traffic(&mut self) {
        self.count_lived();
        let span_ns = self.scenario.duration_ms * MILLI_NS;
        let (before, grants_before) = self.traffic_from;
        self.traffic_seen = Some(Traffic {
            span_ns,
            nodes: self.lived.0 as f64 / span_ns.max(1) as f64,
            grants: self.grants_sent() - grants_before,
            datagrams: self.traffic.datagrams - before.datagrams,
            bytes: self.traffic.bytes - before.bytes,
        });
    }

    // --- The end ---

    pub(super) fn finish(&mut self) {
        self.sample_holdings();
        self.sample_resources();
        self.note_contended();
        if let Some(why) = self.watch.differs.take() {
            self.note(What::NotConverged(why));
        }
        self.note(What::Resources(self.watch.resources));
        (0..self.processes.len()).for_each(|process| self.abandon_requests(process));
        self.count_rare();
    }

    /// What the library itself has counted of its rare branches.
    fn count_rare(&mut self) {
        for process in 0..self.processes.len() {
            let of = &self.processes[process];
            let (node, table) = (of.node.counters(), of.table.counters());
            let held_back = of.clock.held_back();
            self.marks.add(Mark::GrantPassed, node.grants_passed);
            self.marks.add(Mark::RowDropped, node.rows_dropped);
            self.marks
                .add(Mark::QuestionExpired, node.questions_expired);
            self.marks.add(Mark::Gathered, node.keys_gathered);
            self.marks.add(Mark::KeyGivenUp, table.keys_given_up);
            self.marks.add(Mark::ClockHeldBack, held_back);
        }
    }
}
