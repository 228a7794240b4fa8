//! One run from start to verdict.

use std::{fs::File, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    Failure,
    args::Mode,
    balance::Balancer,
    cluster::{self, Cluster, Setup, Traffic},
    drive::{Drive, Driven, Tally},
    faults::{self, Convergence},
    judge,
    log::{self, Log},
    options::{Options, Source},
    page,
    quantiles::Quantiles,
    report::{self, Figures},
    schedule::Schedule,
    shown::OptionsShown,
    verdict::{self, Verdict},
    watch::{Watch, Watched},
    workload,
};

/// Between the cluster's start and the first request: time for the first rows.
const WARM_UP_NS: u64 = 200_000_000;

/// The same for an idle run, whose figure is of a cluster that has long settled.
const WARM_UP_IDLE_NS: u64 = 2_000_000_000;

/// What a run is made of, once its input is known to be good.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) setup: Setup,
    /// None: the requests come from no log.
    pub(crate) lines: Option<log::Tally>,
    json: Option<File>,
    page: Option<File>,
}

/// What a run was seen to do.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) driven: Driven,
    pub(crate) convergence: Option<Convergence>,
    pub(crate) watched: Watched,
    traffic: Traffic,
    /// The first request's instant, by the cluster's clock.
    pub(crate) start_ns: u64,
    /// From the first request's instant to the last answer, or the end of convergence.
    pub(crate) duration_ns: u64,
}

impl Plan {
    /// Reads the input and opens the output, so that nothing is found missing after the run.
    ///
    /// # Errors
    /// Input that cannot be used.
    pub(crate) fn new(options: Options) -> Result<Self> {
        let (schedule, lines) = schedule(&options)?;
        check_partition(&options, schedule.duration_ns())?;
        let setup = Setup {
            nodes: options.nodes,
            limit: cluster::limit(options.rate, options.limit.burst_units)?,
            overshoot: options.overshoot.as_f64(),
            tick: options.tick,
            evict_after: options.evict_after,
        };
        let create = |path: &PathBuf| {
            File::create(path).with_context(|| format!("cannot write to {}", path.display()))
        };
        let (json, page) = (options.json.as_ref(), options.report.as_ref());
        Ok(Self {
            schedule: Arc::new(schedule),
            setup,
            lines,
            json: json.map(create).transpose()?,
            page: page.map(create).transpose()?,
            options,
        })
    }

    /// Runs it and reports.
    ///
    /// # Errors
    /// A cluster that does not start, or figures that cannot be written.
    pub(crate) async fn run(mut self) -> Result<Verdict, Failure> {
        let seen = self.see().await.map_err(Failure::Run)?;
        let (figures, verdict) = self.figures(&seen);
        self.show(&figures, &seen, verdict);
        if let Some(file) = self.json.take() {
            report::write_json(&figures, file).map_err(Failure::Input)?;
        }
        if let Some(file) = self.page.take() {
            page::write(&self, &seen, &figures, verdict, file).map_err(Failure::Input)?;
        }
        Ok(verdict)
    }

    async fn see(&self) -> Result<Seen> {
        let cluster = Arc::new(Cluster::start(&self.setup).await?);
        let start_ns = cluster.now_ns() + self.warm_up_ns();
        faults::sleep_until(&cluster, start_ns).await;
        let before = cluster.traffic();
        let mut seen = match self.options.source {
            Source::Idle { duration } => idle(duration).await,
            Source::Log { .. } | Source::Seeded => self.drive(&cluster, start_ns).await?,
        };
        let after = cluster.traffic();
        seen.traffic = Traffic {
            datagrams: after.datagrams.saturating_sub(before.datagrams),
            bytes: after.bytes.saturating_sub(before.bytes),
        };
        seen.start_ns = start_ns;
        seen.duration_ns = cluster.now_ns().saturating_sub(start_ns).max(1);
        if let Some(cluster) = Arc::into_inner(cluster) {
            cluster.shutdown().await;
        }
        Ok(seen)
    }

    fn warm_up_ns(&self) -> u64 {
        match self.options.source {
            Source::Idle { .. } => WARM_UP_IDLE_NS,
            Source::Log { .. } | Source::Seeded => WARM_UP_NS,
        }
    }

    async fn drive(&self, cluster: &Arc<Cluster>, start_ns: u64) -> Result<Seen> {
        let options = &self.options;
        let tally = Arc::new(Tally::new(options.nodes));
        let faults = options.partition.map(|partition| {
            let cluster = Arc::clone(cluster);
            tokio::spawn(faults::cut_and_heal(cluster, partition, start_ns))
        });
        let watch = Watch::new(
            Arc::clone(cluster),
            Arc::clone(&self.schedule),
            Arc::clone(&tally),
            start_ns,
        );
        let (stop, stopped) = oneshot::channel();
        let watch = tokio::spawn(watch.run(stopped));
        let drive = Drive {
            cluster: Arc::clone(cluster),
            schedule: Arc::clone(&self.schedule),
            tally,
            balancer: Balancer::new(options.balance, options.nodes, options.seed),
            mode: options.mode,
            start_ns,
        };
        let driven = drive.run().await?;
        let convergence = converged(faults).await?;
        drop(stop);
        Ok(Seen {
            driven,
            convergence,
            watched: watch.await.context("the watch stopped")?,
            ..Seen::default()
        })
    }

