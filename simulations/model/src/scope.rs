//! How far an exploration goes: what may happen, and how often.

use distributary::proto::{Account, Amount, Parcel, Share};

use crate::marks::Mark;
use crate::planted::Planted;
use crate::rules::Rules;

/// What a grant carries. What a planner would choose makes no difference to what must hold, so any
/// of these may be granted by anybody to anybody at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cargo {
    /// All but the right of overdraft, as one gathers a key.
    All,
    /// All of it.
    WithRights,
    /// Half of the share, with nothing used on it, and none of the rate.
    Units,
    /// All of the rate alone.
    Rate,
    /// Half of the share, with as much of the level as fits it.
    Level,
}

impl Cargo {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::All,
        Self::WithRights,
        Self::Units,
        Self::Rate,
        Self::Level,
    ];

    pub(crate) fn of(self, account: &Account, rules: &Rules) -> Parcel {
        let half = account.share().portion(1, 2);
        match self {
            Self::All => account.all(),
            Self::WithRights => Parcel {
                overdraft: account.overdraft(),
                ..account.all()
            },
            Self::Units => Parcel {
                share: half,
                ..Parcel::default()
            },
            Self::Rate => Parcel {
                rate: account.rate(),
                ..Parcel::default()
            },
            Self::Level => Parcel {
                share: half,
                level: account.level().min(room(half, rules)),
                ..Parcel::default()
            },
        }
    }
}

fn room(share: Share, rules: &Rules) -> Amount {
    Amount::share_of_units(share, rules.pace().burst_units())
}

/// The bounds of one exploration. Within them everything is explored.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// The limit.
    pub rules: Rules,
    /// Keys under the limit.
    pub keys: usize,
    /// Steps of the clock.
    pub ticks: u8,
    /// Units admitted.
    pub requests: u8,
    /// Grants made.
    pub grants: usize,
    /// What they carry.
    pub cargo: &'static [Cargo],
    /// Views proposed after the founding.
    pub views: usize,
    /// Whether keys that are as quiet ones would be may go unlisted in an opening.
    pub quiet: bool,
    /// Whether a view may carry members that could answer.
    pub silence: bool,
    /// Nodes that crash.
    pub crashes: u8,
    /// Crashed nodes that come back as another life.
    pub restarts: u8,
    /// Nodes that leave in good order.
    pub leaves: u8,
    /// What must be come across, or it has shown nothing.
    pub must: &'static [Mark],
}

impl Scope {
    /// Nothing happens but requests and time: where the others begin.
    fn bare(name: &'static str, about: &'static str, overshoot_percent: u32) -> Self {
        Self {
            name,
            about,
            rules: Rules::new(3, 1, overshoot_percent),
            keys: 1,
            ticks: 0,
            requests: 3,
            grants: 0,
            cargo: &[Cargo::WithRights],
            views: 0,
            quiet: false,
            silence: false,
            crashes: 0,
            restarts: 0,
            leaves: 0,
            must: &[],
        }
    }

    fn grants() -> Self {
        let about = "grants of every kind, lost, doubled and out of order";
        Self {
            grants: 1,
            cargo: Cargo::ALL,
            must: &[Mark::Overdrawn, Mark::RefusedTwice],
            ..Self::bare("grants", about, 100)
        }
    }

    fn two_keys() -> Self {
        Self {
            keys: 2,
            grants: 2,
            requests: 2,
            cargo: &[Cargo::WithRights, Cargo::Units],
            must: &[Mark::RefusedTwice],
            ..Self::bare("two-keys", "two keys whose grants share their numbers", 0)
        }
    }

    fn crash() -> Self {
        let about = "a node dies with what it holds and what it owes, and is given up";
        Self {
            views: 1,
            crashes: 1,
            requests: 2,
            must: &[Mark::Overdrawn, Mark::DiedInDebt, Mark::ArrivedUsed],
            ..Self::bare("crash", about, 100)
        }
    }

    fn restart() -> Self {
        Self {
            views: 1,
            quiet: true,
            crashes: 1,
            restarts: 1,
            requests: 1,
            must: &[Mark::ArrivedUsed, Mark::ArrivedUnused],
            ..Self::bare("restart", "a node dies, and comes back with nothing", 100)
        }
    }

    fn leave() -> Self {
        let about = "a node hands over what it holds and owes, and leaves";
        Self {
            views: 1,
            leaves: 1,
            requests: 2,
            must: &[Mark::Overdrawn, Mark::Left],
            ..Self::bare("leave", about, 100)
        }
    }

    fn silence() -> Self {
        let about = "grants on their way while views come that carry the silent";
        Self {
            grants: 1,
            views: 1,
            quiet: true,
            silence: true,
            requests: 0,
            must: &[Mark::Carried, Mark::CompletedAlone, Mark::ArrivedUnused],
            ..Self::bare("silence", about, 0)
        }
    }

    fn rivals() -> Self {
        let about = "two views at once, carrying the silent, given up half-way";
        Self {
            views: 2,
            silence: true,
            requests: 0,
            must: &[Mark::Carried, Mark::GivenUpHalfWay],
            ..Self::bare("rivals", about, 0)
        }
    }

    /// Bounds that take seconds.
    #[must_use]
    pub fn small() -> Vec<Self> {
        vec![
            Self::grants(),
            Self::two_keys(),
            Self::crash(),
            Self::restart(),
            Self::leave(),
            Self::silence(),
            Self::rivals(),
        ]
    }

    /// Bounds that take a minute or two: several million states.
    #[must_use]
    pub fn large() -> Vec<Self> {
        vec![
            Self {
                grants: 3,
                ..Self::grants()
            },
            Self {
                name: "grants-in-time",
                grants: 2,
                ticks: 1,
                requests: 6,
                ..Self::grants()
            },
            Self {
                grants: 3,
                requests: 3,
                ..Self::two_keys()
            },
            Self {
                grants: 1,
                ticks: 1,
                ..Self::crash()
            },
            Self {
                name: "crash-twice-viewed",
                views: 2,
                ..Self::crash()
            },
            Self {
                requests: 3,
                ..Self::restart()
            },
            Self {
                ticks: 1,
                quiet: true,
                ..Self::leave()
            },
            Self {
                requests: 3,
                ..Self::silence()
            },
            Self {
                requests: 1,
                quiet: true,
                ..Self::rivals()
            },
        ]
    }

    /// The small scope that shows what is planted.
    #[must_use]
    pub fn showing(planted: Planted) -> Self {
        let scope = match planted {
            Planted::GivenAndKept | Planted::TakenAgain => Self::grants(),
            Planted::ArrivesEmpty => Self::grants(),
            Planted::DebtLostWithItsNode => Self::crash(),
            Planted::DebtLostByItsLeaver => Self::leave(),
            Planted::GrantKeptAcrossViews | Planted::TakenAndReturned => Self::silence(),
            Planted::OpenedWithoutLowering | Planted::TakenBeforeAllHaveOpened => Self::restart(),
        };
        Self {
            rules: scope.rules.with(planted),
            ..scope
        }
    }
}
