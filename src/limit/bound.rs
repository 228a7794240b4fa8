//! The promise in closed form.

use std::time::Duration;

use super::{Limit, Overshoot};

/// What a cluster may admit at most, for one key of one limit.
///
/// In every interval of length T, summed over all nodes: `(1 + ε)·C + (1 + ρ)·r·T`, while live
/// nodes count with one view. Where unreachable members were evicted and live on, κ views are in
/// use and an interval that starts with one view holds `(1 + κ·ε)·C + (1 + ρ)·κ·r·T`, any other
/// `κ·(1 + ε)·C + (1 + ρ)·κ·r·T`. ρ, the rate error of the fastest node's clock, is left to the
/// caller: parts in a million on real machines.
///
/// ```
/// use distributary::{Bound, Limit, Overshoot};
/// use std::time::Duration;
///
/// let bound = Bound::new(Limit::per_second(100), Overshoot::new(0.2)?);
/// assert_eq!(bound.burst_units(1, true), 120.0);
/// assert_eq!(bound.units_in(Duration::from_secs(60), 1, true), 6120.0);
/// # Ok::<(), distributary::LimitError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    limit: Limit,
    overshoot: Overshoot,
}

impl Bound {
    /// The bound of one limit under one overshoot.
    #[must_use]
    pub const fn new(limit: Limit, overshoot: Overshoot) -> Self {
        Self { limit, overshoot }
    }

    /// What may come at once, in units, with `views` (κ) in use; `from_one` says that the interval
    /// starts while there is still one.
    #[must_use]
    pub fn burst_units(&self, views: u32, from_one: bool) -> f64 {
        let burst = self.limit.burst_units() as f64;
        let (epsilon, views) = (
            self.overshoot.right().as_fraction(),
            f64::from(views.max(1)),
        );
        if from_one {
            (1.0 + views * epsilon) * burst
        } else {
            views * (1.0 + epsilon) * burst
        }
    }

    /// What may be admitted in an interval, in units.
    #[must_use]
    pub fn units_in(&self, interval: Duration, views: u32, from_one: bool) -> f64 {
        let rate = f64::from(views.max(1)) * self.limit.rate().per_second();
        self.burst_units(views, from_one) + rate * interval.as_secs_f64()
    }
}
