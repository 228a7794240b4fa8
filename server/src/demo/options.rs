//! What was typed, checked together and filled up with defaults.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};

use super::{
    args::{Args, Balance, EvictText, Mode, PartitionText, RateText},
    decimal::Decimal,
    judge::Rate,
};

/// Most nodes of one demo: all of them share this machine.
const NODES_MAX: usize = 40;

/// Largest burst a limit can have, in units.
const BURST_UNITS_MAX: u64 = 1 << 40;

/// Largest overshoot, in parts of the burst.
const OVERSHOOT_MAX: u64 = 1000;

/// Shortest and longest tick.
const TICK_MIN: Duration = Duration::from_millis(10);
const TICK_MAX: Duration = Duration::from_secs(10);

/// Longest idle run, in seconds.
const IDLE_S_MAX: u64 = 3600;

/// How much faster than it was written a log is replayed, unless told.
const SPEED: Decimal = Decimal::whole(600);

/// The cut that a run without a log shows, unless told.
const PARTITION_SEEDED: Partition = Partition {
    from_ns: 10_000_000_000,
    to_ns: 18_000_000_000,
};

/// Everything a run is told.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) source: Source,
    pub(crate) limit: LimitSpec,
    /// The rate in the run's own time: what was asked for, times the speed.
    pub(crate) rate: Rate,
    pub(crate) balance: Balance,
    pub(crate) mode: Mode,
    pub(crate) nodes: usize,
    pub(crate) overshoot: Decimal,
    pub(crate) partition: Option<Partition>,
    pub(crate) seed: u64,
    pub(crate) json: Option<PathBuf>,
    pub(crate) report: Option<PathBuf>,
    /// None: never.
    pub(crate) evict_after: Option<Duration>,
    pub(crate) tick: Duration,
}

/// Where requests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Log { path: PathBuf, speed: Decimal },
    Seeded,
    Idle { duration: Duration },
}

/// The limit as asked for, before any speed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitSpec {
    pub(crate) rate: RateText,
    pub(crate) burst_units: u64,
}

/// When the halves of the cluster cannot hear each other, in nanoseconds of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

impl Options {
    /// Checks the arguments together; `drawn_seed` is used if none was given.
    ///
    /// # Errors
    /// Names the first argument that cannot be, and what it could be.
    pub(crate) fn new(args: &Args, drawn_seed: u64) -> Result<Self> {
        check_ranges(args)?;
        let source = source(args);
        let limit = limit(args)?;
        let speed = match &source {
            Source::Log { speed, .. } => *speed,
            Source::Seeded | Source::Idle { .. } => Decimal::whole(1),
        };
        Ok(Self {
            partition: partition(args, &source)?,
            rate: limit.rate_at(speed)?,
            source,
            limit,
            balance: args.balance,
            mode: args.mode,
            nodes: args.nodes,
            overshoot: args.overshoot,
            seed: args.seed.unwrap_or(drawn_seed),
            json: args.json.clone(),
            report: args.report.clone(),
            evict_after: match args.evict_after {
                EvictText::Never => None,
                EvictText::After(delay) => Some(delay),
            },
            tick: args.tick,
        })
    }
}

impl LimitSpec {
    /// The rate `speed` times faster, in lowest terms.
    fn rate_at(self, speed: Decimal) -> Result<Rate> {
        let RateText { units, period_ns } = self.rate;
        ensure!(units.digits > 0, "--rate must be above 0");
        ensure!(speed.digits > 0, "--speed must be above 0");
        let fast = u128::from(units.digits) * u128::from(speed.digits);
        let per_ns = u128::from(units.scale) * u128::from(speed.scale) * u128::from(period_ns);
        let divisor = greatest_common_divisor(fast, per_ns);
        Ok(Rate {
            units: u64::try_from(fast / divisor)
                .ok()
                .context("--rate times --speed is too fast to count")?,
            per_ns: u64::try_from(per_ns / divisor)
                .ok()
                .context("--rate times --speed has too many digits to count exactly")?,
        })
    }
}

impl Partition {
    /// For how long nobody hears the other half.
    pub(crate) fn duration_ns(self) -> u64 {
        self.to_ns - self.from_ns
    }
}

