//! What travels: messages, frames, size limits, and a total decoder.
//!
//! A frame is one byte of kind and a MessagePack body. Fields are only ever added at the end, with
//! defaults; a kind that is not known comes from a newer minor version and is skipped. Whatever
//! else does not decode is an error, changes nothing, and closes the connection it came on.
//!
//! The decoder is total and bounded: a frame is at most [`FRAME_BYTES_MAX`] long, lists are bounded
//! by what a frame can hold, and then by the counts below.

mod pack;

pub(crate) use pack::{ROW_BYTES_USUAL, row_bytes};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::share::Grant;
use crate::units::{KeyId, LimitId, NodeId};
use crate::view::{LIVES_MAX, MEMBERS_MAX, OpeningChunk, Report, View, ViewId};

/// Longest frame: one mebibyte, on a stream.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Longest frame that should go as one datagram, where nothing says more: QUIC's smallest path.
pub const DATAGRAM_BYTES: usize = 1150;

/// Most rows, and most grants, in one message.
pub const ITEMS_MAX: usize = 4096;

/// Rows of changed keys, grants, and acknowledgements of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gossip {
    /// The view that the grants, and the acknowledgement of grants, belong to.
    pub view: ViewId,
    /// The number of the receiver's last grant that the sender has applied in that view.
    pub applied: u64,
    /// Up to which `seq` the sender has all of the receiver's rows.
    pub digest: u64,
    /// The rows are all of the sender's with a `seq` above this …
    pub after: u64,
    /// … and up to this; zero if they were picked out of order and say nothing of the others.
    pub upto: u64,
    /// The rows.
    #[serde(with = "pack")]
    pub rows: Vec<Row>,
    /// Grants to the receiver, in order.
    pub grants: Vec<Grant>,
    /// Whether the sender wants an answer now rather than at the next tick.
    pub urgent: bool,
    /// What the sender is asked for of all contended keys together.
    #[serde(default)]
    pub load: u64,
    /// Whether the sender has followed the view: completed it, or taken a grant of who had.
    #[serde(default)]
    pub followed: bool,
    /// Whether the sender waits for an acknowledgement of the rows: it comes within two ticks rather
    /// than when there is time.
    #[serde(default)]
    pub presses: bool,
}

/// A request to admit on the sender's behalf, or to hand over what is needed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names the question: one counter per sender.
    pub number: u64,
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// What it costs.
    pub cost_units: u64,
}

/// The answer to a [`Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which question it answers.
    pub number: u64,
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// What it costs.
    pub cost_units: u64,
    /// Whether it was admitted.
    pub allowed: bool,
    /// Whether the holder could speak for the whole cluster.
    pub whole: bool,
    /// Units that the cluster still has.
    pub remaining_units: u64,
    /// If refused, when to come again, in nanoseconds; zero if no wait will help.
    pub retry_after_ns: u64,
    /// When the key is as good as new.
    pub reset_after_ns: u64,
    /// When it was decided, by the holder's clock.
    pub decided_at_ns: u64,
    /// The holder's number of the charge, if it was charged.
    pub charge: u64,
}

/// A holder gathers a key: the receiver should grant it all that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
}

/// The answer to [`Gather`]: after which grant the receiver has all there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// The key.
    pub key: KeyId,
    /// The view that the grants belong to.
    pub view: ViewId,
    /// The number of the last grant to the receiver.
    pub upto: u64,
}

/// A charge to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// The receiver's number of the charge.
    pub charge: u64,
    /// What was charged.
    pub cost_units: u64,
}

/// Up to where the sender has the rows of a member that it is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Whose rows.
    pub origin: NodeId,
    /// Up to which `seq` the sender has all of them.
    pub seq: u64,
    /// Whether the receiver should pass on what it has beyond that: one peer at a time is asked.
    pub wanted: bool,
}

/// All members that the sender is not connected to, but for the receiver: replaces what was said
/// before. With the clocks of grants, this is the digest that anti-entropy goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// One for each such member.
    pub clocks: Vec<Clock>,
}

/// Rows of a third member, passed on to a peer that has said that it does not hear it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relayed {
    /// Who wrote the rows.
    pub origin: NodeId,
    /// The rows are the newest of the origin's with a `seq` above this …
    pub after: u64,
    /// … and up to this.
    pub upto: u64,
    /// The rows.
    #[serde(with = "pack")]
    pub rows: Vec<Row>,
}

/// Everything that nodes say to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Rows, grants, acknowledgements.
    Gossip(Gossip),
    /// A packet of the failure detector.
    Membership(Vec<u8>),
    /// Where the sender stands.
    Report(Report),
    /// A view to adopt.
    Propose(View),
    /// A part of a member's opening.
    Opening(OpeningChunk),
    /// A request to admit.
    Ask(Question),
    /// Its answer.
    Answer(Answer),
    /// A request to hand over.
    Gather(Gather),
    /// Its answer.
    Gathered(Gathered),
    /// A charge to take back.
    Refund(Refund),
    /// Somebody can be reached again: worth trying whom one has lost, at once.
    Reachable(NodeId),
    /// How far the sender is with members that it does not hear.
    Clocks(Clocks),
    /// Rows of a member that the receiver does not hear.
    Relayed(Relayed),
}

