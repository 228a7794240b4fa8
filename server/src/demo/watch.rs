//! Follows a run: one line a second for each node, and how fast shares follow the hot spot.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    cluster::{Cluster, View},
    drive::Tally,
    report::{self, NodeLine},
    samples::Samples,
    schedule::{HotSpot, Schedule},
};

/// How often shares are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The share at which a hot spot counts as followed.
pub(crate) const FOLLOWED_SHARE: f64 = 0.6;

const SECOND_NS: u64 = 1_000_000_000;

/// Looks at a run from outside until it is told to stop.
pub(crate) struct Watch {
    cluster: Arc<Cluster>,
    schedule: Arc<Schedule>,
    tally: Arc<Tally>,
    start_ns: u64,
    seconds_shown: u64,
    /// Each node's counts when they were last shown.
    shown: Vec<(u64, u64)>,
    followed: Vec<Followed>,
    samples: Samples,
}

/// What was seen from beside a run.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) followed: Vec<Followed>,
    pub(crate) samples: Samples,
}

/// How long it took until the hot node held most of the hottest client's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) spot: HotSpot,
    /// None: not before the hot spot moved on.
    pub(crate) after_ns: Option<u64>,
}

impl Watch {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        schedule: Arc<Schedule>,
        tally: Arc<Tally>,
        start_ns: u64,
    ) -> Self {
        let spots = schedule.hot_spots.iter();
        let followed = spots.map(|spot| Followed {
            spot: *spot,
            after_ns: None,
        });
        Self {
            followed: followed.collect(),
            samples: Samples::default(),
            shown: vec![(0, 0); cluster.nodes()],
            seconds_shown: 0,
            cluster,
            schedule,
            tally,
            start_ns,
        }
    }

    /// Follows the run until `stop` is sent or dropped.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Watched {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = &mut stop => return self.watched(),
                _ = looks.tick() => self.look(),
            }
        }
    }

    fn watched(self) -> Watched {
        Watched {
            followed: self.followed,
            samples: self.samples,
        }
    }

    fn look(&mut self) {
        let run_ns = self.cluster.now_ns().saturating_sub(self.start_ns);
        let views: Vec<View> = (0..self.cluster.nodes())
            .map(|node| self.view(node))
            .collect();
        self.samples.add(run_ns, &views);
        self.follow(run_ns);
        if run_ns / SECOND_NS > self.seconds_shown {
            self.seconds_shown = run_ns / SECOND_NS;
            self.show();
        }
    }

    fn follow(&mut self, run_ns: u64) {
        let Some(index) = hot_spot_at(&self.schedule.hot_spots, run_ns) else {
            return;
        };
        let HotSpot { from_ns, node } = self.followed[index].spot;
        let share = self.view(usize::from(node)).share;
        if self.followed[index].after_ns.is_none() && share > FOLLOWED_SHARE {
            self.followed[index].after_ns = Some(run_ns - from_ns);
        }
    }

    fn show(&mut self) {
        // The counts are of the second that has just ended, and so is the mark.
        let ended_ns = (self.seconds_shown * SECOND_NS).saturating_sub(1);
        let spot = hot_spot_at(&self.schedule.hot_spots, ended_ns);
        let hot_node = spot.map(|index| usize::from(self.schedule.hot_spots[index].node));
        for node in 0..self.cluster.nodes() {
            let (admitted, refused) = self.tally.of(node);
            let (admitted_before, refused_before) = self.shown[node];
            self.shown[node] = (admitted, refused);
            report::show_second(&NodeLine {
                second: self.seconds_shown,
                node,
                share: self.view(node).share,
                admitted: admitted - admitted_before,
                refused: refused - refused_before,
                hot: hot_node == Some(node),
            });
        }
    }

    /// The hottest client's limit as a node sees it.
    fn view(&self, node: usize) -> View {
        let hottest = &self.schedule.clients[self.schedule.hottest as usize];
        self.cluster.view(node, hottest)
    }
}

/// Which hot spot is the latest at that instant of the run.
fn hot_spot_at(spots: &[HotSpot], run_ns: u64) -> Option<usize> {
    spots.iter().rposition(|spot| spot.from_ns <= run_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_spot_lasts_until_the_next() {
        let spots = [0, 7].map(|from_ns| HotSpot { from_ns, node: 0 });
        assert_eq!(hot_spot_at(&spots, 6), Some(0));
        assert_eq!(hot_spot_at(&spots, 7), Some(1));
        assert_eq!(hot_spot_at(&spots[1..], 6), None);
        assert_eq!(hot_spot_at(&[], 0), None);
    }
}
