//! What can be done to a cluster, and how it is driven from one event to the next.

use std::time::Duration;

use distributary::Decision;
use distributary::proto::parts::{Gather, Gossip};
use distributary::proto::{
    Ask, Event, KeyId, Message, Nanos, Node, NodeId, Output, Request, Row, Ticket,
};

use crate::cluster::{Cluster, Happening};
use crate::host::{Host, LIMIT, SECOND_NS, Waiting, address};
use crate::judge::Admission;
use crate::links::{PATIENCE_NS, pair};

/// Events at one instant before the nodes are said to chase their own tails.
const STEPS_MAX: u64 = 200_000;

/// The kind of frames that carry packets of the failure detector.
const MEMBERSHIP: u8 = 2;

impl Cluster {
    // --- What a test does ---

    /// Starts a node at a new place.
    pub fn join(&mut self) -> usize {
        let place = self.hosts.len();
        let host = self.host(place);
        self.hosts.push(host);
        self.begin(place);
        place
    }

    /// Kills the node at a place: nothing it would still have said is said.
    pub fn crash(&mut self, place: usize) {
        self.hosts[place].is_alive = false;
        self.relink(place);
    }

    /// Starts a new life at a place whose node crashed or left.
    pub fn restart(&mut self, place: usize) {
        let host = self.host(place);
        let old = std::mem::replace(&mut self.hosts[place], host);
        self.dead.push(old);
        self.begin(place);
    }

    /// The process stands still.
    pub fn pause(&mut self, place: usize) {
        self.hosts[place].is_paused = true;
        self.relink(place);
    }

    /// It goes on, with all that waited for it.
    pub fn resume(&mut self, place: usize) {
        self.hosts[place].is_paused = false;
        let mut waiting = std::mem::take(&mut self.hosts[place].waiting);
        if self.dice.chance(50) {
            waiting.sort_by_key(|waiting| matches!(waiting, Waiting::Frame(..)));
        }
        for event in waiting {
            self.with(place, |node, now| match event {
                Waiting::Frame(from, bytes) => {
                    let _refused = node.handle_frame(now, from, &bytes);
                }
                Waiting::Lost(peer) => node.handle_peer_down(now, peer),
            });
        }
        self.relink(place);
        self.push(self.now, Happening::Wake(place));
    }

    pub fn leave(&mut self, place: usize) {
        self.with(place, |node, now| node.leave(now));
    }

    /// An operator's word, given to one node that runs.
    pub fn forget(&mut self, gone: NodeId) {
        if let Some(place) = self.running().first().copied() {
            self.with(place, |node, now| node.forget(now, gone));
        }
    }

