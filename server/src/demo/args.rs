//! What can be typed after `demo`. Whether it makes sense together is [`super::options`]'s to say.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::ValueEnum;
use serde::Serialize;

use super::{decimal::Decimal, options::Partition};

/// Options of the demo.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Access log in Common or Combined Log Format; without one, a seeded workload is made up
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// How many times faster than it was written a log is replayed; the limit's rate grows with it,
    /// its burst does not [default: 600]
    #[arg(long, value_name = "FACTOR", requires = "log")]
    pub(crate) speed: Option<Decimal>,

    /// What each client may spend in the long run: 5/min, 0.5/s, 1000/day
    /// [default: 5/min for a log, 200/s without]
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<RateText>,

    /// What each client may spend at once [default: 10 for a log, 200 without]
    #[arg(long, value_name = "UNITS")]
    pub(crate) burst: Option<u64>,

    /// How the load balancer spreads requests over nodes
    #[arg(long, value_enum, default_value_t = Balance::Random)]
    pub(crate) balance: Balance,

    /// Whether nodes decide alone (check) or may ask the one that holds the units (acquire)
    #[arg(long, value_enum, default_value_t = Mode::Check)]
    pub(crate) mode: Mode,

    /// Nodes in the cluster
    #[arg(long, default_value_t = 3)]
    pub(crate) nodes: usize,

    /// How far above the burst the cluster may admit at worst, in parts of the burst; 0 is strict
    #[arg(long, value_name = "PART", default_value = "0.2")]
    pub(crate) overshoot: Decimal,

    /// Seconds of the run between which the two halves of the cluster cannot hear each other, or
    /// `none` [default: 10..18 without a log, none with one]
    #[arg(long, value_name = "FROM..TO")]
    pub(crate) partition: Option<PartitionText>,

    /// Where all randomness comes from; drawn and printed if missing
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Where to write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Where to write the run as a page of HTML that needs nothing else: figures and pictures
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// After how long an unreachable node's share goes to the others: 60s, 2m, never
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) evict_after: EvictText,

    /// How often nodes tell each other what they spent
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    pub(crate) tick: Duration,

    /// Sends nothing for so many seconds and reports what the nodes send to each other
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["log", "partition"])]
    pub(crate) idle: Option<u64>,
}

/// How the load balancer spreads requests over nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Balance {
    /// Any node, each as likely
    Random,
    /// One after the other
    RoundRobin,
    /// Always the same node for the same client
    Sticky,
    /// 80 % to the first node, the rest to the others
    Skewed,
    /// The node that owns the client's key
    Owner,
}

/// How a node decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Alone, at once, from what it holds
    Check,
    /// Asks the node that holds the units where it has none
    Acquire,
}

/// A rate as typed: so many units a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateText {
    pub(crate) units: Decimal,
    pub(crate) period_ns: u64,
}

impl FromStr for RateText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (units, period) = text
            .split_once('/')
            .ok_or_else(|| format!("`{text}` is not a rate like 5/min"))?;
        let period_s = match period {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3600,
            "d" | "day" => 86_400,
            _ => return Err(format!("`{period}` is not s, min, hour or day")),
        };
        Ok(Self {
            units: units.parse()?,
            period_ns: period_s * 1_000_000_000,
        })
    }
}

/// A partition as typed, or the wish for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionText {
    None,
    Between(Partition),
}

impl FromStr for PartitionText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is not a span of seconds like 20..45"))?;
        let (from_ns, to_ns) = (seconds_ns(from)?, seconds_ns(to)?);
        if from_ns >= to_ns {
            return Err(format!("`{text}` ends before it begins"));
        }
        Ok(Self::Between(Partition { from_ns, to_ns }))
    }
}

/// When an unreachable node is given up, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvictText {
    Never,
    After(Duration),
}

impl FromStr for EvictText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            _ => Ok(Self::After(duration(text)?)),
        }
    }
}

/// A duration with its unit: 100ms, 1.5s, 2m, 1h.
fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let unit_ns: u64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("`{text}` is not a duration like 100ms, 60s or 2m")),
    };
    Ok(Duration::from_nanos(in_ns(number.parse()?, unit_ns)?))
}

fn seconds_ns(text: &str) -> Result<u64, String> {
    in_ns(text.parse()?, 1_000_000_000)
}

fn in_ns(number: Decimal, unit_ns: u64) -> Result<u64, String> {
    let ns = u128::from(number.digits) * u128::from(unit_ns) / u128::from(number.scale);
    u64::try_from(ns).map_err(|_| format!("{number} is too long a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_by_their_unit() {
        for (text, digits, period_s) in [
            ("5/min", 5, 60),
            ("3/s", 3, 1),
            ("3/sec", 3, 1),
            ("9/hour", 9, 3600),
            ("1/day", 1, 86_400),
        ] {
            let rate: RateText = text.parse().expect("a rate");
            assert_eq!(rate.units, Decimal::whole(digits));
            assert_eq!(rate.period_ns, period_s * 1_000_000_000);
        }
        let fractional: RateText = "0.5/s".parse().expect("a rate");
        assert!((fractional.units.as_f64() - 0.5).abs() < 1e-12);
        for text in ["5", "5/", "/min", "5/week", "-5/min", "x/min"] {
            assert!(text.parse::<RateText>().is_err(), "{text}");
        }
    }

    #[test]
    fn partitions_are_spans_of_seconds() {
        let between = |from_ns, to_ns| Ok(PartitionText::Between(Partition { from_ns, to_ns }));
        assert_eq!("20..45".parse(), between(20_000_000_000, 45_000_000_000));
        assert_eq!("0.5..1".parse(), between(500_000_000, 1_000_000_000));
        assert_eq!("none".parse(), Ok(PartitionText::None));
        for text in ["45..20", "5..5", "20", "..", "20..", "a..b", "-1..2"] {
            assert!(text.parse::<PartitionText>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_their_unit() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "60", "s", "-1s", "9999999999h", "1 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!("never".parse(), Ok(EvictText::Never));
        assert!("sometimes".parse::<EvictText>().is_err());
    }
}
