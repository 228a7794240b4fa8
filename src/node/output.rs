//! What a node asks of its driver.

use super::Ticket;
use crate::limit::Decision;
use crate::membership::Peer;
use crate::units::NodeId;
use crate::view::ViewId;

/// One thing for the driver to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a frame to a peer: as a datagram if it fits one, else on a stream. It may get lost.
    Send {
        /// To whom.
        to: NodeId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Something happened that the driver or the user should know.
    Event(Event),
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// There is a node that is not connected: connect to it.
    Found(Peer),
    /// A node is forgotten that nobody has reached for long and that no view counts: there is no
    /// need to go on calling it.
    Forgotten(Peer),
    /// A peer came back: whoever else was lost is worth another try at once.
    TryAgain,
    /// A view is complete here: this node holds its share.
    ViewComplete(ViewId),
    /// A question was answered.
    Answered(Ticket, Decision),
    /// The others have gone on without this life: it has ended, and a new one begins, holding
    /// nothing, under a new id.
    Reborn {
        /// The life that ended.
        old: NodeId,
        /// The new one.
        new: NodeId,
    },
    /// This node has handed over all it held, and the others know.
    Left,
}

/// How much a node remembers of keys, besides its table. All of it ends when the load does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// Keys that are attended to at every tick.
    pub keys_active: usize,
    /// Rows of its own that peers may still lack.
    pub rows_own: usize,
    /// Rows of others.
    pub rows_held: usize,
    /// Keys that are being gathered, or could not be of late.
    pub gatherings: usize,
    /// Refusals of holders.
    pub refusals: usize,
    /// Grants that are not acknowledged.
    pub grants: usize,
}

/// What a node has counted since it came to life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeCounters {
    /// Frames queued for peers.
    pub frames_sent: u64,
    /// Frames that did not decode: nothing was changed by them.
    pub frames_refused: u64,
    /// Frames of a kind that a newer version knows.
    pub frames_skipped: u64,
    /// Packets that the failure detector refused.
    pub membership_refused: u64,
    /// Rows of its own told to peers, repeated ones included.
    pub rows_sent: u64,
    /// Rows heard that were news.
    pub rows_heard: u64,
    /// Rows of others passed on to a peer that does not hear them.
    pub rows_relayed: u64,
    /// Rows heard for which there was no room.
    pub rows_dropped: u64,
    /// Grants sent.
    pub grants_sent: u64,
    /// Grants applied.
    pub grants_applied: u64,
    /// Grants for which there was no room, passed on to who has some, or back.
    pub grants_passed: u64,
    /// Grants not taken, and so not acknowledged: there was no room to pass them on either.
    pub grants_deferred: u64,
    /// Views completed.
    pub views_completed: u64,
    /// Members evicted by views that this node completed.
    pub members_evicted: u64,
    /// New lives begun because the others went on without the old one.
    pub rebirths: u64,
    /// Questions asked of holders.
    pub questions_sent: u64,
    /// Questions answered for others.
    pub questions_answered: u64,
    /// Questions that no holder answered in time.
    pub questions_expired: u64,
    /// Keys gathered to decide for the whole cluster.
    pub keys_gathered: u64,
}