    /// Nothing passes from one place to another any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.links.cuts.insert((from, to));
        self.relink(from);
    }

    /// Nothing passes between two sides any more.
    pub fn cut_between(&mut self, one: &[usize], other: &[usize]) {
        for (from, to) in one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))) {
            self.cut(from, to);
            self.cut(to, from);
        }
    }

    pub fn heal(&mut self) {
        self.links.cuts.clear();
        (0..self.hosts.len()).for_each(|place| self.relink(place));
    }

    pub fn check(&mut self, place: usize, key: KeyId, cost: u64) -> Decision {
        let local = self.local(place);
        let ask = Ask {
            limit: LIMIT,
            key,
            cost_units: cost,
        };
        let decision = self.hosts[place].table.check(ask, local);
        if decision.is_allowed() {
            self.admitted(key, cost, &decision, place);
        }
        self.with(place, |node, now| node.handle_urgent(now));
        decision
    }

    /// Admits as much as it can on a node, one by one.
    pub fn exhaust(&mut self, place: usize, key: KeyId) -> u64 {
        let mut count = 0;
        while self.check(place, key, 1).is_allowed() {
            count += 1;
        }
        count
    }

    pub fn acquire(&mut self, place: usize, key: KeyId, cost: u64, patience: Duration) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.asked.insert(ticket, (place, key, cost));
        let ask = Ask {
            limit: LIMIT,
            key,
            cost_units: cost,
        };
        self.with(place, |node, now| {
            let deadline = now.after(patience);
            node.acquire(now, ticket, Request { ask, deadline });
        });
        ticket
    }

    /// Takes an admission back that was charged to this very node.
    pub fn refund(&mut self, place: usize, key: KeyId, cost: u64, decision: &Decision) {
        let Some(charge) = decision.charge() else {
            return;
        };
        let units = -i128::from(cost);
        let mut taken = false;
        self.with(place, |node, now| taken = node.refund(now, LIMIT, charge));
        if taken {
            let at_ns = self.now;
            let history = self.history.entry(key).or_default();
            history.push(Admission { at_ns, units });
        }
    }

    /// A node hears a row that another did not write, as if it had.
    pub fn tell(&mut self, from: usize, to: usize, row: Row) {
        let from = self.id(from);
        let gossip = Gossip {
            rows: vec![row],
            ..Gossip::default()
        };
        let frame = Message::Gossip(gossip).encode();
        self.hear(to, from, &frame);
    }

    /// A node is asked to hand over a key, by who did not ask for it.
    pub fn demand(&mut self, from: usize, to: usize, key: KeyId) {
        let from = self.id(from);
        let limit = self.hosts[to].table.policy(LIMIT).id;
        let frame = Message::Gather(Gather { limit, key }).encode();
        self.hear(to, from, &frame);
    }

    fn hear(&mut self, place: usize, from: NodeId, frame: &[u8]) {
        self.with(place, |node, now| {
            node.handle_frame(now, from, frame).expect("a frame");
        });
    }

    // --- Time ---

    pub fn run_for(&mut self, span_ns: u64) {
        self.run_until(self.now + span_ns);
    }

    pub fn run_until(&mut self, until: u64) {
        let (mut steps, mut instant) = (0, self.now);
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > until {
                break;
            }
            let happening = entry.remove();
            steps = if at == instant { steps + 1 } else { 0 };
            instant = at;
            assert!(steps < STEPS_MAX, "no rest: {}", self.describe());
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = until;
    }

    /// Runs what is due at this very instant.
    pub fn run_now(&mut self) {
        self.run_until(self.now);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Frame { from, to, bytes } => self.deliver(from, to, bytes),
            Happening::Wake(place) => {
                let host = &mut self.hosts[place];
                host.wake_at_ns = u64::MAX;
                if host.runs() {
                    self.with(place, |node, now| node.handle_timeout(now));
                }
            }
            Happening::Connect(one, other) => self.connect(one, other),
            Happening::Review(one, other) => self.review(one, other),
        }
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, bytes: Vec<u8>) {
        let Some(place) = self.place(to) else { return };
        let sent_from = self.place_of[&from];
        if !self.links.passes(sent_from, place) {
            return;
        }
        if self.hosts[place].is_paused {
            self.hosts[place].waiting.push(Waiting::Frame(from, bytes));
            return;
        }
        self.with(place, |node, now| {
            let decoded = node.handle_frame(now, from, &bytes);
            assert!(decoded.is_ok(), "our own frame: {decoded:?}");
        });
    }

    /// Where a life runs, if it still does.
    fn place(&self, id: NodeId) -> Option<usize> {
        let place = *self.place_of.get(&id)?;
        let host = &self.hosts[place];
        (host.id == id && host.is_alive && !host.has_left).then_some(place)
    }

    fn local(&self, place: usize) -> Nanos {
        Nanos(self.now + self.hosts[place].offset_ns)
    }

    fn push(&mut self, at: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    // --- Nodes ---

    fn host(&mut self, place: usize) -> Host {
        let id = NodeId(self.dice.roll());
        // Whole seconds, so that clocks differ by hours and rounding does not.
        let ahead_s = if self.skewed {
            self.dice.within(0, 100_000)
        } else {
            0
        };
        let offset_ns = ahead_s * SECOND_NS;
        self.place_of.insert(id, place);
        self.offset_of.insert(id, offset_ns);
        Host::new(&self.settings, place, id, offset_ns, self.now)
    }

    fn begin(&mut self, place: usize) {
        self.relink(place);
        self.push(self.now, Happening::Wake(place));
    }

    /// Gives a node one input, then does what it asks for.
    pub fn with(&mut self, place: usize, input: impl FnOnce(&mut Node, Nanos)) {
        let local = self.local(place);
        input(&mut self.hosts[place].node, local);
        while let Some(output) = self.hosts[place].node.poll_output() {
            self.carry_out(place, output);
        }
        self.schedule(place);
        self.audit(place);
    }

    fn schedule(&mut self, place: usize) {
        let host = &mut self.hosts[place];
        let Some(local) = host.node.poll_timeout() else {
            return;
        };
        let at = local.0.saturating_sub(host.offset_ns).max(self.now);
        if at < host.wake_at_ns {
            host.wake_at_ns = at;
            self.push(at, Happening::Wake(place));
        }
    }

    fn carry_out(&mut self, place: usize, output: Output) {
        match output {
            Output::Send { to, bytes } => {
                self.frames += 1;
                self.packets += u64::from(bytes.first() == Some(&MEMBERSHIP));
                self.hosts[place].bytes_sent += bytes.len() as u64;
                let from = self.id(place);
                for delay_ns in self.quality.fate(&mut self.dice) {
                    let bytes = bytes.clone();
                    self.push(self.now + delay_ns, Happening::Frame { from, to, bytes });
                }
            }
            Output::Event(Event::Answered(ticket, decision)) => {
                let (place, key, cost) = self.asked.remove(&ticket).expect("answered once");
                if decision.is_allowed() {
                    self.admitted(key, cost, &decision, place);
                }
                self.answers.insert(ticket, decision);
            }
            Output::Event(Event::Reborn { new, .. }) => self.reborn(place, new),
            Output::Event(Event::Left) => {
                self.hosts[place].has_left = true;
                self.relink(place);
            }
            Output::Event(Event::Found(peer)) => {
                let own = self.id(place);
                self.push(self.now, Happening::Connect(own, peer.node));
            }
            Output::Event(_) => {}
        }
    }

    fn reborn(&mut self, place: usize, new: NodeId) {
        self.rebirths += 1;
        let old = std::mem::replace(&mut self.hosts[place].id, new);
        self.place_of.insert(new, place);
        self.offset_of.insert(new, self.hosts[place].offset_ns);
        self.lose_all(old);
        self.relink(place);
    }

    // --- Connections ---

    /// Looks at every connection that a place has or could have.
    pub fn relink(&mut self, place: usize) {
        let id = self.id(place);
        let others: Vec<_> = (0..self.hosts.len())
            .filter(|other| *other != place)
            .collect();
        for other in others {
            let (one, two) = pair(id, self.id(other));
            let is_sound = self.hosts[place].runs()
                && self.hosts[other].runs()
                && !self.hosts[place].has_left
                && !self.hosts[other].has_left
                && self.links.passes_both_ways(place, other);
            let now = self.now;
            let link = self.links.by_pair.entry((one, two)).or_default();
            if is_sound {
                link.broken_since = None;
                if !link.is_up {
                    let delay_ns = 10 * self.quality.delay_ns_max;
                    self.push(now + delay_ns, Happening::Connect(one, two));
                }
            } else if link.broken_since.is_none() {
                link.broken_since = Some(now);
                self.push(now + PATIENCE_NS, Happening::Review(one, two));
            }
        }
    }

    fn connect(&mut self, one: NodeId, other: NodeId) {
        let (Some(at), Some(to)) = (self.place(one), self.place(other)) else {
            return;
        };
        let link = self.links.by_pair.entry(pair(one, other)).or_default();
        if link.is_up || link.broken_since.is_some() {
            return;
        }
        link.is_up = true;
        self.with(at, |node, now| node.handle_peer_up(now, other, address(to)));
        self.with(to, |node, now| node.handle_peer_up(now, one, address(at)));
    }

    fn review(&mut self, one: NodeId, other: NodeId) {
        let now = self.now;
        let Some(link) = self.links.by_pair.get_mut(&pair(one, other)) else {
            return;
        };
        let lost = link
            .broken_since
            .is_some_and(|since| now - since >= PATIENCE_NS);
        if lost && link.is_up {
            link.is_up = false;
            self.lose(one, other);
            self.lose(other, one);
        }
    }

    fn lose(&mut self, at: NodeId, peer: NodeId) {
        let Some(place) = self.place(at) else { return };
        if self.hosts[place].is_paused {
            self.hosts[place].waiting.push(Waiting::Lost(peer));
        } else {
            self.with(place, |node, now| node.handle_peer_down(now, peer));
        }
    }

    /// A life has ended by its own word: its connections are closed.
    fn lose_all(&mut self, old: NodeId) {
        let pairs: Vec<_> = self.links.by_pair.keys().copied().collect();
        for (one, two) in pairs {
            if one != old && two != old {
                continue;
            }
            let link = self.links.by_pair.remove(&(one, two)).unwrap_or_default();
            if link.is_up {
                self.lose(if one == old { two } else { one }, old);
            }
        }
    }
}
