//! Us, and who is compared with us. Each is used as its documentation says.

pub mod floor;
pub mod governor;
pub mod limitador;
pub mod ours;
pub mod rateguard;
pub mod throttlecrab;

use std::time::Duration;

/// One limit, in words that all understand: whole units for each period, and as many at once.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Units for each period, and the burst.
    pub units: u32,
    /// The period: a second or an hour.
    pub period: Duration,
}

impl Quota {
    /// So much that nobody is refused.
    pub const AMPLE: Self = Self {
        units: 100_000_000,
        period: Duration::from_secs(1),
    };
    /// Two an hour: who has been there thrice is refused. (With one, throttlecrab would refuse
    /// nobody: what it remembers lives for no time then.)
    pub const SPENT: Self = Self {
        units: 2,
        period: Duration::from_secs(3600),
    };
}
