//! Who decides the requests: the library, or one of its rivals, on the same arrivals.
//!
//! A rival is a small, honest account of how others limit a cluster: it charges and observes only
//! what it could, over the same network and faults. Its clocks are perfect, which favours it.

mod bucket;
mod central;
mod driver;
mod ideal;
mod live_members;
mod merged;
mod placement;
mod rateguard;
mod shares;
mod split;

use crate::history::{Arrival, Run};
use crate::scenario::Scenario;

pub use central::{Central, Outage};
pub use driver::{Out, Rival, drive};
pub use ideal::Ideal;
pub use live_members::LiveMembers;
pub use merged::Merged;
pub use placement::WholeUnits;
pub use rateguard::{Burst, Rateguard};
pub use shares::Shares;
pub use split::Split;

/// A way to limit a cluster.
pub trait Strategy {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Decides all arrivals of a scenario, in the weather that it sets. The same scenario and
    /// arrivals give the same run.
    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run;
}

/// A rival by its name, and how a scenario sets it up.
struct Named<R: Rival> {
    name: &'static str,
    new: fn(&Scenario) -> R,
}

impl<R: Rival> Strategy for Named<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
        drive((self.new)(scenario), scenario, arrivals)
    }
}

/// Everybody that tables show, the library first.
#[must_use]
pub fn all() -> Vec<Box<dyn Strategy + Send + Sync>> {
    let library: Box<dyn Strategy + Send + Sync> = Box::new(Shares);
    std::iter::once(library).chain(rivals()).collect()
}

/// All that the library is compared with.
#[must_use]
pub fn rivals() -> Vec<Box<dyn Strategy + Send + Sync>> {
    vec![
        named("ideal", Ideal::new),
        named("placement", WholeUnits::new),
        named("static", |scenario| Split::new(scenario, 100)),
        named("margin", |scenario| Split::new(scenario, 95)),
        named("merged", Merged::new),
        named("live-members", LiveMembers::new),
        named("central-open", |scenario| {
            Central::new(scenario, Outage::Admits)
        }),
        named("central-closed", |scenario| {
            Central::new(scenario, Outage::Refuses)
        }),
        named("rateguard", |scenario| {
            Rateguard::new(scenario, Burst::Safe)
        }),
        named("rateguard-full-burst", |scenario| {
            Rateguard::new(scenario, Burst::Full)
        }),
    ]
}

fn named<R: Rival + 'static>(
    name: &'static str,
    new: fn(&Scenario) -> R,
) -> Box<dyn Strategy + Send + Sync> {
    Box::new(Named { name, new })
}

#[cfg(test)]
mod tests;
