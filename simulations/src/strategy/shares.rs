//! The library itself.

use super::Strategy;
use crate::history::{Arrival, Run};
use crate::scenario::Scenario;
use crate::world::{self, Options};

/// The shipping node and table, in the world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares;

impl Strategy for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
        world::run(scenario, arrivals, Options::default())
    }
}
