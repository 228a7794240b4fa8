//! Rare branches, and how often each was taken: a swarm that never takes one proves nothing of it.

use std::collections::BTreeMap;

macro_rules! marks {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// A rare branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Mark {
            $($(#[$doc])+ $name,)+
        }

        /// Their names, in the same order: all that a run can report.
        pub const NAMES: &[&str] = &[$($text,)+];
    };
}

marks! {
    /// A life was evicted by a view that completed somewhere.
    Evicted = "evicted",
    /// A life ended because the others had gone on without it.
    Reborn = "reborn",
    /// A view completed.
    ViewCompleted = "view-completed",
    /// A view completed while something was cut.
    ViewInPartition = "view-in-partition",
    /// A view completed while a member was paused.
    ViewInPause = "view-in-pause",
    /// A grant was passed on for want of room.
    GrantPassed = "grant-passed",
    /// A grant was on its way from, or to, a process that ended.
    GrantAtCrash = "grant-at-crash",
    /// Units were admitted on the right of overdraft.
    Overdraft = "overdraft",
    /// A holder decided for another node.
    HolderDecided = "holder-decided",
    /// A question was not answered in time.
    QuestionExpired = "question-expired",
    /// The fallback decided.
    Fallback = "fallback",
    /// A key was gathered to decide for the whole cluster.
    Gathered = "gathered",
    /// A request was refused because the node holds nothing yet.
    RefusedNoShare = "refused-no-share",
    /// A request was refused because the table is full.
    RefusedNoRoom = "refused-no-room",
    /// A request was refused because its cost is above the burst.
    RefusedAboveBurst = "refused-above-burst",
    /// A live quiet key was given up for want of room.
    KeyGivenUp = "key-given-up",
    /// A row was dropped for want of room.
    RowDropped = "row-dropped",
    /// A process was restarted.
    Restarted = "restarted",
    /// A new life began at a place whose old one was only paused.
    RestartedInPause = "restarted-in-pause",
    /// A process went on that its peers had taken for lost.
    ResumedLost = "resumed-lost",
    /// A node joined while something was cut.
    JoinedInPartition = "joined-in-partition",
    /// A node handed all over and left.
    Left = "left",
    /// A node was ended before it had handed all over.
    LeftLate = "left-late",
    /// Somebody was forgotten by an operator's word.
    Forgotten = "forgotten",
    /// The living counted in more than one group.
    CountedApart = "counted-apart",
    /// The cluster was founded once more.
    FoundedAnew = "founded-anew",
    /// A connection was lost by silence.
    LinkTimedOut = "link-timed-out",
    /// A connection was lost because the other end knows nothing of it.
    LinkReset = "link-reset",
    /// A frame too large for a datagram was sent.
    StreamSent = "stream-sent",
    /// Part of a stream was sent again.
    StreamSentAgain = "stream-sent-again",
    /// A datagram was lost.
    DatagramLost = "datagram-lost",
    /// A datagram arrived twice.
    DatagramDoubled = "datagram-doubled",
    /// A datagram came that was sent to a life or over a connection that had ended.
    DatagramStale = "datagram-stale",
    /// A clock had jumped back, and its node was told an older time.
    ClockHeldBack = "clock-held-back",
    /// A request came to a place where nothing ran.
    NobodyThere = "nobody-there",
    /// A request waited for a process that was paused.
    WaitedForResume = "waited-for-resume",
}

/// How often each was taken.
#[derive(Clone, Debug)]
pub(super) struct Marks([u64; NAMES.len()]);

impl Default for Marks {
    fn default() -> Self {
        Self([0; NAMES.len()])
    }
}

impl Marks {
    pub(super) const fn hit(&mut self, mark: Mark) {
        self.add(mark, 1);
    }

    pub(super) const fn add(&mut self, mark: Mark, count: u64) {
        self.0[mark as usize] += count;
    }

    /// All of them by name, those never taken too.
    pub(super) fn by_name(&self) -> BTreeMap<String, u64> {
        let named = NAMES.iter().zip(self.0);
        named
            .map(|(name, count)| ((*name).to_owned(), count))
            .collect()
    }
}
