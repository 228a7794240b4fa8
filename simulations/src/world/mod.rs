//! The world in which the shipping node runs: virtual time, one queue of events, one seed.
//!
//! Everything below the driver is the library's own: `proto::Node` with its `Table`, fed as
//! `src/cluster` feeds it. The world stands in for the operating system, for QUIC and for the
//! network ([`crate::network`]), and writes down what is seen from outside.
//!
//! Time is true virtual time; what a node is told is its own place's [`Clock`]. A place is where
//! processes run, one after another; a process that was paused and replaced goes on beside its
//! successor. Random numbers come in streams split from the scenario's seed: of ids, node seeds,
//! jitter and clocks for each process, of the network for each directed pair of places. So the
//! same scenario gives the same run, on any machine, and [`crate::Run::trace_hash`] says so.

mod drive;
mod faults;
mod groups;
mod holdings;
mod links;
mod marks;
mod process;
mod queue;
mod requests;
mod trace;
mod transport;
mod watch;

use std::collections::BTreeMap;

use distributary::proto::{KeyId, NodeId, Output};

use crate::clock::Clock;
use crate::dice::Dice;
use crate::history::{Arrival, Note, Outcome, Run, Traffic, Unanswered, What};
use crate::network::Network;
use crate::scenario::Scenario;

pub use marks::NAMES as MARKS;

use marks::Marks;
use process::{Birth, Process};
use queue::{Happening, Queue};
use trace::Trace;
use transport::Meter;
use watch::Watch;

/// How closely a run is watched, and what is done to it for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether shares are added up after every event, not only each second: for small runs.
    pub deep: bool,
    /// Whether clocks begin up to a day apart. It must make no difference.
    pub clocks_apart: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deep: false,
            clocks_apart: true,
        }
    }
}

/// Runs a scenario on the library.
#[must_use]
pub fn run(scenario: &Scenario, arrivals: &[Arrival], options: Options) -> Run {
    let mut world = World::new(scenario, arrivals, options);
    world.run();
    world.into_run()
}

/// Virtual nanoseconds in a millisecond, and in a second.
const MILLI_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Events at one instant before the nodes are said to chase their own tails.
const STEPS_MAX: u64 = 1_000_000;

