//! Bugs put into the steps of the model, to see that the claims can fail.

use crate::claims;

/// A bug between one of the library's functions and the next: what would be if a node forgot it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// A grant is sent, and what it carries stays in the sender's account.
    GrantNotDeducted,
    /// A grant is applied as often as it arrives.
    GrantAppliedTwice,
    /// A share arrives without the level that came with it.
    LevelNotCarried,
    /// What nobody vouches for arrives with its share used up and its overdraft not owed: the debt
    /// of who died is nobody's.
    DebtLostWithItsNode,
    /// Who leaves in debt opens with no more than its share may hold.
    DebtLostByItsLeaver,
    /// A grant of an older view is applied.
    GrantKeptAcrossViews,
    /// A member states what it holds before it has lowered itself, and goes on with all of it.
    OpenedWithoutLowering,
    /// What a view brings is taken before every opening is there.
    TakenBeforeAllHaveOpened,
    /// Grants that were not acknowledged go back to their sender even if they were applied.
    AppliedGrantReturns,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::GrantNotDeducted,
        Self::GrantAppliedTwice,
        Self::LevelNotCarried,
        Self::DebtLostWithItsNode,
        Self::DebtLostByItsLeaver,
        Self::GrantKeptAcrossViews,
        Self::OpenedWithoutLowering,
        Self::TakenBeforeAllHaveOpened,
        Self::AppliedGrantReturns,
    ];
}

impl Planted {
    /// The claim that it makes false.
    #[must_use]
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::GrantNotDeducted
            | Self::GrantKeptAcrossViews
            | Self::TakenBeforeAllHaveOpened
            | Self::AppliedGrantReturns => claims::SHARES,
            Self::GrantAppliedTwice => claims::ONCE,
            Self::LevelNotCarried
            | Self::DebtLostWithItsNode
            | Self::DebtLostByItsLeaver
            | Self::OpenedWithoutLowering => claims::CONSERVED,
        }
    }
}
