//! What goes wrong, and how all is put right in the end.

use distributary::proto::NodeId;

use super::marks::Mark;
use super::process::{State, Waiting};
use super::queue::Happening;
use super::{MILLI_NS, SECOND_NS, World};
use crate::clock::Clock;
use crate::history::What;
use crate::scenario::{FaultKind, Quality};

/// A node that was told to leave and has not after so long is ended.
const LEAVE_NS: u64 = 10 * SECOND_NS;
/// After healing an operator waits for so long before he gives the dead up.
const GIVE_UP_NS: u64 = 4 * SECOND_NS;
/// How often it is looked whether all has converged.
const LOOK_NS: u64 = 10 * MILLI_NS;

impl World<'_> {
    pub(super) fn fault(&mut self, number: usize) {
        let scenario = self.scenario;
        let kind = &scenario.faults[number].kind;
        if self.is_healing {
            return;
        }
        self.note(What::Fault(format!("{kind:?}")));
        self.network.apply(self.now_ns, kind);
        match kind {
            FaultKind::CutOneWay(..)
            | FaultKind::Partition(_)
            | FaultKind::Clog(..)
            | FaultKind::Network(_)
            | FaultKind::Heal => {}
            FaultKind::Crash(place) => self.at(*place, Self::crash),
            FaultKind::Restart(place) => self.restart(*place),
            FaultKind::Pause(place) => self.at(*place, Self::pause),
            FaultKind::Resume(place) => self.resume_all(*place),
            FaultKind::Join => self.join(),
            FaultKind::Leave(place) => self.at(*place, Self::leave),
            FaultKind::Forget(place) => self.forget_dead_of(*place),
            FaultKind::ClockRate(place, ppm) => self.clocks(*place, |clock, now_ns| {
                clock.set_rate(now_ns, *ppm);
            }),
            FaultKind::ClockFreeze(place, milli) => self.clocks(*place, |clock, now_ns| {
                clock.freeze(now_ns, milli * MILLI_NS);
            }),
            FaultKind::ClockStep(place, milli) => self.clocks(*place, |clock, now_ns| {
                clock.step(now_ns, milli * MILLI_NS as i64);
            }),
        }
    }

    /// Does something to the process that lives at a place, if one does.
    fn at(&mut self, place: usize, what: impl FnOnce(&mut Self, usize)) {
        if let Some(process) = self.at_place(place) {
            what(self, process);
        }
    }

    fn clocks(&mut self, place: usize, what: impl Fn(&mut Clock, u64)) {
        let now_ns = self.now_ns;
        for process in self.processes.iter_mut().filter(|of| of.place == place) {
            what(&mut process.clock, now_ns);
        }
    }

    // --- Processes ---

    fn crash(&mut self, process: usize) {
        self.note_input(process, "crash", 0);
        if self.has_grants_about(process) {
            self.marks.hit(Mark::GrantAtCrash);
        }
        self.stop(process);
    }

    /// Whether grants are on their way from a process, or to it.
    fn has_grants_about(&self, process: usize) -> bool {
        let of = &self.processes[process];
        let mut others = self.living().filter(|other| *other != process);
        of.node.grants_in_flight().next().is_some()
            || others.any(|other| {
                let mut grants = self.processes[other].node.grants_in_flight();
                grants.any(|(to, _)| to == of.id)
            })
    }

    /// The process is gone: nothing it would still have said is said.
    fn stop(&mut self, process: usize) {
        self.count_lived();
        self.abandon_requests(process);
        let of = &mut self.processes[process];
        of.state = State::Ended;
        of.former.push(of.id);
        of.waiting.clear();
        of.sides.iter_mut().for_each(|side| side.is_up = false);
        self.saw_end(process);
    }

    /// The process ends in order: its peers are told.
    pub(super) fn end(&mut self, process: usize) {
        if self.processes[process].lives() {
            self.close_all(process, false);
            self.stop(process);
        }
    }

    fn restart(&mut self, place: usize) {
        if place >= self.places.len() {
            return;
        }
        self.marks.hit(Mark::Restarted);
        let old = self.places[place];
        let endpoint = self.processes[old].endpoint;
        match self.processes[old].state {
            // It goes on beside its successor, on an address of its own, when it is resumed.
            State::Paused => {
                self.marks.hit(Mark::RestartedInPause);
                self.start_process(place, None);
                return;
            }
            State::Running => self.crash(old),
            State::Ended => {}
        }
        self.start_process(place, Some(endpoint));
    }

    fn join(&mut self) {
        if self.is_cut() {
            self.marks.hit(Mark::JoinedInPartition);
        }
        self.start_new_place();
    }

    fn pause(&mut self, process: usize) {
        let of = &mut self.processes[process];
        if of.runs() {
            of.state = State::Paused;
            self.note_input(process, "pause", 0);
        }
    }

    fn resume_all(&mut self, place: usize) {
        for process in 0..self.processes.len() {
            let of = &self.processes[process];
            if of.place == place && of.state == State::Paused {
                self.resume(process);
            }
        }
    }

    /// It goes on, with all that waited for it; its connections' timers come first or last, as it
    /// happens.
    fn resume(&mut self, process: usize) {
        self.note_input(process, "resume", 0);
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        of.state = State::Running;
        of.waiting_bytes = 0;
        of.wake_at_ns = u64::MAX;
        let waiting = std::mem::take(&mut of.waiting);
        let requests = std::mem::take(&mut of.requests);
        let timers_first = of.jitter.is_milli(500);
        let is_lost = |side: &super::links::Side| {
            side.is_up && now_ns > side.heard_ns + super::links::IDLE_NS
        };
        if of.sides.iter().any(is_lost) {
            self.marks.hit(Mark::ResumedLost);
        }
        requests
            .into_iter()
            .for_each(|number| self.decide(process, number));
        if timers_first {
            self.lose_silent(process);
        }
        for one in waiting {
            match one {
                Waiting::Packet(packet) => self.arrive(packet),
                Waiting::Signal(signal) => self.signalled(signal),
            }
        }
        self.lose_silent(process);
        self.call_all(process);
        self.wake_soon(process);
    }

    fn lose_silent(&mut self, process: usize) {
        for peer in 0..self.processes[process].sides.len() {
            self.lose_if_silent(process, peer);
        }
    }

    fn leave(&mut self, process: usize) {
        if !self.processes[process].runs() {
            return;
        }
        self.note_input(process, "leave", 0);
        let at_ns = self.now_ns + LEAVE_NS;
        self.queue.push(at_ns, Happening::LeaveDeadline(process));
        self.with(process, |node, now| node.leave(now));
    }

    pub(super) fn leave_deadline(&mut self, process: usize) {
        if self.processes[process].lives() {
            self.marks.hit(Mark::LeftLate);
            self.end(process);
        }
    }

    // --- The operator ---

    /// Gives up the lives that have ended at a place, by word to a node that runs. Who left in good order
    /// is among them if all are dead who could say so.
    fn forget_dead_of(&mut self, place: usize) {
        let lives = |process: &usize| self.processes[*process].lives();
        let of_place = self.processes.iter().filter(|of| of.place == place);
        let dead = of_place.filter(|of| {
            let is_known_to_have_left = || of.farewell.iter().flatten().any(lives);
            !of.lives() && !is_known_to_have_left()
        });
        let dead: Vec<NodeId> = dead.map(|of| of.id).collect();
        let runs = |process: &usize| self.processes[*process].runs();
        let Some(told) = self.living().find(runs) else {
            return;
        };
        for life in dead {
            self.marks.hit(Mark::Forgotten);
            self.note_input(told, "forget", life.0);
            self.with(told, |node, now| node.forget(now, life));
        }
    }

    pub(super) fn give_up_dead(&mut self) {
        (0..self.places.len()).for_each(|place| self.forget_dead_of(place));
    }

    // --- Phases ---

    /// The first request: what went before does not count.
    pub(super) fn begin(&mut self) {
        self.count_lived();
        self.lived.0 = 0;
        self.traffic_from = (self.traffic, self.grants_sent());
        self.begin_watch();
        self.queue.push(self.now_ns, Happening::Sample);
        self.queue.push(self.now_ns, Happening::Views);
    }

    /// Requests and faults end: all is healed, and nothing is lost any more.
    pub(super) fn heal(&mut self) {
        self.settle_traffic();
        self.load_stops();
        self.is_healing = true;
        if self.scenario.heal_ms == 0 {
            return;
        }
        self.note(What::Healed);
        self.network.apply(self.now_ns, &FaultKind::Heal);
        let calm = Quality {
            tail_milli: 0,
            loss_milli: 0,
            double_milli: 0,
            bandwidth_bytes: 0,
            ..self.scenario.network
        };
        self.network.apply(self.now_ns, &FaultKind::Network(calm));
        (0..self.places.len()).for_each(|place| self.resume_all(place));
        if self.scenario.cluster.evict_after_ms.is_none() {
            self.queue
                .push(self.now_ns + GIVE_UP_NS, Happening::GiveUpDead);
        }
        self.queue.push(self.now_ns + LOOK_NS, Happening::Look);
    }

    /// Has all converged by now?
    pub(super) fn look(&mut self) {
        match self.differences() {
            None => self.note(What::Converged),
            Some(why) => {
                self.watch.differs = Some(why);
                self.queue.push(self.now_ns + LOOK_NS, Happening::Look);
                return;
            }
        }
        self.watch.differs = None;
    }
}
