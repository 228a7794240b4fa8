//! Access logs: read, put in order, spread within each second, and set to the run's time.

mod line;

use std::{
    collections::HashMap,
    io::{BufRead, Read},
    path::Path,
};

use anyhow::{Context, Result, ensure};

use super::{
    decimal::Decimal,
    schedule::{REQUESTS_MAX, Request, Schedule},
};

/// Longest line that is read, in bytes; longer ones do not parse.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// How far behind the latest line before it a line may lie and still be sorted in, in seconds.
const DISORDER_S_MAX: i64 = 60;

/// How many line numbers that did not parse are remembered.
const UNPARSED_NAMED_MAX: usize = 5;

/// Longest run, in nanoseconds: a day.
const RUN_NS_MAX: u128 = 86_400_000_000_000;

/// A log as read: who asked in which second, in order of seconds.
#[derive(Debug, Default)]
pub(crate) struct Log {
    hits: Vec<Hit>,
    clients: Vec<String>,
    pub(crate) tally: Tally,
}

/// What was wrong with the log's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) unparsed_lines: u64,
    /// The first few, counted from 1.
    pub(crate) unparsed_first: Vec<u64>,
    /// Lines too far out of order, which were left out.
    pub(crate) late_lines: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    second: i64,
    client: u32,
}

/// Builds a [`Log`] line by line.
#[derive(Default)]
struct Reader {
    log: Log,
    ids: HashMap<String, u32>,
    second_latest: Option<i64>,
    line_number: u64,
}

impl Log {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, is too long, or holds no line that parses.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path)
            .with_context(|| format!("cannot open the log {}", path.display()))?;
        Self::read(std::io::BufReader::new(file))
            .with_context(|| format!("cannot use the log {}", path.display()))
    }

    /// Reads lines until the end; errors as [`Log::open`] says.
    pub(crate) fn read(mut input: impl BufRead) -> Result<Self> {
        let mut reader = Reader::default();
        let mut line = Vec::new();
        while let Some(fits) = next_line(&mut input, &mut line)? {
            reader.take(fits.then_some(&line))?;
        }
        let mut log = reader.log;
        ensure!(!log.hits.is_empty(), "it has no line in Common Log Format");
        // Stable: within a second, the order of the lines.
        log.hits.sort_by_key(|hit| hit.second);
        Ok(log)
    }

    /// When each request comes in a run `speed` times faster than the log.
    ///
    /// The k-th of n requests of one second comes at k/n of it.
    ///
    /// # Errors
    /// A run longer than a day.
    pub(crate) fn schedule(&self, speed: Decimal) -> Result<Schedule> {
        let first = self.hits.first().map_or(0, |hit| hit.second);
        let mut requests = Vec::with_capacity(self.hits.len());
        for second in self.hits.chunk_by(|a, b| a.second == b.second) {
            let passed_s = u128::try_from(second[0].second - first).expect("hits are sorted");
            for (k, hit) in second.iter().enumerate() {
                requests.push(Request {
                    at_ns: run_ns(passed_s, k, second.len(), speed)?,
                    client: hit.client,
                    target: None,
                });
            }
        }
        let mut schedule = Schedule {
            requests,
            clients: self.clients.clone(),
            ..Schedule::default()
        };
        schedule.hottest = schedule.busiest();
        Ok(schedule)
    }
}

impl Reader {
    /// Takes the next line; none is one too long to be read.
    fn take(&mut self, line: Option<&Vec<u8>>) -> Result<()> {
        self.line_number += 1;
        match line.and_then(|bytes| line::parse(bytes)) {
            Some(parsed) => self.hit(parsed),
            None => self.unparsed(),
        }
        ensure!(
            self.log.hits.len() <= REQUESTS_MAX,
            "it has more than {REQUESTS_MAX} requests"
        );
        Ok(())
    }

    fn hit(&mut self, line: line::Line<'_>) {
        let latest = self.second_latest.unwrap_or(line.second);
        self.second_latest = Some(latest.max(line.second));
        if line.second < latest - DISORDER_S_MAX {
            self.log.tally.late_lines += 1;
            return;
        }
        let client = self.client(line.client);
        self.log.hits.push(Hit {
            second: line.second,
            client,
        });
    }

    fn client(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.log.clients.len()).expect("fewer than REQUESTS_MAX");
        self.log.clients.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn unparsed(&mut self) {
        let tally = &mut self.log.tally;
        tally.unparsed_lines += 1;
        if tally.unparsed_first.len() < UNPARSED_NAMED_MAX {
            tally.unparsed_first.push(self.line_number);
        }
    }
}

/// The instant, in nanoseconds of the run, of the k-th of n requests of a second of the log.
fn run_ns(passed_s: u128, k: usize, n: usize, speed: Decimal) -> Result<u64> {
    let n = n as u128;
    let log_ns_times_n = (passed_s * n + k as u128) * 1_000_000_000;
    let run_ns = log_ns_times_n * u128::from(speed.scale) / (n * u128::from(speed.digits));
    ensure!(
        run_ns <= RUN_NS_MAX,
        "the run would last more than a day: raise --speed"
    );
    Ok(u64::try_from(run_ns).expect("checked above"))
}

/// Reads one line without its end into `line`, and whether it fitted; none at the end of input.
/// What does not fit is skipped, so memory stays bounded.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Option<bool>> {
    line.clear();
    let limit = LINE_BYTES_MAX as u64 + 1;
    let taken = input.by_ref().take(limit).read_until(b'\n', line)?;
    if taken == 0 {
        return Ok(None);
    }
    let fits = line.ends_with(b"\n") || taken <= LINE_BYTES_MAX;
    if !fits {
        input.skip_until(b'\n')?;
    }
    while line
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        line.pop();
    }
    Ok(Some(fits))
}

#[cfg(test)]
mod tests;