fn check_ranges(args: &Args) -> Result<()> {
    ensure!(
        (1..=NODES_MAX).contains(&args.nodes),
        "--nodes must lie between 1 and {NODES_MAX}"
    );
    ensure!(
        args.overshoot.as_f64() <= OVERSHOOT_MAX as f64,
        "--overshoot must lie between 0 and {OVERSHOOT_MAX}"
    );
    ensure!(
        (TICK_MIN..=TICK_MAX).contains(&args.tick),
        "--tick must lie between {TICK_MIN:?} and {TICK_MAX:?}"
    );
    if let EvictText::After(delay) = args.evict_after {
        ensure!(
            delay >= args.tick,
            "--evict-after must be at least one --tick"
        );
    }
    if let Some(seconds) = args.idle {
        ensure!(
            (1..=IDLE_S_MAX).contains(&seconds),
            "--idle must lie between 1 and {IDLE_S_MAX}"
        );
    }
    Ok(())
}

fn source(args: &Args) -> Source {
    match (&args.log, args.idle) {
        (Some(path), _) => Source::Log {
            path: path.clone(),
            speed: args.speed.unwrap_or(SPEED),
        },
        (None, Some(seconds)) => Source::Idle {
            duration: Duration::from_secs(seconds),
        },
        (None, None) => Source::Seeded,
    }
}

fn limit(args: &Args) -> Result<LimitSpec> {
    let (units, period_ns, burst_default) = match args.log {
        Some(_) => (5, 60_000_000_000, 10),
        None => (200, 1_000_000_000, 200),
    };
    let burst_units = args.burst.unwrap_or(burst_default);
    ensure!(
        (1..=BURST_UNITS_MAX).contains(&burst_units),
        "--burst must lie between 1 and {BURST_UNITS_MAX}"
    );
    let rate_default = RateText {
        units: Decimal::whole(units),
        period_ns,
    };
    Ok(LimitSpec {
        rate: args.rate.unwrap_or(rate_default),
        burst_units,
    })
}

fn partition(args: &Args, source: &Source) -> Result<Option<Partition>> {
    match args.partition {
        Some(PartitionText::None) => Ok(None),
        Some(PartitionText::Between(_)) if args.nodes < 2 => {
            bail!("--partition needs at least two --nodes")
        }
        Some(PartitionText::Between(partition)) => Ok(Some(partition)),
        None if *source == Source::Seeded && args.nodes > 1 => Ok(Some(PARTITION_SEEDED)),
        None => Ok(None),
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn options(typed: &str) -> Result<Options> {
        let words = std::iter::once("demo").chain(typed.split_whitespace());
        Options::new(&Typed::try_parse_from(words)?.args, 42)
    }

    #[test]
    fn a_log_is_replayed_600_times_faster_with_its_rate_and_not_its_burst() {
        let options = options("--log some.log --rate 5/min --burst 10").expect("good");
        // 5 a minute, 600 times: one every 20 ms.
        let expected = Rate {
            units: 1,
            per_ns: 20_000_000,
        };
        assert_eq!(options.rate, expected);
        assert_eq!(options.limit.burst_units, 10);
        assert_eq!(options.partition, None);
    }

    #[test]
    fn without_a_log_there_is_a_cut_unless_told_otherwise() {
        assert_eq!(options("").expect("good").partition, Some(PARTITION_SEEDED));
        assert_eq!(options("").expect("good").seed, 42);
        let none = options("--partition none --seed 7").expect("good");
        assert_eq!((none.partition, none.seed), (None, 7));
        assert_eq!(options("--nodes 1").expect("good").partition, None);
        assert_eq!(options("--idle 5").expect("good").partition, None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for typed in [
            "--nodes 0",
            "--nodes 41",
            "--nodes 1 --partition 1..2",
            "--burst 0",
            "--rate 0/s",
            "--log a --speed 0",
            "--speed 5",
            "--overshoot 1001",
            "--overshoot NaN",
            "--tick 1ms",
            "--evict-after 50ms",
            "--idle 0",
            "--idle 3 --log a",
            "--idle 3 --partition 1..2",
            "--balance best",
            "--log a --rate 9999999999.999999/s --speed 9999999999.999999",
        ] {
            assert!(options(typed).is_err(), "{typed}");
        }
    }
}
