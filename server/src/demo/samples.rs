//! The hottest client's limit as the nodes saw it while the run went on.

use super::cluster::View;

/// Samples are at least so far apart.
const APART_NS: u64 = 100_000_000;

/// Most samples kept; a longer run is sampled up to there.
const SAMPLES_MAX: usize = 40_000;

/// Samples in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) samples: Vec<Sample>,
    next_ns: u64,
    /// The furthest apart since the last sample: what heals within a look must not be missed.
    apart_units_max: u64,
}

/// One moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Of the run.
    pub(crate) at_ns: u64,
    /// The part of the limit that each node holds.
    pub(crate) shares: Vec<f64>,
    /// How far apart nodes were in what they think the cluster still has, at most since the last
    /// sample.
    pub(crate) apart_units: u64,
}

impl Samples {
    pub(crate) fn add(&mut self, at_ns: u64, views: &[View]) {
        let remaining = || views.iter().map(|view| view.remaining_units);
        let (most, least) = (remaining().max(), remaining().min());
        let apart_units = most.unwrap_or(0) - least.unwrap_or(0);
        self.apart_units_max = self.apart_units_max.max(apart_units);
        if at_ns < self.next_ns || self.samples.len() >= SAMPLES_MAX {
            return;
        }
        self.next_ns = at_ns + APART_NS;
        self.samples.push(Sample {
            at_ns,
            shares: views.iter().map(|view| view.share).collect(),
            apart_units: std::mem::take(&mut self.apart_units_max),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(remaining: [u64; 2]) -> [View; 2] {
        remaining.map(|remaining_units| View {
            share: 0.5,
            remaining_units,
        })
    }

    #[test]
    fn what_came_and_went_between_two_samples_is_in_the_second() {
        let mut samples = Samples::default();
        samples.add(0, &views([5, 5]));
        samples.add(APART_NS / 2, &views([9, 2]));
        samples.add(APART_NS, &views([4, 3]));
        samples.add(2 * APART_NS, &views([4, 3]));
        let apart = samples.samples.iter().map(|sample| sample.apart_units);
        assert_eq!(apart.collect::<Vec<_>>(), [0, 7, 1]);
        assert_eq!(samples.samples[1].at_ns, APART_NS);
    }
}
