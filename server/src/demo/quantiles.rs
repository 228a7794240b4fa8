//! Percentiles of measured times.

use serde::Serialize;

/// The times below which half, 99 % and 99.9 % of the samples lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Quantiles {
    /// Of these samples, each divided by `divisor`; none if there are none.
    pub(crate) fn of(mut samples: Vec<u64>, divisor: f64) -> Option<Self> {
        samples.sort_unstable();
        let at = |per_mille| Some(rank(&samples, per_mille)? as f64 / divisor);
        Some(Self {
            p50: at(500)?,
            p99: at(990)?,
            p999: at(999)?,
        })
    }
}

/// The smallest sample that so many thousandths of them do not exceed.
fn rank(sorted: &[u64], per_mille: usize) -> Option<u64> {
    let count = (sorted.len() * per_mille).div_ceil(1000);
    sorted.get(count.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples: Vec<u64> = (1..=1000).rev().collect();
        let expected = Quantiles {
            p50: 50.0,
            p99: 99.0,
            p999: 99.9,
        };
        assert_eq!(Quantiles::of(samples, 10.0), Some(expected));
        assert_eq!(Quantiles::of(vec![7], 1.0).map(|q| q.p999), Some(7.0));
        assert_eq!(Quantiles::of(Vec::new(), 1.0), None);
    }
}
