//! Drives a rival through a scenario: requests, messages, alarms and faults, in order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::dice::Dice;
use crate::history::{Arrival, Basis, Note, Outcome, Run, Traffic, Unanswered, What};
use crate::network::Network;
use crate::scenario::{FaultKind, Scenario};

/// What each datagram carries beside its payload: IPv4 and UDP headers.
const HEADER_BYTES: usize = 28;

/// How long answers may still come after the last request.
const LATE_NS: u64 = 2_000_000_000;

const MS_NS: u64 = 1_000_000;

/// How nodes of one kind limit. Places hold processes; a process that starts remembers nothing.
///
/// Time counts from the start of the warm-up.
pub trait Rival {
    /// What its nodes send each other.
    type Message: Clone;

    /// A process starts at a place.
    fn start(&mut self, place: usize, out: &mut Out<Self::Message>) {
        let _ = (place, out);
    }

    /// A process is about to end in order, and may still send.
    fn leave(&mut self, place: usize, out: &mut Out<Self::Message>) {
        let _ = (place, out);
    }

    /// A process has ended.
    fn stop(&mut self, place: usize) {
        let _ = place;
    }

    /// Decides a request, or answers it later: `None`.
    fn decide(
        &mut self,
        number: u32,
        arrival: &Arrival,
        out: &mut Out<Self::Message>,
    ) -> Option<bool>;

    /// A message arrives.
    fn receive(
        &mut self,
        place: usize,
        from: usize,
        message: Self::Message,
        out: &mut Out<Self::Message>,
    ) {
        let _ = (place, from, message, out);
    }

    /// An alarm rings that this process set.
    fn wake(&mut self, place: usize, token: u64, out: &mut Out<Self::Message>) {
        let _ = (place, token, out);
    }
}

/// What a process does to the world at an instant.
pub struct Out<M> {
    /// Now.
    pub now_ns: u64,
    sends: Vec<(usize, usize, M)>,
    wakes: Vec<(u64, u64)>,
    answers: Vec<(u32, bool, u64)>,
}

impl<M> Out<M> {
    const fn at(now_ns: u64) -> Self {
        Self {
            now_ns,
            sends: Vec::new(),
            wakes: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Sends a message with so many bytes of payload.
    pub fn send(&mut self, to: usize, bytes: usize, message: M) {
        self.sends.push((to, bytes, message));
    }

    /// Sets an alarm.
    pub fn wake(&mut self, after_ns: u64, token: u64) {
        self.wakes.push((self.now_ns + after_ns, token));
    }

    /// Answers a request of this place that was left open.
    pub fn answer(&mut self, number: u32, admitted: bool, charged_ns: u64) {
        self.answers.push((number, admitted, charged_ns));
    }
}

/// How long after its start a process does something for the first time that it does each period,
/// so that not all do it at once.
pub(super) fn phase_ns(seed: u64, place: usize, period_ns: u64) -> u64 {
    Dice::split(seed, "rival phases", place as u64).within(1, period_ns)
}

/// Decides all arrivals.
pub fn drive<R: Rival>(rival: R, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
    let mut course = Course::new(rival, scenario, arrivals);
    for place in 0..scenario.cluster.nodes {
        course.start(0, place);
    }
    course.play();
    course.finish(scenario)
}

/// Something that happens to a process.
#[derive(Clone)]
enum Event<M> {
    Message { from: usize, message: M },
    Alarm { life: u64, token: u64 },
    Request { number: u32 },
}

struct Due<M> {
    at_ns: u64,
    number: u64,
    place: usize,
    event: Event<M>,
}

impl<M> PartialEq for Due<M> {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ns, self.number) == (other.at_ns, other.number)
    }
}

impl<M> Eq for Due<M> {}

impl<M> PartialOrd for Due<M> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Due<M> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

/// What there is at a place.
struct Place<M> {
    /// The running process's number; 0 is none.
    life: u64,
    since_ns: u64,
    paused: bool,
    held: Vec<Event<M>>,
}

struct Course<'a, R: Rival> {
    rival: R,
    arrivals: &'a [Arrival],
    faults: Vec<(u64, FaultKind)>,
    network: Network,
    places: Vec<Place<R::Message>>,
    due: BinaryHeap<Reverse<Due<R::Message>>>,
    numbers: u64,
    lives: u64,
    /// Requests that wait for an answer: at which place and of which life.
    open: BTreeMap<u32, (usize, u64)>,
    warm_up_ns: u64,
    end_ns: u64,
    lived_ns: u64,
    run: Run,
}

