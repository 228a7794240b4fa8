//! Who decides the requests: the library, or one of its rivals, on the same arrivals.

use crate::history::{Arrival, Run};
use crate::scenario::Scenario;

/// A way to limit a cluster.
pub trait Strategy {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Decides all arrivals of a scenario, in the weather that it sets. The same scenario and
    /// arrivals give the same run.
    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run;
}
