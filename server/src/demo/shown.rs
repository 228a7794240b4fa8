//! The options as they are written beside the figures.

use serde::Serialize;

use super::{
    args::{Balance, Mode},
    options::{Options, Source},
};

/// The options a run was made with, defaults filled in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OptionsShown {
    log: Option<String>,
    speed: Option<f64>,
    /// Before any speed.
    rate_per_s: f64,
    burst: u64,
    balance: Balance,
    mode: Mode,
    nodes: usize,
    overshoot: f64,
    pub(crate) partition_s: Option<[f64; 2]>,
    evict_after_s: Option<f64>,
    tick_ms: f64,
    idle_s: Option<u64>,
}

impl OptionsShown {
    pub(crate) fn new(options: &Options) -> Self {
        let (log, speed) = match &options.source {
            Source::Log { path, speed } => (
                Some(path.to_string_lossy().into_owned()),
                Some(speed.as_f64()),
            ),
            Source::Seeded | Source::Idle { .. } => (None, None),
        };
        let rate = options.limit.rate;
        let seconds = |ns: u64| ns as f64 / 1e9;
        Self {
            log,
            speed,
            rate_per_s: rate.units.as_f64() / seconds(rate.period_ns),
            burst: options.limit.burst_units,
            balance: options.balance,
            mode: options.mode,
            nodes: options.nodes,
            overshoot: options.overshoot.as_f64(),
            partition_s: options
                .partition
                .map(|p| [seconds(p.from_ns), seconds(p.to_ns)]),
            evict_after_s: options.evict_after.map(|delay| delay.as_secs_f64()),
            tick_ms: options.tick.as_secs_f64() * 1e3,
            idle_s: match options.source {
                Source::Idle { duration } => Some(duration.as_secs()),
                Source::Log { .. } | Source::Seeded => None,
            },
        }
    }
}