    /// The figures of what was seen, and the verdict on it.
    pub(crate) fn figures(&self, seen: &Seen) -> (Figures, Verdict) {
        let options = &self.options;
        let (rate, burst_units) = (options.rate, options.limit.burst_units);
        let mut arrivals = verdict::arrivals(&self.schedule);
        let ideal_admitted = judge::ideal_admitted(rate, burst_units, &mut arrivals);
        let mut admitted = verdict::admitted(&seen.driven.outcomes);
        let judgement = judge::judge(rate, burst_units, &mut admitted);
        let bound = verdict::bound(options, seen.duration_ns);
        let node_seconds = options.nodes as f64 * seen.duration_ns as f64 / 1e9;
        let converged_ns = seen.convergence.map(|c| c.from_first_datagram_ns as f64);
        let healed_ns = seen.convergence.map(|c| c.from_healing_ns as f64);
        let figures = Figures {
            requests: self.schedule.requests.len() as u64,
            admitted: admitted.len() as u64,
            ideal_admitted,
            utilisation: (ideal_admitted > 0)
                .then(|| admitted.len() as f64 / ideal_admitted as f64),
            overshoot_units: judgement.overshoot_units(),
            bound_units: bound.units(),
            converged_ms: converged_ns.map(|ns| ns / 1e6),
            converged_ticks: converged_ns.map(|ns| ns / options.tick.as_nanos() as f64),
            converged_from_healing_ms: healed_ns.map(|ns| ns / 1e6),
            datagrams_per_node_s: seen.traffic.datagrams as f64 / node_seconds,
            bytes_per_node_s: seen.traffic.bytes as f64 / node_seconds,
            check_ns: times(Mode::Check, options.mode, seen, 1.0),
            acquire_us: times(Mode::Acquire, options.mode, seen, 1e3),
            unparsed_lines: self.lines.as_ref().map(|lines| lines.unparsed_lines),
            late_lines: self.lines.as_ref().map(|lines| lines.late_lines),
            seed: options.seed,
            options: OptionsShown::new(options),
        };
        (figures, Verdict::of(&judgement, &bound))
    }

    fn show(&self, figures: &Figures, seen: &Seen, verdict: Verdict) {
        let mut lines = report::table(figures);
        lines.extend(seen.watched.followed.iter().map(report::followed_line));
        lines.push(report::lag_line(seen.driven.lag_ns_max));
        lines.extend(report::misdated_line(seen.driven.misdated()));
        lines.push(match verdict {
            Verdict::Kept => "the bound was kept".to_owned(),
            Verdict::Exceeded => "THE BOUND WAS EXCEEDED".to_owned(),
        });
        report::show(&lines);
    }
}

fn schedule(options: &Options) -> Result<(Schedule, Option<log::Tally>)> {
    match &options.source {
        Source::Log { path, speed } => {
            let log = Log::open(path)?;
            Ok((log.schedule(*speed)?, Some(log.tally)))
        }
        Source::Seeded => {
            let burst_units = options.limit.burst_units;
            let made = workload::seeded(options.seed, options.rate, burst_units, options.nodes);
            Ok((made, None))
        }
        Source::Idle { .. } => Ok((Schedule::default(), None)),
    }
}

fn check_partition(options: &Options, duration_ns: u64) -> Result<()> {
    match options.partition {
        Some(partition) if partition.to_ns > duration_ns => Err(anyhow!(
            "--partition ends at {:.1} s, after the run's last request at {:.1} s",
            partition.to_ns as f64 / 1e9,
            duration_ns as f64 / 1e9
        )),
        _ => Ok(()),
    }
}

async fn idle(duration: Duration) -> Seen {
    tokio::time::sleep(duration).await;
    Seen::default()
}

async fn converged(faults: Option<JoinHandle<Option<Convergence>>>) -> Result<Option<Convergence>> {
    match faults {
        Some(faults) => faults.await.context("cutting and healing stopped"),
        None => Ok(None),
    }
}

fn times(measured: Mode, mode: Mode, seen: &Seen, divisor: f64) -> Option<Quantiles> {
    if measured != mode {
        return None;
    }
    let outcomes = seen.driven.outcomes.iter();
    Quantiles::of(outcomes.map(|outcome| outcome.took_ns).collect(), divisor)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
