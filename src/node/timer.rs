//! The node's timers, as data: the driver sees only the earliest.

use crate::units::Nanos;

/// Why a node wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Rows are sent, shares are moved, views are looked after: once a tick.
    Tick,
    /// A question has waited long enough for its answer, or a gathering for its parts.
    Deadline,
}

const COUNT: usize = 2;

/// One optional deadline for each timer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers([Option<Nanos>; COUNT]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Option<Nanos>) {
        self.0[timer as usize] = at;
    }

    pub(super) fn is_due(&self, timer: Timer, now: Nanos) -> bool {
        self.0[timer as usize].is_some_and(|at| at <= now)
    }

    pub(super) fn earliest(&self) -> Option<Nanos> {
        self.0.iter().flatten().min().copied()
    }
}
