//! A store that everybody asks, a round trip away, and what is done while it is out.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::Arrival;
use crate::scenario::Scenario;

use super::bucket::{Bucket, Terms};
use super::{Out, Rival};

/// Where the store lies: on a machine of its own beside this place, cut off and crashing with it.
const STORE_PLACE: usize = 0;

/// A question without an answer is sent again after so long, as TCP does.
const RETRY_NS: u64 = 200_000_000;

/// Nobody waits longer than this.
const TIMEOUT_NS: u64 = 1_000_000_000;

/// Bytes of a question or of an answer.
const MESSAGE_BYTES: usize = 64;

/// What a node does that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Admits: fails open.
    Admits,
    /// Refuses: fails closed.
    Refuses,
}

/// Between a node and the store.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// May this request have its units?
    Ask(Question),
    /// So it was decided, and charged then.
    Answer {
        /// The request's number.
        number: u32,
        /// Whether it was admitted.
        admitted: bool,
        /// When it was decided at the store.
        charged_ns: u64,
    },
}

/// A request as the store hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    number: u32,
    key: u32,
    cost: u64,
    asked_ns: u64,
}

/// One bucket for each key in one store, as with Redis; it remembers nothing over a crash.
pub struct Central {
    terms: Terms,
    outage: Outage,
    buckets: BTreeMap<u32, Bucket>,
    /// Decided and perhaps asked again: the same answer is given.
    decided: BTreeMap<u32, (bool, u64)>,
    waiting: BTreeMap<u32, Question>,
    running: BTreeSet<usize>,
}

impl Central {
    /// An empty store.
    #[must_use]
    pub fn new(scenario: &Scenario, outage: Outage) -> Self {
        Self {
            terms: Terms::whole(scenario),
            outage,
            buckets: BTreeMap::new(),
            decided: BTreeMap::new(),
            waiting: BTreeMap::new(),
            running: BTreeSet::new(),
        }
    }

    fn decide_at_store(&mut self, question: Question, now_ns: u64) -> Message {
        let (terms, buckets) = (&self.terms, &mut self.buckets);
        let decision = self.decided.entry(question.number).or_insert_with(|| {
            let bucket = buckets.entry(question.key).or_default();
            (bucket.admit(terms, now_ns, question.cost), now_ns)
        });
        Message::Answer {
            number: question.number,
            admitted: decision.0,
            charged_ns: decision.1,
        }
    }
}

impl Rival for Central {
    type Message = Message;

    fn start(&mut self, place: usize, _: &mut Out<Message>) {
        self.running.insert(place);
    }

    fn stop(&mut self, place: usize) {
        self.running.remove(&place);
        if place == STORE_PLACE {
            self.buckets.clear();
            self.decided.clear();
        }
    }

    fn decide(&mut self, number: u32, arrival: &Arrival, out: &mut Out<Message>) -> Option<bool> {
        let question = Question {
            number,
            key: arrival.key,
            cost: arrival.cost,
            asked_ns: out.now_ns,
        };
        self.waiting.insert(number, question);
        out.send(STORE_PLACE, MESSAGE_BYTES, Message::Ask(question));
        out.wake(RETRY_NS, u64::from(number));
        None
    }

    fn receive(&mut self, _: usize, from: usize, message: Message, out: &mut Out<Message>) {
        match message {
            Message::Ask(question) => {
                let answer = self.decide_at_store(question, out.now_ns);
                out.send(from, MESSAGE_BYTES, answer);
            }
            Message::Answer {
                number,
                admitted,
                charged_ns,
            } => {
                if self.waiting.remove(&number).is_some() {
                    self.decided.remove(&number);
                    out.answer(number, admitted, charged_ns);
                }
            }
        }
    }

    fn wake(&mut self, _: usize, token: u64, out: &mut Out<Message>) {
        let number = u32::try_from(token).expect("a request's number");
        let Some(question) = self.waiting.get(&number).copied() else {
            return;
        };
        if out.now_ns >= question.asked_ns + TIMEOUT_NS {
            self.waiting.remove(&number);
            out.answer(number, self.outage == Outage::Admits, out.now_ns);
            return;
        }
        out.send(STORE_PLACE, MESSAGE_BYTES, Message::Ask(question));
        out.wake(RETRY_NS, token);
    }
}