impl<'a, R: Rival> Course<'a, R> {
    fn new(rival: R, scenario: &Scenario, arrivals: &'a [Arrival]) -> Self {
        let mut shifted = scenario.clone();
        shifted.duration_ms += scenario.warm_up_ms;
        for fault in &mut shifted.faults {
            fault.at_ms += scenario.warm_up_ms;
        }
        let faults = shifted.faults.iter();
        let mut run = Run {
            arrivals: arrivals.to_vec(),
            ended_ns: scenario.duration_ms * MS_NS,
            ..Run::default()
        };
        run.outcomes.reserve_exact(arrivals.len());
        Self {
            rival,
            arrivals,
            network: Network::of(&shifted),
            faults: faults.map(|f| (f.at_ms * MS_NS, f.kind.clone())).collect(),
            places: Vec::new(),
            due: BinaryHeap::new(),
            numbers: 0,
            lives: 0,
            open: BTreeMap::new(),
            warm_up_ns: scenario.warm_up_ms * MS_NS,
            end_ns: shifted.duration_ms * MS_NS,
            lived_ns: 0,
            run,
        }
    }

    /// Faults come before what is due at the same instant, and that before requests.
    fn play(&mut self) {
        let (mut fault, mut request) = (0, 0);
        loop {
            let fault_ns = self.faults.get(fault).map_or(u64::MAX, |(at_ns, _)| *at_ns);
            let due_ns = self.due.peek().map_or(u64::MAX, |due| due.0.at_ns);
            let request_ns = self.arrivals.get(request).map_or(u64::MAX, |arrival| {
                arrival.at_ns.saturating_add(self.warm_up_ns)
            });
            let now_ns = fault_ns.min(due_ns).min(request_ns);
            if now_ns > self.end_ns + LATE_NS {
                return;
            }
            if now_ns == fault_ns {
                self.fault(fault);
                fault += 1;
            } else if now_ns == due_ns {
                let due = self.due.pop().expect("one was seen").0;
                self.happen(now_ns, due.place, due.event);
            } else {
                let number = u32::try_from(request).expect("arrivals are fewer than 2³²");
                let place = self.arrivals[request].place as usize;
                self.happen(now_ns, place, Event::Request { number });
                request += 1;
            }
        }
    }

    fn fault(&mut self, index: usize) {
        let (now_ns, kind) = self.faults[index].clone();
        self.network.apply(now_ns, &kind);
        let at_ns = now_ns.saturating_sub(self.warm_up_ns);
        let what = What::Fault(format!("{kind:?}"));
        self.run.notes.push(Note { at_ns, what });
        match kind {
            FaultKind::Crash(place) => self.stop(now_ns, place),
            FaultKind::Leave(place) if self.life(place) > 0 => {
                let mut out = Out::at(now_ns);
                self.rival.leave(place, &mut out);
                self.settle(place, out);
                self.stop(now_ns, place);
            }
            FaultKind::Restart(place) => {
                self.stop(now_ns, place);
                self.start(now_ns, place);
            }
            FaultKind::Join => self.start(now_ns, self.places.len()),
            FaultKind::Pause(place) if place < self.places.len() => {
                self.places[place].paused = true;
            }
            FaultKind::Resume(place) if place < self.places.len() => {
                self.places[place].paused = false;
                for event in std::mem::take(&mut self.places[place].held) {
                    self.happen(now_ns, place, event);
                }
            }
            _ => {}
        }
    }

    fn life(&self, place: usize) -> u64 {
        self.places.get(place).map_or(0, |place| place.life)
    }

    fn start(&mut self, now_ns: u64, place: usize) {
        while self.places.len() <= place {
            self.places.push(Place {
                life: 0,
                since_ns: 0,
                paused: false,
                held: Vec::new(),
            });
        }
        self.lives += 1;
        self.places[place].life = self.lives;
        self.places[place].since_ns = now_ns;
        let mut out = Out::at(now_ns);
        self.rival.start(place, &mut out);
        self.settle(place, out);
    }