/// One run under way.
struct World<'a> {
    scenario: &'a Scenario,
    arrivals: &'a [Arrival],
    options: Options,
    /// Counts from the start of the warm-up, which is `zero_ns` long.
    now_ns: u64,
    zero_ns: u64,
    queue: Queue,
    network: Network,
    /// Every process that ever ran; `places` has the latest of each place.
    processes: Vec<Process>,
    places: Vec<usize>,
    /// The latest process of each endpoint; a place's first has the place's number.
    endpoints: Vec<usize>,
    by_id: BTreeMap<NodeId, usize>,
    epochs: u64,
    tickets: u64,
    keys: Vec<KeyId>,
    modes: Dice,
    next_arrival: usize,
    outcomes: Vec<Outcome>,
    unanswered: Vec<Unanswered>,
    notes: Vec<Note>,
    traffic: Meter,
    traffic_from: (Meter, u64),
    traffic_seen: Option<Traffic>,
    /// Node-nanoseconds that lived, up to when: for their average.
    lived: (u128, u64),
    is_healing: bool,
    trace: Trace,
    marks: Marks,
    frame_bytes_max: usize,
    watch: Watch,
    /// Buffers that are used again.
    outputs: Vec<Output>,
    said: Vec<(NodeId, Vec<u8>)>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, arrivals: &'a [Arrival], options: Options) -> Self {
        let zero_ns = scenario.warm_up_ms * MILLI_NS;
        let mut world = Self {
            scenario,
            arrivals,
            options,
            now_ns: 0,
            zero_ns,
            queue: Queue::default(),
            network: Network::of(scenario).starting_at(zero_ns),
            processes: Vec::new(),
            places: Vec::new(),
            endpoints: Vec::new(),
            by_id: BTreeMap::new(),
            epochs: 0,
            tickets: 0,
            keys: requests::keys(scenario.seed, arrivals),
            modes: Dice::split(scenario.seed, "modes", 0),
            next_arrival: 0,
            outcomes: Vec::with_capacity(arrivals.len()),
            unanswered: Vec::new(),
            notes: Vec::new(),
            traffic: Meter::default(),
            traffic_from: (Meter::default(), 0),
            traffic_seen: None,
            lived: (0, 0),
            is_healing: false,
            trace: Trace::default(),
            marks: Marks::default(),
            frame_bytes_max: 0,
            watch: Watch::new(arrivals),
            outputs: Vec::new(),
            said: Vec::new(),
        };
        world.plan();
        (0..scenario.cluster.nodes).for_each(|_| {
            world.start_new_place();
        });
        world
    }

    /// Puts all into the queue that is known beforehand.
    fn plan(&mut self) {
        self.queue.push(self.zero_ns, Happening::Begin);
        for (number, fault) in self.scenario.faults.iter().enumerate() {
            let at_ns = self.zero_ns + fault.at_ms * MILLI_NS;
            self.queue.push(at_ns, Happening::Fault(number));
        }
        let heal_ns = self.zero_ns + self.scenario.duration_ms * MILLI_NS;
        self.queue.push(heal_ns, Happening::Heal);
    }

    /// When the run ends.
    const fn end_ns(&self) -> u64 {
        let rest_ms = self.scenario.duration_ms + self.scenario.heal_ms;
        self.zero_ns + rest_ms * MILLI_NS
    }

    /// Now, counted from the first request.
    const fn since_zero_ns(&self) -> u64 {
        self.now_ns.saturating_sub(self.zero_ns)
    }

    // --- Time ---

    fn run(&mut self) {
        let end_ns = self.end_ns();
        let (mut steps, mut instant_ns) = (0, 0);
        loop {
            let event_ns = self.queue.next_ns().unwrap_or(u64::MAX);
            let request_ns = self.request_ns().unwrap_or(u64::MAX);
            let at_ns = event_ns.min(request_ns);
            if at_ns > end_ns {
                break;
            }
            steps = if at_ns == instant_ns { steps + 1 } else { 0 };
            instant_ns = at_ns;
            assert!(steps < STEPS_MAX, "no rest at {at_ns} ns");
            self.now_ns = at_ns;
            if event_ns <= request_ns {
                let (_, what) = self.queue.pop().expect("it was just looked at");
                self.happen(what);
            } else {
                self.next_request();
            }
        }
        self.now_ns = end_ns;
        self.finish();
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Packet(packet) => self.arrive(packet),
            Happening::Stream(stream) => self.run_stream(stream),
            Happening::Wake(process) => self.wake(process),
            Happening::Call(call) => self.call(call),
            Happening::Adopt(adoption) => self.adopt(adoption),
            Happening::Signal(signal) => self.signalled(signal),
            Happening::Review(low, high) => self.review(low, high),
            Happening::Fault(number) => self.fault(number),
            Happening::LeaveDeadline(process) => self.leave_deadline(process),
            Happening::Begin => self.begin(),
            Happening::Heal => self.heal(),
            Happening::GiveUpDead => self.give_up_dead(),
            Happening::Sample => self.sample(),
            Happening::Views => self.sample_views(),
            Happening::Look => self.look(),
        }
    }

    /// The process that runs at a place, or has ended there last.
    fn at_place(&self, place: usize) -> Option<usize> {
        let process = *self.places.get(place)?;
        self.processes[process].lives().then_some(process)
    }

    /// The process that listens at an endpoint.
    fn at_endpoint(&self, endpoint: usize) -> Option<usize> {
        let process = *self.endpoints.get(endpoint)?;
        let lives = self.processes.get(process).is_some_and(Process::lives);
        lives.then_some(process)
    }

    /// Processes that have not ended, paused ones too.
    fn living(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.processes.len()).filter(|process| self.processes[*process].lives())
    }

    // --- Births ---

    fn start_new_place(&mut self) -> usize {
        self.places.push(usize::MAX);
        self.start_process(self.places.len() - 1, None)
    }

    /// Starts a process at a place: it knows the addresses of the first nodes, and nothing else.
    /// It takes over an endpoint, or gets a new one.
    fn start_process(&mut self, place: usize, endpoint: Option<usize>) -> usize {
        let number = self.processes.len() as u64;
        let endpoint = endpoint.unwrap_or_else(|| {
            self.endpoints.push(usize::MAX);
            self.endpoints.len() - 1
        });
        let seed = self.scenario.seed;
        let seeds = (0..self.scenario.cluster.nodes).filter(|seed| *seed != endpoint);
        let birth = Birth {
            place,
            endpoint,
            number,
            now_ns: self.now_ns,
            clock: self.clock_of(place, number),
            seeds: seeds.collect(),
            watched: self.watch.keys.len(),
        };
        self.count_lived();
        let process = Process::new(&self.scenario.cluster, seed, birth);
        self.by_id.insert(process.id, self.processes.len());
        self.processes.push(process);
        self.places[place] = number as usize;
        self.endpoints[endpoint] = number as usize;
        self.call_all(number as usize);
        self.wake_soon(number as usize);
        number as usize
    }

    /// A place keeps its clock; a new place's begins anywhere within a day, in whole seconds, so
    /// that rounding is the same whatever the offset.
    fn clock_of(&self, place: usize, number: u64) -> Clock {
        let of_place = |process: &&Process| process.place == place;
        if let Some(former) = self.processes.iter().rev().find(of_place) {
            return former.clock.clone();
        }
        let mut dice = Dice::split(self.scenario.seed, "clocks", number);
        let ahead_s = match self.options.clocks_apart {
            true => dice.within(0, 86_400),
            false => 0,
        };
        Clock::new(ahead_s * SECOND_NS)
    }

    // --- What is written down ---

    fn note(&mut self, what: What) {
        if self.now_ns >= self.zero_ns {
            let at_ns = self.since_zero_ns();
            self.notes.push(Note { at_ns, what });
        }
    }

    /// Adds up for how long how many nodes have lived.
    fn count_lived(&mut self) {
        let living = self.living().count() as u128;
        let span_ns = self.now_ns - self.lived.1;
        self.lived = (self.lived.0 + living * u128::from(span_ns), self.now_ns);
    }

    fn into_run(mut self) -> Run {
        self.outcomes.sort_by_key(|outcome| outcome.charged_ns);
        let clocks = self
            .processes
            .iter()
            .map(|process| process.clock.error_ppm());
        Run {
            arrivals: self.arrivals.to_vec(),
            outcomes: self.outcomes,
            unanswered: self.unanswered,
            notes: self.notes,
            traffic: self.traffic_seen.unwrap_or_default(),
            clock_error_ppm: clocks.max().unwrap_or(0),
            trace_hash: self.trace.value(),
            marks: self.marks.by_name(),
            ended_ns: self.now_ns - self.zero_ns,
        }
    }
}
