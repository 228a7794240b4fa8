//! What an exploration has come across: one that never came to a thing has shown nothing of it.

use std::sync::atomic::{AtomicU32, Ordering};

/// Something that must happen at least once for a scope to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Mark {
    /// A unit was admitted on overdraft.
    Overdrawn,
    /// A grant arrived that had been applied, and was refused.
    RefusedTwice,
    /// A node died that owed something.
    DiedInDebt,
    /// A view was adopted while another was under way.
    GivenUpHalfWay,
    /// A view of one member was complete as soon as it was adopted.
    CompletedAlone,
    /// A view was adopted that carries somebody.
    Carried,
    /// A share grew by a view, and came used.
    ArrivedUsed,
    /// A share grew by a view, and came as somebody left it behind.
    ArrivedUnused,
    /// A leaver was told that all have taken over.
    Left,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Overdrawn,
        Self::RefusedTwice,
        Self::DiedInDebt,
        Self::GivenUpHalfWay,
        Self::CompletedAlone,
        Self::Carried,
        Self::ArrivedUsed,
        Self::ArrivedUnused,
        Self::Left,
    ];
}

/// Which of them were hit.
#[derive(Debug, Default)]
pub(crate) struct Marks(AtomicU32);

impl Marks {
    pub(crate) fn hit_if(&self, happened: bool, mark: Mark) {
        if happened {
            self.0.fetch_or(1 << mark as u32, Ordering::Relaxed);
        }
    }

    pub(crate) fn hit(&self) -> Vec<Mark> {
        let bits = self.0.load(Ordering::Relaxed);
        let all = Mark::ALL.into_iter();
        all.filter(|mark| bits & 1 << *mark as u32 != 0).collect()
    }
}