    /// Ends a process; requests that it holds or has open die with it.
    fn stop(&mut self, now_ns: u64, place: usize) {
        if self.life(place) == 0 {
            return;
        }
        let ended = &mut self.places[place];
        self.lived_ns += lived_ns(ended.since_ns, now_ns, self.warm_up_ns, self.end_ns);
        (ended.life, ended.paused) = (0, false);
        for event in std::mem::take(&mut ended.held) {
            if let Event::Request { number } = event {
                self.unanswered(number, false);
            }
        }
        let dead = self.open.iter().filter(|(_, (there, _))| *there == place);
        for number in dead.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.open.remove(&number);
            self.unanswered(number, true);
        }
        self.rival.stop(place);
    }

    fn unanswered(&mut self, arrival: u32, maybe_charged: bool) {
        self.run.unanswered.push(Unanswered {
            arrival,
            maybe_charged,
        });
    }

    fn happen(&mut self, now_ns: u64, place: usize, event: Event<R::Message>) {
        let life = self.life(place);
        if life == 0 {
            return;
        }
        if self.places[place].paused {
            self.places[place].held.push(event);
            return;
        }
        let mut out = Out::at(now_ns);
        match event {
            Event::Message { from, message } => self.rival.receive(place, from, message, &mut out),
            Event::Alarm { life: of, token } if of == life => {
                self.rival.wake(place, token, &mut out);
            }
            Event::Alarm { .. } => return,
            Event::Request { number } => {
                let arrival = &self.arrivals[number as usize];
                match self.rival.decide(number, arrival, &mut out) {
                    Some(admitted) => {
                        self.decided(number, admitted, now_ns, now_ns, Basis::OwnShare);
                    }
                    None => _ = self.open.insert(number, (place, life)),
                }
            }
        }
        self.settle(place, out);
    }

    fn decided(&mut self, arrival: u32, admitted: bool, charged: u64, now: u64, basis: Basis) {
        self.run.outcomes.push(Outcome {
            arrival,
            charged_ns: charged.saturating_sub(self.warm_up_ns),
            answered_ns: now.saturating_sub(self.warm_up_ns),
            admitted,
            basis,
        });
    }

    /// Does to the world what a process wants done.
    fn settle(&mut self, place: usize, out: Out<R::Message>) {
        for (to, bytes, message) in out.sends {
            self.send(out.now_ns, place, to, bytes, &message);
        }
        let life = self.life(place);
        for (at_ns, token) in out.wakes {
            self.push(at_ns, place, Event::Alarm { life, token });
        }
        for (number, admitted, charged_ns) in out.answers {
            if self.open.remove(&number).is_some() {
                self.decided(number, admitted, charged_ns, out.now_ns, Basis::Holder);
            }
        }
    }

    fn send(&mut self, now_ns: u64, from: usize, to: usize, bytes: usize, message: &R::Message) {
        let bytes = bytes + HEADER_BYTES;
        if (self.warm_up_ns..self.end_ns).contains(&now_ns) {
            self.run.traffic.datagrams += 1;
            self.run.traffic.bytes += bytes as u64;
        }
        let fate = self.network.fate(now_ns, from, to, bytes);
        for delay_ns in fate.delays_ns() {
            let message = message.clone();
            self.push(now_ns + delay_ns, to, Event::Message { from, message });
        }
    }

    fn push(&mut self, at_ns: u64, place: usize, event: Event<R::Message>) {
        self.numbers += 1;
        self.due.push(Reverse(Due {
            at_ns,
            number: self.numbers,
            place,
            event,
        }));
    }

    fn finish(mut self, scenario: &Scenario) -> Run {
        for number in std::mem::take(&mut self.open).into_keys() {
            self.unanswered(number, true);
        }
        let held = self
            .places
            .iter_mut()
            .flat_map(|p| std::mem::take(&mut p.held));
        let never: Vec<u32> = held
            .filter_map(|event| match event {
                Event::Request { number } => Some(number),
                _ => None,
            })
            .collect();
        for number in never {
            self.unanswered(number, false);
        }
        let span_ns = scenario.duration_ms * MS_NS;
        let running = self.places.iter().filter(|place| place.life > 0);
        let lived =
            running.map(|p| lived_ns(p.since_ns, self.end_ns, self.warm_up_ns, self.end_ns));
        let lived_ns = self.lived_ns + lived.sum::<u64>();
        self.run.traffic = Traffic {
            span_ns,
            nodes: lived_ns as f64 / (span_ns.max(1)) as f64,
            ..self.run.traffic
        };
        self.run.outcomes.sort_by_key(|outcome| outcome.charged_ns);
        self.run
    }
}

/// How much of a life lies within the run proper.
fn lived_ns(since_ns: u64, until_ns: u64, from_ns: u64, end_ns: u64) -> u64 {
    until_ns.min(end_ns).saturating_sub(since_ns.max(from_ns))
}