/// Why a frame was refused. Nothing was changed by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than any frame may be.
    #[error("a frame of {0} bytes is above the largest, {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// Empty.
    #[error("an empty frame")]
    Empty,
    /// The body is not what its kind says.
    #[error("a frame of kind {kind} does not decode: {why}")]
    Malformed {
        /// The frame's first byte.
        kind: u8,
        /// What the decoder says.
        why: String,
    },
    /// A list in it is longer than allowed.
    #[error("a frame of kind {0} has too long a list")]
    TooMany(u8),
}

const GOSSIP: u8 = 1;
const MEMBERSHIP: u8 = 2;
const REPORT: u8 = 3;
const PROPOSE: u8 = 4;
const OPENING: u8 = 5;
const ASK: u8 = 6;
const ANSWER: u8 = 7;
const GATHER: u8 = 8;
const GATHERED: u8 = 9;
const REFUND: u8 = 10;
const REACHABLE: u8 = 11;
const CLOCKS: u8 = 12;
const RELAYED: u8 = 13;

impl Message {
    /// The message as a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Gossip(gossip) => frame(GOSSIP, gossip),
            Self::Membership(packet) => {
                let mut frame = Vec::with_capacity(packet.len() + 1);
                frame.push(MEMBERSHIP);
                frame.extend_from_slice(packet);
                frame
            }
            Self::Report(report) => frame(REPORT, report),
            Self::Propose(view) => frame(PROPOSE, view),
            Self::Opening(chunk) => frame(OPENING, chunk),
            Self::Ask(question) => frame(ASK, question),
            Self::Answer(answer) => frame(ANSWER, answer),
            Self::Gather(gather) => frame(GATHER, gather),
            Self::Gathered(gathered) => frame(GATHERED, gathered),
            Self::Refund(refund) => frame(REFUND, refund),
            Self::Reachable(node) => frame(REACHABLE, node),
            Self::Clocks(clocks) => frame(CLOCKS, clocks),
            Self::Relayed(relayed) => frame(RELAYED, relayed),
        }
    }

    /// The message in a frame; `None` if its kind is not known here.
    ///
    /// # Errors
    /// Says how the frame is not one. Nothing panics and nothing is allocated beyond the frame's
    /// own size times a small constant.
    pub fn decode(frame: &[u8]) -> Result<Option<Self>, WireError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(WireError::TooLong(frame.len()));
        }
        let (kind, body) = frame.split_first().ok_or(WireError::Empty)?;
        let message = match *kind {
            GOSSIP => Self::Gossip(parse(*kind, body)?),
            MEMBERSHIP => Self::Membership(body.to_vec()),
            REPORT => Self::Report(parse(*kind, body)?),
            PROPOSE => Self::Propose(parse(*kind, body)?),
            OPENING => Self::Opening(parse(*kind, body)?),
            ASK => Self::Ask(parse(*kind, body)?),
            ANSWER => Self::Answer(parse(*kind, body)?),
            GATHER => Self::Gather(parse(*kind, body)?),
            GATHERED => Self::Gathered(parse(*kind, body)?),
            REFUND => Self::Refund(parse(*kind, body)?),
            REACHABLE => Self::Reachable(parse(*kind, body)?),
            CLOCKS => Self::Clocks(parse(*kind, body)?),
            RELAYED => Self::Relayed(parse(*kind, body)?),
            _ => return Ok(None),
        };
        message.within_bounds(*kind).map(Some)
    }

    fn within_bounds(self, kind: u8) -> Result<Self, WireError> {
        let fits = match &self {
            Self::Gossip(gossip) => {
                gossip.rows.len() <= ITEMS_MAX && gossip.grants.len() <= ITEMS_MAX
            }
            Self::Report(report) => {
                let members = [&report.known, &report.lacks, &report.former];
                let lives = [&report.carried, &report.departed, &report.evicted];
                members.iter().all(|list| list.len() <= MEMBERS_MAX)
                    && lives.iter().all(|list| list.len() <= LIVES_MAX)
                    && report.opened.len() <= MEMBERS_MAX
            }
            Self::Propose(view) => view.is_sound(),
            Self::Clocks(clocks) => clocks.clocks.len() <= MEMBERS_MAX,
            Self::Relayed(relayed) => relayed.rows.len() <= ITEMS_MAX,
            _ => true,
        };
        if fits {
            Ok(self)
        } else {
            Err(WireError::TooMany(kind))
        }
    }
}

/// Room that is made at first for a frame: all but those with rows or grants fit.
const FRAME_BYTES_USUAL: usize = 128;

fn frame<T: Serialize>(kind: u8, body: &T) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_BYTES_USUAL);
    frame.push(kind);
    rmp_serde::encode::write(&mut frame, body).expect("writing to memory does not fail");
    frame
}

fn parse<T: DeserializeOwned>(kind: u8, body: &[u8]) -> Result<T, WireError> {
    rmp_serde::from_slice(body).map_err(|error| WireError::Malformed {
        kind,
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
