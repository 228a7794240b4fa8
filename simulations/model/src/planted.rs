//! Bugs put into the steps of the model, to see that the claims can fail.

use crate::claims;

/// A bug between one of the library's functions and the next: what would be if a node forgot it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// A grant is sent, and what it carries stays in the sender's account.
    GivenAndKept,
    /// A grant is applied as often as it arrives.
    TakenAgain,
    /// A share arrives without the level that came with it.
    ArrivesEmpty,
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
    TakenAndReturned,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::GivenAndKept,
        Self::TakenAgain,
        Self::ArrivesEmpty,
        Self::DebtLostWithItsNode,
        Self::DebtLostByItsLeaver,
        Self::GrantKeptAcrossViews,
        Self::OpenedWithoutLowering,
        Self::TakenBeforeAllHaveOpened,
        Self::TakenAndReturned,
    ];
}

impl Planted {
    /// The claim that it makes false.
    #[must_use]
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::GivenAndKept
            | Self::GrantKeptAcrossViews
            | Self::TakenBeforeAllHaveOpened
            | Self::TakenAndReturned => claims::SHARES,
            Self::TakenAgain => claims::ONCE,
            Self::ArrivesEmpty
            | Self::DebtLostWithItsNode
            | Self::DebtLostByItsLeaver
            | Self::OpenedWithoutLowering => claims::CONSERVED,
        }
    }
}
