//! Connections as QUIC has them, one for each pair of processes that know each other.
//!
//! As `src/quic` does it: every wanted address is called until somebody there is connected, the
//! lower id first and the higher 100 ms later, with pauses that double from 50 ms to a second. A
//! call takes four flights, is given up after a second, and stands at the called end one flight
//! before it stands at the caller's. An end that has heard nothing for three seconds is down; so is
//! one whose packets reach a process that knows nothing of them (a stateless reset), or whose peer
//! has closed. A call by a peer that is taken for connected replaces the connection, and nobody is
//! seen to go and come. What belongs to an older connection than the one that stands is dropped.

use super::World;
use super::marks::Mark;
use super::process::{State, Waiting, address};
use super::queue::Happening;

/// A peer silent for so long is down.
pub(super) const IDLE_NS: u64 = 3_000_000_000;
/// An idle connection's opener says something this often.
const KEEP_ALIVE_NS: u64 = 1_000_000_000;
/// A call is given up after so long.
const ATTEMPT_NS: u64 = 1_000_000_000;
/// The first pause after a call that failed, and the longest.
const BACKOFF_NS: [u64; 2] = [50_000_000, 1_000_000_000];
/// The lower of two ids calls so much sooner.
const HEAD_START_NS: u64 = 100_000_000;
/// Longest wait before trying again when told to.
const RETRY_JITTER_NS: u64 = 20_000_000;
/// Before a round trip was measured a lost flight is sent again after so long, then twice that.
const FIRST_PROBE_NS: u64 = 150_000_000;
/// Sizes of the flights of a call; the first must fill a datagram.
const FLIGHT_BYTES: [usize; 4] = [1_200, 1_200, 500, 300];
/// A word about a connection: a ping, a reset, a close, a bare acknowledgement.
pub(super) const WORD_BYTES: usize = 40;

/// One process's end of its connection with another.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    pub(super) is_up: bool,
    /// Whether this end opened it.
    is_opener: bool,
    /// The connection that it sends on.
    pub(super) epoch: u64,
    /// The oldest connection that it still reads.
    pub(super) since: u64,
    /// When anything was last heard, and last said.
    pub(super) heard_ns: u64,
    pub(super) said_ns: u64,
    /// Packets heard and not acknowledged, and when that is due.
    pub(super) owed: u64,
    pub(super) owed_until_ns: u64,
    /// The peer's life that it is with.
    pub(super) peer: u64,
    /// The connection that comes to stand here, and when.
    adopts: Option<(u64, u64)>,
    is_reviewed: bool,
}

/// Keeps one address connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Keeper {
    /// Calls of an older number are void.
    number: u64,
    tries: u32,
}

/// A call that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    caller: usize,
    endpoint: usize,
    number: u64,
}

/// One end of a new connection comes to stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adoption {
    at: usize,
    peer: usize,
    epoch: u64,
    by_caller: bool,
    lives: [u64; 2],
}

/// A word that ends a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signal {
    pub(super) at: usize,
    pub(super) peer: usize,
    pub(super) epoch: u64,
    pub(super) is_close: bool,
}

/// What comes of a call: how long until it stands at the called, and then at the caller.
type Greeting = Option<[u64; 2]>;

