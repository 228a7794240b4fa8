//! Bugs to plant: what the checkers must find. Compiled under `--cfg mutant` alone.
//!
//! Each is a slip that somebody could make, at one place of the library, marked there by `planted!`.
//! One at most is planted at a time, for the whole process; none is until [`plant`] says so.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! mutants {
    ($(#[doc = $what:literal] $name:ident,)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What is wrong with it, in a line.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }
        }
    };
}

mutants! {
    // --- The account ---
    /// A share that is granted stays with its giver too.
    GrantNotDeducted,
    /// A right of overdraft that is granted stays with its giver too.
    OverdraftNotDeducted,
    /// Every node drains at the rate of the whole limit.
    DrainedAtWholeRate,
    /// Rights are rounded up to whole units.
    RoundedUp,
    /// Overdraft is used without a look at how much of it there is.
    OverdraftUnlimited,
    /// What leaves with a grant is taken off what went in, not added to what went out.
    CountersTakenBack,
    /// What a leaver has used is forgotten with it.
    LevelLostWithLeaver,
    /// After a jump of its clock, or a standstill of its process, a node begins with an empty bucket.
    ClockJumpRefills,

    // --- Grants on their way ---
    /// A grant that comes again is applied again.
    GrantAppliedTwice,
    /// A share arrives empty, whatever the level it left with.
    LevelNotCarried,
    /// Grants that were not acknowledged in a view go on in the next, which accounts for them too.
    GrantsKeptAcrossViews,
    /// Grants are applied whatever view they were made in.
    GrantsOfAnyView,
    /// Nothing is ever granted.
    NothingMoves,

    // --- Views ---
    /// No ratchet: a member goes on with what it held until the view is complete.
    RatchetLeftOut,
    /// A member uses what it will hold as soon as it adopts a view.
    GrownAtAdoption,
    /// A view completes without waiting for everybody's opening.
    OpeningsNotAwaited,
    /// An opening says what its member holds when it is sent, not when it froze.
    OpeningsTakenLive,
    /// Members that are silent are evicted under `Never` too.
    NeverEvicts,
    /// What is missing is handed out while somebody is carried, who may hold it.
    MissingOverCarried,
    /// What is missing of a key that somebody lists is dealt unused.
    MissingUnused,
    /// A key that nobody lists grows unused, whoever held what comes to it.
    GrowthUnused,
    /// Nobody looks how full quiet keys are of which a part is given up: they count as empty.
    FullnessLeftOut,
    /// Members that do not list a key that others list count as holding nothing of it.
    UnlistedNotOpened,
    /// Rights of overdraft are handed out anew by each view.
    OverdraftNotConserved,
    /// A grant goes back to its sender though it was applied.
    AppliedGrantReturns,

    // --- Lives ---
    /// A node that begins a new life goes on with what the former one held.
    FormerLifeHeld,

    // --- Keys ---
    /// Quiet keys are forgotten before they have drained.
    LiveKeyForgotten,
    /// A key begins to be contended with an empty bucket.
    ContendedEmpty,

    // --- Rows, and what rests on them ---
    /// Whatever row came last replaces the one before.
    JoinOverwrites,
    /// Rows are kept for ever.
    RowsKept,

    // --- Acquire, members ---
    /// A question whose answer is late is not decided otherwise.
    QuestionsUnanswered,
}

/// One more than the planted bug's place in [`Mutant::ALL`]; nothing is planted at zero.
static PLANTED: AtomicUsize = AtomicUsize::new(0);

/// Plants a bug in place of what was planted before, in all threads; or none. To be called while
/// nothing else of the library runs.
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.store(
        mutant.map_or(0, |mutant| mutant as usize + 1),
        Ordering::SeqCst,
    );
}

pub(crate) fn is_planted(mutant: Mutant) -> bool {
    PLANTED.load(Ordering::Relaxed) == mutant as usize + 1
}
