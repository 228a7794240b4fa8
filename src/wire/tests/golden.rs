//! One example of each kind of message, byte for byte: a change of the wire is seen here, and nodes
//! of the version before would not understand it, or would misunderstand.
//!
//! `DISTRIBUTARY_GOLDEN=write cargo test --lib golden` writes the file anew. Do so only with a new
//! field at the end, a new kind, or a new protocol version.

use std::fmt::Write;

use crate::limit::{Fullness, Parcel};
use crate::row::Row;
use crate::share::{Demand, Outbox};
use crate::units::{Amount, KeyId, LimitId, NodeId, Share};
use crate::view::{
    Listed, Member, Opening, OpeningChunk, Pending, Report, Statement, View, ViewId,
};
use crate::wire::{
    Answer, Clock, Clocks, Gather, Gathered, Gossip, Message, Question, Refund, Relayed,
};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/wire/tests/golden_frames.txt"
);
const GOLDEN: &str = include_str!("golden_frames.txt");
const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

const LIMIT: LimitId = LimitId(0x0102_0304_0506_0708);
const KEY: KeyId = KeyId(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef);
const VIEW: ViewId = ViewId {
    number: 3,
    proposer: 10,
};

fn half() -> Share {
    Share::WHOLE.portion(1, 2)
}

fn row() -> Row {
    Row {
        limit: LIMIT,
        key: KEY,
        seq: 77,
        filled: Amount::from_units(30),
        emptied: Amount::from_units(12),
        share: half(),
        rate: half(),
        overdraft: Share::from_parts(1000),
        demand: Demand {
            dense: 300,
            sparse: 2000,
            habit: 70_000,
        },
        cost_units: 5,
        unmet: true,
    }
}

fn gossip() -> Gossip {
    let mut outbox = Outbox::default();
    let parcel = Parcel {
        share: half(),
        rate: half(),
        overdraft: Share::NONE,
        level: Amount::from_units(7),
    };
    outbox.push(LIMIT, KEY, parcel);
    Gossip {
        view: VIEW,
        applied: 4,
        digest: 76,
        after: 70,
        upto: 77,
        rows: vec![row()],
        grants: outbox.pending().copied().collect(),
        urgent: true,
        load: 1234,
        followed: true,
        presses: true,
    }
}

fn views() -> [Message; 3] {
    let nodes = [10, 11].map(NodeId);
    let member = |node| Member {
        node,
        before: Share::NONE,
        after: half(),
    };
    let report = Report {
        number: 9,
        adopted: Some(VIEW),
        complete: false,
        weight: half(),
        known: nodes.to_vec(),
        lacks: vec![NodeId(11)],
        leaving: false,
        former: vec![NodeId(9)],
        bootstrap: false,
        root: Some(VIEW),
        carried: vec![NodeId(12)],
        departed: vec![NodeId(13)],
        evicted: vec![NodeId(14)],
        era: Some(VIEW),
        opened: vec![VIEW],
        asks: true,
    };
    let view = View {
        id: VIEW,
        members: nodes.map(member).to_vec(),
        evicted: vec![NodeId(9)],
        carried: Vec::new(),
        departed: vec![NodeId(13)],
        era: VIEW,
        root: VIEW,
    };
    [
        Message::Report(report),
        Message::Propose(view),
        Message::Opening(opening()),
    ]
}

/// One of each thing that an opening says.
fn opening() -> OpeningChunk {
    let listed = Listed {
        limit: LIMIT,
        key: KEY,
        parcel: Parcel {
            share: half(),
            rate: half(),
            overdraft: Share::NONE,
            level: Amount::from_units(7),
        },
    };
    let pending = Pending {
        to: NodeId(10),
        number: 4,
        listed,
    };
    let statement = Statement {
        base: Some(VIEW),
        applied: [(NodeId(10), 3)].into(),
        fullness: [(LIMIT, Fullness::FULL)].into(),
        listed: vec![listed],
        pending: vec![pending],
    };
    let opening = Opening::of(VIEW, NodeId(11), statement);
    opening.chunks().next().expect("one").clone()
}

fn questions() -> [Message; 5] {
    let (limit, key, cost_units) = (LIMIT, KEY, 2);
    [
        Message::Ask(Question {
            number: 5,
            limit,
            key,
            cost_units,
        }),
        Message::Answer(Answer {
            number: 5,
            limit,
            key,
            cost_units,
            allowed: true,
            whole: true,
            remaining_units: 8,
            retry_after_ns: 0,
            reset_after_ns: 1_000_000_000,
            decided_at_ns: 123_456_789,
            charge: 6,
        }),
        Message::Gather(Gather { limit, key }),
        Message::Gathered(Gathered {
            key,
            view: VIEW,
            upto: 4,
        }),
        Message::Refund(Refund {
            limit,
            key,
            charge: 6,
            cost_units,
        }),
    ]
}

fn examples() -> Vec<Message> {
    let clock = Clock {
        origin: NodeId(11),
        seq: 76,
        wanted: true,
    };
    let relayed = Relayed {
        origin: NodeId(11),
        after: 70,
        upto: 77,
        rows: vec![row()],
    };
    let first = [
        Message::Gossip(gossip()),
        Message::Membership(vec![1, 2, 3]),
    ];
    let last = [
        Message::Reachable(NodeId(12)),
        Message::Clocks(Clocks {
            clocks: vec![clock],
        }),
        Message::Relayed(relayed),
    ];
    let all = first.into_iter().chain(views()).chain(questions());
    all.chain(last).collect()
}

fn name(message: &Message) -> String {
    let debug = format!("{message:?}");
    let word = debug.split(['(', ' ']).next();
    word.unwrap_or_default().to_owned()
}

fn line(message: &Message) -> String {
    let frame = message.encode();
    let mut line = format!("{} {} ", frame[0], name(message));
    for byte in frame {
        write!(line, "{byte:02x}").expect("writing to memory");
    }
    line
}

#[test]
fn golden_frames_are_what_is_sent() {
    let lines: Vec<_> = examples().iter().map(line).collect();
    if std::env::var("DISTRIBUTARY_GOLDEN").is_ok_and(|word| word == "write") {
        std::fs::write(FILE, lines.join("\n") + "\n").expect("a file of this repository");
        return;
    }
    let golden: Vec<_> = GOLDEN.lines().collect();
    for (now, golden) in lines.iter().zip(&golden) {
        assert_eq!(now, golden);
    }
    assert_eq!(lines.len(), golden.len());
}

#[test]
fn golden_frames_are_understood() {
    for message in examples() {
        let decoded = Message::decode(&message.encode()).expect("a frame");
        assert_eq!(decoded.as_ref(), Some(&message));
    }
}

#[test]
fn every_kind_is_golden_and_documented() {
    let examples = examples();
    for (message, kind) in examples.iter().zip(1_u8..) {
        assert_eq!(message.encode()[0], kind);
        let row = format!("\n| {kind} | {} |", name(message));
        assert!(DOCUMENT.contains(&row), "docs/protocol.md lacks {row}");
    }
    let next = u8::try_from(examples.len() + 1).expect("few kinds");
    assert!(matches!(Message::decode(&[next]), Ok(None)));
    assert!(!DOCUMENT.contains(&format!("\n| {next} |")));
}