impl World<'_> {
    // --- Calling ---

    /// Keeps an endpoint connected from now on.
    pub(super) fn want(&mut self, process: usize, endpoint: usize) {
        if endpoint == self.processes[process].endpoint {
            return;
        }
        self.processes[process].keepers.entry(endpoint).or_default();
        self.call_soon(process, endpoint);
    }

    /// Calls an endpoint if nobody there is connected, the lower id at once.
    fn call_soon(&mut self, process: usize, endpoint: usize) {
        if !self.processes[process].keepers.contains_key(&endpoint)
            || !self.lacks(process, endpoint)
        {
            return;
        }
        let theirs = self
            .at_endpoint(endpoint)
            .map(|peer| self.processes[peer].id);
        let is_first = theirs.is_none_or(|theirs| self.processes[process].id < theirs);
        let wait_ns = if is_first { 0 } else { HEAD_START_NS };
        self.call_after(process, endpoint, wait_ns);
    }

    fn call_after(&mut self, process: usize, endpoint: usize, wait_ns: u64) {
        let Some(keeper) = self.processes[process].keepers.get_mut(&endpoint) else {
            return;
        };
        keeper.number += 1;
        let call = Call {
            caller: process,
            endpoint,
            number: keeper.number,
        };
        self.queue
            .push(self.now_ns + wait_ns, Happening::Call(call));
    }

    /// Whether nobody at an endpoint is connected.
    fn lacks(&self, process: usize, endpoint: usize) -> bool {
        let sides = self.processes[process].sides.iter().enumerate();
        let mut up = sides.filter(|(_, side)| side.is_up);
        !up.any(|(peer, _)| self.processes[peer].endpoint == endpoint)
    }

    /// All wanted addresses: at the start, and when a process goes on or is told to try again.
    pub(super) fn call_all(&mut self, process: usize) {
        let endpoints: Vec<usize> = self.processes[process].keepers.keys().copied().collect();
        for endpoint in endpoints {
            self.call_soon(process, endpoint);
        }
    }

    /// The network is worth another try at once.
    pub(super) fn try_again(&mut self, process: usize) {
        let endpoints: Vec<usize> = self.processes[process].keepers.keys().copied().collect();
        for endpoint in endpoints {
            if self.lacks(process, endpoint) {
                if let Some(keeper) = self.processes[process].keepers.get_mut(&endpoint) {
                    keeper.tries = 0;
                }
                let wait_ns = self.processes[process].jitter.within(0, RETRY_JITTER_NS);
                self.call_after(process, endpoint, wait_ns);
            }
        }
    }

    pub(super) fn call(&mut self, call: Call) {
        let caller = &self.processes[call.caller];
        let keeper = caller.keepers.get(&call.endpoint);
        let is_current = keeper.is_some_and(|keeper| keeper.number == call.number);
        if !is_current || !caller.runs() || !self.lacks(call.caller, call.endpoint) {
            return;
        }
        if self.is_calling(call.caller, call.endpoint) {
            return;
        }
        let called = self
            .at_endpoint(call.endpoint)
            .filter(|called| *called != call.caller && self.processes[*called].runs());
        let greeting = called.and_then(|called| self.greet(call.caller, called));
        match (called, greeting) {
            (Some(called), Some(takes_ns)) => self.connect(call.caller, called, takes_ns),
            _ => self.call_again(call, called.is_none()),
        }
    }

    /// Whether an earlier call is about to stand.
    fn is_calling(&self, process: usize, endpoint: usize) -> bool {
        let sides = self.processes[process].sides.iter().enumerate();
        let mut coming = sides.filter(|(_, side)| {
            let adopts = side.adopts;
            adopts.is_some_and(|(_, at_ns)| at_ns >= self.now_ns)
        });
        coming.any(|(peer, _)| self.processes[peer].endpoint == endpoint)
    }

    /// Simulates the flights of a call, each sent again until it arrives.
    fn greet(&mut self, caller: usize, called: usize) -> Greeting {
        let mut takes_ns = [0; 4];
        let mut total_ns = 0;
        for (flight, bytes) in FLIGHT_BYTES.into_iter().enumerate() {
            let (from, to) = match flight % 2 {
                0 => (caller, called),
                _ => (called, caller),
            };
            total_ns += self.flight(from, to, bytes)?;
            takes_ns[flight] = total_ns;
        }
        (total_ns <= ATTEMPT_NS).then_some([takes_ns[2], takes_ns[3]])
    }

    fn flight(&mut self, from: usize, to: usize, bytes: usize) -> Option<u64> {
        let (mut waited_ns, mut probe_ns) = (0, FIRST_PROBE_NS);
        while waited_ns < ATTEMPT_NS {
            self.traffic.sent(bytes);
            if let Some(delay_ns) = self.path(from, to, bytes).delays_ns().iter().min() {
                return Some(waited_ns + delay_ns);
            }
            waited_ns += probe_ns;
            probe_ns *= 2;
        }
        None
    }

    fn call_again(&mut self, call: Call, is_silent: bool) {
        if is_silent {
            // Three flights into the void before the attempt is given up.
            (0..3).for_each(|_| self.traffic.sent(FLIGHT_BYTES[0]));
        }
        let caller = &mut self.processes[call.caller];
        let Some(keeper) = caller.keepers.get_mut(&call.endpoint) else {
            return;
        };
        let whole_ns = (BACKOFF_NS[0] << keeper.tries.min(10)).min(BACKOFF_NS[1]);
        keeper.tries += 1;
        let pause_ns = caller.jitter.within(whole_ns / 2, whole_ns);
        self.call_after(call.caller, call.endpoint, pause_ns.max(ATTEMPT_NS));
    }

    fn connect(&mut self, caller: usize, called: usize, takes_ns: [u64; 2]) {
        self.epochs += 1;
        let lives = [self.processes[caller].id.0, self.processes[called].id.0];
        let adoption = Adoption {
            at: called,
            peer: caller,
            epoch: self.epochs,
            by_caller: false,
            lives,
        };
        let answer = Adoption {
            at: caller,
            peer: called,
            by_caller: true,
            ..adoption
        };
        let now_ns = self.now_ns;
        self.queue
            .push(now_ns + takes_ns[0], Happening::Adopt(adoption));
        self.queue
            .push(now_ns + takes_ns[1], Happening::Adopt(answer));
        let adopts = Some((self.epochs, now_ns + takes_ns[1]));
        self.processes[caller].side(called).adopts = adopts;
    }

    // --- Standing ---

    pub(super) fn adopt(&mut self, adoption: Adoption) {
        let Adoption {
            at, peer, epoch, ..
        } = adoption;
        let lives = match adoption.by_caller {
            true => [self.processes[at].id.0, self.processes[peer].id.0],
            false => [self.processes[peer].id.0, self.processes[at].id.0],
        };
        let theirs = self.processes[peer].side(at).clone();
        let answered = !adoption.by_caller || (theirs.is_up && theirs.epoch >= epoch);
        let sound = lives == adoption.lives && self.processes[at].runs() && answered;
        let endpoint = self.processes[peer].endpoint;
        if !sound {
            let side = self.processes[at].side(peer);
            side.adopts = side.adopts.filter(|(coming, _)| *coming != epoch);
            if adoption.by_caller && self.processes[at].runs() {
                self.call_soon(at, endpoint);
            }
            return;
        }
        let side = self.processes[at].side(peer);
        if side.is_up && side.peer != lives[usize::from(adoption.by_caller)] {
            // The word that ended the other's former life was lost; to this end the new one is another.
            self.go_down(at, peer);
        }
        let was_up = self.stand(adoption);
        if let Some(keeper) = self.processes[at].keepers.get_mut(&endpoint) {
            keeper.tries = 0;
        }
        if !was_up {
            let (node, address) = (self.processes[peer].id, address(endpoint));
            self.note_input(at, "up", node.0);
            self.want(at, endpoint);
            self.with(at, |machine, now| {
                machine.handle_peer_up(now, node, address);
            });
        }
        self.review_later(at, peer);
    }

    /// Says whether it stood already.
    fn stand(&mut self, adoption: Adoption) -> bool {
        let now_ns = self.now_ns;
        let lives = [adoption.at, adoption.peer].map(|process| self.processes[process].id.0);
        let side = self.processes[adoption.at].side(adoption.peer);
        let was_up = side.is_up;
        if !was_up {
            *side = Side {
                is_up: true,
                is_reviewed: side.is_reviewed,
                adopts: side.adopts,
                since: adoption.epoch,
                peer: lives[1],
                ..Side::default()
            };
        }
        // Of calls that crossed both connections are read, and the lower id's stands.
        side.since = side.since.min(adoption.epoch);
        side.epoch = side.epoch.max(adoption.epoch);
        side.is_opener |= adoption.by_caller && (!was_up || lives[0] < lives[1]);
        side.adopts = side.adopts.filter(|(coming, _)| *coming != adoption.epoch);
        side.heard_ns = now_ns;
        side.said_ns = side.said_ns.max(now_ns);
        was_up
    }

    /// If a connection that its packet belongs to is about to stand here: when.
    pub(super) fn stands_at(&mut self, at: usize, peer: usize, epoch: u64) -> Option<u64> {
        let side = self.processes[at].side(peer);
        let adopts = side.adopts.filter(|(coming, _)| *coming <= epoch);
        adopts
            .map(|(_, at_ns)| at_ns)
            .filter(|at_ns| *at_ns >= self.now_ns)
    }

    /// One end goes down; it is called again.
    pub(super) fn go_down(&mut self, at: usize, peer: usize) {
        let side = self.processes[at].side(peer);
        if !side.is_up {
            return;
        }
        side.is_up = false;
        let life = distributary::proto::NodeId(side.peer);
        self.note_input(at, "down", life.0);
        self.with(at, |machine, now| machine.handle_peer_down(now, life));
        let endpoint = self.processes[peer].endpoint;
        self.call_soon(at, endpoint);
    }

    /// All of a process's connections are closed in order, because its life or it itself ends.
    pub(super) fn close_all(&mut self, process: usize, tells_itself: bool) {
        for peer in 0..self.processes[process].sides.len() {
            let side = self.processes[process].side(peer);
            if !side.is_up {
                continue;
            }
            let epoch = side.epoch;
            self.signal(process, peer, epoch, true);
            if tells_itself {
                self.go_down(process, peer);
            } else {
                self.processes[process].side(peer).is_up = false;
            }
        }
    }

    /// Sends a word that ends a connection from one end to the other.
    pub(super) fn signal(&mut self, from: usize, to: usize, epoch: u64, is_close: bool) {
        self.traffic.sent(WORD_BYTES);
        let signal = Signal {
            at: to,
            peer: from,
            epoch,
            is_close,
        };
        let now_ns = self.now_ns;
        for delay_ns in self.path(from, to, WORD_BYTES).delays_ns() {
            self.queue
                .push(now_ns + delay_ns, Happening::Signal(signal));
        }
    }

    pub(super) fn signalled(&mut self, signal: Signal) {
        match self.processes[signal.at].state {
            State::Ended => return,
            State::Paused => {
                self.processes[signal.at]
                    .waiting
                    .push(Waiting::Signal(signal));
                return;
            }
            State::Running => {}
        }
        let side = self.processes[signal.at].side(signal.peer);
        if side.is_up && side.epoch <= signal.epoch {
            if !signal.is_close {
                self.marks.hit(Mark::LinkReset);
            }
            self.go_down(signal.at, signal.peer);
        }
    }

    // --- Timers of connections ---

    fn review_later(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        let side = self.processes[low].side(high);
        if !std::mem::replace(&mut side.is_reviewed, true) {
            let at_ns = self.now_ns + KEEP_ALIVE_NS;
            self.queue.push(at_ns, Happening::Review(low, high));
        }
    }

    /// Looks whether a connection has been silent for too long, or an idle one wants a sign of life.
    pub(super) fn review(&mut self, low: usize, high: usize) {
        self.processes[low].side(high).is_reviewed = false;
        for (at, peer) in [(low, high), (high, low)] {
            self.lose_if_silent(at, peer);
            self.keep_alive(at, peer);
        }
        let sides = [(low, high), (high, low)];
        let due = sides.map(|(at, peer)| {
            let lives = self.processes[at].lives();
            let side = self.processes[at].side(peer);
            let active_ns = side.heard_ns.max(side.said_ns) + KEEP_ALIVE_NS;
            (side.is_up && lives).then_some(active_ns.min(side.heard_ns + IDLE_NS))
        });
        if let Some(due_ns) = due.into_iter().flatten().min() {
            self.processes[low].side(high).is_reviewed = true;
            let at_ns = due_ns.max(self.now_ns + REVIEW_NS_MIN);
            self.queue.push(at_ns, Happening::Review(low, high));
        }
    }

    pub(super) fn lose_if_silent(&mut self, at: usize, peer: usize) {
        let now_ns = self.now_ns;
        let runs = self.processes[at].runs();
        let side = self.processes[at].side(peer);
        if runs && side.is_up && now_ns >= side.heard_ns + IDLE_NS {
            self.marks.hit(Mark::LinkTimedOut);
            self.go_down(at, peer);
        }
    }

    fn keep_alive(&mut self, at: usize, peer: usize) {
        let now_ns = self.now_ns;
        let runs = self.processes[at].runs();
        let side = self.processes[at].side(peer);
        let idle = now_ns >= side.heard_ns.max(side.said_ns) + KEEP_ALIVE_NS;
        if !(runs && side.is_up && side.is_opener && idle) {
            return;
        }
        self.send_packet(at, peer, Vec::new());
    }
}

/// A connection's timers are looked at no more often than this.
const REVIEW_NS_MIN: u64 = 50_000_000;
