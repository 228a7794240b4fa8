//! Time, rounds and medians.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;

use crate::keys::Stream;

/// How checks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Independent checks back to back: the processor overlaps their misses.
    Throughput,
    /// A fence after each: what one costs where something else waits for its answer.
    Isolated,
}

/// A limiter under test, or what stands beside one.
pub trait Check<K>: Send + Sync {
    /// Decides on one unit and says whether it was allowed. The whole answer is made, and kept from
    /// the optimiser by [`black_box`].
    fn check(&self, key: &K) -> bool;
}

/// The same, whatever its type: one call for each walk over many keys, so that its cost is nothing.
pub trait Walk<K>: Send + Sync {
    /// Checks one key after another. Says how many were allowed.
    fn walk(&self, keys: &[K], mode: Mode) -> u64;
}

impl<K, C: Check<K>> Walk<K> for C {
    fn walk(&self, keys: &[K], mode: Mode) -> u64 {
        let mut allowed = 0;
        match mode {
            Mode::Throughput => {
                for key in keys {
                    allowed += u64::from(self.check(black_box(key)));
                }
            }
            Mode::Isolated => {
                for key in keys {
                    allowed += u64::from(self.check(black_box(key)));
                    fence();
                }
            }
        }
        allowed
    }
}

/// Nothing after this begins before all before it has ended.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fence() {
    #[expect(
        unsafe_code,
        reason = "the instruction is in every processor of this architecture"
    )]
    // SAFETY: LFENCE is part of SSE2, which x86-64 includes. It touches no memory.
    unsafe {
        core::arch::x86_64::_mm_lfence();
    }
}

/// The nearest that the language has: it orders memory accesses, not all instructions.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

/// Processor time of this thread.
pub fn thread_ns() -> u64 {
    ns(clock_gettime(ClockId::ThreadCPUTime))
}

/// Processor time of this process, all threads.
pub fn process_ns() -> u64 {
    ns(clock_gettime(ClockId::ProcessCPUTime))
}

/// Time as the wall has it.
pub fn wall_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

fn ns(time: Timespec) -> u64 {
    let whole = Duration::new(time.tv_sec.unsigned_abs(), 0).as_nanos() as u64;
    whole + time.tv_nsec.unsigned_abs()
}

/// What one comparison may take.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each of both contestants, one after the other.
    pub rounds: usize,
    /// About how long one contestant's part of a round is.
    pub part: Duration,
}

/// What one contestant did in all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Nanoseconds of processor time for each check, the median of the rounds.
    pub ns: f64,
    /// The part of the checks that were allowed.
    pub allowed: f64,
}

/// What two did on the same keys.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// The first.
    pub ours: Measured,
    /// The second.
    pub rival: Measured,
}

/// Both on the same keys in each round, by turns the one or the other first.
pub fn paired<K: Send + Sync>(
    ours: &dyn Walk<K>,
    rival: &dyn Walk<K>,
    stream: &Stream<K>,
    mode: Mode,
    threads: usize,
    effort: Effort,
) -> Paired {
    let count = |contestant| count_for(contestant, stream, mode, threads, effort.part);
    let (ours_count, rival_count) = (count(ours), count(rival));
    let (mut of_ours, mut of_rival) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds {
        let at = round * ours_count.max(rival_count) * threads;
        let mut first = || of_ours.push(timed(ours, stream, at, ours_count, mode, threads));
        let mut second = || of_rival.push(timed(rival, stream, at, rival_count, mode, threads));
        if round % 2 == 0 {
            first();
            second();
        } else {
            second();
            first();
        }
    }
    Paired {
        ours: middle(&of_ours),
        rival: middle(&of_rival),
    }
}

fn middle(rounds: &[Measured]) -> Measured {
    let mut each_ns: Vec<_> = rounds.iter().map(|round| round.ns).collect();
    let allowed: f64 = rounds.iter().map(|round| round.allowed).sum();
    Measured {
        ns: median(&mut each_ns),
        allowed: allowed / rounds.len() as f64,
    }
}

/// How many checks fill one part of a round. Measuring it warms the contestant up.
fn count_for<K: Send + Sync>(
    contestant: &dyn Walk<K>,
    stream: &Stream<K>,
    mode: Mode,
    threads: usize,
    part: Duration,
) -> usize {
    const PROBE: usize = 2_000;
    let _cold = timed(contestant, stream, 0, PROBE, mode, threads);
    let warm = timed(contestant, stream, 0, PROBE, mode, threads);
    let count = part.as_nanos() as f64 / warm.ns.max(1.0);
    (count as usize).clamp(PROBE, stream.len() / threads)
}

/// `count` checks on each thread, from place `at` of the stream on.
fn timed<K: Send + Sync>(
    contestant: &dyn Walk<K>,
    stream: &Stream<K>,
    at: usize,
    count: usize,
    mode: Mode,
    threads: usize,
) -> Measured {
    let part = |thread: usize| stream.part(at + thread * count, count);
    let walks = match threads {
        1 => vec![walked(contestant, part(0), mode)],
        _ => together(contestant, (0..threads).map(part), mode),
    };
    let (took_ns, allowed) = walks
        .iter()
        .fold((0, 0), |sum, walk| (sum.0 + walk.0, sum.1 + walk.1));
    let checks = (count * threads) as f64;
    Measured {
        ns: took_ns as f64 / checks,
        allowed: allowed as f64 / checks,
    }
}

/// Each part on a thread of its own, all begun at once.
fn together<'a, K: Sync + 'a>(
    contestant: &dyn Walk<K>,
    parts: impl ExactSizeIterator<Item = &'a [K]>,
    mode: Mode,
) -> Vec<(u64, u64)> {
    let barrier = &Barrier::new(parts.len());
    std::thread::scope(|scope| {
        let walkers = parts.map(|keys| {
            scope.spawn(move || {
                barrier.wait();
                walked(contestant, keys, mode)
            })
        });
        let walkers: Vec<_> = walkers.collect();
        let joined = walkers.into_iter().map(|walker| walker.join());
        joined
            .map(|walk| walk.expect("a walk does not panic"))
            .collect()
    })
}

/// Processor time, and how many were allowed.
fn walked<K>(contestant: &dyn Walk<K>, keys: &[K], mode: Mode) -> (u64, u64) {
    let begun_ns = thread_ns();
    let allowed = black_box(contestant.walk(keys, mode));
    (thread_ns() - begun_ns, allowed)
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this part of all values lies; NaN of none.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
