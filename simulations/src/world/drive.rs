//! One input to one node, and all that follows from it, as the library's own driver does it.

use distributary::proto::{Event, Nanos, Node, NodeId, Output};

use super::marks::Mark;
use super::process::endpoint_of;
use super::queue::Happening;
use super::{SECOND_NS, World};

/// Longest sleep of the driver: a clock that stands still is looked at again.
const SLEEP_NS_MAX: u64 = SECOND_NS;
/// Shortest sleep.
const SLEEP_NS_MIN: u64 = 200_000;
/// How long a driver takes to hear its bell, at least and at most.
const BELL_NS: [u64; 2] = [10_000, 100_000];

impl World<'_> {
    /// Gives a node one input; then its driver looks at its timers and at what is urgent, and does
    /// what the node asks for.
    pub(super) fn with(&mut self, process: usize, input: impl FnOnce(&mut Node, Nanos)) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        let local = Nanos(of.clock.now(now_ns));
        of.bell.take();
        input(&mut of.node, local);
        of.node.handle_timeout(local);
        of.node.handle_urgent(local);
        let mut outputs = std::mem::take(&mut self.outputs);
        while let Some(output) = of.node.poll_output() {
            outputs.push(output);
        }
        self.watch.outputs_max = self.watch.outputs_max.max(outputs.len());
        let mut said = std::mem::take(&mut self.said);
        let mut events = Vec::new();
        for output in outputs.drain(..) {
            match output {
                Output::Send { to, bytes } => {
                    self.trace.word(to.0);
                    self.trace.bytes(&bytes);
                    said.push((to, bytes));
                }
                Output::Event(event) => {
                    // What was said before belongs to the life that said it.
                    self.send_all(process, &mut said);
                    self.event(process, &event);
                    events.extend(Some(event).filter(changes_links));
                }
            }
        }
        self.send_all(process, &mut said);
        (self.outputs, self.said) = (outputs, said);
        self.schedule(process, local);
        self.saw_input(process);
        for event in events {
            self.change_links(process, &event);
        }
    }

    /// Writes an input into the trace.
    pub(super) fn note_input(&mut self, process: usize, kind: &str, detail: u64) {
        self.trace.word(self.now_ns);
        self.trace.word(process as u64);
        self.trace.bytes(kind.as_bytes());
        self.trace.word(detail);
    }

    /// Sets the driver's timer by the node's own clock.
    fn schedule(&mut self, process: usize, local: Nanos) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        let next = of.node.poll_timeout();
        let sleep_ns = next.map_or(SLEEP_NS_MAX, |next| {
            of.clock.true_span_ns(next.since(local).as_nanos() as u64)
        });
        let at_ns = now_ns + sleep_ns.clamp(SLEEP_NS_MIN, SLEEP_NS_MAX);
        if of.lives() && at_ns < of.wake_at_ns {
            of.wake_at_ns = at_ns;
            self.queue.push(at_ns, Happening::Wake(process));
        }
    }

    /// The bell rang, or a timer was moved from outside: the driver comes round shortly.
    pub(super) fn wake_soon(&mut self, process: usize) {
        let of = &mut self.processes[process];
        let at_ns = self.now_ns + of.jitter.within(BELL_NS[0], BELL_NS[1]);
        if at_ns < of.wake_at_ns {
            of.wake_at_ns = at_ns;
            self.queue.push(at_ns, Happening::Wake(process));
        }
    }

    pub(super) fn wake(&mut self, process: usize) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        // A timer that was moved forward has rung already.
        if of.wake_at_ns > now_ns || !of.runs() {
            return;
        }
        of.wake_at_ns = u64::MAX;
        self.note_input(process, "wake", 0);
        self.with(process, |_, _| {});
        self.look_around(process);
    }

    /// What the driver does at once.
    fn event(&mut self, process: usize, event: &Event) {
        self.trace.bytes(event_name(event).as_bytes());
        match event {
            Event::Answered(ticket, decision) => {
                self.trace.word(ticket.0);
                self.answered(process, *ticket, decision);
            }
            Event::ViewComplete(view) => self.view_complete(process, *view),
            Event::Reborn { old, new } => self.reborn(process, *old, *new),
            Event::Left => {
                self.marks.hit(Mark::Left);
                self.processes[process].farewell = Some(self.in_touch_with(process));
            }
            _ => {}
        }
    }

    /// Whom a process hears and reaches.
    fn in_touch_with(&self, process: usize) -> Vec<usize> {
        let of = &self.processes[process];
        let peers = of.sides.iter().enumerate().filter(|(_, side)| side.is_up);
        let places = peers.map(|(peer, _)| (peer, self.processes[peer].place));
        let passes = |from, to| self.network.passes(from, to);
        let reached =
            places.filter(|(_, place)| passes(of.place, *place) && passes(*place, of.place));
        reached.map(|(peer, _)| peer).collect()
    }

    fn reborn(&mut self, process: usize, old: NodeId, new: NodeId) {
        self.marks.hit(Mark::Reborn);
        self.by_id.insert(new, process);
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        of.id = new;
        of.former.push(old);
        of.life_began_ns = now_ns;
        of.has_held = false;
    }

    /// What the transport does when it comes round.
    fn change_links(&mut self, process: usize, event: &Event) {
        match event {
            Event::Found(peer) => self.want(process, endpoint_of(peer.address)),
            Event::Forgotten(peer) => self.unwant(process, endpoint_of(peer.address)),
            Event::TryAgain => self.try_again(process),
            Event::Reborn { .. } => self.close_all(process, true),
            Event::Left => self.end(process),
            _ => {}
        }
    }

    /// An address that nobody needs any more is called no more; the first nodes' always are.
    fn unwant(&mut self, process: usize, endpoint: usize) {
        if endpoint >= self.scenario.cluster.nodes {
            self.processes[process].keepers.remove(&endpoint);
        }
    }
}

const fn changes_links(event: &Event) -> bool {
    matches!(
        event,
        Event::Found(_)
            | Event::Forgotten(_)
            | Event::TryAgain
            | Event::Reborn { .. }
            | Event::Left
    )
}

const fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Found(_) => "found",
        Event::Forgotten(_) => "forgotten",
        Event::TryAgain => "try-again",
        Event::ViewComplete(_) => "view-complete",
        Event::Answered(..) => "answered",
        Event::Reborn { .. } => "reborn",
        Event::Left => "left",
        _ => "unknown",
    }
}
